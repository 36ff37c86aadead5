"""Bandwidth of a first layer phi(W v + b), for activations that bring frequencies of their own.

Along one axis a unit is phi(w v + b): phi's spectrum stretched by the slope w. Slopes are uniform up to a largest
one, W = 1/sqrt(n) over n coordinates as PyTorch begins, and units of every slope hold the same power where phi is
narrow beside the domain. With S(f) the power of phi at f cycles per unit of its argument, the bandwidth is W q,

    integral_0^q S df + q integral_q^inf S / f df = 0.9 integral_0^inf S df.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from overtone.units.bandwidth import BANDWIDTH_SHARE, _whole
from overtone.units.frequency import positive

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
