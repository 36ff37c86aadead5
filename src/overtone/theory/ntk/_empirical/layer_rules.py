"""Layer rules: per-sample gradients of a layer from its inputs and output gradients."""

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
    """Collector of the gradients of one output after the other, which converts them to features."""

    @abstractmethod
    def take(self, grads: Sequence[Tensor]) -> None:
        """Add the next output's gradients (N, ...) at the result of each of the layer's calls."""

    @abstractmethod
    def features(self) -> GradientFeatures:
        """Return the features of all outputs so far."""


@final
class StackedAccumulator(GradientAccumulator):
    """Accumulator that stores the gradients of all outputs.

    Args:
        finish: Function from the gradients (C, N, ...) of each call to features.
    """

    def __init__(self, finish: Callable[[list[Tensor]], GradientFeatures]) -> None:
        self._finish = finish
        self._taken: list[Sequence[Tensor]] = []

    def take(self, grads: Sequence[Tensor]) -> None:
        """Store the gradients."""
        self._taken.append(grads)

    def features(self) -> GradientFeatures:
        """Return the features; the outputs of a sample are contiguous in memory."""
        if len(self._taken) == 1:
            return self._finish([each[None] for each in self._taken[0]])
        return self._finish([torch.stack(each, 1).transpose(0, 1) for each in zip(*self._taken, strict=True)])


@final
class ExplicitAccumulator(GradientAccumulator):
    """Accumulator that forms explicit gradients immediately, while the gradients at the results are in the cache.

    Args:
        channels: Number of outputs.
        calls: Function from the gradients (N, ...) of one output to the matrix's calls.
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
        """Return the gradients."""
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
            (P,) in the order of a flattened `GradientFeatures.vjp`.
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


def _weight_and_bias(grads: Mapping[str, Tensor]) -> Tensor:
    """Return a weight (out, ..., in) and a bias (out,) as one matrix with rows (in, 1), flattened."""
    rows = [grads["weight"].flatten(1)] if "weight" in grads else []
    if "bias" in grads:
        rows.append(grads["bias"][:, None])
    return torch.cat(rows, 1).flatten()


def _channels_last(grads: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a convolution's weight with the channels after the kernel's axes, in the order of its patches."""
    return {name: g.movedim(1, -1) if name == "weight" else g for name, g in grads.items()}


