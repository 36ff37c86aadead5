"""How far any module here reaches, and the same module set to reach as far as wanted."""

from __future__ import annotations

import copy
from typing import Protocol, Self, TypeVar, runtime_checkable

from torch import nn

from overtone.errors import InputError
from overtone.nn._networks import Field, MultiGrade, MultiScale, Network
from overtone.nn._utils import Numbers, per_axis
from overtone.nn.activations._base import SpectralActivation

Module = TypeVar("Module", bound=nn.Module)


@runtime_checkable
class Settable(Protocol):
    """A module that can make a copy of itself with another bandwidth."""

    @property
    def bandwidth(self) -> tuple[float, ...] | None:
        """Per axis, in cycles per unit."""

    def with_bandwidth(self, cycles: Numbers, /) -> Self:
        """The copy."""


def bandwidth(module: nn.Module) -> tuple[float, ...] | None:
    """Per axis, the frequency below which 90 % of the spectral power lies of what the module makes of coordinates.

    An encoding's and a network's are in cycles per unit of the coordinate that it sees, a field's in cycles per
    physical unit. That of a network is its first layer's, as it begins.

    Args:
        module: An encoding, a network or a field.

    Returns:
        One number per axis, or None where there is none to speak of: plain coordinates and a network whose first
        activation brings no frequencies.

    Raises:
        InputError: If the module is of another kind.
    """
    if not hasattr(type(module), "bandwidth") or isinstance(module, SpectralActivation):
        raise InputError(
            "an encoding, a network or a field", type(module).__name__, "pass one of overtone.nn", "bandwidth"
        )
    value: tuple[float, ...] | None = module.bandwidth  # type: ignore[assignment]
    return value


def with_bandwidth(module: Module, cycles: Numbers) -> Module:
    """A copy of a module that reaches `cycles`; the module stays as it is.

    Encodings of frequencies keep them, multiplied; grids are built anew with other resolutions and fresh values; a
    network gets another first activation of the same kind and keeps its weights, as do the parts of a `MultiScale` and
    the first grade of a `MultiGrade`; a field changes its encoding, or its network where coordinates are plain.

    Args:
        module: An encoding, a network or a field.
        cycles: The bandwidth in the unit of `bandwidth`, one for all axes or one per axis.

    Returns:
        The copy.

    Raises:
        InputError: If the module has no bandwidth to set, the number of bandwidths is wrong, one is not positive and
            finite, or a network is to reach further along one axis than along another.
    """
    if isinstance(module, Settable):
        return module.with_bandwidth(cycles)
    new = copy.deepcopy(module)
    if isinstance(new, Field):
        _set_field(new, cycles)
        return new
    if isinstance(new, Network):
        _set_network(new, per_axis(cycles, new.in_features, "bandwidth"))
        return new
    if isinstance(new, MultiGrade):
        new.grades[0] = with_bandwidth(new.grades[0], cycles)
        return new
    if isinstance(new, MultiScale):
        _set_parts(new, per_axis(cycles, new.in_features, "bandwidth"))
        return new
    raise InputError(
        "an encoding, a field, or a network whose first activation brings frequencies",
        type(module).__name__,
        "build it with the bandwidth wanted",
        "bandwidth",
    )


def _set_field(field: Field, cycles: Numbers) -> None:
    physical = per_axis(cycles, field.encoding.in_features, "bandwidth")
    inner = [b / s for b, s in zip(physical, field.frame.scale.tolist(), strict=True)]
    if field.encoding.bandwidth is not None:
        field.encoding = field.encoding.with_bandwidth(inner)
    else:
        field.body = with_bandwidth(field.body, inner)


def _set_parts(network: MultiScale, bandwidths: tuple[float, ...]) -> None:
    """Every part's own bandwidth, before its scale, is multiplied alike."""
    now = network.bandwidth
    for position, part in enumerate(network.parts):
        local = bandwidth(part)
        if local is None or now is None:
            network.parts[position] = with_bandwidth(part, bandwidths)
        else:
            scaled = [o * r / n for o, r, n in zip(local, bandwidths, now, strict=True)]
            network.parts[position] = with_bandwidth(part, scaled)


def _set_network(network: Network, bandwidths: tuple[float, ...]) -> None:
    first = network.activations[0]
    if not isinstance(first, SpectralActivation):
        raise InputError(
            "a first activation that brings frequencies",
            type(first).__name__,
            "take Sine or another of nn.activations, or put an encoding before the network",
            "bandwidth",
        )
    if max(bandwidths) > min(bandwidths) * (1 + 1e-9):
        raise InputError(
            "one bandwidth for all inputs of a network",
            ", ".join(f"{b:g}" for b in bandwidths),
            "pass one number, or put an encoding before the network",
            "bandwidth",
        )
    network.activations[0] = first.with_bandwidth(bandwidths[0], network.in_features)
