"""Predictions without a network: interpolation and smoothing of the samples of a grid.

Example:
    >>> from overtone import baselines, signals
    >>> signal = signals.synthetic.harmonics([1], samples=32)
    >>> split = signal.with_held_out(signals.masks.random(signal.geometry, 0.25))
    >>> error = baselines.Cubic().predict(split) - signal.values
    >>> bool(error.abs().max() < 0.05)
    True
"""

from overtone.baselines._baseline import Baseline, Mean
from overtone.baselines._interpolation import Cubic, Linear
from overtone.baselines._smoothing import BandLimitedFit, Smoothing

__all__ = [
    "BandLimitedFit",
    "Baseline",
    "Cubic",
    "Linear",
    "Mean",
    "Smoothing",
]
