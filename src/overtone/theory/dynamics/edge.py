"""The edge of stability: what keeps a network's sharpness at the largest that its learning rate bears."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.theory.ntk.empirical.jacobian import Jacobian

HELD = 4
"""Modes that are held at most."""


def hold(
    network: nn.Module, x: Tensor, modes: Tensor, limit: float, scale: Mapping[str, Tensor] | None
) -> None:
    """Move a network the least way to where the given modes of its kernel are no sharper than a limit.

    Training with steps of finite size lets the sharpness rise to what is just stable, 2 / rate for gradient
    descent. There it oscillates along the sharpest mode, and the curvature of the loss turns the oscillation into
    a force down the gradient of the sharpness. Averaged over the oscillation, training is the flow projected onto
    the parameters that are stable. With u a mode, its sharpness is k(p) = |D^(1/2) J(p)^T u|^2, and

        p <- p - D grad k (k - limit) / (grad k^T D grad k)

    for each mode that is beyond the limit, the sharpest first.

    Args:
        network: Maps (N, ...) to (N, C); its parameters are changed.
        x: (N, ...) samples of the kernel.
        modes: (N C, m) unit eigenvectors in columns, the sharpest last; only the last `HELD` are looked at.
        limit: The largest stable eigenvalue.
        scale: D by parameter name, or None for ones.

    Source: Damian, Nichani, Lee 2022 (arXiv 2209.15594), section 4; Cohen et al. 2024 (arXiv 2410.24206) for
    optimizers with a rate of their own for every parameter.
    """
    named = {name: p for name, p in network.named_parameters() if p.requires_grad}
    parameters = list(named.values())
    weights = [torch.ones((), device=p.device) if scale is None else scale[n] for n, p in named.items()]
    for mode in modes[:, -HELD:].mT.flip(0):
        with torch.enable_grad():
            y = network(x).reshape(-1)
            along = (y * mode.to(y)).sum()
            pulled = torch.autograd.grad(along, parameters, create_graph=True, materialize_grads=True)
            sharpness = _square(weights, pulled)
            if not sharpness.requires_grad or float(sharpness.detach()) <= limit:
                continue
            slope = torch.autograd.grad(sharpness, parameters, materialize_grads=True)
        square = float(_square(weights, slope))
        if square > 0:
            length = (float(sharpness.detach()) - limit) / square
            with torch.no_grad():
                for p, weight, each in zip(parameters, weights, slope, strict=True):
                    p.sub_(length * weight * each)


def check_twice(network: nn.Module, x: Tensor) -> None:
    """Raise InputError unless gradients can be differentiated once more, as `hold` does.

    Some layers refuse, others give zeros without a word: what `Jacobian` finds out.

    Args:
        network: Maps (N, ...) to (N, C).
        x: (N, ...) samples.
    """
    if Jacobian(network, x, len(x)).alone:
        raise InputError(
            "a network whose gradients can be differentiated once more, to follow it at the edge of stability",
            "one whose gradients cannot, or depend on the batch",
            "pass part=signal, which goes on from the pilot without that, or lower the learning rate",
            "network",
        )


def _square(weights: list[Tensor], vectors: tuple[Tensor, ...]) -> Tensor:
    """v^T D v."""
    return torch.stack([(w * v * v).sum() for w, v in zip(weights, vectors, strict=True)]).sum()
