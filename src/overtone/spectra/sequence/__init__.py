"""Sequences: error per band of temporal frequency, and the small-signal response of what maps one to another."""

from overtone.spectra.sequence.derivative import Derivative as Derivative
from overtone.spectra.sequence.derivative import Differences as Differences
from overtone.spectra.sequence.derivative import DoubleBackward as DoubleBackward
from overtone.spectra.sequence.estimators import EvenExtension as EvenExtension
from overtone.spectra.sequence.estimators import Multitaper as Multitaper
from overtone.spectra.sequence.estimators import Periodic as Periodic
from overtone.spectra.sequence.estimators import TemporalEstimator as TemporalEstimator
from overtone.spectra.sequence.estimators import Welch as Welch
from overtone.spectra.sequence.response import Response as Response
from overtone.spectra.sequence.response import response as response
from overtone.spectra.sequence.transform import SequenceTransform as SequenceTransform
