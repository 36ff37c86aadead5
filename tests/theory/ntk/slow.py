"""The slow way: every gradient by itself, then every inner product."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from overtone.theory.ntk._empirical.inner_products import OutputLayout


def jacobian(network: nn.Module, x: Tensor) -> Tensor:
    """(N, C, P) gradients in evaluation mode, one backward pass for each sample and output."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    was, rows = network.training, []
    network.eval()
    for sample in x:
        y = network(sample[None]).reshape(-1)
        grads = [torch.autograd.grad(each, parameters, retain_graph=True, allow_unused=True) for each in y]
        filled = [
            [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, gs, strict=True)]
            for gs in grads
        ]
        rows.append(torch.stack([torch.cat([g.reshape(-1) for g in gs]) for gs in filled]))
    network.train(was)
    return torch.stack(rows)


def contraction(left: Tensor, right: Tensor, outputs: OutputLayout) -> Tensor:
    """J J^T by its definition, in the layouts of `Outputs`."""
    if outputs is OutputLayout.SUM:
        return torch.einsum("ncp,mcp->nm", left, right)
    if outputs is OutputLayout.PER_OUTPUT:
        return torch.einsum("ncp,mcp->cnm", left, right)
    full = torch.einsum("ncp,mdp->ncmd", left, right)
    return full.reshape(left.shape[0] * left.shape[1], -1)


def kernel(network: nn.Module, x: Tensor, outputs: OutputLayout = OutputLayout.SUM) -> Tensor:
    j = jacobian(network, x)
    return contraction(j, j, outputs)


def error(found: Tensor, exact: Tensor) -> float:
    """Largest difference relative to the largest entry."""
    found = found.detach()
    return float((found - exact).abs().max() / exact.abs().max())


def tolerance(dtype: torch.dtype, terms: int, depth: int) -> float:
    """Both ways round `depth` layers forward and backward, sums of `terms` numbers of independent sign:
    sqrt(terms) eps each. Twice that for the two sides of the inner product, and twice for the two ways."""
    return 4 * 2 * depth * math.sqrt(terms) * torch.finfo(dtype).eps


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randomise(network: nn.Module, seed: int = 0, scale: float = 1.0) -> nn.Module:
    """Parameters and buffers that differ from zero and one everywhere, from an explicit generator."""
    source = seeded(seed)
    with torch.no_grad():
        for p in network.parameters():
            fan_in = p[0].numel() if p.ndim > 1 else 4
            p.copy_(scale * torch.randn(p.shape, generator=source).to(p) / math.sqrt(fan_in))
        for name, b in network.named_buffers():
            if "running_var" in name:
                b.copy_(torch.rand(b.shape, generator=source).to(b) + 0.5)
            elif "running_mean" in name:
                b.copy_(torch.randn(b.shape, generator=source).to(b))
    return network
