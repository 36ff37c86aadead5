"""What a library's one number can mean: the standard deviation of frequencies, a count of octaves, a factor.

A kind works in the native frequency of its formula; prefactors (pi, 2 pi, none) and coordinate ranges are
left to `Convention`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from overtone.errors import InputError
from overtone.units.bandwidth import (
    gaussian_bandwidth,
    gaussian_sigma,
    log_linear_bandwidth,
    log_linear_scale,
    octave_bandwidth,
    octave_count,
    sine_bandwidth,
    sine_omega,
)
from overtone.units.frequency import positive


@dataclass(frozen=True)
class Kind:
    """What a library's one number means.

    Attributes:
        name: For messages.
        bandwidth: (value, number of coordinates or None) to the bandwidth in native frequency.
        value: (bandwidth in native frequency, number of coordinates or None) to the value; where only whole
            numbers can be had, the least that reaches it.
        rescaled: (value, factor) to the value of the network whose every frequency is `factor` times as high.
    """

    name: str
    bandwidth: Callable[[float, int | None], float]
    value: Callable[[float, int | None], float]
    rescaled: Callable[[float, float], float]


def _times(value: float, factor: float) -> float:
    return positive(value, "value") * factor


def _log_linear_times(value: float, factor: float) -> float:
    return math.log2(1 + factor * (2 ** positive(value, "value") - 1))


def _octaves_up(value: float, factor: float) -> float:
    shifted = positive(value, "value") + math.log2(factor)
    if shifted <= 0:
        raise InputError(
            "at least one octave in the target's convention",
            f"a highest frequency {1 - shifted:.2f} octaves below the target's lowest",
            "pass a larger value or another target",
            "value",
        )
    return shifted


def _coordinates(inputs: int | None) -> int:
    if inputs is None:
        raise InputError(
            "the number of coordinates, by which a sine layer's reach is divided",
            "none",
            "pass inputs=2 for a picture, inputs=1 for a recording",
            "inputs",
        )
    return inputs


REACH = Kind(
    "bandwidth",
    bandwidth=lambda value, _: positive(value, "value"),
    value=lambda bandwidth, _: bandwidth,
    rescaled=_times,
)
"""The bandwidth itself."""

SIGMA = Kind(
    "standard deviation of normally distributed frequencies",
    bandwidth=lambda value, _: gaussian_bandwidth(value),
    value=lambda bandwidth, _: gaussian_sigma(bandwidth),
    rescaled=_times,
)
"""sigma of b ~ N(0, sigma^2)."""

LOG_LINEAR = Kind(
    "exponent of the highest of log-linear frequencies",
    bandwidth=lambda value, _: log_linear_bandwidth(value),
    value=lambda bandwidth, _: log_linear_scale(bandwidth),
    rescaled=_log_linear_times,
)
"""S of 2^linspace(0, S, m) - 1 with m large; rescaling keeps the highest frequency exact."""

OCTAVES = Kind(
    "number of octaves",
    bandwidth=lambda value, _: octave_bandwidth(value),
    value=lambda bandwidth, _: float(octave_count(bandwidth)),
    rescaled=_octaves_up,
)
"""L of 2^0 ... 2^(L-1); rescaling keeps the highest frequency exact, so that L need not stay whole."""

OMEGA = Kind(
    "factor inside the first sine",
    bandwidth=lambda value, inputs: sine_bandwidth(value, _coordinates(inputs)),
    value=lambda bandwidth, inputs: sine_omega(bandwidth, _coordinates(inputs)),
    rescaled=_times,
)
"""omega_0 of sin(omega_0 (W v + b)), W ~ U(-1/n, 1/n) over n coordinates."""
