"""The bandwidth of each way to reach high frequencies, and the setting that has a wanted bandwidth.

Every law is stated for frequencies in cycles per unit of the coordinate that the encoding or layer sees, and
for one axis of it.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from overtone.errors import InputError
from overtone.units.frequency import positive

BANDWIDTH_SHARE = 0.9
"""Share of the spectral power that lies below the bandwidth."""


def _whole(value: float, name: str, least: int) -> int:
    """`value` as a whole number of at least `least`, or an error that names it."""
    number = positive(value, name)
    if number != int(number) or number < least:
        raise InputError(f"a whole number of at least {least}", repr(value), f"pass another {name}", name)
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
