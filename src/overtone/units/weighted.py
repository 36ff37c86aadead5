"""Bandwidth of features of unequal power: power laws, masks, and what a rectifier adds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overtone.units.bandwidth import BANDWIDTH_SHARE, _whole

Array = NDArray[np.float64]


def weighted_bandwidth(frequencies: ArrayLike, power: ArrayLike) -> float:
    """The least of the nonzero |frequencies| that, with those below, holds 90 % of their power.

    Args:
        frequencies: (m,) in cycles per unit.
        power: (m,) not negative.

    Returns:
        The bandwidth in cycles per unit; 0 if nothing varies.
    """
    f, p = np.abs(np.asarray(frequencies, np.float64)), np.asarray(power, np.float64)
    moving = (f > 0) & (p > 0)
    if not moving.any():
        return 0.0
    order = np.argsort(f[moving])
    reached = np.cumsum(p[moving][order])
    return float(f[moving][order][np.argmax(reached >= BANDWIDTH_SHARE * reached[-1] * (1 - 1e-9))])


def power_law_bandwidth(count: int, power: float) -> float:
    """Bandwidth of j^-p cos, sin(2 pi j v), j = 1 ... m: the least whole number that holds 90 % of sum j^(-2 p).

    Args:
        count: m, the number of frequencies.
        power: p, the decay of the amplitudes; 0 for equal ones.

    Returns:
        The bandwidth in cycles per unit.

    Raises:
        InputError: If `count` is not a whole number of at least 1.
    """
    j = np.arange(1, _whole(count, "count", 1) + 1, dtype=np.float64)
    return weighted_bandwidth(j, j ** (-2 * power))


def rectified_bandwidth(frequencies: ArrayLike, power: ArrayLike) -> float:
    """Bandwidth of max(0, z), z a random mixture of cosines and sines of known frequencies.

    Many random weights make z a Gaussian process with autocorrelation r(t) = sum_k p_k cos(2 pi f_k t) / sum_k p_k;
    that of max(0, z) is (sqrt(1 - r^2) + r (pi - arccos r)) / (2 pi), up to a factor (Cho & Saul 2009, order 1).
    Its Fourier transform, without the constant, is the power spectrum.

    Args:
        frequencies: (m,) in cycles per unit.
        power: (m,) not negative.

    Returns:
        The bandwidth in cycles per unit, right to 1/256 of the highest frequency; 0 if nothing varies.
    """
    f, p = np.abs(np.asarray(frequencies, np.float64)), np.asarray(power, np.float64)
    moving = (f > 0) & (p > 0)
    if not moving.any():
        return 0.0
    f, p = f[moving] / f[moving].max(), p[moving] / p[moving].sum()
    count, rate = 4096, 16.0
    lag = np.arange(count) / rate
    r = np.clip(np.cos(2 * math.pi * lag[:, None] * f) @ p, -1, 1)
    like = (np.sqrt(1 - r * r) + r * (math.pi - np.arccos(r)) - 1) / (2 * math.pi)
    taper = 0.5 + 0.5 * np.cos(math.pi * np.arange(count) / count)
    even = np.concatenate([like * taper, [0.0], (like * taper)[:0:-1]])
    spectrum = np.clip(np.fft.rfft(even).real, 0, None)
    spectrum[:3] = 0.0
    reached = np.cumsum(spectrum)
    place = np.interp(BANDWIDTH_SHARE * reached[-1], reached, np.arange(len(reached)) + 0.5)
    top = np.abs(np.asarray(frequencies, np.float64))[moving].max()
    return float(place * rate / (2 * count) * top)
