"""Interpolation of features stored at the vertices of a grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from overtone.units._grids import Interpolation


class _Lookup(torch.autograd.Function):
    """A weighted gather in one kernel with a flat scatter as gradient, differentiable any number of times."""

    @staticmethod
    def forward(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
        """Map (entries, F), (..., K) and (..., K) to (..., F)."""
        products = torch.nn.functional.embedding_bag(
            index.reshape(-1, index.shape[-1]),
            table,
            mode="sum",
            per_sample_weights=weight.reshape(-1, weight.shape[-1]),
        )
        return products.view(*index.shape[:-1], table.shape[1])

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:  # noqa: ARG004
        """Save the inputs for the derivatives."""
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, None, Tensor | None]:
        """Return the gradients with respect to the rows and the weights."""
        table, index, weight = ctx.saved_tensors
        (gradient,) = gradients
        to_table = to_weight = None
        if ctx.needs_input_grad[0]:
            width = table.shape[1]
            # A flat scatter of differentiable operations, so that higher derivatives need no code of their own.
            flat = (index[..., None] * width + torch.arange(width, device=index.device)).reshape(-1)
            parts = (weight[..., None] * gradient[..., None, :]).reshape(-1)
            to_table = torch.zeros_like(table).view(-1).scatter_add(0, flat, parts).view_as(table)
        if ctx.needs_input_grad[2]:
            rows = table.index_select(0, index.reshape(-1)).view(*index.shape, -1)
            to_weight = (rows * gradient[..., None, :]).sum(-1)
        return to_table, None, to_weight

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor:
        """Return the directional derivative; the sum is linear in the rows and in the weights."""
        table, index, weight = ctx.saved_tensors
        rows, _, weights = tangents
        out = table.new_zeros(*index.shape[:-1], table.shape[1])
        if rows is not None:
            out = out + _Lookup.apply(rows, index, weight)
        return out if weights is None else out + _Lookup.apply(table, index, weights)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], table: Tensor, index: Tensor, weight: Tensor
    ) -> tuple[Tensor, int]:
        """Map a batch of look-ups to one look-up with more rows."""
        index, weight = (
            part.expand(info.batch_size, *part.shape) if at is None else part.movedim(at, 0)
            for part, at in ((index, in_dims[1]), (weight, in_dims[2]))
        )
        if in_dims[0] is not None:
            # Batched tables are stacked into one; each sample's rows are shifted to its own table.
            tables = table.movedim(in_dims[0], 0)
            start = torch.arange(info.batch_size, device=index.device) * tables.shape[1]
            index = index + start.view(-1, *[1] * (index.ndim - 1))
            table = tables.reshape(-1, tables.shape[-1])
        return _Lookup.apply(table, index, weight), 0


def lookup(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Return sum_k weight_k table[index_k].

    Args:
        table: (entries, F).
        index: (..., K) int32 or int64 rows.
        weight: (..., K) in the table's precision.

    Returns:
        (..., F), differentiable any number of times with respect to the table and the weights, also under
        `torch.func`.
    """
    # The compiler fuses these operations by itself, and does not support the custom forward derivative.
    if torch.compiler.is_compiling():
        return (torch.nn.functional.embedding(index, table) * weight[..., None]).sum(-2)
    return _Lookup.apply(table, index, weight)


def interpolation_weights(position: Tensor, kernel: Interpolation) -> tuple[Tensor, list[Tensor]]:
    """Return the nodes along one axis that a value depends on, with their weights.

    Args:
        position: Positions in cells; node k lies at k, or at k - 1 for the cubic kernel, which needs one more below.
        kernel: The interpolation.

    Returns:
        The lowest node, int32 of the shape of `position`, and the weights of that node and the following ones, which
        sum to 1.
    """
    # The gradient flows through the weights only; the index of a cell is piecewise constant.
    cell = position.detach().floor()
    t = position - cell
    match kernel:
        case Interpolation.LINEAR:
            weights = [1 - t, t]
        case Interpolation.SMOOTHSTEP:
            s = t * t * (3 - 2 * t)
            weights = [1 - s, s]
        case Interpolation.CUBIC:
            # The four pieces of the uniform cubic B-spline.
            u, t2 = 1 - t, t * t
            weights = [
                u * u * u / 6,
                (4 - 6 * t2 + 3 * t2 * t) / 6,
                (1 + 3 * (t + t2 - t2 * t)) / 6,
                t2 * t / 6,
            ]
    return cell.to(torch.int32), weights


def combine_axes(terms: Sequence[Sequence[Tensor]], combine: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Return one number for each combination of the nodes of all axes.

    Args:
        terms: For each axis, one tensor (...) for each of its t nodes.
        combine: Operation on the numbers of two axes: a sum, a product or an exclusive or.

    Returns:
        (..., t^d), the nodes of the last axis varying fastest.
    """
    products = list(terms[0])
    for axis in terms[1:]:
        products = [combine(one, other) for one in products for other in axis]
    return torch.stack(products, dim=-1)
