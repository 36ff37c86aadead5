"""Where the per-sample gradients of a group of parameters come from."""

from __future__ import annotations

import enum
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from overtone.errors import InputError
from overtone.theory.ntk.empirical.features import Explicit, Features
from overtone.theory.ntk.empirical.gathering import Gathering
from overtone.theory.ntk.empirical.positions import Room
from overtone.theory.ntk.empirical.recorder import Recorder
from overtone.theory.ntk.empirical.rules import Rule
from overtone.theory.ntk.empirical.unrolled import replaced


class Route(enum.IntEnum):
    """How gradients were taken, from the fastest to the slowest.

    Attributes:
        LAYERS: One forward and one backward pass for all samples; gradients are never formed for plain linear
            layers.
        VECTORISED: Explicit gradients by `torch.func`, many samples at once.
        SAMPLES: Explicit gradients, one backward pass a sample. Every network can go this way.
    """

    LAYERS = 1
    VECTORISED = 2
    SAMPLES = 3

    @property
    def how(self) -> str:
        """The route in words."""
        return {
            Route.LAYERS: "by layer",
            Route.VECTORISED: "by torch.func, many samples at once",
            Route.SAMPLES: "one sample after the other",
        }[self]


def outputs_of(network: nn.Module, x: Tensor) -> Tensor:
    """The network's outputs as (N, C).

    Raises:
        InputError: If the output is not one floating-point tensor with a row per sample.
    """
    y = network(x)
    if not isinstance(y, Tensor) or not y.is_floating_point() or y.ndim == 0 or len(y) != len(x):
        got = f"shape {tuple(y.shape)} of {y.dtype}" if isinstance(y, Tensor) else type(y).__name__
        raise InputError(
            f"a network with one floating-point output row for each of {len(x)} samples",
            got,
            "wrap the network in a module that returns the tensor of interest",
            "network",
        )
    return y.reshape(len(x), -1)


