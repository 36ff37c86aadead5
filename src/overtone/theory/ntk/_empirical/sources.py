"""Sources of the per-sample gradients of a group of parameters."""

from __future__ import annotations

import enum
import functools
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from overtone.theory.ntk._empirical.features import ExplicitGradients, GradientFeatures
from overtone.theory.ntk._empirical.layer_rules import GradientAccumulator, LayerRule
from overtone.theory.ntk._empirical.passes import (
    as_real_pairs,
    at_least_float32,
    flatten_gradients,
    network_outputs,
    output_gradients,
    single_sample_outputs,
)
from overtone.theory.ntk._empirical.recurrent import replaced_modules
from overtone.theory.ntk._empirical.weight_sharing import LayerMemoryBudget


class LayerRecorder:
    """Records (input, result) of every call of `layers` inside a `with` block.

    Args:
        layers: The layers to record.
        copies: Whether the network continues with a copy of each result, so that a later in-place operation does
            not change the record.
    """

    def __init__(self, layers: Sequence[nn.Module], *, copies: bool) -> None:
        self.calls: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {layer: [] for layer in layers}
        self._copies = copies
        self._versions: list[tuple[Tensor, int]] = []
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def _record(self, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Any:
        tensor = args[0] if args else next(iter(kwargs.values()))
        self.calls[layer].append((tensor.detach(), result))
        # PyTorch counts in-place changes of a tensor; a later mismatch shows that the record was overwritten.
        self._versions += [(each, each._version) for each in (tensor, result)]
        return result.clone() if self._copies else None

    @property
    def results(self) -> list[Tensor]:
        """The results of all calls, layer by layer."""
        return [result for calls in self.calls.values() for _, result in calls]

    @property
    def overwritten(self) -> bool:
        """Whether an in-place operation has changed an input or a result since it was recorded."""
        return any(each._version != version for each, version in self._versions)

    def __enter__(self) -> LayerRecorder:
        for layer in self.calls:
            self._handles.append(layer.register_forward_hook(self._record, with_kwargs=True))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()


@dataclass(frozen=True)
class ExcludedMethods:
    """Methods of computing gradients that are invalid for some samples.

    Attributes:
        nonzero: Names of parameters with a gradient for some samples.
        layers: Names of parameters whose layer rule does not cover the layer's use for some samples.
        replacements: Whether modules must not be replaced by others.
        batches: Whether gradients of several samples at once cannot be computed, or differ from those of each sample
            alone.
    """

    nonzero: frozenset[str] = frozenset()
    layers: frozenset[str] = frozenset()
    replacements: bool = False
    batches: bool = False

    def __or__(self, other: ExcludedMethods) -> ExcludedMethods:
        """Return the union of both."""
        return ExcludedMethods(
            self.nonzero | other.nonzero,
            self.layers | other.layers,
            self.replacements or other.replacements,
            self.batches or other.batches,
        )


class ExcludedMethodError(Exception):
    """Error for samples for which the current method of computing gradients is invalid."""

    def __init__(self, excluded: ExcludedMethods) -> None:
        super().__init__(excluded)
        self.excluded = excluded


class JacobianMethod(enum.IntEnum):
    """Method by which gradients are computed, from the fastest to the slowest.

    Attributes:
        LAYERS: One forward and one backward pass for all samples; gradients are never formed for plain linear layers.
            Includes parameters without a gradient for any sample.
        VECTORISED: Explicit gradients by `torch.func`, many samples at once.
        SAMPLES: Explicit gradients, one backward pass per sample, for every network.
    """

    LAYERS = 1
    VECTORISED = 2
    SAMPLES = 3


NamedGradients = Mapping[str, Tensor]
"""Gradients by the full names of their parameters."""


@dataclass(frozen=True)
class GradientPart:
    """The gradients of one layer's parameters, or of all parameters with a common method.

    Attributes:
        names: The parameters' full names, by their names in the layer.
        features: The gradients; None if the layer's input did not have one row per sample.
        flatten_gradient: Function from gradients in the parameters' shapes to vectors that, concatenated, have the
            order of the features' `vjp`.
    """

    names: Mapping[str, str]
    features: GradientFeatures | None
    flatten_gradient: Callable[[NamedGradients], list[Tensor]]


@dataclass(frozen=True)
class SourceGradients:
    """Outputs and gradients of one source for some samples.

    Attributes:
        outputs: (N, C) the network's outputs, or None if it was not called.
        parts: Gradients whose inner products are summed; the same parts in the same order for all samples.
    """

    outputs: Tensor | None
    parts: list[GradientPart]

    @property
    def features(self) -> list[GradientFeatures]:
        """The features of the parts that have any."""
        return [part.features for part in self.parts if part.features is not None]


class GradientSource(ABC):
    """Per-sample gradients with respect to one group of parameters.

    Args:
        network: The network, already in evaluation mode.
        parameters: Names of the parameters in this group.
    """

    method: JacobianMethod

    def __init__(self, network: nn.Module, parameters: Sequence[str]) -> None:
        self.network = network
        self.parameters = tuple(parameters)

    @abstractmethod
    def take(self, x: Tensor) -> SourceGradients:
        """Return the gradients for the samples `x`."""

    @property
    @abstractmethod
    def excluded(self) -> ExcludedMethods | None:
        """The methods to exclude if this source is wrong as a whole; None if it cannot be."""

    def zero_gradient_features(self, x: Tensor, channels: int) -> list[GradientFeatures]:  # noqa: ARG002
        """Return features of the form and size of those for the samples `x`, with arbitrary values."""
        return self.take(x).features

    def outputs_per_pass(self, channels: int) -> int:
        """Return the number of outputs per backward pass."""
        return channels

    def _explicit(self, values: Tensor) -> GradientPart:
        named = dict(self.network.named_parameters())
        chosen = [named[name] for name in self.parameters]

        def flatten_gradient(grads: NamedGradients) -> list[Tensor]:
            return flatten_gradients(chosen, [grads[name] for name in self.parameters])

        return GradientPart(
            {name: name for name in self.parameters}, ExplicitGradients(values), flatten_gradient
        )


@final
class ZeroSource(GradientSource):
    """Zero gradients, for parameters without a gradient for the samples.

    Args:
        network: The network.
        parameters: Names of the parameters.
        like: (n, C) outputs of a few samples.
    """

    method = JacobianMethod.LAYERS

    def __init__(self, network: nn.Module, parameters: Sequence[str], like: Tensor) -> None:
        super().__init__(network, parameters)
        self._like = at_least_float32(like)

    def take(self, x: Tensor) -> SourceGradients:
        """Return one part without columns."""
        values = self._like.new_zeros(self._like.shape[1], len(x), 0)
        return SourceGradients(
            None,
            [GradientPart({name: name for name in self.parameters}, ExplicitGradients(values), lambda _: [])],
        )

    @property
    def excluded(self) -> ExcludedMethods:
        """Exclude zero gradients: these parameters do have gradients."""
        return ExcludedMethods(nonzero=frozenset(self.parameters))


@final
class LayerwiseSource(GradientSource):
    """Gradients by layer, from recorded inputs and output gradients.

    Args:
        network: The network.
        parameters: Names of the parameters in this group.
        rules: The rule of every layer that owns these parameters.
        budget: Memory budget of each layer's features.
        replacements: Modules that replace others, by name.
        channels_last: Whether images (N, C, H, W) are passed to the network with their channels last in memory.
    """

    method = JacobianMethod.LAYERS

    def __init__(
        self,
        network: nn.Module,
        parameters: Sequence[str],
        rules: Mapping[nn.Module, LayerRule],
        budget: LayerMemoryBudget,
        replacements: Mapping[str, nn.Module],
        channels_last: bool,
    ) -> None:
        super().__init__(network, parameters)
        self.rules, self.budget, self.replacements = rules, budget, replacements
        self.channels_last = channels_last
        self._copies = False
        self._names = {id(p): name for name, p in network.named_parameters()}

    def take(self, x: Tensor, cotangent: Tensor | None = None) -> SourceGradients:
        """Return one part per layer.

        Args:
            x: (N, ...) samples.
            cotangent: (C,) weights that combine the outputs into one, or None for separate outputs.
        """
        y, recorder = self._forward(x)
        # Samples do not affect each other, so the gradient of their sum at a layer is every sample's own gradient.
        columns = list(y.sum(0)) if cotangent is None else [(y.sum(0) * cotangent).sum()]
        accumulators = self._accumulators(recorder, len(x), len(columns))
        for i, column in enumerate(columns):
            _distribute_gradients(
                recorder, accumulators, _result_gradients(column, recorder.results, i + 1 < len(columns))
            )
        made = {layer: None if each is None else each.features() for layer, each in accumulators.items()}
        return SourceGradients(y.detach(), [self._part(layer, features) for layer, features in made.items()])

    @property
    def excluded(self) -> ExcludedMethods:
        """The replacements of modules first, if there are any; otherwise all rules."""
        if self.replacements:
            return ExcludedMethods(replacements=True)
        return ExcludedMethods(layers=frozenset(self.parameters))

    def zero_gradient_features(self, x: Tensor, channels: int) -> list[GradientFeatures]:
        """Return features for gradients of zero, without a backward pass."""
        _, recorder = self._forward(x)
        accumulators = self._accumulators(recorder, len(x), channels)
        for _ in range(channels):
            _distribute_gradients(
                recorder, accumulators, [each.new_zeros(()).expand(each.shape) for each in recorder.results]
            )
        return [each.features() for each in accumulators.values() if each is not None]

    def outputs_per_pass(self, channels: int) -> int:  # noqa: ARG002
        """Return one."""
        return 1

    def names(self, layer: nn.Module) -> dict[str, str]:
        """Return the full names of a layer's trained parameters, by their names in the layer."""
        parameters_of_layer = layer.named_parameters(recurse=False)
        return {name: self._names[id(p)] for name, p in parameters_of_layer if p.requires_grad}

    def _part(self, layer: nn.Module, features: GradientFeatures | None) -> GradientPart:
        names, rule = self.names(layer), self.rules[layer]

        def flatten_gradient(grads: NamedGradients) -> list[Tensor]:
            return [
                at_least_float32(rule.flatten_gradient({name: grads[full] for name, full in names.items()}))
            ]

        return GradientPart(names, features, flatten_gradient)

    def _accumulators(
        self, recorder: LayerRecorder, samples: int, channels: int
    ) -> dict[nn.Module, GradientAccumulator | None]:
        """Return an accumulator per layer; None if the layer was not called with one row per sample."""
        accumulators: dict[nn.Module, GradientAccumulator | None] = {}
        for layer, calls in recorder.calls.items():
            inputs = [
                at_least_float32(tensor) if tensor.is_floating_point() else tensor for tensor, _ in calls
            ]
            results = [result for _, result in calls]
            has_row_per_sample = all(
                tensor.ndim > 0 and len(tensor) == samples for tensor in (*inputs, *results)
            )
            usable = bool(calls) and has_row_per_sample
            accumulators[layer] = (
                self.rules[layer].accumulator(inputs, results, channels, self.budget) if usable else None
            )
        return accumulators

    def _forward(self, x: Tensor) -> tuple[Tensor, LayerRecorder]:
        """Return the outputs and the recorded calls; with copies only if something is overwritten in place."""
        if self.channels_last:
            x = x.movedim(1, -1).clone(memory_format=torch.contiguous_format).movedim(-1, 1)
        recorder = LayerRecorder(list(self.rules), copies=self._copies)
        with replaced_modules(self.network, self.replacements), recorder:
            y = network_outputs(self.network, x)
        # Copies cost memory, so the first pass has none; networks that overwrite results are run a second time.
        if self._copies or not recorder.overwritten:
            return y, recorder
        self._copies = True
        return self._forward(x)


def _result_gradients(column: Tensor, results: Sequence[Tensor], keep: bool) -> list[Tensor | None]:
    """Return the gradient at each result; None where there is none."""
    live = [result for result in results if result.requires_grad]
    if not live or not column.requires_grad:
        return [None] * len(results)
    gradients = iter(torch.autograd.grad(column, live, retain_graph=keep, allow_unused=True))
    return [next(gradients) if result.requires_grad else None for result in results]


def _distribute_gradients(
    recorder: LayerRecorder,
    accumulators: Mapping[nn.Module, GradientAccumulator | None],
    grads: Sequence[Tensor | None],
) -> None:
    """Pass each layer the gradients at its results; zeros where there are none."""
    pairs = iter(zip(recorder.results, grads, strict=True))
    for layer, calls in recorder.calls.items():
        layer_grads = [
            torch.zeros_like(result) if g is None else g for _, (result, g) in zip(calls, pairs, strict=False)
        ]
        if (accumulator := accumulators[layer]) is not None:
            accumulator.take([at_least_float32(g) for g in layer_grads])


@final
class VectorisedSource(GradientSource):
    """Explicit gradients by `torch.func`, all samples of a chunk at once."""

    method = JacobianMethod.VECTORISED

    def take(self, x: Tensor) -> SourceGradients:
        """Return one part: (C, N, P)."""
        fixed = {name: p.detach() for name, p in self.network.named_parameters()}
        chosen = {name: fixed.pop(name) for name in self.parameters}

        def outputs(parameters: dict[str, Tensor], sample: Tensor) -> tuple[Tensor, Tensor]:
            y = functional_call(self.network, fixed | parameters, (sample[None],)).reshape(-1)
            return y, y

        # Fused attention kernels have no rule for `vmap` over the backward pass.
        with sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="There is a performance drop")
            jacobian, y = vmap(jacrev(outputs, has_aux=True), in_dims=(None, 0))(chosen, x)
        parts = [as_real_pairs(jacobian[name]).flatten(2) for name in self.parameters]
        return SourceGradients(
            y.detach(), [self._explicit(at_least_float32(torch.cat(parts, -1)).transpose(0, 1))]
        )

    @property
    def excluded(self) -> ExcludedMethods:
        """Gradients of many samples at once."""
        return ExcludedMethods(batches=True)


@final
class PerSampleSource(GradientSource):
    """Explicit gradients, one sample and one output at a time: the reference for all other sources."""

    method = JacobianMethod.SAMPLES

    def take(self, x: Tensor) -> SourceGradients:
        """Return one part: (C, N, P)."""
        named = dict(self.network.named_parameters())
        chosen = [named[name] for name in self.parameters]
        outputs, made = [], []
        for sample in x:
            call = functools.partial(single_sample_outputs, self.network, sample[None])
            y, grads = output_gradients(self.network, call, chosen)
            outputs.append(y)
            made.append(torch.stack([torch.cat(flatten_gradients(chosen, each)) for each in grads]))
        return SourceGradients(torch.cat(outputs), [self._explicit(torch.stack(made).transpose(0, 1))])

    @property
    def excluded(self) -> None:
        """None, because this source is the reference."""
        return None
