"""Conventions of papers and libraries for the frequencies of a network, and conversion between them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import overload

from overtone.errors import InputError
from overtone.units._bandwidth import (
    finer_bandwidth,
    finer_bias,
    gauss_bandwidth,
    gaussian_bandwidth,
    gaussian_sigma,
    log_linear_bandwidth,
    log_linear_scale,
    lowest_finer_bandwidth,
    lowest_wavelet_bandwidth,
    octave_bandwidth,
    octave_count,
    sine_bandwidth,
    sine_omega,
    wavelet_bandwidth,
    wavelet_scale,
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
        rescaled: Function from (value, factor) to the value for which every frequency is multiplied by the factor; None
            if there is none.
        whole: Whether its values are whole numbers.
        activation: Name of the activation whose frequencies it sets; None for those of an encoding.
        lowest: Function from the number of coordinates to the bandwidth in native frequency that all values exceed;
            None where they reach every one.
    """

    name: str
    bandwidth: Callable[[float, int | None], float]
    value: Callable[[float, int | None], float]
    rescaled: Callable[[float, float], float] | None
    whole: bool = False
    activation: str | None = None
    lowest: Callable[[int | None], float] | None = None


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
            "the number of coordinates, with which the bandwidth of a first layer falls",
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
    activation="sine",
)
"""omega_0 of sin(omega_0 (W v + b)), W ~ U(-1/n, 1/n) over n coordinates."""

FINER_OMEGA, WIRE_OMEGA, WIRE_RATIO = 30.0, 20.0, 1.5
"""The factors beside which FINER's biases and WIRE's scale are the number, and WIRE's scale over omega_0 where that is:
FINER's default, and omega_0 = 20 with a scale of 30, with which WIRE's authors represent images."""


def _proportional(name: str, bandwidth: Callable[[float, int], float], activation: str) -> _SettingKind:
    """A factor of a first layer to which all of its frequencies are proportional."""
    return _SettingKind(
        name,
        bandwidth=lambda value, inputs: bandwidth(positive(value, "value"), _coordinates(inputs)),
        value=lambda b, inputs: positive(b, "bandwidth") / bandwidth(1.0, _coordinates(inputs)),
        rescaled=_times,
        activation=activation,
    )


_FINER_OMEGA = _proportional(
    "factor inside the first sine of growing frequency",
    # Where `first_bias_scale` is left out, biases have PyTorch's default initialisation.
    lambda value, inputs: finer_bandwidth(value, 1 / math.sqrt(inputs), inputs),
    "finer",
)
"""omega of sin(omega (|z| + 1) z), z = W v + b, W ~ U(-1/n, 1/n), b ~ U(-1/sqrt(n), 1/sqrt(n))."""

_FINER_BIAS = _SettingKind(
    "bound of the first biases",
    bandwidth=lambda value, inputs: finer_bandwidth(FINER_OMEGA, value, _coordinates(inputs)),
    value=lambda bandwidth, inputs: finer_bias(bandwidth, FINER_OMEGA, _coordinates(inputs)),
    rescaled=None,
    activation="finer",
    lowest=lambda inputs: lowest_finer_bandwidth(FINER_OMEGA, _coordinates(inputs)),
)
"""k of the same with b ~ U(-k, k) at omega = 30."""

_WIRE_OMEGA = _proportional(
    "factor of the first complex Gabor waves",
    lambda value, inputs: wavelet_bandwidth(value, WIRE_RATIO * value, inputs),
    "complex-gabor",
)
"""omega_0 of exp(i omega_0 z - (1.5 omega_0 z)^2), z = W v + b, with PyTorch's default initialisation."""

_WIRE_SCALE = _SettingKind(
    "inverse width of the first complex Gabor waves",
    bandwidth=lambda value, inputs: wavelet_bandwidth(WIRE_OMEGA, value, _coordinates(inputs)),
    value=lambda bandwidth, inputs: wavelet_scale(bandwidth, WIRE_OMEGA, _coordinates(inputs)),
    rescaled=None,
    activation="complex-gabor",
    lowest=lambda inputs: lowest_wavelet_bandwidth(WIRE_OMEGA, _coordinates(inputs)),
)
"""scale of the same at omega_0 = 20."""

_GAUSS_SCALE = _proportional("inverse width of the first Gaussians", gauss_bandwidth, "gauss")
"""s of exp(-(s z)^2), z = W v + b, with PyTorch's default initialisation."""

