"""Networks of the caller: a factory of modules, its checks, and the number that it takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from overtone import units
from overtone._config import Activation
from overtone._utils.seeding import derive_seed
from overtone.errors import InputError
from overtone.nn import CoordinateScaling, Field
from overtone.nn._checks import call_factory, check_frequencies, check_outputs, check_same
from overtone.nn._networks import OutputScaling
from overtone.nn.encodings import Identity
from overtone.signals import Geometry, Signal
from overtone.units._conventions import find_convention, lowest_cycles, usual_domain

Factory = Callable[[float], nn.Module]
"""Builds a network whose frequencies a number sets."""


@final
@dataclass(frozen=True)
class NetworkSetting:
    """The recommended number of a network of the caller.

    Attributes:
        value: What the factory takes.
        library: The convention that it follows, a key of `units.CONVENTIONS`.
        domain: Range of the coordinates for which it holds; every axis fills it.
    """

    value: float
    library: str
    domain: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """The setting as values that JSON can hold."""
        return {"value": self.value, "library": self.library, "domain": list(self.domain)}

    @staticmethod
    def from_json(plain: dict[str, Any]) -> NetworkSetting:
        """The inverse of `to_json`."""
        low, high = plain["domain"]
        return NetworkSetting(plain["value"], plain["library"], (low, high))


@final
class OwnNetwork:
    """A factory of networks for one signal.

    The network takes coordinates of which every axis fills `domain`, and returns normalised values (mean 0, standard
    deviation 1 over the training samples). An `nn.Field` brings its own scalings and takes and returns physical ones.

    Args:
        factory: Builds the network for a number in the library's convention.
        signal: What is to be learned.
        library: The convention, a key of `units.CONVENTIONS`; "bandwidth" for cycles per unit of the coordinates.
        domain: Range of the coordinates; the library's usual one if None.

    Raises:
        InputError: If it is no function, the library is unknown, or has no usual range and none is passed.

    Attributes:
        library: The convention.
        domain: The range.
        activation: The activation whose frequency its number is, if it is one.
    """

    def __init__(
        self,
        factory: Factory,
        signal: Signal[Geometry],
        library: str,
        domain: tuple[float, float] | None,
    ) -> None:
        if not callable(factory) or isinstance(factory, nn.Module):
            raise InputError(
                "a function that builds a network for a bandwidth",
                f"{type(factory).__name__}",
                "pass for instance lambda value: make_network(omega=value)",
                "network",
            )
        self._factory, self._signal, self.library = factory, signal, library
        self.domain = domain or usual_domain(library, "domain")
        axes = len(signal.geometry.extent)
        # Refuses a range that is none.
        units.convert(1.0, library, library, self.domain, self.domain, axes)
        kind = find_convention(library).kind
        self._whole, self._lowest = kind.whole, lowest_cycles(library, self.domain, axes)
        self.activation = None if kind.activation is None else Activation(kind.activation)
        self._checked = False

    def value(self, bandwidth: tuple[float, ...]) -> float:
        """Return the number that gives the network a bandwidth.

        Args:
            bandwidth: Per axis, in cycles per unit of the signal; the network has the same cycles per extent on all.
        """
        cycles = self._cycles(bandwidth)
        value = units.convert(cycles, "bandwidth", self.library, (0, 1), self.domain, len(bandwidth))
        return float(round(value)) if self._whole else value

    def _cycles(self, bandwidth: tuple[float, ...]) -> float:
        """The geometric mean over axes of the cycles per extent of a bandwidth."""
        extent = self._signal.geometry.extent
        return math.exp(sum(math.log(b * e) for b, e in zip(bandwidth, extent, strict=True)) / len(extent))

    def setting(self, bandwidth: tuple[float, ...]) -> NetworkSetting:
        """Return the number for a bandwidth with what it refers to."""
        return NetworkSetting(self.value(bandwidth), self.library, self.domain)

    def reached(self, ladder: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
        """Return the bandwidths that numbers of the convention reach.

        Args:
            ladder: Ascending bandwidths.

        Raises:
            InputError: If there are none.
        """
        above = [bandwidth for bandwidth in ladder if self._cycles(bandwidth) > self._lowest]
        if not above:
            highest = self._cycles(ladder[-1])
            raise InputError(
                f"a number that reaches the bandwidths to compare, of up to {highest:.3g} cycles per extent",
                f"that of {self.library!r}, which begins at {self._lowest:.3g}",
                "pass the factor of the first layer instead, or more samples",
                "library",
            )
        return above

    def distinct(self, ladder: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
        """Return the bandwidths whose numbers differ; whole numbers are the same for several.

        Args:
            ladder: Ascending bandwidths.

        Raises:
            InputError: If the networks of the first and the last are the same.
        """
        different = list({self.value(bandwidth): bandwidth for bandwidth in reversed(ladder)}.values())[::-1]
        if len(different) > 1:
            ends = [self._wrap(self._make(self.value(b), 0)) for b in (different[0], different[-1])]
            low, high = (self._outputs(field) for field in ends)
            check_frequencies(ends[0], ends[1], (low, high))
        return different

    def build(self, bandwidth: tuple[float, ...], seed: int) -> Field:
        """Return the network of a bandwidth as a field.

        Args:
            bandwidth: Per axis, in cycles per unit.
            seed: Seeds PyTorch's generator while the factory runs, which is left as it was.

        Raises:
            InputError: If the factory returns no module, one of another shape, another one or the same object for the
                same seed, or one that cannot be trained as a function of coordinates.
        """
        value = self.value(bandwidth)
        module = self._make(value, seed)
        if not self._checked:
            # Of the two it is the second that is called, so that the first is as it was made.
            second = self._make(value, seed)
            check_same(module, second)
            self._outputs(self._wrap(second))
            self._checked = True
        return self._wrap(module)

    def _make(self, value: float, seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "network"))
            return call_factory(self._factory, value)

    def _wrap(self, module: nn.Module) -> Field:
        if isinstance(module, Field):
            return module
        places, normalisation = self._signal.geometry, self._signal.normalisation
        low, high = self.domain
        frame = CoordinateScaling(
            places.origin, [(high - low) / e for e in places.extent], (low,) * len(places.extent)
        )
        scaling = OutputScaling(normalisation.offset, normalisation.scale)
        return Field(Identity(len(places.extent)), module, frame, scaling)

    def _outputs(self, field: Field) -> Tensor:
        """Checked outputs at three samples, in normalised values: scaling one by several channels would repeat it."""
        places, (count, channels) = self._signal.geometry, self._signal.values.shape
        apart = torch.linspace(0, count - 1, min(3, count), device="cpu").long()
        precision = field.dtype

        def outputs_at(coords: Tensor) -> Any:
            return field.body(field.encoding(field.frame(coords), precision))

        return check_outputs(field, outputs_at, places.coords(apart), channels)
