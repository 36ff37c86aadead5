"""Backward passes that every network allows, through parts without gradients, sparse tables and checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from overtone.errors import InputError

Forward = Callable[[], Tensor]

Gradients = list[Tensor | None]
"""Of the parameters in their order; None where there is none."""


def pulled(
    network: nn.Module, forward: Forward, parameters: Sequence[nn.Parameter], weights: Tensor
) -> tuple[Tensor, Gradients]:
    """J^T w: the gradient of the outputs' sum with `weights`, in one backward pass.

    Args:
        network: The network.
        forward: Calls it and returns its outputs.
        parameters: Parameters of the network, used or not.
        weights: In the outputs' shape.

    Returns:
        The outputs, and the gradients in the parameters' shapes, dense.

    Raises:
        InputError: If gradients only come by a backward pass that would also take optimizer steps.
    """
    y, (grads,) = _passes(network, forward, parameters, lambda y: [weights.to(y)])
    return y, grads


def rows(
    network: nn.Module, forward: Forward, parameters: Sequence[nn.Parameter]
) -> tuple[Tensor, list[Gradients]]:
    """The gradient of every single output, one backward pass each.

    Args:
        network: The network.
        forward: Calls it and returns its outputs.
        parameters: Parameters of the network, used or not.

    Returns:
        The outputs, and the gradients of each in flat order.

    Raises:
        InputError: As `pulled`.
    """

    def units(y: Tensor) -> list[Tensor]:
        return list(torch.eye(y.numel(), dtype=y.dtype, device=y.device).reshape(-1, *y.shape))

    return _passes(network, forward, parameters, units)


def flat(parameters: Sequence[Tensor], grads: Sequence[Tensor | None]) -> list[Tensor]:
    """Gradients as real vectors in at least single precision, zeros where there are none.

    Args:
        parameters: The parameters; of complex ones the real and imaginary parts count.
        grads: Their gradients.
    """
    filled = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, grads, strict=True)]
    return [wide(real(g).reshape(-1)) for g in filled]


def wide(values: Tensor) -> Tensor:
    """At least single precision, as sums over many parameters need it."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def real(values: Tensor) -> Tensor:
    """Complex numbers as pairs of real ones."""
    return torch.view_as_real(values) if values.is_complex() else values


def _passes(
    network: nn.Module,
    forward: Forward,
    parameters: Sequence[nn.Parameter],
    weights: Callable[[Tensor], Sequence[Tensor]],
) -> tuple[Tensor, list[Gradients]]:
    y = forward()
    ws = weights(y.detach())
    if not y.requires_grad:
        return y.detach(), [[None] * len(parameters) for _ in ws]
    found: list[Gradients] = []
    try:
        for i, w in enumerate(ws):
            grads = torch.autograd.grad(y, parameters, w, retain_graph=i + 1 < len(ws), allow_unused=True)
            found.append([_dense(g) for g in grads])
    except RuntimeError as failure:
        if "torch.utils.checkpoint" not in str(failure):
            raise
    else:
        return y.detach(), found
    # Reentrant checkpoints give gradients to `backward` alone. What the failed pass used is gone, so forward once more.
    y = forward()
    return y.detach(), [_accumulated(network, y, parameters, w) for w in ws]


def _accumulated(
    network: nn.Module, y: Tensor, parameters: Sequence[nn.Parameter], weights: Tensor
) -> Gradients:
    """Gradients as `backward` leaves them in `.grad`, which is as before afterwards."""
    everything = list(network.parameters())
    if any(getattr(p, "_post_accumulate_grad_hooks", None) for p in everything):
        raise InputError(
            "a network whose backward pass takes no further steps",
            "reentrant checkpoints together with hooks that run after gradients are accumulated",
            "pass use_reentrant=False to torch.utils.checkpoint.checkpoint, or remove the hooks",
            "network",
        )
    before = [p.grad for p in everything]
    try:
        for p in everything:
            p.grad = None
        y.backward(weights, retain_graph=True)
        return [_dense(p.grad) for p in parameters]
    finally:
        for p, grad in zip(everything, before, strict=True):
            p.grad = grad


def _dense(grad: Tensor | None) -> Tensor | None:
    return grad if grad is None or grad.layout is torch.strided else grad.to_dense()