_GAUSS_WIDTH = _SettingKind(
    "width of the first Gaussians",
    # exp(-z^2 / (2 a^2)) is exp(-(s z)^2) with s = 1 / (sqrt(2) a).
    bandwidth=lambda value, inputs: (
        gauss_bandwidth(1.0, _coordinates(inputs)) / (math.sqrt(2) * positive(value, "value"))
    ),
    value=lambda bandwidth, inputs: (
        gauss_bandwidth(1.0, _coordinates(inputs)) / (math.sqrt(2) * positive(bandwidth, "bandwidth"))
    ),
    rescaled=lambda value, factor: positive(value, "value") / factor,
    activation="gauss",
)
"""a of exp(-z^2 / (2 a^2)), z = W v + b, with PyTorch's default initialisation."""


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
        unit_range: Whether its bandwidth is known for coordinates in [-1, 1] or [0, 1] alone, because frequencies
            grow with the coordinates.
    """

    kind: _SettingKind
    cycles: float
    domain: tuple[float, float] | None
    formula: str
    unit_range: bool = False


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
    "finer": Convention(
        _FINER_OMEGA,
        1.0,
        _SYMMETRIC_INTERVAL,
        "sin(first_omega_0 (|z| + 1) z), z = W v + b, W ~ U(-1/n, 1/n), first_bias_scale left out",
        unit_range=True,
    ),
    "finer-bias": Convention(
        _FINER_BIAS,
        1.0,
        _SYMMETRIC_INTERVAL,
        "sin(30 (|z| + 1) z), z = W v + b, W ~ U(-1/n, 1/n), b ~ U(-k, k), k = first_bias_scale",
        unit_range=True,
    ),
    "wire": Convention(
        _WIRE_OMEGA,
        1.0,
        _SYMMETRIC_INTERVAL,
        "exp(i first_omega_0 z - |scale z|^2), scale = 1.5 first_omega_0",
    ),
    "wire-scale": Convention(
        _WIRE_SCALE, 1.0, _SYMMETRIC_INTERVAL, "exp(20 i z - |scale z|^2), first_omega_0 = 20"
    ),
    "gauss": Convention(_GAUSS_SCALE, 1.0, _SYMMETRIC_INTERVAL, "exp(-(scale z)^2), z = W v + b"),
    "gauss-width": Convention(_GAUSS_WIDTH, 1.0, _SYMMETRIC_INTERVAL, "exp(-z^2 / (2 a^2)), z = W v + b"),
}
"""Convention by name. "ffn" is another name of "tancik". Those of activations are of the first layer.

FINER: Liu et al. 2024, section 3, and the authors' models.py. WIRE: Saragadam et al. 2023, section 3, and the authors'
modules/wire.py; both have the Gaussian with a scale. With a width it is in Ramasinghe & Lucey 2022, table 1.
"""

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
        inputs: Number of coordinates; required between the factor of an activation and another kind of setting.

    Returns:
        The setting in the convention `to`.

    Raises:
        InputError: If a name is unknown, the value is not positive and finite, a range is empty or missing, `inputs` is
            missing, no value of the target reaches a bandwidth so low, or the bandwidth is not known on the range.

    Example:
        >>> from overtone import units
        >>> round(units.convert(10, of="deepxde", to="tancik", domain=(-1, 1)), 4)
        3.1831
    """
    source, target = find_convention(of), find_convention(to)
    source_length = _length(domain or usual_domain(of, "domain"), "domain", source)
    target_length = _length(to_domain or usual_domain(to, "to_domain"), "to_domain", target)
    # Native frequency times its cycles times the length of the range are cycles across the samples.
    factor = source.cycles * source_length / (target.cycles * target_length)
    if source.kind is target.kind and source.kind.rescaled is not None:
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


def lowest_cycles(library: str, domain: tuple[float, float], inputs: int) -> float:
    """Return the bandwidth in cycles across the samples that all values of a convention exceed, 0 if there is none.

    Args:
        library: A key of `CONVENTIONS`.
        domain: Range of the coordinates.
        inputs: Number of coordinates.
    """
    convention = find_convention(library)
    lowest = convention.kind.lowest
    if lowest is None:
        return 0.0
    return lowest(inputs) * convention.cycles * _length(domain, "domain", convention)


def _length(domain: tuple[float, float], argument: str, convention: Convention) -> float:
    """Return the length of a coordinate range for which a convention's bandwidth is known."""
    if len(domain) != 2 or not all(map(math.isfinite, domain)) or domain[0] >= domain[1]:
        raise InputError(
            "a range (low, high) with low below high", repr(domain), f"pass {argument}=(low, high)", argument
        )
    if convention.unit_range and tuple(domain) not in (_SYMMETRIC_INTERVAL, _UNIT_INTERVAL):
        raise InputError(
            "coordinates from -1 to 1 or from 0 to 1, for which the law of FINER's first layer is known",
            f"{domain[0]:g} to {domain[1]:g}",
            f"scale the coordinates, and pass {argument}=(-1, 1) or {argument}=(0, 1)",
            argument,
        )
    return domain[1] - domain[0]
