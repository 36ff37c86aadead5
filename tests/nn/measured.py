"""The spectrum that a set of features really has, found by an FFT and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Features = Callable[[np.ndarray], np.ndarray]


def power(features: Features, domain: tuple[float, float], samples: int = 1024) -> np.ndarray:
    """Power of all features together per whole number of cycles across the domain, the constant left out.

    A Hann window, after the removal of each feature's windowed mean, keeps frequencies that are not whole
    numbers within two bins of where they belong.
    """
    low, high = domain
    coords = low + (high - low) * np.arange(samples) / samples
    values = np.asarray(features(coords), dtype=np.float64)
    window = np.hanning(samples + 1)[:-1, None]
    centred = values - (window * values).sum(0) / window.sum()
    return (np.abs(np.fft.rfft(window * centred, axis=0)) ** 2).sum(1)


def bandwidth(
    features: Features, domain: tuple[float, float], samples: int = 1024, share: float = 0.9
) -> float:
    """Cycles across the domain below which `share` of the power lies; right to about a bin."""
    cumulative = np.cumsum(power(features, domain, samples))
    return float(np.interp(share * cumulative[-1], cumulative, np.arange(len(cumulative)) + 0.5))
