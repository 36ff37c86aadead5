"""State of a PyTorch optimizer in the form that the dynamics of a linearised network require."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.theory._mode_dynamics import GradientDescent

Schedule = Callable[[int], float]
"""Factor of the learning rate at step number t, counted from 0."""


def constant(step: int) -> float:  # noqa: ARG001
    """Return 1 at every step: the schedule of a constant learning rate."""
    return 1.0


def optimizer_dynamics(optimizer: torch.optim.Optimizer) -> GradientDescent:
    """Return the recursion of SGD with or without momentum, or of Adam with its second moments held fixed.

    Args:
        optimizer: SGD, Adam or AdamW.

    Raises:
        InputError: If it is a different optimizer, has several parameter groups, decays weights, or uses a variant
            (Nesterov, AMSGrad, dampening, maximisation) with a different recursion.
    """
    if len(optimizer.param_groups) != 1:
        raise InputError(
            "one parameter group",
            f"{len(optimizer.param_groups)}",
            "use the same rate for all parameters",
            "optimizer",
        )
    group = optimizer.param_groups[0]
    variants = [n for n in ("nesterov", "amsgrad", "maximize", "dampening", "weight_decay") if group.get(n)]
    if variants:
        raise InputError(
            f"no {variants[0]}", f"{group[variants[0]]}", "disable it for the prediction", "optimizer"
        )
    if isinstance(optimizer, torch.optim.SGD):
        return GradientDescent(momentum=float(group["momentum"]))
    if isinstance(optimizer, torch.optim.Adam):
        # The first moment is m <- beta m + (1 - beta) g: heavy ball with the dampening equal to the momentum.
        beta = float(group["betas"][0])
        return GradientDescent(momentum=beta, dampening=beta)
    raise InputError(
        "SGD, Adam or AdamW", type(optimizer).__name__, "train with one of these, or pass a rule", "optimizer"
    )


def steps_taken(optimizer: torch.optim.Optimizer) -> int:
    """Return the number of steps that Adam has counted; 0 for optimizers without a counter."""
    return max((int(state.get("step", 0)) for state in optimizer.state.values()), default=0)


def effective_rate(
    optimizer: torch.optim.Optimizer, schedule: Schedule = constant, since: int = 0
) -> Callable[[int], float]:
    """Return the effective learning rate per step: base rate, schedule, and Adam's first bias correction.

    Args:
        optimizer: SGD, Adam or AdamW, at its base learning rate.
        schedule: Factor per step.
        since: Step at which the optimizer is in its current state.
    """
    group = optimizer.param_groups[0]
    lr = float(group["lr"])
    if not isinstance(optimizer, torch.optim.Adam):
        return lambda t: lr * schedule(t)
    beta = float(group["betas"][0])
    # The first moment starts at zero: Adam divides it by 1 - beta^t, which acts like a larger rate in early steps.
    # The second bias correction is part of `second_moments`, which are held fixed.
    before = steps_taken(optimizer) - since
    return lambda t: lr * schedule(t) / (1 - beta ** (t + before + 1))


def second_moments(optimizer: torch.optim.Optimizer, network: nn.Module) -> dict[str, Tensor] | None:
    """Return D = 1 / (sqrt(v / (1 - beta_2^t)) + eps) by parameter name; None for optimizers without second moments.

    Zero for parameters without a gradient so far: Adam does not change them.

    Raises:
        InputError: If Adam has not taken a step yet.
    """
    if not isinstance(optimizer, torch.optim.Adam):
        return None
    group = optimizer.param_groups[0]

    def scale(state: dict[str, Any]) -> Tensor:
        unbiased = state["exp_avg_sq"] / (1 - float(group["betas"][1]) ** float(state["step"]))
        return 1 / (unbiased.sqrt() + float(group["eps"]))

    states = {n: optimizer.state[p] for n, p in network.named_parameters() if p in optimizer.state}
    if not states:
        raise InputError(
            "Adam's second moments",
            "an optimizer before its first step",
            "pass a pilot of a few steps",
            "pilot",
        )
    return {name: scale(state) for name, state in states.items()} | {
        name: torch.zeros_like(p)
        for name, p in network.named_parameters()
        if p.requires_grad and name not in states
    }


def velocities(optimizer: torch.optim.Optimizer, network: nn.Module) -> dict[str, Tensor] | None:
    """Return the direction in which the optimizer's momentum moves the parameters, by name; None at rest.

    Adam's first moment is multiplied by its `second_moments`.
    """
    states = {n: optimizer.state[p] for n, p in network.named_parameters() if p in optimizer.state}
    scale = second_moments(optimizer, network) if states else None
    moving = {}
    for name, state in states.items():
        velocity = state.get("exp_avg", state.get("momentum_buffer"))
        if velocity is not None:
            moving[name] = velocity * scale[name] if scale else velocity
    return moving or None
