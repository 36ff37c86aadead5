"""Layers that apply one matrix at many positions: on sequences, in convolutions, or in several calls."""

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

CACHE_BLOCK = {"cpu": 1 << 19}
"""Number of values per block on a CPU, so that a block is used while it is in the cache."""

DEVICE_BLOCK = 1 << 25
"""Number of values per block on other devices, which are fastest with few large products."""


def block_elements(values: Tensor) -> int:
    """Return the number of values per block for the device of `values`."""
    return CACHE_BLOCK.get(values.device.type, DEVICE_BLOCK)


@dataclass(frozen=True)
class MatmulCalls:
    """One matrix at T positions in each of G groups: its gradient is sum_t g_t (h_t, 1)^T.

    Attributes:
        inputs: (N, ...) the layer's input.
        grads: (C, N, G, T, out) g.
        patches: Extractor from `inputs` to the (N, G, T, in) vectors h that the matrix multiplies.
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
        """Number of stored values."""
        return self.inputs.numel() + self.grads.numel()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the trained parameters, (G, out, in + 1)."""
        return self.grads.shape[2], self.grads.shape[4], self.width * self.weight + self.bias

    @property
    def width(self) -> int:
        """Length of h."""
        return self.patches.width(self.inputs)

    def rows(self, part: slice) -> MatmulCalls:
        """Return the calls of some of the samples."""
        return replace(self, inputs=self.inputs[part], grads=self.grads[:, part])

    @staticmethod
    def concatenated(calls: Sequence[MatmulCalls]) -> MatmulCalls:
        """Return the calls of all samples, concatenated."""
        inputs = torch.cat([each.inputs for each in calls])
        return replace(calls[0], inputs=inputs, grads=torch.cat([each.grads for each in calls], 1))

    def explicit(self) -> ExplicitGradients:
        """Return all gradients (C, N, G out (in + 1)), formed a few samples at a time."""
        channels, n = self.grads.shape[:2]
        # The outputs of a sample are contiguous in memory, as products of all outputs read them.
        values = empty_huge_pages(n, channels, *self.shape, like=self.grads).transpose(0, 1)
        for rows in self._row_blocks():
            self.rows(rows).form(self.with_ones(rows), values[:, rows])
        return ExplicitGradients(values.flatten(2))

    def with_ones(self, rows: slice) -> Tensor:
        """Return (h, 1) of some samples, without entries for untrained parameters: (n, G, T, in + 1)."""
        if self.weight:
            return self.patches.whole(self.inputs[rows], self.bias)
        n, groups, places = self.grads[0, rows].shape[:3]
        return self.grads.new_ones(1, 1, 1, 1).expand(n, groups, places, 1)

    def form(self, with_ones: Tensor, values: Tensor) -> None:
        """Write the gradients sum_t g_t s_t^T, for s = `with_ones` (N, G, T, w), to `values` (C, N, G, out, w)."""
        # One batched product per output and group: a single einsum would copy both operands to align them.
        for c, k in torch.cartesian_prod(*map(torch.arange, values.shape[::2][:2])).tolist():
            torch.bmm(self.grads[c, :, k].mT, with_ones[:, k], out=values[c, :, k])

    def parts(self, max_columns: int) -> Iterator[Tensor]:
        """Yield all gradients (C, N, P) in parts of at most about `max_columns` columns of the matrix."""
        channels, n, groups, _, out = self.grads.shape
        # The bias multiplies a constant 1 at every position, so its gradient is the sum over positions.
        if self.bias:
            yield self.grads.sum(-2).flatten(2)
        for with_ones in self.patches.parts(self.inputs, max_columns) if self.weight else ():
            values = self.grads.new_empty(channels, n, groups, out, with_ones.shape[-1])
            self.form(with_ones, values)
            yield values.flatten(2)

    def vjp(self, weights: Tensor) -> Tensor:
        """Return J^T w for (C, N) weights, (G, out, in + 1)."""
        # The weights are linear in g: outputs are combined before the only large product.
        g = (self.grads * weights[..., None, None, None]).sum(0)
        total = g.new_zeros(self.shape)
        for rows in self._row_blocks():
            h = self.with_ones(rows)
            total += g[rows].movedim(0, 1).flatten(1, 2).mT @ h.movedim(0, 1).flatten(1, 2)
        return total

    def jvp(self, direction: Tensor) -> Tensor:
        """Return J u for (G, out, in + 1) u, (C, N)."""
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
"""Operations of a matrix product in the time of one elementwise pass over an entry of its result (measured)."""


