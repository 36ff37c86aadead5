"""Adam's second moments as one factor per row times one per column, so that J D J^T costs no more than J J^T."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from overtone.theory.dynamics.preconditioned import add, explicit, split, tangent_kernel
from overtone.theory.ntk.empirical.features import Products
from overtone.theory.ntk.empirical.untouched import untouched

ROUNDS = 20
"""Rounds of fitting rows and columns in turn; each shrinks what is left by about a half or more."""


def separable_kernel(
    network: nn.Module, x: Tensor, weights: Mapping[str, Tensor] | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """J D' J^T with D' = a b^T in every weight matrix, where D' stands for D.

    With a gradient g h^T per sample, J D' J^T is (g a g^T) * (h b h^T), two products, where a full D takes one
    product per unit. The factors a and b are such that the trace of the kernel that each row and each column of
    the weight accounts for is that of D. Biases and all layers that are not plainly linear keep their D.

    Args:
        network: Maps (N, ...) to (N, C).
        x: (N, ...) samples.
        weights: D by parameter name, not negative; None for ones, where nothing needs to be replaced.

    Returns:
        (N C, N C) kernel, channel fastest, in the network's precision; and D' by parameter name.

    Raises:
        InputError: As `ntk.finite`.

    Source: the factors are those of Shazeer and Stern 2018 (arXiv 1804.04235), section 3, fitted to the kernel
    instead of the moments.
    """
    if weights is None:
        return tangent_kernel(network, x), {}
    replaced = dict(weights)
    parts: list[Tensor] = []
    with untouched(network, x.device):
        layers, rest = split(network, x)
        for features, names in layers:
            rows = columns = None
            if features.weight:
                rows, columns = _factors(features, weights[names["weight"]])
                replaced[names["weight"]] = torch.outer(rows, columns)
            bias = weights[names["bias"]].to(features.grads) if features.bias else None
            parts.append(_part(features, rows, columns, bias))
        return add([*parts, *explicit(network, x, rest, weights)]), replaced


def _factors(features: Products, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Factors a (out,) and b (in,) with sum_i a_o b_i E_oi = sum_i D_oi E_oi for every o, and likewise for every i.

    E_oi is the sum over samples and outputs of (g_o h_i)^2.
    """
    energy = features.grads.square().sum(0).mT @ features.inputs.square()
    wanted = energy * weight.to(energy)
    tiny = torch.finfo(energy.dtype).tiny
    columns = energy.new_ones(energy.shape[1])
    for _ in range(ROUNDS):
        rows = wanted.sum(1) / (energy @ columns).clamp_min(tiny)
        columns = wanted.sum(0) / (energy.mT @ rows).clamp_min(tiny)
    return rows, columns


def _part(features: Products, rows: Tensor | None, columns: Tensor | None, bias: Tensor | None) -> Tensor:
    """The kernel (N C, N C) of one layer."""
    g, h = features.grads, features.inputs
    channels, samples, _ = g.shape
    total = g.new_zeros(samples, channels, samples, channels)
    inner = None if columns is None else (h * columns) @ h.mT
    for c in range(channels):
        for d in range(channels):
            if rows is not None and inner is not None:
                total[:, c, :, d] += (g[c] * rows) @ g[d].mT * inner
            if bias is not None:
                total[:, c, :, d] += (g[c] * bias) @ g[d].mT
    return total.flatten(2).flatten(0, 1)
