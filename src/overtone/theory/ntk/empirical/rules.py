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

from overtone.theory.ntk.empirical.calls import Calls
from overtone.theory.ntk.empirical.convolution import positions
from overtone.theory.ntk.empirical.features import Explicit, Features, Lookup, Products
from overtone.theory.ntk.empirical.gathering import Forming, Gathering, Stacking
from overtone.theory.ntk.empirical.positions import Form, Room, cheapest, features_of
from overtone.theory.ntk.empirical.unfold import Patches, Plain, Unfold


class Rule(ABC):
    """How one layer's calls become its `Features`."""

    @abstractmethod
    def features(self, inputs: Sequence[Tensor], grads: Sequence[Tensor], room: Room) -> Features:
        """The layer's per-sample gradients.

        Args:
            inputs: (N, ...) input of each call.
            grads: (C, N, ...) gradient of every output at the result of each call.
            room: What the features may take.
        """

    @abstractmethod
    def arranged(self, grads: Mapping[str, Tensor]) -> Tensor:
        """The layer's gradient in the order of its features.

        Args:
            grads: The gradient by the parameter's name in the layer, in the parameter's shape.

        Returns:
            (P,) as a flattened `Features.pull` has it.
        """

    def gather(
        self,
        inputs: Sequence[Tensor],
        results: Sequence[Tensor],  # noqa: ARG002
        channels: int,  # noqa: ARG002
        room: Room,
    ) -> Gathering:
        """What takes the gradients of one output after the other.

        Args:
            inputs: (N, ...) input of each call.
            results: (N, ...) result of each call.
            channels: Outputs whose gradients will be taken.
            room: What the features may take.
        """
        return Stacking(lambda grads: self.features(inputs, grads, room))


def _join(calls: list[Tensor], axis: int) -> Tensor:
    return calls[0] if len(calls) == 1 else torch.cat(calls, axis)


def _stack(inputs: Tensor) -> Tensor:
    return inputs.reshape(len(inputs), 1, -1, inputs.shape[-1])


def _beside(grads: Mapping[str, Tensor]) -> Tensor:
    """(out, ..., in) of a weight and (out,) of a bias as the rows (in, 1) of a matrix, one after the other."""
    rows = [grads["weight"].flatten(1)] if "weight" in grads else []
    if "bias" in grads:
        rows.append(grads["bias"][:, None])
    return torch.cat(rows, 1).flatten()


