"""Which layers have a rule that turns their inputs and output gradients into per-sample gradients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overtone.theory.ntk._empirical.features import (
    EmbeddingGradients,
    ExplicitGradients,
    GradientFeatures,
    OuterProductGradients,
)
from overtone.theory.ntk._empirical.inner_products import empty_huge_pages
from overtone.theory.ntk._empirical.patches import (
    ConvolutionPatches,
    IdentityPatches,
    PatchExtractor,
    grads_by_position,
)
from overtone.theory.ntk._empirical.weight_sharing import (
    GradientForm,
    LayerMemoryBudget,
    MatmulCalls,
    cheapest_form,
    shared_weight_features,
)


class GradientAccumulator(ABC):
    """Collects the gradients of one output after the other, and makes features of them."""

    @abstractmethod
    def take(self, grads: Sequence[Tensor]) -> None:
        """Take the next output's gradients (N, ...) at the result of each of the layer's calls."""

    @abstractmethod
    def features(self) -> GradientFeatures:
        """Return the features of all outputs so far."""


@final
class StackedAccumulator(GradientAccumulator):
    """Stores the gradients of all outputs.

    Args:
        finish: From the gradients (C, N, ...) of each call to features.
    """

    def __init__(self, finish: Callable[[list[Tensor]], GradientFeatures]) -> None:
        self._finish = finish
        self._taken: list[Sequence[Tensor]] = []

    def take(self, grads: Sequence[Tensor]) -> None:
        """Store them."""
        self._taken.append(grads)

    def features(self) -> GradientFeatures:
        """Return the features; the outputs of a sample lie side by side in memory."""
        if len(self._taken) == 1:
            return self._finish([each[None] for each in self._taken[0]])
        return self._finish([torch.stack(each, 1).transpose(0, 1) for each in zip(*self._taken, strict=True)])


@final
class ExplicitAccumulator(GradientAccumulator):
    """Forms explicit gradients immediately, while those at the layer's results are in the cache.

    Args:
        channels: Number of outputs.
        calls: Map from the gradients (N, ...) of one output to the matrix's calls.
    """

    def __init__(self, channels: int, calls: Callable[[Tensor], MatmulCalls]) -> None:
        self._channels, self._calls = channels, calls
        self._count = 0
        self._inputs: Tensor | None = None
        self._values: Tensor | None = None

    def take(self, grads: Sequence[Tensor]) -> None:
        """Form the gradients of the next output."""
        calls = self._calls(grads[0])
        if self._values is None or self._inputs is None:
            self._inputs = calls.with_ones(slice(None))
            n = calls.grads.shape[1]
            self._values = empty_huge_pages(n, self._channels, *calls.shape, like=calls.grads).transpose(0, 1)
        calls.form(self._inputs, self._values[self._count : self._count + 1])
        self._count += 1

    def features(self) -> GradientFeatures:
        """Return the gradients themselves."""
        assert self._values is not None
        return ExplicitGradients(self._values.flatten(2))


class LayerRule(ABC):
    """Map from one layer's calls to its `GradientFeatures`."""

    @abstractmethod
    def features(
        self, inputs: Sequence[Tensor], grads: Sequence[Tensor], budget: LayerMemoryBudget
    ) -> GradientFeatures:
        """Return the layer's per-sample gradients.

        Args:
            inputs: (N, ...) input of each call.
            grads: (C, N, ...) gradient of every output at the result of each call.
            budget: Memory budget of the features.
        """

    @abstractmethod
    def flatten_gradient(self, grads: Mapping[str, Tensor]) -> Tensor:
        """Return the layer's gradient in the order of its features.

        Args:
            grads: The gradient by the parameter's name in the layer, in the parameter's shape.

        Returns:
            (P,) as a flattened `Features.pull` has it.
        """

    def accumulator(
        self,
        inputs: Sequence[Tensor],
        results: Sequence[Tensor],  # noqa: ARG002
        channels: int,  # noqa: ARG002
        budget: LayerMemoryBudget,
    ) -> GradientAccumulator:
        """Return an accumulator of the gradients of one output after the other.

        Args:
            inputs: (N, ...) input of each call.
            results: (N, ...) result of each call.
            channels: Number of outputs.
            budget: Memory budget of the features.
        """
        return StackedAccumulator(lambda grads: self.features(inputs, grads, budget))


def _join(calls: list[Tensor], axis: int) -> Tensor:
    return calls[0] if len(calls) == 1 else torch.cat(calls, axis)


def _stack(inputs: Tensor) -> Tensor:
    return inputs.reshape(len(inputs), 1, -1, inputs.shape[-1])


def _beside(grads: Mapping[str, Tensor]) -> Tensor:
    """Return (out, ..., in) of a weight and (out,) of a bias as the rows (in, 1) of a matrix, one after the other."""
    rows = [grads["weight"].flatten(1)] if "weight" in grads else []
    if "bias" in grads:
        rows.append(grads["bias"][:, None])
    return torch.cat(rows, 1).flatten()