def wide(values: Tensor) -> Tensor:
    """At least single precision, as sums over many parameters need it."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


class Source(ABC):
    """Per-sample gradients with respect to one group of parameters.

    Args:
        network: The network, already in evaluation mode.
        parameters: Names of the parameters in this group.
    """

    route: Route

    def __init__(self, network: nn.Module, parameters: Sequence[str]) -> None:
        self.network = network
        self.parameters = tuple(parameters)

    @abstractmethod
    def features(self, x: Tensor) -> list[Features]:
        """The gradients for the samples `x`, as parts whose inner products add up."""

    def alike(self, x: Tensor, channels: int) -> list[Features]:  # noqa: ARG002
        """Features of the form and size of those for the samples `x`; their values need not be right."""
        return self.features(x)

    def abreast(self, channels: int) -> int:
        """How many of the outputs go back through the network at once."""
        return channels


@final
class Layers(Source):
    """Gradients by layer, from recorded inputs and output gradients.

    Args:
        network: The network.
        parameters: Names of the parameters in this group.
        rules: The rule of every layer that owns them.
        room: What each layer's features may take.
        stand_ins: Modules that take the place of others, by name.
        last: Whether pictures (N, C, H, W) are handed to the network with their channels last in memory.
    """

    route = Route.LAYERS

    def __init__(
        self,
        network: nn.Module,
        parameters: Sequence[str],
        rules: Mapping[nn.Module, Rule],
        room: Room,
        stand_ins: Mapping[str, nn.Module],
        last: bool,
    ) -> None:
        super().__init__(network, parameters)
        self.rules, self.room, self.stand_ins = rules, room, stand_ins
        self.last = last
        self._copies = False

    def by_layer(self, x: Tensor, cotangent: Tensor | None = None) -> dict[nn.Module, Features | None]:
        """Features per layer; None where a layer was not called with one row per sample.

        Args:
            x: (N, ...) samples.
            cotangent: (C,) weights that combine the outputs into one, or None to keep them apart.
        """
        y, recorder = self._forward(x)
        columns = list(y.sum(0)) if cotangent is None else [(y.sum(0) * cotangent).sum()]
        gathering = self._gathering(recorder, len(x), len(columns))
        results = recorder.results
        for i, column in enumerate(columns):
            grads = torch.autograd.grad(column, results, retain_graph=i + 1 < len(columns), allow_unused=True)
            _hand_out(recorder, gathering, grads)
        return {layer: None if each is None else each.features() for layer, each in gathering.items()}

    def alike(self, x: Tensor, channels: int) -> list[Features]:
        """Features for gradients of zero, which take no backward pass."""
        _, recorder = self._forward(x)
        gathering = self._gathering(recorder, len(x), channels)
        for _ in range(channels):
            _hand_out(
                recorder, gathering, [each.new_zeros(()).expand(each.shape) for each in recorder.results]
            )
        return [each.features() for each in gathering.values() if each is not None]

    def abreast(self, channels: int) -> int:  # noqa: ARG002
        """One."""
        return 1

    def _gathering(
        self, recorder: Recorder, samples: int, channels: int
    ) -> dict[nn.Module, Gathering | None]:
        """What takes the gradients of each layer; None where it was not called with one row per sample."""
        found: dict[nn.Module, Gathering | None] = {}
        for layer, calls in recorder.calls.items():
            inputs = [wide(given) if given.is_floating_point() else given for given, _ in calls]
            results = [result for _, result in calls]
            rows = all(len(each) == samples for each in (*inputs, *results))
            usable = bool(calls) and rows
            found[layer] = self.rules[layer].gather(inputs, results, channels, self.room) if usable else None
        return found

    def _forward(self, x: Tensor) -> tuple[Tensor, Recorder]:
        """Outputs and what the layers saw; with copies only if something is overwritten in place."""
        if self.last:
            x = x.movedim(1, -1).clone(memory_format=torch.contiguous_format).movedim(-1, 1)
        recorder = Recorder(list(self.rules), copies=self._copies)
        with replaced(self.network, self.stand_ins), recorder:
            y = outputs_of(self.network, x)
        if self._copies or not recorder.overwritten:
            return y, recorder
        self._copies = True
        return self._forward(x)

    def features(self, x: Tensor) -> list[Features]:
        """One part a layer."""
        return [each for each in self.by_layer(x).values() if each is not None]


def _hand_out(
    recorder: Recorder, gathering: Mapping[nn.Module, Gathering | None], grads: Sequence[Tensor | None]
) -> None:
    """Give each layer the gradients at its results; zeros where there are none."""
    pairs = iter(zip(recorder.results, grads, strict=True))
    for layer, calls in recorder.calls.items():
        mine = [
            torch.zeros_like(result) if g is None else g for _, (result, g) in zip(calls, pairs, strict=False)
        ]
        if (each := gathering[layer]) is not None:
            each.take([wide(g) for g in mine])


@final
class Vectorised(Source):
    """Explicit gradients by `torch.func`, all samples of a chunk at once."""

    route = Route.VECTORISED

    def features(self, x: Tensor) -> list[Features]:
        """One part: (C, N, P)."""
        chosen = {name: p.detach() for name, p in self.network.named_parameters() if name in self.parameters}

        def outputs(parameters: dict[str, Tensor], sample: Tensor) -> Tensor:
            return functional_call(self.network, parameters, (sample[None],)).reshape(-1)

        with sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="There is a performance drop")
            jacobian = vmap(jacrev(outputs), in_dims=(None, 0))(chosen, x)
        parts = [_real(jacobian[name]).flatten(2) for name in self.parameters]
        return [Explicit(wide(torch.cat(parts, -1)).transpose(0, 1))]


@final
class Samples(Source):
    """Explicit gradients, one sample and one output after the other."""

    route = Route.SAMPLES

    def features(self, x: Tensor) -> list[Features]:
        """One part: (C, N, P)."""
        named = dict(self.network.named_parameters())
        chosen = [named[name] for name in self.parameters]
        rows = []
        for sample in x:
            y = outputs_of(self.network, sample[None])[0]
            rows.append(
                torch.stack([torch.cat(gradients(each, chosen, i + 1 < len(y))) for i, each in enumerate(y)])
            )
        return [Explicit(torch.stack(rows).transpose(0, 1))]


def gradients(value: Tensor, parameters: Sequence[nn.Parameter], keep: bool = False) -> list[Tensor]:
    """The gradient of one number with respect to each parameter, flat and in at least single precision.

    Args:
        value: The number.
        parameters: The parameters, used or not; of complex ones the real and imaginary parts.
        keep: Whether the graph is needed again.
    """
    grads = torch.autograd.grad(value, parameters, retain_graph=keep, allow_unused=True)
    filled = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, grads, strict=True)]
    return [wide(_real(g).reshape(-1)) for g in filled]


def _real(values: Tensor) -> Tensor:
    return torch.view_as_real(values) if values.is_complex() else values
