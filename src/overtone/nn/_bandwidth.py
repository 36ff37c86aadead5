"""Copies of encodings, networks and fields with another bandwidth."""

from __future__ import annotations

import copy
from typing import Protocol, Self, TypeVar, runtime_checkable

from torch import nn

from overtone.errors import InputError
from overtone.nn._networks import MLP, Field, MultiGrade, MultiScale, Network
from overtone.nn._utils import Numbers, positive_per_axis
from overtone.nn.activations._base import SpectralActivation

Module = TypeVar("Module", bound=nn.Module)


@runtime_checkable
class HasBandwidthSetter(Protocol):
    """A module that can make a copy of itself with another bandwidth."""

    @property
    def bandwidth(self) -> tuple[float, ...] | None:
        """Bandwidth per axis, in cycles per unit."""

    def with_bandwidth(self, cycles: Numbers, /) -> Self:
        """Return a copy with another bandwidth."""


def with_bandwidth(module: Module, cycles: Numbers) -> Module:
    """Return a copy of a module with another bandwidth; the module stays as it is.

    The bandwidth is the frequency below which 90 % of the spectral power lies, per axis; the property `bandwidth` of
    every encoding, network and field returns it. An encoding with explicit frequencies has them multiplied; a grid
    gets other resolutions and new initial values; a network gets another first activation of the same kind and keeps
    its weights, as do the parts of a `MultiScale` and the first grade of a `MultiGrade`. A field changes its encoding,
    or its network if the encoding is the identity.

    Args:
        module: An encoding, a network or a field.
        cycles: The new bandwidth, one number for all axes or one per axis: in cycles per unit of the coordinate that
            an encoding or a network takes, and in cycles per physical unit for a field.

    Returns:
        The copy.

    Raises:
        InputError: If the module has no bandwidth to set, the number of bandwidths is wrong, one is not positive and
            finite, or the bandwidths of a network's inputs differ.

    Example:
        >>> from overtone import nn
        >>> network = nn.MLP(2, 1, width=8, depth=1, activation=nn.activations.Sine(30.0))
        >>> wider = nn.with_bandwidth(network, 10.0)
        >>> [round(b, 2) for b in network.bandwidth], [round(b, 2) for b in wider.bandwidth]
        ([2.15, 2.15], [10.0, 10.0])
    """
    if isinstance(module, HasBandwidthSetter):
        return module.with_bandwidth(cycles)
    new = copy.deepcopy(module)
    if isinstance(new, Field):
        _set_field(new, cycles)
        return new
    if isinstance(new, Network):
        _set_network(new, positive_per_axis(cycles, new.in_features, "bandwidth"))
        return new
    if isinstance(new, MultiGrade):
        # Only the first grade takes coordinates; later grades take the activations of the one before.
        new.grades[0] = with_bandwidth(new.grades[0], cycles)
        return new
    if isinstance(new, MultiScale):
        _set_parts(new, positive_per_axis(cycles, new.in_features, "bandwidth"))
        return new
    raise InputError(
        "an encoding, a field, or a network whose first activation has a frequency",
        type(module).__name__,
        "pass a module of overtone.nn that has a bandwidth",
        "bandwidth",
    )


def _set_field(field: Field, cycles: Numbers) -> None:
    physical = positive_per_axis(cycles, field.encoding.in_features, "bandwidth")
    # Cycles per physical unit divided by encoding units per physical unit are cycles per encoding unit.
    inner = [b / s for b, s in zip(physical, field.frame.scale.tolist(), strict=True)]
    if field.encoding.bandwidth is not None:
        field.encoding = field.encoding.with_bandwidth(inner)
    else:
        field.body = with_bandwidth(field.body, inner)


def _set_parts(network: MultiScale, bandwidths: tuple[float, ...]) -> None:
    """Multiply the bandwidths of all parts by one factor per axis, which keeps the ratios of the scales."""
    network_bandwidth = network.bandwidth
    for position, part in enumerate(network.parts):
        assert isinstance(part, MLP)
        local = part.bandwidth
        if local is None or network_bandwidth is None:
            network.parts[position] = with_bandwidth(part, bandwidths)
        else:
            scaled = [
                b * goal / now for b, goal, now in zip(local, bandwidths, network_bandwidth, strict=True)
            ]
            network.parts[position] = with_bandwidth(part, scaled)


def _set_network(network: Network, bandwidths: tuple[float, ...]) -> None:
    first = network.activations[0]
    if not isinstance(first, SpectralActivation):
        raise InputError(
            "a first activation that has a frequency",
            type(first).__name__,
            "use Sine or another activation of nn.activations first, or put an encoding before the network",
            "bandwidth",
        )
    # One activation serves all inputs, so its frequency cannot differ between them.
    if max(bandwidths) > min(bandwidths) * (1 + 1e-9):
        raise InputError(
            "one bandwidth for all inputs of a network",
            ", ".join(f"{b:g}" for b in bandwidths),
            "pass one number, or put an encoding before the network",
            "bandwidth",
        )
    network.activations[0] = first.with_bandwidth(bandwidths[0], network.in_features)
