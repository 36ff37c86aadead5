"""Interpolation of features stored at the vertices of a grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from overtone.units._grids import Interpolation


class _Lookup(torch.autograd.Function):
    """The gather and the sum in one kernel, the gradient one flat scatter; every derivative can be taken again."""

    @staticmethod
    def forward(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
        """(entries, F), (..., K) and (..., K) to (..., F)."""
        products = torch.nn.functional.embedding_bag(
            index.reshape(-1, index.shape[-1]),
            table,
            mode="sum",
            per_sample_weights=weight.reshape(-1, weight.shape[-1]),
        )
        return products.view(*index.shape[:-1], table.shape[1])

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:  # noqa: ARG004
        """Keep the inputs for the derivatives."""
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, None, Tensor | None]:
        """To the rows, by their weights; to the weights, by their rows."""
        table, index, weight = ctx.saved_tensors
        (gradient,) = gradients
        to_table = to_weight = None
        if ctx.needs_input_grad[0]:
            width = table.shape[1]
            flat = (index[..., None] * width + torch.arange(width, device=index.device)).reshape(-1)
            parts = (weight[..., None] * gradient[..., None, :]).reshape(-1)
            to_table = torch.zeros_like(table).view(-1).scatter_add(0, flat, parts).view_as(table)
        if ctx.needs_input_grad[2]:
            rows = table.index_select(0, index.reshape(-1)).view(*index.shape, -1)
            to_weight = (rows * gradient[..., None, :]).sum(-1)
        return to_table, None, to_weight

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor:
        """The sum is linear in the rows and in the weights."""
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
        """Batches become more rows to look up."""
        index, weight = (
            part.expand(info.batch_size, *part.shape) if at is None else part.movedim(at, 0)
            for part, at in ((index, in_dims[1]), (weight, in_dims[2]))
        )
        if in_dims[0] is not None:
            tables = table.movedim(in_dims[0], 0)
            start = torch.arange(info.batch_size, device=index.device) * tables.shape[1]
            index = index + start.view(-1, *[1] * (index.ndim - 1))
            table = tables.reshape(-1, tables.shape[-1])
        return _Lookup.apply(table, index, weight), 0


def lookup(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """sum_k weight_k table[index_k].

    Args:
        table: (entries, F).
        index: (..., K) int32 or int64 rows.
        weight: (..., K) in the table's precision.

    Returns:
        (..., F). It can be differentiated any number of times with respect to the table and the weights, also under
        `torch.func`.
    """
    if (
        torch.compiler.is_compiling()
    ):  # the compiler fuses these by itself, and takes no forward derivatives of ours
        return (torch.nn.functional.embedding(index, table) * weight[..., None]).sum(-2)
    return _Lookup.apply(table, index, weight)


def taps(position: Tensor, kernel: Interpolation) -> tuple[Tensor, list[Tensor]]:
    """The nodes along one axis that a value is made of.

    Args:
        position: Places in cells; node k lies at k, or at k - 1 for the cubic kernel, which needs one before.
        kernel: The interpolation.

    Returns:
        The lowest node, int32 of the shape of `position`, and the weights of it and of those after it, which sum to 1.
    """
    cell = position.detach().floor()
    t = position - cell
    match kernel:
        case Interpolation.LINEAR:
            weights = [1 - t, t]
        case Interpolation.SMOOTHSTEP:
            s = t * t * (3 - 2 * t)
            weights = [1 - s, s]
        case Interpolation.CUBIC:
            u, t2 = 1 - t, t * t
            weights = [
                u * u * u / 6,
                (4 - 6 * t2 + 3 * t2 * t) / 6,
                (1 + 3 * (t + t2 - t2 * t)) / 6,
                t2 * t / 6,
            ]
    return cell.to(torch.int32), weights


def combined(terms: Sequence[Sequence[Tensor]], together: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """One number for each combination of the nodes of all axes.

    Args:
        terms: For each axis, one tensor (...) for each of its t nodes.
        together: Joins those of two axes: a sum, a product, an exclusive or.

    Returns:
        (..., t^d), those of the last axis varying fastest.
    """
    products = list(terms[0])
    for axis in terms[1:]:
        products = [together(one, other) for one in products for other in axis]
    return torch.stack(products, dim=-1)