def _concatenated(grads: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([grads[name].flatten() for name in ("weight", "bias") if name in grads])


@final
@dataclass(frozen=True)
class LinearRule(LayerRule):
    """Rule of `nn.Linear`, on vectors or on sequences of them, called any number of times."""

    weight: bool
    bias: bool

    def flatten_gradient(self, grads: Mapping[str, Tensor]) -> Tensor:
        """Return the gradient (out, in + 1), flattened."""
        return _weight_and_bias(grads)

    def features(
        self, inputs: Sequence[Tensor], grads: Sequence[Tensor], budget: LayerMemoryBudget
    ) -> GradientFeatures:
        """Return outer products for one vector per sample, the cheapest form for several."""
        h = _join([_stack(each) for each in inputs], 2)
        g = _join([each.reshape(*each.shape[:2], 1, -1, each.shape[-1]) for each in grads], 3)
        # Calls of one layer are summed: their vectors are positions of one matrix.
        if h.shape[2] == 1:
            return OuterProductGradients(h[:, 0, 0], g[:, :, 0, 0], self.weight, self.bias)
        return shared_weight_features(MatmulCalls(h, g, IdentityPatches(), self.weight, self.bias), budget)


@final
@dataclass(frozen=True)
class ConvolutionRule(LayerRule):
    """Rule of `nn.Conv1d`, `Conv2d` and `Conv3d`: a matrix applied to every patch."""

    layer: nn.Conv1d | nn.Conv2d | nn.Conv3d
    weight: bool
    bias: bool

    def flatten_gradient(self, grads: Mapping[str, Tensor]) -> Tensor:
        """Return the gradient (out, kernel, in / G, + 1), flattened: the groups are consecutive in `out`."""
        return _weight_and_bias(_channels_last(grads))

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
        """Form explicit gradients of several outputs one output at a time."""
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
    """Rule of `nn.ConvTranspose1d`, `2d` and `3d`: a convolution with input and output gradient exchanged."""

    layer: nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
    weight: bool
    bias: bool

    def flatten_gradient(self, grads: Mapping[str, Tensor]) -> Tensor:
        """Return the gradient (in, kernel, out / G), then the bias, flattened."""
        return _concatenated(_channels_last(grads))

    def features(
        self,
        inputs: Sequence[Tensor],
        grads: Sequence[Tensor],
        budget: LayerMemoryBudget,  # noqa: ARG002
    ) -> GradientFeatures:
        """Return explicit gradients: the patches are those of the output gradients, which differ per output."""
        patches = ConvolutionPatches(self.layer)
        total = torch.stack(
            [self._call_gradients(x, g, patches) for x, g in zip(inputs, grads, strict=True)],
        ).sum(0)
        return ExplicitGradients(total)

    def _call_gradients(self, x: Tensor, grads: Tensor, patches: PatchExtractor) -> Tensor:
        parts = []
        if self.weight:
            # In a transposed convolution input and output gradient are exchanged: the input acts as the moving
            # kernel.
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
        """Return the gradient (rows, D), flattened."""
        return grads["weight"].flatten()

    def features(
        self, inputs: Sequence[Tensor], grads: Sequence[Tensor], budget: LayerMemoryBudget
    ) -> GradientFeatures:
        """Return indices and gradients, concatenated over the calls."""
        indices = _join([each.reshape(len(each), -1) for each in inputs], 1)
        if self.padding is not None:
            indices = torch.where(indices == self.padding, -1, indices)
        g = _join([each.reshape(*each.shape[:2], -1, each.shape[-1]) for each in grads], 2)
        return EmbeddingGradients(indices, g, self.rows, budget.workspace)


@final
@dataclass(frozen=True)
class NormalisationRule(LayerRule):
    """Rule of the scale and shift of a normalisation: y = w * normalised(x) + b.

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
        """Return the gradients of scale and shift, concatenated."""
        return _concatenated(grads)

    def features(
        self,
        inputs: Sequence[Tensor],
        grads: Sequence[Tensor],
        budget: LayerMemoryBudget,  # noqa: ARG002
    ) -> GradientFeatures:
        """Return explicit gradients, which are as small as the parameters."""
        totals = []
        for x, g in zip(inputs, grads, strict=True):
            parameter_axes = range(x.ndim)[slice(*self.axes)]
            # The gradient is summed over all axes that the parameters lack, except outputs and samples.
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


def _has_small_output_padding(layer: nn.Module) -> bool:
    """Return whether the output padding of a transposed convolution is below its stride."""
    extra, stride = layer.output_padding, layer.stride
    return all(int(more) < int(step) for more, step in zip(extra, stride, strict=True))  # type: ignore[arg-type]


def rule_for(layer: nn.Module) -> LayerRule | None:
    """Return the rule of a layer, or None if it has none; subclasses and changed layers have none.

    Args:
        layer: A module with direct parameters.
    """
    # A subclass may compute something else in its forward pass, so the exact type is required.
    kind = type(layer)
    trained = {name for name, p in layer.named_parameters(recurse=False) if p.requires_grad}
    if not trained <= {"weight", "bias"} or any(p.is_complex() for p in layer.parameters(recurse=False)):
        return None
    weight, bias = "weight" in trained, "bias" in trained
    if kind is nn.Linear:
        return LinearRule(weight, bias)
    if kind in (nn.Conv1d, nn.Conv2d, nn.Conv3d):
        return ConvolutionRule(layer, weight, bias)  # type: ignore[arg-type]
    if kind in (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d) and _has_small_output_padding(
        layer
    ):
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
