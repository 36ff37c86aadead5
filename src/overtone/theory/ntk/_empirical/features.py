"""Per-sample gradients of one layer, explicit or factored, and their inner products.

A `GradientFeatures` holds one layer's contribution for some samples: the gradients J[c, n, :] of every output c and
sample n with respect to the layer's parameters, in the smallest suitable form.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.theory.ntk._empirical.inner_products import (
    SQUARE,
    OutputLayout,
    add_inner_products,
    add_lower_inner_products,
    add_weighted,
    inner_products,
    kernel_window,
    lower_windows,
)

CHECK_DIRECTIONS = 2
"""Number of random directions for comparing a product of factors with a matrix."""


class GradientFeatures(ABC):
    """Gradients of N samples and C outputs with respect to one group of parameters."""

    @abstractmethod
    def add(self, total: Tensor, other: GradientFeatures, outputs: OutputLayout) -> None:
        """Add the inner products with the gradients of other samples to `total`, in the layout of `outputs`."""

    def add_lower(self, total: Tensor, outputs: OutputLayout) -> None:
        """Add the inner products of the gradients with themselves to `total`, at least to its lower half."""
        self.add(total, self, outputs)

    @abstractmethod
    def rows(self, part: slice) -> GradientFeatures:
        """Return a view of the gradients of some of the samples."""

    @abstractmethod
    def vjp(self, weights: Tensor) -> Tensor:
        """Return J^T w: the gradients summed with (C, N) weights, in this layer's `shape`."""

    @abstractmethod
    def jvp(self, direction: Tensor) -> Tensor:
        """Return J u: (C, N) inner products with a direction of this layer's `shape`."""

    def distance(self, weights: Tensor, exact: Tensor, draws: torch.Generator) -> float:  # noqa: ARG002
        """Return the distance of J^T w from a vector (P,), estimated from random directions where that is cheaper.

        Args:
            weights: (C, N) w.
            exact: (P,) the vector.
            draws: Generator of random directions.
        """
        return float((self.vjp(weights).reshape(-1) - exact).norm())

    def concatenated(self, others: Sequence[GradientFeatures]) -> GradientFeatures | None:  # noqa: ARG002
        """Return the gradients of these and further samples, or None if separate storage is better."""
        return None

    def compact(self) -> GradientFeatures:
        """Return the same gradients in the form whose inner products are cheapest."""
        return self

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of a direction in this group of parameters."""

    @property
    @abstractmethod
    def like(self) -> Tensor:
        """A tensor with this layer's precision and device."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of stored values."""

    @property
    def scratch(self) -> int:
        """Number of temporary values of a product, in addition to its workspace."""
        return 0


@final
@dataclass(frozen=True)
class ExplicitGradients(GradientFeatures):
    """Explicit gradients, `values` (C, N, P); products are fastest if the outputs of a sample are contiguous."""

    values: Tensor

    def add(self, total: Tensor, other: GradientFeatures, outputs: OutputLayout) -> None:
        """Add J J^T by one product."""
        assert isinstance(other, ExplicitGradients)
        add_inner_products(total, self.values, other.values, outputs)

    def add_lower(self, total: Tensor, outputs: OutputLayout) -> None:
        """Add J J^T, half of it."""
        add_lower_inner_products(total, self.values, outputs)

    def rows(self, part: slice) -> ExplicitGradients:
        """Return a view of the gradients of some of the samples."""
        return ExplicitGradients(self.values[:, part])

    def vjp(self, weights: Tensor) -> Tensor:
        """Return J^T w, (P,)."""
        return weights.reshape(-1) @ self.values.flatten(0, 1)

    def jvp(self, direction: Tensor) -> Tensor:
        """Return J u."""
        return self.values @ direction

    @property
    def shape(self) -> tuple[int, ...]:
        """(P,)."""
        return (self.values.shape[-1],)

    @property
    def like(self) -> Tensor:
        """The gradients."""
        return self.values

    @property
    def size(self) -> int:
        """Number of stored values, C N P."""
        return self.values.numel()