FRESH = 5
"""Reads of a number from memory in the time of one first write to new memory (measured)."""


@dataclass(frozen=True)
class LayerMemoryBudget:
    """Memory budget of a layer's features.

    Attributes:
        workspace: Number of temporary values per product.
        samples: Number of samples of the whole kernel.
        each: Number of stored values per sample and layer.
    """

    workspace: int
    samples: int
    each: int


class SharedWeightProduct(ABC):
    """Strategy for inner products of the gradients of one matrix at many positions."""

    @abstractmethod
    def add(self, total: Tensor, one: MatmulCalls, two: MatmulCalls, outputs: OutputLayout) -> None:
        """Add the inner products of the gradients of `one` and `two` to `total`."""

    def add_lower(self, total: Tensor, calls: MatmulCalls, outputs: OutputLayout) -> None:
        """Add the inner products of the gradients with themselves, at least to the lower half of `total`."""
        self.add(total, calls, calls, outputs)

    @abstractmethod
    def scratch(self, calls: MatmulCalls) -> int:
        """Return the number of temporary values of a product, in addition to its workspace."""


@final
@dataclass(frozen=True)
class ProductByColumns(SharedWeightProduct):
    """Strategy that forms gradients for a few columns of the matrix at a time, so that products stay in the cache.

    Attributes:
        workspace: Number of temporary values.
    """

    workspace: int

    def add(self, total: Tensor, one: MatmulCalls, two: MatmulCalls, outputs: OutputLayout) -> None:
        """Add J J^T, summed over blocks of columns."""
        # Both sides need the same blocks, so the side with more samples determines them.
        max_columns = min(_columns(each.grads, self.workspace) for each in (one, two))
        for left, right in zip(one.parts(max_columns), two.parts(max_columns), strict=True):
            add_inner_products(total, left, right, outputs)

    def add_lower(self, total: Tensor, calls: MatmulCalls, outputs: OutputLayout) -> None:
        """Add half of J J^T; each block is formed once."""
        for part in calls.parts(_columns(calls.grads, self.workspace)):
            add_lower_inner_products(total, part, outputs)

    def scratch(self, calls: MatmulCalls) -> int:
        """Return the size of the padded inputs."""
        return 2 * calls.inputs.numel()