def _channels_last(grads: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A convolution's weight with the channels behind the kernel's axes, as its patches have them."""
    return {name: g.movedim(1, -1) if name == "weight" else g for name, g in grads.items()}


def _one_after_the_other(grads: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([grads[name].flatten() for name in ("weight", "bias") if name in grads])


@final
@dataclass(frozen=True)
class Matrix(Rule):
    """`nn.Linear`, on vectors or on sequences of them, called any number of times."""

    weight: bool
    bias: bool

    def arranged(self, grads: Mapping[str, Tensor]) -> Tensor:
        """(out, in + 1)."""
        return _beside(grads)

    def features(self, inputs: Sequence[Tensor], grads: Sequence[Tensor], room: Room) -> Features:
        """Products for one vector a sample, whatever is cheapest for several."""
        h = _join([_stack(each) for each in inputs], 2)
        g = _join([each.reshape(*each.shape[:2], 1, -1, each.shape[-1]) for each in grads], 3)
        if h.shape[2] == 1:
            return Products(h[:, 0, 0], g[:, :, 0, 0], self.weight, self.bias)
        return features_of(Calls(h, g, Plain(), self.weight, self.bias), room)


@final
@dataclass(frozen=True)
class Convolution(Rule):
    """`nn.Conv1d`, `Conv2d` and `Conv3d`: a matrix applied to every patch."""

    layer: nn.Conv1d | nn.Conv2d | nn.Conv3d
    weight: bool
    bias: bool

    def arranged(self, grads: Mapping[str, Tensor]) -> Tensor:
        """(out, kernel, in / G, + 1): the groups follow each other in `out`."""
        return _beside(_channels_last(grads))

    def features(self, inputs: Sequence[Tensor], grads: Sequence[Tensor], room: Room) -> Features:
        """Whatever is cheapest, over the patches of all calls."""
        if len(inputs) == 1:
            return features_of(self._calls(inputs[0], grads[0]), room)
        g = _join([positions(each, self.layer.groups) for each in grads], 3)
        h = _join([Patches(self.layer).whole(each) for each in inputs], 2)
        return features_of(Calls(h, g, Plain(), self.weight, self.bias), room)

    def gather(
        self, inputs: Sequence[Tensor], results: Sequence[Tensor], channels: int, room: Room
    ) -> Gathering:
        """Explicit gradients of several outputs are formed one output after the other."""
        if len(inputs) == 1 and channels > 1:
            like = self._calls(inputs[0], results[0].detach()[None])
            if cheapest(like, channels, room) is Form.EXPLICIT:
                return Forming(channels, lambda grads: self._calls(inputs[0], grads[None]))
        return super().gather(inputs, results, channels, room)

    def _calls(self, inputs: Tensor, grads: Tensor) -> Calls:
        g = positions(grads, self.layer.groups)
        return Calls(inputs, g, Patches(self.layer), self.weight, self.bias)


@final
@dataclass(frozen=True)
class Transposed(Rule):
    """`nn.ConvTranspose1d`, `2d` and `3d`: a convolution in which input and output gradient change places."""

    layer: nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
    weight: bool
    bias: bool

    def arranged(self, grads: Mapping[str, Tensor]) -> Tensor:
        """(in, kernel, out / G), then the bias."""
        return _one_after_the_other(_channels_last(grads))

    def features(self, inputs: Sequence[Tensor], grads: Sequence[Tensor], room: Room) -> Features:  # noqa: ARG002
        """Explicit gradients: the patches are those of the output gradients, other ones for each output."""
        unfold = Patches(self.layer)
        total = torch.stack(
            [self._one(x, g, unfold) for x, g in zip(inputs, grads, strict=True)],
        ).sum(0)
        return Explicit(total)

    def _one(self, x: Tensor, grads: Tensor, unfold: Unfold) -> Tensor:
        parts = []
        if self.weight:
            side = positions(x[None], self.layer.groups)
            parts.append(torch.cat([Calls(g, side, unfold, True, False).explicit().values for g in grads]))
        if self.bias:
            parts.append(grads.flatten(3).sum(-1))
        return torch.cat(parts, -1)


@final
@dataclass(frozen=True)
class Table(Rule):
    """`nn.Embedding`."""

    rows: int
    padding: int | None

    def arranged(self, grads: Mapping[str, Tensor]) -> Tensor:
        """(rows, D)."""
        return grads["weight"].flatten()

    def features(self, inputs: Sequence[Tensor], grads: Sequence[Tensor], room: Room) -> Features:
        """Indices and gradients, side by side over the calls."""
        indices = _join([each.reshape(len(each), -1) for each in inputs], 1)
        if self.padding is not None:
            indices = torch.where(indices == self.padding, -1, indices)
        g = _join([each.reshape(*each.shape[:2], -1, each.shape[-1]) for each in grads], 2)
        return Lookup(indices, g, self.rows, room.workspace)


@final
@dataclass(frozen=True)
class Scale(Rule):
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

    def arranged(self, grads: Mapping[str, Tensor]) -> Tensor:
        """The scale, then the shift."""
        return _one_after_the_other(grads)

    def features(self, inputs: Sequence[Tensor], grads: Sequence[Tensor], room: Room) -> Features:  # noqa: ARG002
        """Explicit gradients: they are as small as the parameters."""
        totals = []
        for x, g in zip(inputs, grads, strict=True):
            kept = range(x.ndim)[slice(*self.axes)]
            summed = [axis + 1 for axis in range(1, x.ndim) if axis not in kept]
            parts = []
            if self.weight:
                parts.append(_sum(g * self.normalised(x), summed).flatten(2))
            if self.bias:
                parts.append(_sum(g, summed).flatten(2))
            totals.append(torch.cat(parts, -1))
        return Explicit(torch.stack(totals).sum(0))


def _sum(values: Tensor, axes: list[int]) -> Tensor:
    return values.sum(axes) if axes else values


def _batch_norm(layer: nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d, x: Tensor) -> Tensor:
    return F.batch_norm(x, layer.running_mean, layer.running_var, eps=layer.eps)


def _plain(layer: nn.Module) -> bool:
    """Whether a transposed convolution's output is no larger than a stride beyond what its input reaches."""
    extra, stride = layer.output_padding, layer.stride
    return all(int(more) < int(step) for more, step in zip(extra, stride, strict=True))  # type: ignore[arg-type]


def rule_for(layer: nn.Module) -> Rule | None:
    """The rule of a layer, or None if it has none; subclasses and changed layers have none.

    Args:
        layer: A module with parameters of its own.
    """
    kind = type(layer)
    trained = {name for name, p in layer.named_parameters(recurse=False) if p.requires_grad}
    if not trained <= {"weight", "bias"} or any(p.is_complex() for p in layer.parameters(recurse=False)):
        return None
    weight, bias = "weight" in trained, "bias" in trained
    if kind is nn.Linear:
        return Matrix(weight, bias)
    if kind in (nn.Conv1d, nn.Conv2d, nn.Conv3d):
        return Convolution(layer, weight, bias)  # type: ignore[arg-type]
    if kind in (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d) and _plain(layer):
        return Transposed(layer, weight, bias)  # type: ignore[arg-type]
    if kind is nn.Embedding and layer.max_norm is None and not layer.scale_grad_by_freq:
        return Table(layer.num_embeddings, layer.padding_idx)
    if kind is nn.LayerNorm:
        shape, eps = layer.normalized_shape, layer.eps
        return Scale(lambda x: F.layer_norm(x, shape, eps=eps), (-len(shape), None), weight, bias)  # type: ignore[arg-type]
    if kind is nn.RMSNorm:
        shape, eps = layer.normalized_shape, layer.eps
        return Scale(lambda x: F.rms_norm(x, shape, eps=eps), (-len(shape), None), weight, bias)  # type: ignore[arg-type]
    if kind is nn.GroupNorm:
        groups, eps = layer.num_groups, layer.eps
        return Scale(lambda x: F.group_norm(x, groups, eps=eps), (1, 2), weight, bias)  # type: ignore[arg-type]
    if kind in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d) and layer.running_mean is not None:
        return Scale(partial(_batch_norm, layer), (1, 2), weight, bias)  # type: ignore[arg-type]
    return None
