"""Conventions of papers and libraries for the frequencies of a network, and conversion between them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import overload

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
class _SettingKind:
    """Meaning of the number by which a library sets its frequencies.

    Attributes:
        name: Name for messages.
        bandwidth: Function from (value, number of coordinates or None) to the bandwidth in native frequency.
        value: Function from (bandwidth in native frequency, number of coordinates or None) to the value; the smallest
            sufficient one if values are integers.
        rescaled: Function from (value, factor) to the value for which every frequency is multiplied by the factor.
        whole: Whether its values are whole numbers.
        of_activation: Whether it is the frequency of an activation, which the layers behind multiply.
    """

    name: str
    bandwidth: Callable[[float, int | None], float]
    value: Callable[[float, int | None], float]
    rescaled: Callable[[float, float], float]
    whole: bool = False
    of_activation: bool = False


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
            "pass a larger value or another target convention",
            "value",
        )
    return shifted


def _coordinates(inputs: int | None) -> int:
    if inputs is None:
        raise InputError(
            "the number of coordinates, by which the bandwidth of a sine layer is divided",
            "none",
            "pass inputs=2 for an image, inputs=1 for a recording",
            "inputs",
        )
    return inputs


_BANDWIDTH = _SettingKind(
    "bandwidth",
    bandwidth=lambda value, _: positive(value, "value"),
    value=lambda bandwidth, _: bandwidth,
    rescaled=_times,
)
"""The bandwidth itself."""

_SIGMA = _SettingKind(
    "standard deviation of normally distributed frequencies",
    bandwidth=lambda value, _: gaussian_bandwidth(value),
    value=lambda bandwidth, _: gaussian_sigma(bandwidth),
    rescaled=_times,
)
"""sigma of b ~ N(0, sigma^2)."""

_LOG_LINEAR = _SettingKind(
    "exponent of the highest of log-linear frequencies",
    bandwidth=lambda value, _: log_linear_bandwidth(value),
    value=lambda bandwidth, _: log_linear_scale(bandwidth),
    rescaled=_log_linear_times,
)
"""S of 2^linspace(0, S, m) - 1 for large m; rescaling multiplies the highest frequency exactly."""

_OCTAVES = _SettingKind(
    "number of octaves",
    bandwidth=lambda value, _: octave_bandwidth(value),
    value=lambda bandwidth, _: float(octave_count(bandwidth)),
    rescaled=_octaves_up,
    whole=True,
)
"""L of 2^0 ... 2^(L-1); rescaling multiplies the highest frequency exactly, so that L need not stay an integer."""

_OMEGA = _SettingKind(
    "factor inside the first sine",
    bandwidth=lambda value, inputs: sine_bandwidth(value, _coordinates(inputs)),
    value=lambda bandwidth, inputs: sine_omega(bandwidth, _coordinates(inputs)),
    rescaled=_times,
    of_activation=True,
)
"""omega_0 of sin(omega_0 (W v + b)), W ~ U(-1/n, 1/n) over n coordinates."""


_UNIT_INTERVAL = (0.0, 1.0)
_SYMMETRIC_INTERVAL = (-1.0, 1.0)
_CYCLES_PER_RADIAN = 1 / (2 * math.pi)


@dataclass(frozen=True)
class Convention:
    """Convention of a library for the frequencies of its networks.

    Attributes:
        kind: Meaning of its number.
        cycles: Cycles per coordinate unit of a native frequency of one: 1 for a formula with 2 pi, 1/2 with pi,
            1/(2 pi) with neither.
        domain: Range to which its examples scale coordinates; None for coordinates in the user's unit.
        formula: The features, with v the coordinate.
    """

    kind: _SettingKind
    cycles: float
    domain: tuple[float, float] | None
    formula: str


CONVENTIONS: dict[str, Convention] = {
    "bandwidth": Convention(_BANDWIDTH, 1.0, _UNIT_INTERVAL, "overtone's own measure, in cycles per unit"),
    "tancik": Convention(_SIGMA, 1.0, _UNIT_INTERVAL, "cos, sin(2 pi B v), B ~ N(0, sigma^2)"),
    "rff": Convention(_SIGMA, 1.0, _UNIT_INTERVAL, "cos, sin(2 pi B v), B ~ N(0, sigma^2)"),
    "nerfstudio-rff": Convention(_SIGMA, 1.0, _UNIT_INTERVAL, "sin(2 pi B v + {0, pi/2}), B ~ N(0, scale^2)"),
    "deepxde": Convention(
        _SIGMA, _CYCLES_PER_RADIAN, _UNIT_INTERVAL, "cos, sin(B v), B ~ N(0, sigma^2), without 2 pi"
    ),
    "jaxpi": Convention(
        _SIGMA, _CYCLES_PER_RADIAN, None, "cos, sin(K v), K ~ N(0, embed_scale^2), without 2 pi, trained"
    ),
    "rtdl": Convention(
        _SIGMA, 1.0, None, "cos, sin(2 pi c v) per feature, c ~ N(0, sigma^2) cut at 3 sigma, trained"
    ),
    "pytabkit": Convention(_SIGMA, 1.0, None, "cos(2 pi w v + b) per feature, w ~ N(0, sigma^2), trained"),
    "tancik-posenc": Convention(
        _LOG_LINEAR, 1.0, _UNIT_INTERVAL, "cos, sin(2 pi b v) per axis, b = 2^linspace(0, S, m) - 1"
    ),
    "nerf": Convention(_OCTAVES, 0.5, _SYMMETRIC_INTERVAL, "cos, sin(2^k pi v) per axis, k < L"),
    "nerfstudio": Convention(_OCTAVES, 1.0, _UNIT_INTERVAL, "sin(2 pi 2^k v + {0, pi/2}) per axis, k < L"),
    "tcnn": Convention(_OCTAVES, 0.5, _UNIT_INTERVAL, "cos, sin(2^k pi v) per axis, k < L"),
    "siren-posenc": Convention(_OCTAVES, 0.5, _SYMMETRIC_INTERVAL, "cos, sin(2^k pi v) per axis, k < L"),
    "finer-posenc": Convention(
        _OCTAVES, _CYCLES_PER_RADIAN, _SYMMETRIC_INTERVAL, "cos, sin(2^k v) per axis, k < L, without pi"
    ),
    "siren": Convention(_OMEGA, 1.0, _SYMMETRIC_INTERVAL, "sin(omega_0 (W v + b)), W ~ U(-1/n, 1/n)"),
    "siren-pytorch": Convention(
        _OMEGA, 1.0, _SYMMETRIC_INTERVAL, "sin(w0_initial (W v + b)), W ~ U(-1/n, 1/n)"
    ),
}
"""Convention by name. "ffn" is another name of "tancik"."""

_ALIASES = {"ffn": "tancik"}


def find_convention(name: str) -> Convention:
    """Return the convention of a name.

    Args:
        name: A key of `CONVENTIONS`, or "ffn".

    Raises:
        InputError: If the name is unknown; the message lists the known names.
    """
    match = CONVENTIONS.get(_ALIASES.get(name, name))
    if match is None:
        known = ", ".join(sorted([*CONVENTIONS, *_ALIASES]))
        raise InputError(f"one of {known}", repr(name), "pass the library whose convention the value follows")
    return match


def convert(
    value: float,
    of: str,
    to: str,
    domain: tuple[float, float] | None = None,
    to_domain: tuple[float, float] | None = None,
    inputs: int | None = None,
) -> float:
    """Convert a setting of one library to the setting of another that has the same frequencies on the same data.

    Both networks take the same samples, one with coordinates in `domain`, the other in `to_domain`; the cycles across
    the samples are kept. If both numbers have the same meaning, every frequency is matched: exactly for standard
    deviations and sine factors; octave counts and log-linear exponents keep the highest frequency, and an octave count
    need not be an integer. Otherwise the 90 % bandwidth is matched, by the smallest sufficient octave count.

    Args:
        value: The setting in the convention `of`.
        of: The library of the value, a key of `units.CONVENTIONS`.
        to: The library of the result, a key of `units.CONVENTIONS`.
        domain: Range of the coordinates with the value; by default the library's usual range.
        to_domain: Range of the coordinates with the result; by default the library's usual range.
        inputs: Number of coordinates; required between a sine factor and another kind of setting.

    Returns:
        The setting in the convention `to`.

    Raises:
        InputError: If a name is unknown, the value is not positive and finite, a range is empty or missing, or
            `inputs` is missing.

    Example:
        >>> from overtone import units
        >>> round(units.convert(10, of="deepxde", to="tancik", domain=(-1, 1)), 4)
        3.1831
    """
    source, target = find_convention(of), find_convention(to)
    source_length = _length(domain or usual_domain(of, "domain"), "domain")
    target_length = _length(to_domain or usual_domain(to, "to_domain"), "to_domain")
    # Native frequency times its cycles times the length of the range are cycles across the samples.
    factor = source.cycles * source_length / (target.cycles * target_length)
    if source.kind is target.kind:
        return source.kind.rescaled(value, factor)
    return target.kind.value(source.kind.bandwidth(value, inputs) * factor, inputs)


@overload
def usual_domain(library: str) -> tuple[float, float] | None: ...
@overload
def usual_domain(library: str, argument: str) -> tuple[float, float]: ...
def usual_domain(library: str, argument: str = "") -> tuple[float, float] | None:
    """Return the range to which a library's examples scale coordinates, None if it has no usual one.

    Args:
        library: A key of `CONVENTIONS`.
        argument: The argument that replaces it, if one is required.

    Raises:
        InputError: If the name is unknown, or a range is required and the library has no usual one.
    """
    domain = find_convention(library).domain
    if domain is None and argument:
        raise InputError(
            f"the range of the coordinates, since {library!r} has no usual one",
            "none",
            f"pass {argument}=(low, high)",
            argument,
        )
    return domain


def _length(domain: tuple[float, float], argument: str) -> float:
    """Return the length of a coordinate range."""
    if len(domain) != 2 or not all(map(math.isfinite, domain)) or domain[0] >= domain[1]:
        raise InputError(
            "a range (low, high) with low below high", repr(domain), f"pass {argument}=(low, high)", argument
        )
    return domain[1] - domain[0]
