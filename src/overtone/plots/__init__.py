"""Figures from records: each plot has its `data`, its `figure()` and its description. No torch."""

from overtone.plots._base import Plot
from overtone.plots._comparison import RunComparison
from overtone.plots._errors import PSNR, Loss
from overtone.plots._fourier_heat_map import FourierHeatMap
from overtone.plots._learning import LearningOrder, LearningStep
from overtone.plots._predicted import PredictedSteps
from overtone.plots._reconstruction import Curve, Picture, Slices
from overtone.plots._spectra import BandPower, ByFrequency, Spectra
from overtone.plots._spectrogram import Spectrogram

__all__ = [
    "PSNR",
    "BandPower",
    "ByFrequency",
    "Curve",
    "FourierHeatMap",
    "LearningOrder",
    "LearningStep",
    "Loss",
    "Picture",
    "Plot",
    "PredictedSteps",
    "RunComparison",
    "Slices",
    "Spectra",
    "Spectrogram",
]
