"""Bandwidth of feature sets and of first layers with periodic or localised activations."""

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
    """Return `value` as an integer of at least `minimum`."""
    number = positive(value, name)
    if number != int(number) or number < minimum:
        raise InputError(f"a whole number of at least {minimum}", repr(value), f"pass another {name}", name)
    return int(number)


def _rank(count: int) -> int:
    """Return the rank, from 1, of the bandwidth among `count` frequencies of equal power."""
    # ceil(0.9 count) in exact integers.
    return -(-9 * count // 10)


def gaussian_bandwidth(sigma: float) -> float:
    """Return the bandwidth of random Fourier features cos, sin(2 pi b v) with b ~ N(0, sigma^2): 1.6449 sigma.

    |b| is below the 95 % quantile of the normal distribution with probability 90 % (Tancik et al. 2020, section 6,
    defines sigma with the 2 pi outside).

    Args:
        sigma: Standard deviation of the frequencies along the axis, in cycles per unit.

    Returns:
        The bandwidth in cycles per unit.

    Raises:
        InputError: If `sigma` is not positive and finite.

    Example:
        >>> from overtone import units
        >>> round(units.gaussian_bandwidth(10.0), 2)
        16.45
    """
    return NormalDist().inv_cdf((1 + BANDWIDTH_SHARE) / 2) * positive(sigma, "sigma")


def gaussian_sigma(bandwidth: float) -> float:
    """Return the standard deviation of random Fourier features with a bandwidth, the inverse of `gaussian_bandwidth`.

    Args:
        bandwidth: In cycles per unit.

    Returns:
        The standard deviation of the frequencies, in cycles per unit.

    Raises:
        InputError: If `bandwidth` is not positive and finite.

    Example:
        >>> from overtone import units
        >>> round(units.gaussian_sigma(40.0), 2)
        24.32
    """
    return positive(bandwidth, "bandwidth") / gaussian_bandwidth(1.0)


def gaussian_highest(sigma: float, count: int) -> float:
    """Return the highest frequency of an even draw in [0, s] that reaches as high as a normal one: s itself.

    It is the median of the highest |b| among m frequencies b ~ N(0, sigma^2), which is sigma times the normal quantile
    at (1 + 2^(-1/m)) / 2: 2.55 sigma for 64 frequencies, 3.0 sigma for 256. An even draw of the same 90 % bandwidth
    ends at 1.83 sigma, and has no frequency at all in the range of a normal draw's tail.

    Args:
        sigma: Standard deviation of the frequencies along the axis, in cycles per unit.
        count: m, the number of frequencies.

    Returns:
        In cycles per unit.

    Raises:
        InputError: If `sigma` is not positive and finite, or `count` is not a whole number of at least 1.

    Example:
        >>> from overtone import units
        >>> round(units.gaussian_highest(4.0, 64), 1)
        10.2
    """
    quantile = NormalDist().inv_cdf((1 + 2 ** (-1 / _whole(count, "count", 1))) / 2)
    return quantile * positive(sigma, "sigma")


def _log_linear_share(count: int | None) -> float:
    """Return the position of the bandwidth among the exponents 0..S, as a share of S."""
    if count is None:
        return BANDWIDTH_SHARE
    varying = _whole(count, "count", 2) - 1
    return _rank(varying) / varying


def log_linear_bandwidth(scale: float, count: int | None = None) -> float:
    """Return the bandwidth of the axis frequencies 2^linspace(0, S, m) - 1.

    It is 2^(S r) - 1 with r = ceil(0.9 (m - 1)) / (m - 1). The first frequency is zero; its constant feature is
    excluded (the log-linear positional encoding in the notebooks of Tancik et al. 2020).

    Args:
        scale: S, the exponent of the highest frequency.
        count: m, frequencies per axis; None for the limit of many, r = 0.9.

    Returns:
        The bandwidth in cycles per unit.

    Raises:
        InputError: If `scale` is not positive and finite, or `count` is below 2.

    Example:
        >>> from overtone import units
        >>> round(units.log_linear_bandwidth(5.0, count=11), 2)
        21.63
    """
    return 2 ** (positive(scale, "scale") * _log_linear_share(count)) - 1


def log_linear_scale(bandwidth: float, count: int | None = None) -> float:
    """Return the exponent of log-linear frequencies with a bandwidth, the inverse of `log_linear_bandwidth`.

    Args:
        bandwidth: In cycles per unit.
        count: m, frequencies per axis; None for the limit of many.

    Returns:
        S, the exponent of the highest frequency.

    Raises:
        InputError: If `bandwidth` is not positive and finite, or `count` is below 2.

    Example:
        >>> from overtone import units
        >>> round(units.log_linear_scale(31.0), 3)
        5.556
    """
    return math.log2(1 + positive(bandwidth, "bandwidth")) / _log_linear_share(count)


def octave_bandwidth(count: float) -> float:
    """Return the bandwidth of the axis frequencies 2^0, 2^1, ..., 2^(L-1): 2^(ceil(0.9 L) - 1).

    Below ten octaves it is the highest frequency; from ten on, the top tenth of the frequencies lies above it.

    Args:
        count: L, the number of octaves.

    Returns:
        The bandwidth in cycles per unit.

    Raises:
        InputError: If `count` is not a whole number of at least 1.

    Example:
        >>> from overtone import units
        >>> units.octave_bandwidth(6), units.octave_bandwidth(10)
        (32.0, 256.0)
    """
    return 2.0 ** (_rank(_whole(count, "count", 1)) - 1)


def octave_count(bandwidth: float) -> int:
    """Return the smallest number of octaves 2^0, 2^1, ... with at least the bandwidth `bandwidth`.

    Args:
        bandwidth: In cycles per unit.

    Returns:
        L, at least 1.

    Raises:
        InputError: If `bandwidth` is not positive and finite.

    Example:
        >>> from overtone import units
        >>> units.octave_count(32.0), units.octave_count(33.0)
        (6, 7)
    """
    # 1e-12 keeps a bandwidth that is a power of two up to rounding from an octave more.
    exponent = max(0, math.ceil(math.log2(positive(bandwidth, "bandwidth")) - 1e-12))
    return exponent + 1 + exponent // 9


def sine_bandwidth(omega: float, inputs: int) -> float:
    """Return the bandwidth of a first layer sin(omega (W v + b)) along one axis: 0.9 omega / (2 pi n).

    With W ~ U(-1/n, 1/n), frequencies are uniform up to omega / (2 pi n); across [-1, 1], of length 2, that is
    omega / (n pi) cycles (Sitzmann et al. 2020, SIREN, section 3.2 and the reference code's initialisation).

    Args:
        omega: The factor inside the first sine, in radians per unit.
        inputs: n, the number of coordinates.

    Returns:
        The bandwidth in cycles per unit.

    Raises:
        InputError: If `omega` is not positive and finite, or `inputs` is not a whole number of at least 1.

    Example:
        >>> from overtone import units
        >>> round(units.sine_bandwidth(30.0, inputs=2), 3)
        2.149
    """
    return BANDWIDTH_SHARE * positive(omega, "omega") / (2 * math.pi * _whole(inputs, "inputs", 1))


def sine_omega(bandwidth: float, inputs: int) -> float:
    """Return the factor of a first sine layer with a bandwidth, the inverse of `sine_bandwidth`.

    Args:
        bandwidth: In cycles per unit.
        inputs: n, the number of coordinates.

    Returns:
        The factor inside the first sine, in radians per unit.

    Raises:
        InputError: If `bandwidth` is not positive and finite, or `inputs` is not a whole number of at least 1.

    Example:
        >>> from overtone import units
        >>> round(units.sine_omega(20.0, inputs=2), 1)
        279.3
    """
    return positive(bandwidth, "bandwidth") / sine_bandwidth(1.0, inputs)


_SMALL = 1e-6
"""A bound of biases that is as good as 0."""

Array = NDArray[np.float64]
Density = Callable[[Array], Array]


@cache
def slope_quantile(density: Density) -> float:
    """Return the bandwidth of phi(w v + b) over units of slopes w ~ U(-1, 1), right to 1e-3.

    A unit of slope w has the spectrum of phi with all frequencies multiplied by w, so that the share of the power of
    all units below q is the integral of S(f) min(1, q / f) over f, divided by that of S(f).

    Args:
        density: S, the power per frequency of phi, at frequencies in cycles per unit of the argument.

    Returns:
        The bandwidth q in the same unit.
    """
    # A geometric grid: the spectra range from narrow Gaussians to the logarithmic pole of K_0 at zero.
    log = np.linspace(math.log(1e-6), math.log(1e3), 1 << 13)
    f = np.exp(log)
    power = density(f)
    step = log[1] - log[0]
    # Trapezoids in log f, in which df = f d(log f).
    below = (np.cumsum(power * f) - power * f / 2) * step
    above = (np.cumsum(power[::-1])[::-1] - power / 2) * step
    cumulative = (below + f * above) / below[-1]
    return float(np.interp(BANDWIDTH_SHARE, cumulative, f))


def _largest_slope(inputs: int) -> float:
    return 1 / math.sqrt(_whole(inputs, "inputs", 1))


def _gaussian_power(f: Array) -> Array:
    return np.exp(-2 * (math.pi * f) ** 2)


def _sinc_power(f: Array) -> Array:
    return (f <= 1 / (2 * math.pi)).astype(np.float64)


def _hat_power(f: Array) -> Array:
    return np.sinc(f) ** 4


def _quadratic_power(f: Array) -> Array:
    return np.exp(-4 * math.pi * f)


def _multiquadratic_power(f: Array) -> Array:
    """Return K_0(2 pi f)^2, the squared Fourier transform of 1 / sqrt(1 + z^2) up to a factor."""
    # Imported here, since no other function of this package needs SciPy.
    from scipy.special import k0

    return np.square(k0(2 * math.pi * f))


@cache
def _wave_power(ratio: float, cross: float) -> Density:
    """Return the spectrum of Gaussian lines at +-ratio / (2 pi), with `cross` times their interference."""
    centre = ratio / (2 * math.pi)

    def density(f: Array) -> Array:
        lines = _gaussian_power(f - centre) + _gaussian_power(f + centre)
        return lines + 2 * cross * math.exp(-2 * (math.pi * centre) ** 2) * _gaussian_power(f)

    return density


def gauss_bandwidth(scale: float, inputs: int) -> float:
    """Return the bandwidth of a first layer exp(-(s z)^2) along one axis.

    Weights and biases have PyTorch's default initialisation.

    Args:
        scale: s, per unit of the argument z.
        inputs: n, the number of coordinates.

    Returns:
        The bandwidth in cycles per unit of the coordinate.

    Raises:
        InputError: If `scale` is not positive and finite, or `inputs` is not a whole number of at least 1.
    """
    return slope_quantile(_gaussian_power) * positive(scale, "scale") * _largest_slope(inputs)


def gabor_bandwidth(omega: float, scale: float, inputs: int) -> float:
    """Return the bandwidth of a first layer cos(omega z) exp(-(s z)^2) along one axis.

    Args:
        omega: In radians per unit of z.
        scale: s, per unit of z.
        inputs: n, the number of coordinates.
    """
    width = positive(scale, "scale")
    shape = _wave_power(positive(omega, "omega") / width, 1.0)
    return slope_quantile(shape) * width * _largest_slope(inputs)


def wavelet_bandwidth(omega: float, scale: float, inputs: int) -> float:
    """Return the bandwidth of a first layer exp(i omega z - (s z)^2) along one axis, both parts together."""
    width = positive(scale, "scale")
    shape = _wave_power(positive(omega, "omega") / width, 0.0)
    return slope_quantile(shape) * width * _largest_slope(inputs)


def sinc_bandwidth(omega: float, inputs: int) -> float:
    """Return the bandwidth of a first layer sin(omega z) / (omega z) along one axis."""
    return slope_quantile(_sinc_power) * positive(omega, "omega") * _largest_slope(inputs)


def hat_bandwidth(scale: float, inputs: int) -> float:
    """Return the bandwidth of a first layer of hat functions of half-width 1/s along one axis."""
    return slope_quantile(_hat_power) * positive(scale, "scale") * _largest_slope(inputs)


def quadratic_bandwidth(scale: float, inputs: int) -> float:
    """Return the bandwidth of a first layer 1 / (1 + (s z)^2) along one axis."""
    return slope_quantile(_quadratic_power) * positive(scale, "scale") * _largest_slope(inputs)


def multiquadratic_bandwidth(scale: float, inputs: int) -> float:
    """Return the bandwidth of a first layer 1 / sqrt(1 + (s z)^2) along one axis."""
    return slope_quantile(_multiquadratic_power) * positive(scale, "scale") * _largest_slope(inputs)


@cache
def _finer_quantile(bias: float, inputs: int) -> float:
    """Return the 0.9-quantile of w (1 + 2 |w x + b|), w ~ U(0, 1/n), x ~ U(-1, 1), b ~ U(-k, k)."""
    # Midpoints of 96 cells per variable instead of random numbers.
    midpoints = (np.arange(96) + 0.5) / 96
    w, x, b = np.meshgrid(midpoints / inputs, 2 * midpoints - 1, bias * (2 * midpoints - 1), indexing="ij")
    return float(np.quantile(w * (1 + 2 * np.abs(w * x + b)), BANDWIDTH_SHARE))


def finer_bandwidth(omega: float, bias: float, inputs: int) -> float:
    """Return the bandwidth of a first layer sin(omega (|z| + 1) z) along one axis.

    It is the 90 % quantile of the local frequency omega w (1 + 2 |w v + b|) / (2 pi) over [-1, 1], for
    W ~ U(-1/n, 1/n), b ~ U(-k, k) and the other coordinates at 0 (Liu et al. 2024, FINER, section 3).

    Args:
        omega: In radians per unit of z.
        bias: k, the bound of the biases.
        inputs: n, the number of coordinates.

    Returns:
        The bandwidth in cycles per unit of the coordinate.

    Raises:
        InputError: If `omega` or `bias` is not positive and finite, or `inputs` is not a whole number of at least 1.
    """
    quantile = _finer_quantile(positive(bias, "bias"), _whole(inputs, "inputs", 1))
    return positive(omega, "omega") * quantile / (2 * math.pi)


def _finer_share(frequency: float, bias: float, inputs: int) -> float:
    """Share of w (1 + 2 |w x + b|) below a frequency, for the law of `finer_bandwidth`.

    For a fixed w the sum of two uniform numbers has a trapezoid as density, so that only w is left to integrate over.
    """
    w = (np.arange(4096) + 0.5) / 4096 / inputs
    largest = np.clip((frequency / w - 1) / 2, 0, None)
    narrow, broad = np.minimum(w, bias), np.maximum(w, bias)
    slope = 1 - np.square(np.clip(broad + narrow - largest, 0, None)) / (4 * narrow * broad)
    return float(np.where(largest <= broad - narrow, largest / broad, slope).mean())


def _solve(increasing: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Return where an increasing function of a positive number reaches a value, by bisection of the logarithm."""
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if increasing(middle) < target else (low, middle)
    return math.sqrt(low * high)


def _reachable(bandwidth: float, lowest: float, fixed: str) -> float:
    """Return a bandwidth that lies above the lowest of a first layer whose other number is fixed."""
    if positive(bandwidth, "bandwidth") <= lowest:
        raise InputError(
            f"a bandwidth above {lowest:.3g} cycles per unit, the lowest that {fixed} allows",
            f"{bandwidth:.3g}",
            "pass a higher bandwidth, or convert to the factor of the first layer instead",
            "value",
        )
    return bandwidth


def lowest_finer_bandwidth(omega: float, inputs: int) -> float:
    """Return the bandwidth of a first FINER layer whose biases are 0."""
    return finer_bandwidth(omega, _SMALL, inputs)


def finer_bias(bandwidth: float, omega: float, inputs: int) -> float:
    """Return the bound of the biases of a first FINER layer with a bandwidth, the inverse of `finer_bandwidth`.

    Args:
        bandwidth: In cycles per unit.
        omega: In radians per unit of z.
        inputs: n, the number of coordinates.

    Raises:
        InputError: If `bandwidth` is below that of biases of 0, or a number is out of its range.
    """
    reached = _reachable(bandwidth, lowest_finer_bandwidth(omega, inputs), f"omega = {omega:g}")
    frequency = reached * 2 * math.pi / omega
    # The bandwidth is at most that of w = 1 / n and |b| = k; a tenth of all |b| exceed 0.9 k.
    highest = max(1.0, frequency * inputs) * 10
    return _solve(lambda k: -_finer_share(frequency, k, inputs), -BANDWIDTH_SHARE, _SMALL, highest)


def lowest_wavelet_bandwidth(omega: float, inputs: int) -> float:
    """Return the bandwidth of a first layer of complex Gabor waves whose envelopes are flat."""
    return BANDWIDTH_SHARE * positive(omega, "omega") / (2 * math.pi) * _largest_slope(inputs)


def wavelet_scale(bandwidth: float, omega: float, inputs: int) -> float:
    """Return the scale of a first layer of complex Gabor waves with a bandwidth, the inverse of `wavelet_bandwidth`.

    Args:
        bandwidth: In cycles per unit.
        omega: In radians per unit of z.
        inputs: n, the number of coordinates.

    Raises:
        InputError: If `bandwidth` is below that of flat envelopes, or a number is out of its range.
    """
    reached = _reachable(bandwidth, lowest_wavelet_bandwidth(omega, inputs), f"omega = {omega:g}")
    highest = reached / gauss_bandwidth(1.0, inputs)
    return _solve(lambda s: wavelet_bandwidth(omega, s, inputs), reached, highest * 1e-3, highest * 1.1)


def weighted_bandwidth(frequencies: ArrayLike, power: ArrayLike) -> float:
    """Return the lowest of the nonzero |frequencies| up to which 90 % of their power lies.

    Args:
        frequencies: (m,) in cycles per unit.
        power: (m,) not negative.

    Returns:
        The bandwidth in cycles per unit; 0 if there is no power at nonzero frequencies.
    """
    f, p = np.abs(np.asarray(frequencies, np.float64)), np.asarray(power, np.float64)
    varying = (f > 0) & (p > 0)
    if not varying.any():
        return 0.0
    # The margin of 1e-9 keeps rounding of the sum from deciding between neighbours.
    order = np.argsort(f[varying])
    cumulative = np.cumsum(p[varying][order])
    return float(f[varying][order][np.argmax(cumulative >= BANDWIDTH_SHARE * cumulative[-1] * (1 - 1e-9))])


def power_law_bandwidth(count: int, power: float) -> float:
    """Return the bandwidth of j^-p cos, sin(2 pi j v), j = 1 ... m, the lowest j that holds 90 % of sum j^(-2 p).

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


def _mean_cosine(frequencies: ArrayLike, weights: ArrayLike, count: int, rate: float) -> NDArray[np.float64]:
    """Weighted mean of cos(2 pi f t) at the lags t = 0, 1 / rate, ..., (count - 1) / rate."""
    # A lag is one of sqrt(count) long ones plus a short one, so that cos(a + b) takes sqrt(count) cosines a frequency.
    block = math.isqrt(count - 1) + 1
    short = 2 * math.pi * np.arange(block)[:, None] / rate * np.asarray(frequencies)
    cosines = np.cos(block * short) * weights @ np.cos(short).T
    means: NDArray[np.float64] = cosines - np.sin(block * short) * weights @ np.sin(short).T
    return means.ravel()[:count]


def rectified_bandwidth(frequencies: ArrayLike, power: ArrayLike) -> float:
    """Return the bandwidth of max(0, z) for a random mixture z of cosines and sines of known frequencies.

    With many random weights z is a Gaussian process with autocorrelation r(t) = sum_k p_k cos(2 pi f_k t) / sum_k p_k;
    that of max(0, z) is (sqrt(1 - r^2) + r (pi - arccos r)) / (2 pi), up to a factor (Cho & Saul 2009, order 1).
    Its Fourier transform, without the constant, is the power spectrum.

    Args:
        frequencies: (m,) in cycles per unit.
        power: (m,) not negative.

    Returns:
        The bandwidth in cycles per unit, right to 1/256 of the highest frequency; 0 without varying waves.
    """
    f, p = np.abs(np.asarray(frequencies, np.float64)), np.asarray(power, np.float64)
    varying = (f > 0) & (p > 0)
    if not varying.any():
        return 0.0
    f, p = f[varying] / f[varying].max(), p[varying] / p[varying].sum()
    # Lags of 1/16 of the shortest period up to 256 periods; the taper ends the quasi-periodic autocorrelation smoothly.
    count, rate = 4096, 16.0
    r = np.clip(_mean_cosine(f, p, count, rate), -1, 1)
    autocorrelation = (np.sqrt(1 - r * r) + r * (math.pi - np.arccos(r)) - 1) / (2 * math.pi)
    taper = 0.5 + 0.5 * np.cos(math.pi * np.arange(count) / count)
    symmetric = np.concatenate([autocorrelation * taper, [0.0], (autocorrelation * taper)[:0:-1]])
    spectrum = np.clip(np.fft.rfft(symmetric).real, 0, None)
    # The taper spreads the constant over the two bins beside it.
    spectrum[:3] = 0.0
    cumulative = np.cumsum(spectrum)
    position = np.interp(BANDWIDTH_SHARE * cumulative[-1], cumulative, np.arange(len(cumulative)) + 0.5)
    highest = np.abs(np.asarray(frequencies, np.float64))[varying].max()
    return float(position * rate / (2 * count) * highest)