@final
@dataclass(frozen=True)
class OuterProductGradients(GradientFeatures):
    """Gradients of a linear layer applied once per sample: outer products of g and (h, 1).

    Its kernel is (g g^T) * (h h^T + 1), for which the gradients are never formed.

    Attributes:
        inputs: (N, in) h.
        grads: (C, N, out) g.
        weight: Whether the weight is trained.
        bias: Whether there is a bias and it is trained.
    """

    inputs: Tensor
    grads: Tensor
    weight: bool
    bias: bool

    def add(self, total: Tensor, other: GradientFeatures, outputs: OutputLayout) -> None:
        """Add (g g^T) * (h h^T + 1)."""
        assert isinstance(other, OuterProductGradients)
        if not self.weight:
            add_inner_products(total, self.grads, other.grads, outputs)
            return
        # <g1 (h1, 1), g2 (h2, 1)> = <g1, g2> (<h1, h2> + 1): two small products instead of one over all weights.
        block = inner_products(self.grads, other.grads, outputs)
        inner = self.inputs @ other.inputs.mT
        add_weighted(total, block, inner.add_(1) if self.bias else inner, outputs)

    def compact(self) -> GradientFeatures:
        """Return the gradients g (h, 1) if they are no larger than their factors, for one output."""
        if self.grads.shape[0] * self.grads.shape[2] > 1 or not self.weight:
            return self
        g = self.grads[0]
        return ExplicitGradients(
            torch.cat([self.inputs * g, g] if self.bias else [self.inputs * g], -1)[None]
        )

    def add_lower(self, total: Tensor, outputs: OutputLayout) -> None:
        """Add (g g^T) * (h h^T + 1), half of it."""
        for rows, columns in lower_windows(len(self.inputs), SQUARE, SQUARE):
            part = kernel_window(total, rows, columns, len(self.grads), outputs)
            self.rows(rows).add(part, self.rows(columns), outputs)

    def rows(self, part: slice) -> OuterProductGradients:
        """Return the factors of some of the samples."""
        return OuterProductGradients(self.inputs[part], self.grads[:, part], self.weight, self.bias)

    def vjp(self, weights: Tensor) -> Tensor:
        """Return (out, in + 1): the sum over the samples of w g (h, 1)^T."""
        g = torch.einsum("cn,cno->no", weights, self.grads)
        parts = [g.mT @ self.inputs] if self.weight else []
        return torch.cat([*parts, g.sum(0)[:, None]] if self.bias else parts, -1)

    def distance(self, weights: Tensor, exact: Tensor, draws: torch.Generator) -> float:
        """Estimate the distance from `CHECK_DIRECTIONS` random directions b of the inputs.

        (J^T w) b is the sum over the samples of w g (h, 1).b, and |D b| is |D| in the root mean square.
        """
        # J^T w itself would be an (out, in + 1) matrix: two projections of it are much cheaper and detect any error.
        directions = torch.randn(self.shape[1], CHECK_DIRECTIONS, generator=draws, device="cpu").to(
            self.grads
        )
        projected = self.grads.new_zeros(1, CHECK_DIRECTIONS)
        if self.weight:
            projected = self.inputs @ directions[: self.inputs.shape[1]]
        if self.bias:
            projected = projected + directions[-1]
        pulled = torch.einsum("cn,cno->no", weights, self.grads).mT @ projected.expand(
            self.grads.shape[1], -1
        )
        return float((pulled - exact.reshape(self.shape) @ directions).norm()) / CHECK_DIRECTIONS**0.5

    def jvp(self, direction: Tensor) -> Tensor:
        """Return the inner products g . (A h + b) for a direction (A, b)."""
        moved = self.grads.new_zeros(())
        if self.weight:
            moved = self.inputs @ direction[:, : self.inputs.shape[1]].mT
        if self.bias:
            moved = moved + direction[:, -1]
        return (self.grads * moved).sum(-1)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a direction, (out, in + 1)."""
        return self.grads.shape[-1], self.inputs.shape[1] * self.weight + self.bias

    @property
    def like(self) -> Tensor:
        """The gradients g."""
        return self.grads

    @property
    def size(self) -> int:
        """Number of stored values, N in + C N out."""
        return self.inputs.numel() + self.grads.numel()


@final
@dataclass(frozen=True)
class EmbeddingGradients(GradientFeatures):
    """Gradients of an embedding, which have g in the row of each index.

    Attributes:
        indices: (N, T) rows looked up, -1 where the row is not trained.
        grads: (C, N, T, D) g.
        table: Rows of the table.
        workspace: Number of temporary values in a product.
    """

    indices: Tensor
    grads: Tensor
    table: int
    workspace: int

    def add(self, total: Tensor, other: GradientFeatures, outputs: OutputLayout) -> None:
        """Add the sum over equal indices of g g^T, by gathering g per index that occurs in both."""
        assert isinstance(other, EmbeddingGradients)
        # Rows that only one side contains do not contribute.
        shared = torch.unique(self.indices[torch.isin(self.indices, other.indices)])
        shared = shared[shared >= 0]
        samples = max(self.grads.shape[1], other.grads.shape[1]) * self.grads.shape[0]
        tile = max(1, self.workspace // (2 * samples * self.grads.shape[-1]))
        for rows in shared.split(tile) if len(shared) else ():
            add_inner_products(total, self._gather(rows), other._gather(rows), outputs)

    def rows(self, part: slice) -> EmbeddingGradients:
        """Return the indices and gradients of some of the samples."""
        return EmbeddingGradients(self.indices[part], self.grads[:, part], self.table, self.workspace)

    def _gather(self, rows: Tensor) -> Tensor:
        # Every index is located among the sorted rows; missing indices are multiplied by zero.
        slots = torch.searchsorted(rows, self.indices).clamp_(max=len(rows) - 1)
        hit = (rows[slots] == self.indices).to(self.grads.dtype)
        table = self.grads.new_zeros(*self.grads.shape[:2], len(rows), self.grads.shape[-1])
        index = slots[None, :, :, None].expand(self.grads.shape)
        return table.scatter_add_(2, index, self.grads * hit[None, :, :, None]).flatten(2)

    def vjp(self, weights: Tensor) -> Tensor:
        """Return (table, D): w g summed in the rows of the indices."""
        g = (self.grads * (weights[..., None] * (self.indices >= 0))[..., None]).sum(0)
        table = g.new_zeros(self.shape)
        return table.index_add_(0, self.indices.clamp_min(0).reshape(-1), g.flatten(0, 1))

    def jvp(self, direction: Tensor) -> Tensor:
        """Return the inner products g . u in the rows of the indices."""
        moved = direction[self.indices.clamp_min(0)] * (self.indices >= 0)[..., None]
        return (self.grads * moved).sum((2, 3))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a direction, (table, D)."""
        return self.table, self.grads.shape[-1]

    @property
    def like(self) -> Tensor:
        """The gradients g."""
        return self.grads

    @property
    def size(self) -> int:
        """Number of stored values, N T + C N T D."""
        return self.indices.numel() + self.grads.numel()
