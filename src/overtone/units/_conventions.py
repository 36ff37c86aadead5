"""Conventions of the literature and of libraries, and the conversion between them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from overtone.errors import InputError
from overtone.units._bandwidth import (
    gaussian_bandwidth,
    gaussian_sigma,
    log_linear_bandwidth,
    log_linear_scale,
    octave_bandwidth,
    octave_count,
    sine_bandwidth,
    sine_omega,
)
from overtone.units._frequency import positive


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


UNIT = (0.0, 1.0)
SYMMETRIC = (-1.0, 1.0)
RADIAN = 1 / (2 * math.pi)


@dataclass(frozen=True)
class Convention:
    """How one library states the reach of its network.

    Attributes:
        kind: What its number means.
        cycles: Cycles per coordinate unit of a native frequency of one: 1 where 2 pi stands in the formula,
            1/2 where pi does, 1/(2 pi) where neither does.
        domain: Range its examples bring coordinates to, or None where the coordinate is whatever the user
            has.
        formula: The features, with v the coordinate.
    """

    kind: Kind
    cycles: float
    domain: tuple[float, float] | None
    formula: str


CONVENTIONS: dict[str, Convention] = {
    "bandwidth": Convention(REACH, 1.0, UNIT, "overtone's own measure, in cycles per unit"),
    "tancik": Convention(SIGMA, 1.0, UNIT, "cos, sin(2 pi B v), B ~ N(0, sigma^2)"),
    "rff": Convention(SIGMA, 1.0, UNIT, "cos, sin(2 pi B v), B ~ N(0, sigma^2)"),
    "nerfstudio-rff": Convention(SIGMA, 1.0, UNIT, "sin(2 pi B v + {0, pi/2}), B ~ N(0, scale^2)"),
    "deepxde": Convention(SIGMA, RADIAN, UNIT, "cos, sin(B v), B ~ N(0, sigma^2), without 2 pi"),
    "jaxpi": Convention(SIGMA, RADIAN, None, "cos, sin(K v), K ~ N(0, embed_scale^2), without 2 pi, trained"),
    "rtdl": Convention(
        SIGMA, 1.0, None, "cos, sin(2 pi c v) per feature, c ~ N(0, sigma^2) cut at 3 sigma, trained"
    ),
    "pytabkit": Convention(SIGMA, 1.0, None, "cos(2 pi w v + b) per feature, w ~ N(0, sigma^2), trained"),
    "tancik-posenc": Convention(
        LOG_LINEAR, 1.0, UNIT, "cos, sin(2 pi b v) per axis, b = 2^linspace(0, S, m) - 1"
    ),
    "nerf": Convention(OCTAVES, 0.5, SYMMETRIC, "cos, sin(2^k pi v) per axis, k < L"),
    "nerfstudio": Convention(OCTAVES, 1.0, UNIT, "sin(2 pi 2^k v + {0, pi/2}) per axis, k < L"),
    "tcnn": Convention(OCTAVES, 0.5, UNIT, "cos, sin(2^k pi v) per axis, k < L"),
    "siren-posenc": Convention(OCTAVES, 0.5, SYMMETRIC, "cos, sin(2^k pi v) per axis, k < L"),
    "finer-posenc": Convention(OCTAVES, RADIAN, SYMMETRIC, "cos, sin(2^k v) per axis, k < L, without pi"),
    "siren": Convention(OMEGA, 1.0, SYMMETRIC, "sin(omega_0 (W v + b)), W ~ U(-1/n, 1/n)"),
    "siren-pytorch": Convention(OMEGA, 1.0, SYMMETRIC, "sin(w0_initial (W v + b)), W ~ U(-1/n, 1/n)"),
}
"""Convention by name. "ffn" is another name of "tancik"."""

_ALIASES = {"ffn": "tancik"}


def convention(name: str) -> Convention:
    """The convention called `name`.

    Args:
        name: A key of `CONVENTIONS`, or "ffn".

    Returns:
        The convention.

    Raises:
        InputError: If the name is not known; the message lists those that are.
    """
    convention = CONVENTIONS.get(_ALIASES.get(name, name))
    if convention is None:
        known = ", ".join(sorted([*CONVENTIONS, *_ALIASES]))
        raise InputError(f"one of {known}", repr(name), "pass the library whose convention the value follows")
    return convention


def convert(
    value: float,
    of: str,
    to: str,
    domain: tuple[float, float] | None = None,
    to_domain: tuple[float, float] | None = None,
    inputs: int | None = None,
) -> float:
    """The setting that reaches the same frequencies on the same data in another library.

    Both networks see the same samples, the one with coordinates in `domain`, the other in `to_domain`, so the
    cycles across the samples are what stays. Where both libraries' numbers mean the same thing, every
    frequency is matched: exactly for standard deviations and sine factors; counts of octaves and log-linear
    exponents keep the highest frequency, and a count of octaves need not come out whole. Otherwise the 90 %
    bandwidth is matched, with the least count of octaves that reaches it.

    Args:
        value: The setting in the convention `of`.
        of: The library the value comes from, a key of `units.CONVENTIONS`.
        to: The library it is wanted for.
        domain: Range of the coordinates that the value was used with; the library's usual one unless given.
        to_domain: Range of the coordinates in the target; the library's usual one unless given.
        inputs: Number of coordinates; needed between a sine factor and anything else.

    Returns:
        The setting in the convention `to`.

    Raises:
        InputError: If a name is not known, the value is not positive and finite, a range is empty or is
            needed and not given, or `inputs` is needed and not given.
    """
    source, target = convention(of), convention(to)
    source_length = _length(domain or source.domain, of, "domain")
    target_length = _length(to_domain or target.domain, to, "to_domain")
    factor = source.cycles * source_length / (target.cycles * target_length)
    if source.kind is target.kind:
        return source.kind.rescaled(value, factor)
    return target.kind.value(source.kind.bandwidth(value, inputs) * factor, inputs)


def _length(domain: tuple[float, float] | None, library: str, argument: str) -> float:
    """Length of a coordinate range."""
    if domain is None:
        raise InputError(
            f"the range of the coordinates, for which {library!r} has no usual one",
            "none",
            f"pass {argument}=(low, high)",
            argument,
        )
    if len(domain) != 2 or not all(map(math.isfinite, domain)) or domain[0] >= domain[1]:
        raise InputError(
            "a range (low, high) with low below high", repr(domain), f"pass {argument}=(low, high)", argument
        )
    return domain[1] - domain[0]
