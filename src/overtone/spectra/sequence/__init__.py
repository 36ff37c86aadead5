"""Sequences: power per band of temporal frequency, and the small-signal response of maps between sequences."""

from overtone.spectra.sequence._estimators import TemporalEstimator as TemporalEstimator
from overtone.spectra.sequence._response import Derivative as Derivative
from overtone.spectra.sequence._response import response as response
from overtone.spectra.sequence._transform import SequenceTransform as SequenceTransform
