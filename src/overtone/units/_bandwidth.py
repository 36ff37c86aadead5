"""Bandwidth of feature sets and of activations' first layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overtone.errors import InputError
from overtone.units._frequency import positive

BANDWIDTH_SHARE = 0.9
"""Share of the spectral power that lies below the bandwidth."""


def _whole(value: float, name: str, minimum: int) -> int:
    """`value` as a whole number of at least `minimum`, or an error that names it."""
    number = positive(value, name)
    if number != int(number) or number < minimum:
        raise InputError(f"a whole number of at least {minimum}", repr(value), f"pass another {name}", name)
    return int(number)


def _rank(count: int) -> int:
    """Rank, from 1, of the lowest of `count` equal powers up to which the share is reached."""
    return -(-9 * count // 10)


def gaussian_bandwidth(sigma: float) -> float:
    """Bandwidth of random Fourier features cos, sin(2 pi b v) with b ~ N(0, sigma^2): 1.6449 sigma.

    |b| is below the 95 % quantile of the normal law with probability 90 % (Tancik et al. 2020, section 6,
    defines sigma with the 2 pi outside).

    Args:
        sigma: Standard deviation of the frequencies along the axis, in cycles per unit.

    Returns:
        The bandwidth in cycles per unit.

    Raises:
        InputError: If `sigma` is not positive and finite.
    """
    return NormalDist().inv_cdf((1 + BANDWIDTH_SHARE) / 2) * positive(sigma, "sigma")


def gaussian_sigma(bandwidth: float) -> float:
    """The inverse of `gaussian_bandwidth`.

    Args:
        bandwidth: In cycles per unit.

    Returns:
        The standard deviation of the frequencies, in cycles per unit.

    Raises:
        InputError: If `bandwidth` is not positive and finite.
    """
    return positive(bandwidth, "bandwidth") / gaussian_bandwidth(1.0)


def _log_linear_reach(count: int | None) -> float:
    """Position of the bandwidth in the exponents 0..S, as a share of S."""
    if count is None:
        return BANDWIDTH_SHARE
    moving = _whole(count, "count", 2) - 1
    return _rank(moving) / moving


def log_linear_bandwidth(scale: float, count: int | None = None) -> float:
    """Bandwidth of the axis frequencies 2^linspace(0, S, m) - 1.

    It is 2^(S r) - 1 with r = ceil(0.9 (m - 1)) / (m - 1).

    The first frequency is zero, so it is constant and left out (the log-linear positional encoding in the
    notebooks of Tancik et al. 2020).

    Args:
        scale: S, the exponent of the highest frequency.
        count: m, frequencies per axis; None for the limit of many, r = 0.9.

    Returns:
        The bandwidth in cycles per unit.

    Raises:
        InputError: If `scale` is not positive and finite, or `count` is below 2.
    """
    return 2 ** (positive(scale, "scale") * _log_linear_reach(count)) - 1


def log_linear_scale(bandwidth: float, count: int | None = None) -> float:
    """The inverse of `log_linear_bandwidth`.

    Args:
        bandwidth: In cycles per unit.
        count: m, frequencies per axis; None for the limit of many.

    Returns:
        S, the exponent of the highest frequency.

    Raises:
        InputError: If `bandwidth` is not positive and finite, or `count` is below 2.
    """
    return math.log2(1 + positive(bandwidth, "bandwidth")) / _log_linear_reach(count)


def octave_bandwidth(count: float) -> float:
    """Bandwidth of the axis frequencies 2^0, 2^1, ..., 2^(L-1): 2^(ceil(0.9 L) - 1).

    Below ten octaves it is the highest of them; from ten on, the top tenth lies above it.

    Args:
        count: L, the number of octaves.

    Returns:
        The bandwidth in cycles per unit.

    Raises:
        InputError: If `count` is not a whole number of at least 1.
    """
    return 2.0 ** (_rank(_whole(count, "count", 1)) - 1)


def octave_count(bandwidth: float) -> int:
    """The least number of octaves 2^0, 2^1, ... whose bandwidth reaches `bandwidth`.

    Args:
        bandwidth: In cycles per unit.

    Returns:
        L, at least 1.

    Raises:
        InputError: If `bandwidth` is not positive and finite.
    """
    exponent = max(0, math.ceil(math.log2(positive(bandwidth, "bandwidth")) - 1e-12))
    return exponent + 1 + exponent // 9


def sine_bandwidth(omega: float, inputs: int) -> float:
    """Bandwidth along one axis of a first layer sin(omega (W v + b)), W ~ U(-1/n, 1/n): 0.9 omega / (2 pi n).

    Frequencies are uniform up to omega / (2 pi n); across [-1, 1], of length 2, that is omega / (n pi) cycles
    (Sitzmann et al. 2020, SIREN, section 3.2 and the reference code's initialisation).

    Args:
        omega: The factor inside the first sine, in radians per unit.
        inputs: n, the number of coordinates.

    Returns:
        The bandwidth in cycles per unit.

    Raises:
        InputError: If `omega` is not positive and finite, or `inputs` is not a whole number of at least 1.
    """
    return BANDWIDTH_SHARE * positive(omega, "omega") / (2 * math.pi * _whole(inputs, "inputs", 1))


def sine_omega(bandwidth: float, inputs: int) -> float:
    """The inverse of `sine_bandwidth`.

    Args:
        bandwidth: In cycles per unit.
        inputs: n, the number of coordinates.

    Returns:
        The factor inside the first sine, in radians per unit.

    Raises:
        InputError: If `bandwidth` is not positive and finite, or `inputs` is not a whole number of at least
            1.
    """
    return positive(bandwidth, "bandwidth") / sine_bandwidth(1.0, inputs)


Array = NDArray[np.float64]
Density = Callable[[Array], Array]


@cache
def slope_quantile(density: Density) -> float:
    """The q of the module's formula, found on a geometric grid of frequencies; right to 1e-3.

    Args:
        density: S, the power per frequency at frequencies in cycles per unit of the argument.

    Returns:
        q in the same unit.
    """
    log = np.linspace(math.log(1e-6), math.log(1e3), 1 << 13)
    f = np.exp(log)
    power = density(f)
    step = log[1] - log[0]
    below = (np.cumsum(power * f) - power * f / 2) * step
    above = (np.cumsum(power[::-1])[::-1] - power / 2) * step
    reached = (below + f * above) / below[-1]
    return float(np.interp(BANDWIDTH_SHARE, reached, f))


def _largest_slope(inputs: int) -> float:
    return 1 / math.sqrt(_whole(inputs, "inputs", 1))


def _bump(f: Array) -> Array:
    return np.exp(-2 * (math.pi * f) ** 2)


def _box(f: Array) -> Array:
    return (f <= 1 / (2 * math.pi)).astype(np.float64)


def _triangle(f: Array) -> Array:
    return np.sinc(f) ** 4


def _exponential(f: Array) -> Array:
    return np.exp(-4 * math.pi * f)


def _bessel(f: Array) -> Array:
    """K_0(2 pi f)^2, by K_0(t) = integral_0^inf exp(-t cosh u) du."""
    u = np.linspace(0, 20, 201)
    inside = np.exp(-2 * math.pi * f[:, None] * np.cosh(u))
    return (np.sum(inside, axis=1) - inside[:, 0] / 2) ** 2


@cache
def _wave(ratio: float, cross: float) -> Density:
    """Gaussian lines at +-ratio / (2 pi), and `cross` times what they share."""
    centre = ratio / (2 * math.pi)

    def density(f: Array) -> Array:
        lines = _bump(f - centre) + _bump(f + centre)
        return lines + 2 * cross * math.exp(-2 * (math.pi * centre) ** 2) * _bump(f)

    return density


def gauss_bandwidth(scale: float, inputs: int) -> float:
    """Bandwidth along one axis of a first layer exp(-(s z)^2).

    Args:
        scale: s, per unit of the argument z.
        inputs: n, the number of coordinates.

    Returns:
        The bandwidth in cycles per unit of the coordinate.

    Raises:
        InputError: If `scale` is not positive and finite, or `inputs` is not a whole number of at least 1.
    """
    return slope_quantile(_bump) * positive(scale, "scale") * _largest_slope(inputs)


def gabor_bandwidth(omega: float, scale: float, inputs: int) -> float:
    """Bandwidth along one axis of a first layer cos(omega z) exp(-(s z)^2); see `gauss_bandwidth`.

    Args:
        omega: In radians per unit of z.
        scale: s, per unit of z.
        inputs: n, the number of coordinates.
    """
    width = positive(scale, "scale")
    shape = _wave(positive(omega, "omega") / width, 1.0)
    return slope_quantile(shape) * width * _largest_slope(inputs)


def wavelet_bandwidth(omega: float, scale: float, inputs: int) -> float:
    """Bandwidth along one axis of a first layer exp(i omega z - (s z)^2), real and imaginary part; see above."""
    width = positive(scale, "scale")
    shape = _wave(positive(omega, "omega") / width, 0.0)
    return slope_quantile(shape) * width * _largest_slope(inputs)


def sinc_bandwidth(omega: float, inputs: int) -> float:
    """Bandwidth along one axis of a first layer sin(omega z) / (omega z); see `gauss_bandwidth`."""
    return slope_quantile(_box) * positive(omega, "omega") * _largest_slope(inputs)


def hat_bandwidth(scale: float, inputs: int) -> float:
    """Bandwidth along one axis of a first layer of triangles of half-width 1/s; see `gauss_bandwidth`."""
    return slope_quantile(_triangle) * positive(scale, "scale") * _largest_slope(inputs)


def quadratic_bandwidth(scale: float, inputs: int) -> float:
    """Bandwidth along one axis of a first layer 1 / (1 + (s z)^2); see `gauss_bandwidth`."""
    return slope_quantile(_exponential) * positive(scale, "scale") * _largest_slope(inputs)


def multiquadratic_bandwidth(scale: float, inputs: int) -> float:
    """Bandwidth along one axis of a first layer 1 / sqrt(1 + (s z)^2); see `gauss_bandwidth`."""
    return slope_quantile(_bessel) * positive(scale, "scale") * _largest_slope(inputs)


@cache
def _finer_quantile(bias: float, inputs: int) -> float:
    """0.9-quantile of w (1 + 2 |w x + b|), w ~ U(0, 1/n), x ~ U(-1, 1), b ~ U(-k, k)."""
    even = (np.arange(96) + 0.5) / 96
    w, x, b = np.meshgrid(even / inputs, 2 * even - 1, bias * (2 * even - 1), indexing="ij")
    return float(np.quantile(w * (1 + 2 * np.abs(w * x + b)), BANDWIDTH_SHARE))


def finer_bandwidth(omega: float, bias: float, inputs: int) -> float:
    """Bandwidth along one axis of a first layer sin(omega (|z| + 1) z), W ~ U(-1/n, 1/n), b ~ U(-k, k).

    The 90 % quantile of its local frequency omega w (1 + 2 |w v + b|) / (2 pi) over [-1, 1], the other coordinates
    at 0 (Liu et al. 2024, FINER, section 3).

    Args:
        omega: In radians per unit of z.
        bias: k, the largest bias.
        inputs: n, the number of coordinates.

    Returns:
        The bandwidth in cycles per unit of the coordinate.

    Raises:
        InputError: If `omega` or `bias` is not positive and finite, or `inputs` is not a whole number of at least 1.
    """
    quantile = _finer_quantile(positive(bias, "bias"), _whole(inputs, "inputs", 1))
    return positive(omega, "omega") * quantile / (2 * math.pi)


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