def _channels_last(grads: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a convolution's weight with the channels behind the kernel's axes, in the order of its patches."""
    return {name: g.movedim(1, -1) if name == "weight" else g for name, g in grads.items()}


def _one_after_the_other(grads: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([grads[name].flatten() for name in ("weight", "bias") if name in grads])


@final
@dataclass(frozen=True)
class LinearRule(LayerRule):
    """`nn.Linear`, on vectors or on sequences of them, called any number of times."""

    weight: bool
    bias: bool

    def flatten_gradient(self, grads: Mapping[str, Tensor]) -> Tensor:
        """(out, in + 1)."""
        return _beside(grads)

    def features(
        self, inputs: Sequence[Tensor], grads: Sequence[Tensor], budget: LayerMemoryBudget
    ) -> GradientFeatures:
        """Return outer products for one vector a sample, the cheapest form for several."""
        h = _join([_stack(each) for each in inputs], 2)
        g = _join([each.reshape(*each.shape[:2], 1, -1, each.shape[-1]) for each in grads], 3)
        # Calls of one layer add up: their vectors are positions of one matrix.
        if h.shape[2] == 1:
            return OuterProductGradients(h[:, 0, 0], g[:, :, 0, 0], self.weight, self.bias)
        return shared_weight_features(MatmulCalls(h, g, IdentityPatches(), self.weight, self.bias), budget)


@final
@dataclass(frozen=True)
class ConvolutionRule(LayerRule):
    """`nn.Conv1d`, `Conv2d` and `Conv3d`: a matrix applied to every patch."""

    layer: nn.Conv1d | nn.Conv2d | nn.Conv3d
    weight: bool
    bias: bool

    def flatten_gradient(self, grads: Mapping[str, Tensor]) -> Tensor:
        """(out, kernel, in / G, + 1): the groups follow each other in `out`."""
        return _beside(_channels_last(grads))

    def features(
        self, inputs: Sequence[Tensor], grads: Sequence[Tensor], budget: LayerMemoryBudget
    ) -> GradientFeatures:
        """Return the cheapest form, over the patches of all calls."""
        if len(inputs) == 1:
            return shared_weight_features(self._calls(inputs[0], grads[0]), budget)
        g = _join([grads_by_position(each, self.layer.groups) for each in grads], 3)
        h = _join([ConvolutionPatches(self.layer).whole(each) for each in inputs], 2)
        return shared_weight_features(MatmulCalls(h, g, IdentityPatches(), self.weight, self.bias), budget)

    def accumulator(
        self, inputs: Sequence[Tensor], results: Sequence[Tensor], channels: int, budget: LayerMemoryBudget
    ) -> GradientAccumulator:
        """Form explicit gradients of several outputs one output after the other."""
        if len(inputs) == 1 and channels > 1:
            like = self._calls(inputs[0], results[0].detach()[None])
            if cheapest_form(like, channels, budget) is GradientForm.EXPLICIT:
                return ExplicitAccumulator(channels, lambda grads: self._calls(inputs[0], grads[None]))
        return super().accumulator(inputs, results, channels, budget)

    def _calls(self, inputs: Tensor, grads: Tensor) -> MatmulCalls:
        g = grads_by_position(grads, self.layer.groups)
        return MatmulCalls(inputs, g, ConvolutionPatches(self.layer), self.weight, self.bias)


@final
@dataclass(frozen=True)
class TransposedConvolutionRule(LayerRule):
    """`nn.ConvTranspose1d`, `2d` and `3d`: a convolution in which input and output gradient change places."""

    layer: nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
    weight: bool
    bias: bool

    def flatten_gradient(self, grads: Mapping[str, Tensor]) -> Tensor:
        """(in, kernel, out / G), then the bias."""
        return _one_after_the_other(_channels_last(grads))

    def features(
        self,
        inputs: Sequence[Tensor],
        grads: Sequence[Tensor],
        budget: LayerMemoryBudget,  # noqa: ARG002
    ) -> GradientFeatures:
        """Return explicit gradients: the patches are those of the output gradients, which differ per output."""
        patches = ConvolutionPatches(self.layer)
        total = torch.stack(
            [self._one(x, g, patches) for x, g in zip(inputs, grads, strict=True)],
        ).sum(0)
        return ExplicitGradients(total)

    def _one(self, x: Tensor, grads: Tensor, patches: PatchExtractor) -> Tensor:
        parts = []
        if self.weight:
            # In a transposed convolution input and output gradient change places: the input is what slides.
            side = grads_by_position(x[None], self.layer.groups)
            parts.append(
                torch.cat([MatmulCalls(g, side, patches, True, False).explicit().values for g in grads])
            )
        if self.bias:
            parts.append(grads.flatten(3).sum(-1))
        return torch.cat(parts, -1)


@final
@dataclass(frozen=True)
class EmbeddingRule(LayerRule):
    """`nn.Embedding`."""

    rows: int
    padding: int | None

    def flatten_gradient(self, grads: Mapping[str, Tensor]) -> Tensor:
        """(rows, D)."""
        return grads["weight"].flatten()

    def features(
        self, inputs: Sequence[Tensor], grads: Sequence[Tensor], budget: LayerMemoryBudget
    ) -> GradientFeatures:
        """Return indices and gradients, side by side over the calls."""
        indices = _join([each.reshape(len(each), -1) for each in inputs], 1)
        if self.padding is not None:
            indices = torch.where(indices == self.padding, -1, indices)
        g = _join([each.reshape(*each.shape[:2], -1, each.shape[-1]) for each in grads], 2)
        return EmbeddingGradients(indices, g, self.rows, budget.workspace)


@final
@dataclass(frozen=True)
class NormalisationRule(LayerRule):
    """The scale and shift of a normalisation: y = w * normalised(x) + b.

    Attributes:
        normalised: The layer without its scale and shift.
        axes: First and last axis (exclusive, of one call's input) that the parameters extend over.
        weight: Whether the scale is trained.
        bias: Whether there is a shift and it is trained.
    """

    normalised: Callable[[Tensor], Tensor]
    axes: tuple[int, int | None]
    weight: bool
    bias: bool

    def flatten_gradient(self, grads: Mapping[str, Tensor]) -> Tensor:
        """The scale, then the shift."""
        return _one_after_the_other(grads)

    def features(
        self,
        inputs: Sequence[Tensor],
        grads: Sequence[Tensor],
        budget: LayerMemoryBudget,  # noqa: ARG002
    ) -> GradientFeatures:
        """Return explicit gradients: they are as small as the parameters."""
        totals = []
        for x, g in zip(inputs, grads, strict=True):
            parameter_axes = range(x.ndim)[slice(*self.axes)]
            # The gradient sums over all axes that the parameters do not have, but for outputs and samples.
            summed = [axis + 1 for axis in range(1, x.ndim) if axis not in parameter_axes]
            parts = []
            if self.weight:
                parts.append(_sum(g * self.normalised(x), summed).flatten(2))
            if self.bias:
                parts.append(_sum(g, summed).flatten(2))
            totals.append(torch.cat(parts, -1))
        return ExplicitGradients(torch.stack(totals).sum(0))


def _sum(values: Tensor, axes: list[int]) -> Tensor:
    return values.sum(axes) if axes else values


def _batch_norm(layer: nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d, x: Tensor) -> Tensor:
    return F.batch_norm(x, layer.running_mean, layer.running_var, eps=layer.eps)


def _plain(layer: nn.Module) -> bool:
    """Return whether the output padding of a transposed convolution is below its stride."""
    extra, stride = layer.output_padding, layer.stride
    return all(int(more) < int(step) for more, step in zip(extra, stride, strict=True))  # type: ignore[arg-type]


def rule_for(layer: nn.Module) -> LayerRule | None:
    """Return the rule of a layer, or None if it has none; subclasses and changed layers have none.

    Args:
        layer: A module with parameters of its own.
    """
    # A subclass may compute something else in its forward pass, so the exact type decides.
    kind = type(layer)
    trained = {name for name, p in layer.named_parameters(recurse=False) if p.requires_grad}
    if not trained <= {"weight", "bias"} or any(p.is_complex() for p in layer.parameters(recurse=False)):
        return None
    weight, bias = "weight" in trained, "bias" in trained
    if kind is nn.Linear:
        return LinearRule(weight, bias)
    if kind in (nn.Conv1d, nn.Conv2d, nn.Conv3d):
        return ConvolutionRule(layer, weight, bias)  # type: ignore[arg-type]
    if kind in (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d) and _plain(layer):
        return TransposedConvolutionRule(layer, weight, bias)  # type: ignore[arg-type]
    if kind is nn.Embedding and layer.max_norm is None and not layer.scale_grad_by_freq:
        return EmbeddingRule(layer.num_embeddings, layer.padding_idx)
    if kind is nn.LayerNorm:
        shape, eps = layer.normalized_shape, layer.eps
        return NormalisationRule(lambda x: F.layer_norm(x, shape, eps=eps), (-len(shape), None), weight, bias)  # type: ignore[arg-type]
    if kind is nn.RMSNorm:
        shape, eps = layer.normalized_shape, layer.eps
        return NormalisationRule(lambda x: F.rms_norm(x, shape, eps=eps), (-len(shape), None), weight, bias)  # type: ignore[arg-type]
    if kind is nn.GroupNorm:
        groups, eps = layer.num_groups, layer.eps
        return NormalisationRule(lambda x: F.group_norm(x, groups, eps=eps), (1, 2), weight, bias)  # type: ignore[arg-type]
    if kind in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d) and layer.running_mean is not None:
        return NormalisationRule(partial(_batch_norm, layer), (1, 2), weight, bias)  # type: ignore[arg-type]
    return None
