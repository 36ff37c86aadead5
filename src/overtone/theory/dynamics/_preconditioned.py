"""Tangent kernel J D J^T of optimizers with a learning rate per parameter, exact and with separable D."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor, nn

from overtone._state._evaluation_mode import evaluation_mode_with_gradients
from overtone.theory import ntk
from overtone.theory.ntk._empirical.features import ExplicitGradients, OuterProductGradients
from overtone.theory.ntk._empirical.inner_products import OutputLayout
from overtone.theory.ntk._empirical.jacobian import Jacobian
from overtone.theory.ntk._empirical.sources import PerSampleSource
from overtone.theory.ntk._empirical.verification import VerifiedGradients

BLOCK = 1 << 26
"""Maximum number of entries of the explicit Jacobian in memory."""


def tangent_kernel(
    network: nn.Module, x: Tensor, weights: Mapping[str, Tensor] | None = None, *, memory: float = 2.0
) -> Tensor:
    """Return J D J^T over all outputs, row and column n C + c for output c of sample n.

    Without weights the result is `ntk.empirical_ntk` in full blocks. With them, a linear layer with input h whose
    unit o has the gradient g_o contributes sum_o (g_o g_o^T) * (H D_o H^T + d_o), computed in blocks of units; all
    other layers use explicit gradients.

    Args:
        network: Maps (N, ...) to (N, C).
        x: (N, ...) samples.
        weights: D, the diagonal by parameter name, in the parameters' shapes, all 0 or more; None for ones.
        memory: Budget in GiB of the kernel without weights.

    Returns:
        (N C, N C) in the network's precision.

    Raises:
        InputError: As `ntk.empirical_ntk`.
    """
    if weights is None:
        return ntk.empirical_ntk(network, x, outputs=OutputLayout.BLOCKS, memory=memory).matrix
    with evaluation_mode_with_gradients(network, x.device):
        layers, others = split_layers(network, x)
        parts = [
            _outer(features, {local: weights[name] for local, name in names.items()})
            for features, names in layers
        ]
        return _add([*parts, *_explicit_part(network, x, others, weights)])


def split_layers(
    network: nn.Module, x: Tensor, gradients: VerifiedGradients | None = None
) -> tuple[list[tuple[OuterProductGradients, dict[str, str]]], list[str]]:
    """Return the linear layers that are applied to a sample once, and the names of all other trained parameters.

    Args:
        network: The network, in evaluation mode.
        x: (N, ...) samples.
        gradients: Gradients of this network at these samples, whose verification is not repeated; None for new ones.

    Returns:
        Features of each such layer with the full names of its "weight" and "bias"; names of the other parameters,
        except parameters for which no sample has a gradient.
    """
    verified = VerifiedGradients(network, x, BLOCK) if gradients is None else gradients

    def attempt() -> tuple[list[tuple[OuterProductGradients, dict[str, str]]], list[str]]:
        layers: list[tuple[OuterProductGradients, dict[str, str]]] = []
        others: list[str] = []
        for part in verified.take(x, slice(0, len(x))):
            if isinstance(part.features, OuterProductGradients):
                layers.append((part.features, dict(part.names)))
            elif part.features is None or part.features.size:
                others += part.names.values()
        return layers, others

    return verified.retry_until_verified(attempt)


def _add(parts: list[Tensor]) -> Tensor:
    """Return the sum of tensors, in the storage of the first."""
    total = parts[0]
    for part in parts[1:]:
        total.add_(part)
    return total


def _outer(features: OuterProductGradients, weights: Mapping[str, Tensor]) -> Tensor:
    """Return a linear layer's part of J D J^T, from g (C, N, out) and h (N, in)."""
    g, h = features.grads, features.inputs
    channels, samples, units = g.shape
    total = g.new_zeros(samples, channels, samples, channels)
    # Every unit has a separate D and with it an N x N product: blocks hold as many units as memory allows.
    for block in torch.arange(units, device=g.device).split(
        max(1, BLOCK // (samples * (samples + h.shape[1])))
    ):
        inner = g.new_zeros(len(block), samples, samples)
        if features.weight:
            inner = (h * weights["weight"][block, None].to(g)) @ h.mT
        if features.bias:
            inner = inner + weights["bias"][block, None, None].to(g)
        gradients = g[:, :, block].movedim(2, 0)
        # The kernel is symmetric in (sample, channel): one triangle of channel pairs is enough.
        for c in range(channels):
            for d in range(c, channels):
                part = (gradients[:, c, :, None] * inner * gradients[:, d, None, :]).sum(0)
                total[:, c, :, d] += part
                if d != c:
                    total[:, d, :, c] += part.mT
    return total.flatten(2).flatten(0, 1)


def _explicit_part(
    network: nn.Module, x: Tensor, names: list[str], weights: Mapping[str, Tensor]
) -> list[Tensor]:
    """Return the part of J D J^T of the named parameters by explicit gradients; an empty list if there are none."""
    if not names:
        return []
    source = PerSampleSource(network, names)
    (features,) = source.take(x).features
    assert isinstance(features, ExplicitGradients)
    root = torch.cat([weights[name].reshape(-1) for name in source.parameters]).sqrt()
    part = (features.values.movedim(0, 1) * root.to(features.values)).flatten(0, 1)
    return [part @ part.mT]


CHUNK = 4096
"""Samples per pass of a product with the Jacobian."""


def output_change(
    network: nn.Module, x: Tensor, direction: Mapping[str, Tensor], *, chunk: int = CHUNK
) -> Tensor:
    """Return J u, the change of the outputs as the parameters change along u.

    Args:
        network: Maps (N, ...) to (N, C).
        x: (N, ...) samples.
        direction: u by parameter name.
        chunk: Samples per pass.

    Returns:
        (N, C) in the network's precision.

    Raises:
        InputError: As `ntk.JacobianOperator`.
    """
    return Jacobian(network, x, chunk).jvp(direction)


@final
class SuccessiveExpansions:
    """Kernel J D' J^T and products J u of a network at successive parameters, in float64.

    Which method gives the right gradients for every sample depends on the network's layers and samples, and only for
    unusual networks on the values of the parameters: it is verified at the first parameters and retained until
    `verify_again`.

    Args:
        network: Maps (N, ...) to (N, C).
        x: (N, ...) samples.

    Raises:
        InputError: As `ntk.empirical_ntk`.
    """

    def __init__(self, network: nn.Module, x: Tensor) -> None:
        # In float64, because eigenvalues of smooth networks span more digits than float32 has.
        self._network = copy.deepcopy(network).double()
        self._x = x.double() if x.is_floating_point() else x
        self._gradients: VerifiedGradients | None = None
        self._jacobian: Jacobian | None = None

    def load(self, network: nn.Module) -> None:
        """Take over the parameters and buffers of another copy of the network."""
        with torch.no_grad():
            for before, after in zip(_state(self._network), _state(network), strict=True):
                before.copy_(after)

    def verify_again(self) -> None:
        """Verify the gradients at the parameters of the next kernel."""
        self._gradients = self._jacobian = None

    def separable_kernel(self, weights: Mapping[str, Tensor] | None) -> tuple[Tensor, dict[str, Tensor]]:
        """Return `separable_kernel` at the current parameters, with D in any precision."""
        if weights is None:
            return tangent_kernel(self._network, self._x), {}
        if self._gradients is None:
            with evaluation_mode_with_gradients(self._network, self._x.device):
                self._gradients = VerifiedGradients(self._network, self._x, BLOCK)
        double = {name: weight.double() for name, weight in weights.items()}
        return separable_kernel(self._network, self._x, double, self._gradients)

    def output_change(self, direction: Mapping[str, Tensor]) -> Tensor:
        """Return `output_change` at the current parameters."""
        if self._jacobian is None:
            self._jacobian = Jacobian(self._network, self._x, CHUNK)
        return self._jacobian.jvp(direction)


def _state(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


ROUNDS = 20
"""Iterations of fitting rows and columns in turn; each at least halves the remaining error."""


def separable_kernel(
    network: nn.Module,
    x: Tensor,
    weights: Mapping[str, Tensor] | None,
    gradients: VerifiedGradients | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return J D' J^T with D' = a b^T in every weight matrix, a separable approximation of D.

    With a gradient g h^T per sample, J D' J^T is (g a g^T) * (h b h^T), two products, whereas a full D takes one
    product per unit. The factors a and b preserve the contribution of each row and each column of the weight to the
    trace of the kernel. Biases and all layers that are not linear retain their D.

    Args:
        network: Maps (N, ...) to (N, C).
        x: (N, ...) samples.
        weights: D by parameter name, all 0 or more; None for ones, which need no approximation.
        gradients: As for `split_layers`.

    Returns:
        (N C, N C) kernel, channel fastest, in the network's precision; and D' by parameter name.

    Raises:
        InputError: As `ntk.empirical_ntk`.

    Source: the factors are those of Shazeer and Stern 2018 (arXiv 1804.04235), section 3, fitted to the kernel
    instead of the moments.
    """
    if weights is None:
        return tangent_kernel(network, x), {}
    replaced = dict(weights)
    parts: list[Tensor] = []
    with evaluation_mode_with_gradients(network, x.device):
        layers, others = split_layers(network, x, gradients)
        for features, names in layers:
            rows = columns = None
            if features.weight:
                rows, columns = _factors(features, weights[names["weight"]])
                replaced[names["weight"]] = torch.outer(rows, columns)
            bias = weights[names["bias"]].to(features.grads) if features.bias else None
            parts.append(_part(features, rows, columns, bias))
        return _add([*parts, *_explicit_part(network, x, others, weights)]), replaced


def _factors(features: OuterProductGradients, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return a (out,) and b (in,) with sum_i a_o b_i E_oi = sum_i D_oi E_oi for every o, and likewise for every i.

    E_oi is the sum over samples and outputs of (g_o h_i)^2.
    """
    energy = features.grads.square().sum(0).mT @ features.inputs.square()
    # Alternating scaling of rows and columns (Sinkhorn), which keeps every factor positive.
    trace = energy * weight.to(energy)
    tiny = torch.finfo(energy.dtype).tiny
    columns = energy.new_ones(energy.shape[1])
    for _ in range(ROUNDS):
        rows = trace.sum(1) / (energy @ columns).clamp_min(tiny)
        columns = trace.sum(0) / (energy.mT @ rows).clamp_min(tiny)
    return rows, columns


def _part(
    features: OuterProductGradients, rows: Tensor | None, columns: Tensor | None, bias: Tensor | None
) -> Tensor:
    """Return the kernel (N C, N C) of one layer."""
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
