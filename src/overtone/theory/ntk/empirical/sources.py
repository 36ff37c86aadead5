"""Where the per-sample gradients of a group of parameters come from."""

from __future__ import annotations

import enum
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from overtone.theory.ntk.empirical.backward import flat, real, rows, wide
from overtone.theory.ntk.empirical.calling import alone, outputs_of
from overtone.theory.ntk.empirical.excluded import Excluded
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
            layers. Parameters that no sample has a gradient for count here too.
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


Named = Mapping[str, Tensor]
"""Gradients by the full names of their parameters."""


@dataclass(frozen=True)
class Part:
    """The gradients of one layer's parameters, or of all that take one route.

    Attributes:
        names: The parameters' full names, by their names in the layer.
        features: The gradients; None where the layer did not see one row per sample.
        arranged: From gradients in the parameters' shapes to vectors that, one after the other, are a pulled
            gradient of the features.
    """

    names: Mapping[str, str]
    features: Features | None
    arranged: Callable[[Named], list[Tensor]]


@dataclass(frozen=True)
class Taken:
    """What a source took for some samples.

    Attributes:
        outputs: (N, C) the network's outputs, or None if it was not called.
        parts: Their gradients, whose inner products add up; the same parts in the same order for all samples.
    """

    outputs: Tensor | None
    parts: list[Part]

    @property
    def features(self) -> list[Features]:
        """Of the parts that have any."""
        return [part.features for part in self.parts if part.features is not None]


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
    def take(self, x: Tensor) -> Taken:
        """The gradients for the samples `x`."""

    @property
    @abstractmethod
    def excluded(self) -> Excluded | None:
        """What is ruled out if this source turns out to be wrong as a whole; None if it cannot be."""

    def alike(self, x: Tensor, channels: int) -> list[Features]:  # noqa: ARG002
        """Features of the form and size of those for the samples `x`; their values need not be right."""
        return self.take(x).features

    def abreast(self, channels: int) -> int:
        """How many of the outputs go back through the network at once."""
        return channels

    def _explicit(self, values: Tensor) -> Part:
        named = dict(self.network.named_parameters())
        chosen = [named[name] for name in self.parameters]

        def arranged(grads: Named) -> list[Tensor]:
            return flat(chosen, [grads[name] for name in self.parameters])

        return Part({name: name for name in self.parameters}, Explicit(values), arranged)


@final
class Idle(Source):
    """Nothing, for parameters that the samples have no gradient for.

    Args:
        network: The network.
        parameters: Their names.
        like: (n, C) outputs of a few samples.
    """

    route = Route.LAYERS

    def __init__(self, network: nn.Module, parameters: Sequence[str], like: Tensor) -> None:
        super().__init__(network, parameters)
        self._like = wide(like)

    def take(self, x: Tensor) -> Taken:
        """One part without columns."""
        values = self._like.new_zeros(self._like.shape[1], len(x), 0)
        return Taken(None, [Part({name: name for name in self.parameters}, Explicit(values), lambda _: [])])

    @property
    def excluded(self) -> Excluded:
        """These parameters are not idle."""
        return Excluded(idle=frozenset(self.parameters))


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
        self._names = {id(p): name for name, p in network.named_parameters()}

    def take(self, x: Tensor, cotangent: Tensor | None = None) -> Taken:
        """One part a layer.

        Args:
            x: (N, ...) samples.
            cotangent: (C,) weights that combine the outputs into one, or None to keep them apart.
        """
        y, recorder = self._forward(x)
        columns = list(y.sum(0)) if cotangent is None else [(y.sum(0) * cotangent).sum()]
        gathering = self._gathering(recorder, len(x), len(columns))
        for i, column in enumerate(columns):
            _hand_out(recorder, gathering, _back(column, recorder.results, i + 1 < len(columns)))
        made = {layer: None if each is None else each.features() for layer, each in gathering.items()}
        return Taken(y.detach(), [self._part(layer, features) for layer, features in made.items()])

    @property
    def excluded(self) -> Excluded:
        """The modules in the place of others first, if there are any; else all rules."""
        if self.stand_ins:
            return Excluded(stand_ins=True)
        return Excluded(layers=frozenset(self.parameters))

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

    def names(self, layer: nn.Module) -> dict[str, str]:
        """Full names of a layer's trained parameters, by their names in it."""
        own = layer.named_parameters(recurse=False)
        return {name: self._names[id(p)] for name, p in own if p.requires_grad}

    def _part(self, layer: nn.Module, features: Features | None) -> Part:
        names, rule = self.names(layer), self.rules[layer]

        def arranged(grads: Named) -> list[Tensor]:
            return [wide(rule.arranged({name: grads[full] for name, full in names.items()}))]

        return Part(names, features, arranged)

    def _gathering(
        self, recorder: Recorder, samples: int, channels: int
    ) -> dict[nn.Module, Gathering | None]:
        """What takes the gradients of each layer; None where it was not called with one row per sample."""
        found: dict[nn.Module, Gathering | None] = {}
        for layer, calls in recorder.calls.items():
            inputs = [wide(given) if given.is_floating_point() else given for given, _ in calls]
            results = [result for _, result in calls]
            alright = all(each.ndim > 0 and len(each) == samples for each in (*inputs, *results))
            usable = bool(calls) and alright
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


def _back(column: Tensor, results: Sequence[Tensor], keep: bool) -> list[Tensor | None]:
    """The gradient at each result; None where there is none."""
    live = [result for result in results if result.requires_grad]
    if not live or not column.requires_grad:
        return [None] * len(results)
    found = iter(torch.autograd.grad(column, live, retain_graph=keep, allow_unused=True))
    return [next(found) if result.requires_grad else None for result in results]


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

    def take(self, x: Tensor) -> Taken:
        """One part: (C, N, P)."""
        fixed = {name: p.detach() for name, p in self.network.named_parameters()}
        chosen = {name: fixed.pop(name) for name in self.parameters}

        def outputs(parameters: dict[str, Tensor], sample: Tensor) -> tuple[Tensor, Tensor]:
            y = functional_call(self.network, fixed | parameters, (sample[None],)).reshape(-1)
            return y, y

        with sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="There is a performance drop")
            jacobian, y = vmap(jacrev(outputs, has_aux=True), in_dims=(None, 0))(chosen, x)
        parts = [real(jacobian[name]).flatten(2) for name in self.parameters]
        return Taken(y.detach(), [self._explicit(wide(torch.cat(parts, -1)).transpose(0, 1))])

    @property
    def excluded(self) -> Excluded:
        """Many samples at once."""
        return Excluded(batches=True)


@final
class Samples(Source):
    """Explicit gradients, one sample and one output after the other: what all others are measured by."""

    route = Route.SAMPLES

    def take(self, x: Tensor) -> Taken:
        """One part: (C, N, P)."""
        named = dict(self.network.named_parameters())
        chosen = [named[name] for name in self.parameters]
        seen, made = [], []
        for sample in x:
            y, grads = rows(self.network, lambda s=sample: alone(self.network, s[None]), chosen)  # type: ignore[misc]
            seen.append(y)
            made.append(torch.stack([torch.cat(flat(chosen, each)) for each in grads]))
        return Taken(torch.cat(seen), [self._explicit(torch.stack(made).transpose(0, 1))])

    @property
    def excluded(self) -> None:
        """Nothing."""
        return None