def _columns(grads: Tensor, workspace: int) -> int:
    """Return the columns of the matrix per block."""
    samples, groups, out = grads.shape[0] * grads.shape[1], grads.shape[2], grads.shape[4]
    return max(1, min(block_elements(grads), workspace // 2) // (samples * groups * out))


@final
@dataclass(frozen=True)
class ProductByPairs(SharedWeightProduct):
    """Strategy that sums (g g^T) * (h h^T + 1) over pairs of positions, for few positions and a trained weight.

    Attributes:
        workspace: Number of temporary values.
    """

    workspace: int

    def add(self, total: Tensor, one: MatmulCalls, two: MatmulCalls, outputs: OutputLayout) -> None:
        """Add the sum, for some pairs of samples at a time."""
        channels, n, groups, places, _ = one.grads.shape
        m = two.grads.shape[1]
        per_pair = total.numel() // (n * m)
        budget = min(self.workspace, 4 * block_elements(total))
        # A tile of tile^2 sample pairs needs h h^T and, per output pair, g g^T: places^2 numbers each, and a copy.
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
    """Gradients of a matrix applied at many positions, stored as its inputs and output gradients.

    Attributes:
        calls: Inputs and output gradients of the matrix.
        product: Strategy for inner products.
    """

    calls: MatmulCalls
    product: SharedWeightProduct

    def add(self, total: Tensor, other: GradientFeatures, outputs: OutputLayout) -> None:
        """Add J J^T."""
        assert isinstance(other, SharedWeightGradients)
        self.product.add(total, self.calls, other.calls, outputs)

    def add_lower(self, total: Tensor, outputs: OutputLayout) -> None:
        """Add J J^T, at least to the lower half."""
        self.product.add_lower(total, self.calls, outputs)

    def rows(self, part: slice) -> SharedWeightGradients:
        """Return the gradients of some of the samples."""
        return SharedWeightGradients(self.calls.rows(part), self.product)

    def concatenated(self, others: Sequence[GradientFeatures]) -> SharedWeightGradients | None:
        """Return the gradients of all of these samples, or None if their inputs differ in shape."""
        calls = [self.calls, *(each.calls for each in others if isinstance(each, SharedWeightGradients))]
        if len({each.inputs.shape[1:] for each in calls}) > 1:
            return None
        return SharedWeightGradients(MatmulCalls.concatenated(calls), self.product)

    def vjp(self, weights: Tensor) -> Tensor:
        """Return J^T w, a few samples at a time."""
        return self.calls.vjp(weights)

    def jvp(self, direction: Tensor) -> Tensor:
        """Return J u, a few samples at a time."""
        return self.calls.jvp(direction)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a direction, (G, out, in + 1)."""
        return self.calls.shape

    @property
    def like(self) -> Tensor:
        """The gradients at the result."""
        return self.calls.grads

    @property
    def size(self) -> int:
        """Number of values of the inputs and of the gradients at the result."""
        return self.calls.size

    @property
    def scratch(self) -> int:
        """Number of temporary values of the strategy."""
        return self.product.scratch(self.calls)


def _slices(count: int, step: int) -> list[slice]:
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def _over_positions(inner: Tensor, g: Tensor, g2: Tensor, outputs: OutputLayout) -> Tensor:
    """Return the sum of `inner` * (g g^T) over the positions, for g (C, n, T, out)."""
    (c, n, t), (m, u) = g.shape[:3], g2.shape[1:3]
    pairs = scale_pairs(inner_products(g.flatten(1, 2), g2.flatten(1, 2), outputs), inner, outputs)
    if outputs is OutputLayout.BLOCKS:
        return pairs.view(n, t, c, m, u, c).sum((1, 4)).flatten(2).flatten(0, 1)
    return pairs.unflatten(-1, (m, u)).unflatten(-3, (n, t)).sum((-3, -1))


class GradientForm(enum.Enum):
    """Stored form of the gradients of a matrix at many positions."""

    PAIRS = enum.auto()
    PARTS = enum.auto()
    EXPLICIT = enum.auto()


def cheapest_form(calls: MatmulCalls, channels: int, budget: LayerMemoryBudget) -> GradientForm:
    """Return the form with the fewest operations, or the least memory traffic, within the budget.

    Args:
        calls: Inputs and output gradients of the matrix, for some of the outputs.
        channels: Outputs of the network.
        budget: Memory budget.
    """
    _, n, groups, places, out = calls.grads.shape
    input_size, width = calls.inputs.numel() // n, calls.width
    gradients = channels * groups * out * width
    # Per pair of samples: forming the gradients is shared by all pairs of a sample, multiplying them is not.
    operations = 2 * gradients * (1 + 2 * places / budget.samples)
    # Per pair of samples and positions: h h^T, g g^T, and a pass over both to multiply and sum them.
    pairs = groups * places**2 * (2 * (width + channels * out) + ELEMENTWISE)
    if calls.weight and pairs < operations:
        return GradientForm.PAIRS
    # Explicit gradients that are larger than their factors may not fit; then they are recomputed each time.
    if gradients > max(budget.each, input_size + channels * groups * places * out):
        return GradientForm.PARTS
    at_results = channels * groups * places * out
    # Otherwise both fit, and memory traffic decides: gradients written once, or factors read once per block.
    columns = max(1, block_elements(calls.grads) // (budget.samples * channels * groups * out))
    repeats = math.ceil(width / columns)
    parts = FRESH * (input_size + at_results) + repeats * at_results + groups * places * width
    return GradientForm.PARTS if parts < (FRESH + 1) * gradients else GradientForm.EXPLICIT


def shared_weight_features(calls: MatmulCalls, budget: LayerMemoryBudget) -> GradientFeatures:
    """Return a layer's gradients in the cheapest form.

    Args:
        calls: Inputs and output gradients of the matrix.
        budget: Memory budget.
    """
    match cheapest_form(calls, len(calls.grads), budget):
        case GradientForm.PAIRS:
            return SharedWeightGradients(calls, ProductByPairs(budget.workspace))
        case GradientForm.PARTS:
            return SharedWeightGradients(calls, ProductByColumns(budget.workspace))
        case GradientForm.EXPLICIT:
            return calls.explicit()
