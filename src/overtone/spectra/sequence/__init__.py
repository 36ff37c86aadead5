"""Sequences: error per band of temporal frequency, and the small-signal response of what maps one to another."""

from overtone.spectra.sequence._estimators import EvenExtension as EvenExtension
from overtone.spectra.sequence._estimators import Multitaper as Multitaper
from overtone.spectra.sequence._estimators import Periodic as Periodic
from overtone.spectra.sequence._estimators import TemporalEstimator as TemporalEstimator
from overtone.spectra.sequence._estimators import Welch as Welch
from overtone.spectra.sequence._response import Derivative as Derivative
from overtone.spectra.sequence._response import Differences as Differences
from overtone.spectra.sequence._response import DoubleBackward as DoubleBackward
from overtone.spectra.sequence._response import Response as Response
from overtone.spectra.sequence._response import response as response
from overtone.spectra.sequence._transform import SequenceTransform as SequenceTransform
