"""Layers that apply one matrix at many positions: on sequences, in convolutions, or by being called twice."""

from __future__ import annotations

import enum
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from overtone.theory.ntk._empirical.features import ExplicitGradients, GradientFeatures
from overtone.theory.ntk._empirical.inner_products import (
    OutputLayout,
    add_inner_products,
    add_lower_inner_products,
    empty_huge_pages,
    inner_products,
    kernel_window,
    scale_pairs,
)
from overtone.theory.ntk._empirical.patches import PatchExtractor

NEAR = {"cpu": 1 << 19}
"""Numbers that are formed at once, so that they are used while they are in the cache."""

FAR = 1 << 25
"""The same on other devices, which want few large products."""


def block_elements(values: Tensor) -> int:
    """Numbers that are best formed at once where `values` lie."""
    return NEAR.get(values.device.type, FAR)


@dataclass(frozen=True)
class MatmulCalls:
    """One matrix at T positions in each of G groups: its gradient is sum_t g_t (h_t, 1)^T.

    Attributes:
        inputs: (N, ...) the layer's input as it came.
        grads: (C, N, G, T, out) g.
        patches: From `inputs` to the (N, G, T, in) vectors h that the matrix multiplies.
        weight: Whether the weight is trained.
        bias: Whether there is a bias and it is trained.
    """

    inputs: Tensor
    grads: Tensor
    patches: PatchExtractor
    weight: bool
    bias: bool

    @property
    def size(self) -> int:
        """Numbers held."""
        return self.inputs.numel() + self.grads.numel()

    @property
    def shape(self) -> tuple[int, ...]:
        """The trained parameters, (G, out, in + 1)."""
        return self.grads.shape[2], self.grads.shape[4], self.width * self.weight + self.bias

    @property
    def width(self) -> int:
        """Length of h."""
        return self.patches.width(self.inputs)

    def rows(self, part: slice) -> MatmulCalls:
        """What the matrix saw in some of the samples."""
        return replace(self, inputs=self.inputs[part], grads=self.grads[:, part])

    @staticmethod
    def concatenated(calls: Sequence[MatmulCalls]) -> MatmulCalls:
        """What the matrix saw in all samples, one after the other."""
        inputs = torch.cat([each.inputs for each in calls])
        return replace(calls[0], inputs=inputs, grads=torch.cat([each.grads for each in calls], 1))

    def explicit(self) -> ExplicitGradients:
        """All gradients (C, N, G out (in + 1)), a few samples at a time."""
        channels, n = self.grads.shape[:2]
        values = empty_huge_pages(n, channels, *self.shape, like=self.grads).transpose(0, 1)
        for rows in self._row_blocks():
            self.rows(rows).form(self.with_ones(rows), values[:, rows])
        return ExplicitGradients(values.flatten(2))

    def with_ones(self, rows: slice) -> Tensor:
        """(h, 1) of some samples, as far as it is multiplied by what is trained: (n, G, T, in + 1)."""
        if self.weight:
            return self.patches.whole(self.inputs[rows], self.bias)
        n, groups, places = self.grads[0, rows].shape[:3]
        return self.grads.new_ones(1, 1, 1, 1).expand(n, groups, places, 1)

    def form(self, with_ones: Tensor, values: Tensor) -> None:
        """Write the gradients sum_t g_t s_t^T, for s = `with_ones` (N, G, T, w), to `values` (C, N, G, out, w)."""
        for c, k in torch.cartesian_prod(*map(torch.arange, values.shape[::2][:2])).tolist():
            torch.bmm(self.grads[c, :, k].mT, with_ones[:, k], out=values[c, :, k])

    def parts(self, max_columns: int) -> Iterator[Tensor]:
        """Yield all gradients (C, N, P) in parts of at most about `max_columns` columns of the matrix."""
        channels, n, groups, _, out = self.grads.shape
        if self.bias:
            yield self.grads.sum(-2).flatten(2)
        for with_ones in self.patches.parts(self.inputs, max_columns) if self.weight else ():
            values = self.grads.new_empty(channels, n, groups, out, with_ones.shape[-1])
            self.form(with_ones, values)
            yield values.flatten(2)

    def vjp(self, weights: Tensor) -> Tensor:
        """J^T w for (C, N) weights, (G, out, in + 1)."""
        g = (self.grads * weights[..., None, None, None]).sum(0)
        total = g.new_zeros(self.shape)
        for rows in self._row_blocks():
            h = self.with_ones(rows)
            total += g[rows].movedim(0, 1).flatten(1, 2).mT @ h.movedim(0, 1).flatten(1, 2)
        return total

    def jvp(self, direction: Tensor) -> Tensor:
        """J u for (G, out, in + 1) u, (C, N)."""
        made = []
        for rows in self._row_blocks():
            moved = self.with_ones(rows) @ direction.mT
            made.append((self.grads[:, rows] * moved).sum((2, 3, 4)))
        return torch.cat(made, 1)

    def _row_blocks(self) -> list[slice]:
        _, n, groups, places, _ = self.grads.shape
        step = max(1, block_elements(self.grads) // (groups * places * (self.width + 1)))
        return [slice(start, start + step) for start in range(0, n, step)]


ELEMENTWISE = 200
"""Multiplications and additions of a matrix product in the time of one pass over an entry of its result."""


FRESH = 5
"""Reads of a number from memory in the time in which one is written for the first time and kept."""


@dataclass(frozen=True)
class FeatureBudget:
    """What a layer's features may take.

    Attributes:
        workspace: Numbers that one product may hold for a while.
        samples: Samples of the whole kernel.
        each: Numbers that one sample's gradients may hold in one layer.
    """

    workspace: int
    samples: int
    each: int


class SharedWeightProduct(ABC):
    """How inner products of the gradients of one matrix at many positions are taken."""

    @abstractmethod
    def add(self, total: Tensor, one: MatmulCalls, two: MatmulCalls, outputs: OutputLayout) -> None:
        """Add the inner products of the gradients of `one` and `two` to `total`."""

    def add_lower(self, total: Tensor, calls: MatmulCalls, outputs: OutputLayout) -> None:
        """Add the inner products of the gradients with themselves, at least to the lower half of `total`."""
        self.add(total, calls, calls, outputs)

    @abstractmethod
    def scratch(self, calls: MatmulCalls) -> int:
        """Numbers that a product holds for a while, beside its workspace."""


@final
@dataclass(frozen=True)
class ProductByColumns(SharedWeightProduct):
    """Gradients are formed for a few columns of the matrix at a time, few enough to be multiplied in the cache.

    Attributes:
        workspace: Numbers that may be held while multiplying.
    """

    workspace: int

    def add(self, total: Tensor, one: MatmulCalls, two: MatmulCalls, outputs: OutputLayout) -> None:
        """J J^T, summed over parts."""
        max_columns = min(_columns(each.grads, self.workspace) for each in (one, two))
        for left, right in zip(one.parts(max_columns), two.parts(max_columns), strict=True):
            add_inner_products(total, left, right, outputs)

    def add_lower(self, total: Tensor, calls: MatmulCalls, outputs: OutputLayout) -> None:
        """Half of it; each part is formed once."""
        for part in calls.parts(_columns(calls.grads, self.workspace)):
            add_lower_inner_products(total, part, outputs)

    def scratch(self, calls: MatmulCalls) -> int:
        """The padded inputs."""
        return 2 * calls.inputs.numel()


def _columns(grads: Tensor, workspace: int) -> int:
    """Columns of the matrix whose gradients are formed at once."""
    samples, groups, out = grads.shape[0] * grads.shape[1], grads.shape[2], grads.shape[4]
    return max(1, min(block_elements(grads), workspace // 2) // (samples * groups * out))


@final
@dataclass(frozen=True)
class ProductByPairs(SharedWeightProduct):
    """Where the weight is trained and positions are few: sum over pairs of positions of (g g^T) * (h h^T + 1).

    Attributes:
        workspace: Numbers that may be held while multiplying.
    """

    workspace: int

    def add(self, total: Tensor, one: MatmulCalls, two: MatmulCalls, outputs: OutputLayout) -> None:
        """The sum, for some pairs of samples at a time."""
        channels, n, groups, places, _ = one.grads.shape
        m = two.grads.shape[1]
        per_pair = total.numel() // (n * m)
        budget = min(self.workspace, 4 * block_elements(total))
        tile = max(1, int((budget / (2 * places**2 * (per_pair + 1))) ** 0.5))
        for rows in _slices(n, tile):
            h = one.patches.whole(one.inputs[rows])
            for columns in _slices(m, tile):
                h2 = two.patches.whole(two.inputs[columns])
                for k in range(groups):
                    inner = h[:, k].flatten(0, 1) @ h2[:, k].flatten(0, 1).mT
                    g, g2 = one.grads[:, rows, k], two.grads[:, columns, k]
                    part = _over_positions(inner.add_(1) if one.bias else inner, g, g2, outputs)
                    kernel_window(total, rows, columns, channels, outputs).add_(part)

    def scratch(self, calls: MatmulCalls) -> int:  # noqa: ARG002
        """None."""
        return 0


@final
@dataclass(frozen=True)
class SharedWeightGradients(GradientFeatures):
    """Gradients of a matrix applied at many positions, as what it saw.

    Attributes:
        calls: What the matrix saw.
        product: How inner products are taken.
    """

    calls: MatmulCalls
    product: SharedWeightProduct

    def add(self, total: Tensor, other: GradientFeatures, outputs: OutputLayout) -> None:
        """J J^T, on the way that is cheapest."""
        assert isinstance(other, SharedWeightGradients)
        self.product.add(total, self.calls, other.calls, outputs)

    def add_lower(self, total: Tensor, outputs: OutputLayout) -> None:
        """The same, at least to the lower half."""
        self.product.add_lower(total, self.calls, outputs)

    def rows(self, part: slice) -> SharedWeightGradients:
        """What the matrix saw in these samples."""
        return SharedWeightGradients(self.calls.rows(part), self.product)

    def concatenated(self, others: Sequence[GradientFeatures]) -> SharedWeightGradients | None:
        """What the matrix saw in all of these samples, if it saw as much of each."""
        calls = [self.calls, *(each.calls for each in others if isinstance(each, SharedWeightGradients))]
        if len({each.inputs.shape[1:] for each in calls}) > 1:
            return None
        return SharedWeightGradients(MatmulCalls.concatenated(calls), self.product)

    def vjp(self, weights: Tensor) -> Tensor:
        """J^T w, a few samples at a time."""
        return self.calls.vjp(weights)

    def jvp(self, direction: Tensor) -> Tensor:
        """J u, a few samples at a time."""
        return self.calls.jvp(direction)

    @property
    def shape(self) -> tuple[int, ...]:
        """(G, out, in + 1)."""
        return self.calls.shape

    @property
    def like(self) -> Tensor:
        """The gradients at the result."""
        return self.calls.grads

    @property
    def size(self) -> int:
        """Numbers of the inputs and of the gradients at the result."""
        return self.calls.size

    @property
    def scratch(self) -> int:
        """What the way holds for a while."""
        return self.product.scratch(self.calls)


def _slices(count: int, step: int) -> list[slice]:
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def _over_positions(inner: Tensor, g: Tensor, g2: Tensor, outputs: OutputLayout) -> Tensor:
    """Sum of `inner` * (g g^T) over the positions, for g (C, n, T, out)."""
    (c, n, t), (m, u) = g.shape[:3], g2.shape[1:3]
    pairs = scale_pairs(inner_products(g.flatten(1, 2), g2.flatten(1, 2), outputs), inner, outputs)
    if outputs is OutputLayout.BLOCKS:
        return pairs.view(n, t, c, m, u, c).sum((1, 4)).flatten(2).flatten(0, 1)
    return pairs.unflatten(-1, (m, u)).unflatten(-3, (n, t)).sum((-3, -1))


class GradientForm(enum.Enum):
    """In which form the gradients of a matrix at many positions are kept."""

    PAIRS = enum.auto()
    PARTS = enum.auto()
    EXPLICIT = enum.auto()


def cheapest_form(calls: MatmulCalls, channels: int, budget: FeatureBudget) -> GradientForm:
    """The form that takes the fewest operations, or the least traffic to memory, in the room there is.

    Args:
        calls: What the matrix saw, for some of the outputs.
        channels: Outputs of the network.
        budget: What the features may take.
    """
    _, n, groups, places, out = calls.grads.shape
    input_size, width = calls.inputs.numel() // n, calls.width
    gradients = channels * groups * out * width
    operations = 2 * gradients * (1 + 2 * places / budget.samples)
    pairs = groups * places**2 * (2 * (width + channels * out) + ELEMENTWISE)
    if calls.weight and pairs < operations:
        return GradientForm.PAIRS
    if gradients > max(budget.each, input_size + channels * groups * places * out):
        return GradientForm.PARTS
    at_results = channels * groups * places * out
    columns = max(1, block_elements(calls.grads) // (budget.samples * channels * groups * out))
    repeats = math.ceil(width / columns)
    parts = FRESH * (input_size + at_results) + repeats * at_results + groups * places * width
    return GradientForm.PARTS if parts < (FRESH + 1) * gradients else GradientForm.EXPLICIT


def shared_weight_features(calls: MatmulCalls, budget: FeatureBudget) -> GradientFeatures:
    """A layer's gradients in the cheapest form.

    Args:
        calls: What the matrix saw.
        budget: What the features may take.
    """
    match cheapest_form(calls, len(calls.grads), budget):
        case GradientForm.PAIRS:
            return SharedWeightGradients(calls, ProductByPairs(budget.workspace))
        case GradientForm.PARTS:
            return SharedWeightGradients(calls, ProductByColumns(budget.workspace))
        case GradientForm.EXPLICIT:
            return calls.explicit()
