"""Training of a network on a measured field: for the short trainings of a choice, and for scripts."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from overtone.nn._networks.field import output_power
from overtone.operators._builder import at_its_precision
from overtone.signals import Measured

LEARNING_RATE = 2e-3
"""Adam's learning rate at the start; it falls to 0 by half a cosine."""


def train_network(
    problem: Measured,
    network: nn.Module,
    steps: int,
    *,
    learning_rate: float = LEARNING_RATE,
    total: int | None = None,
    observe: Callable[[int], None] | None = None,
) -> float:
    """Train a network on the loss of a measured field with Adam, its learning rate falling to 0 by half a cosine.

    The loss is the weighted sum over terms of the mean square residual, divided by the mean square scale of the
    network's outputs. Every step uses all points and data.

    Args:
        problem: The measured field.
        network: The network, changed in place. A field of overtone receives points in float64, any other network in
            the precision of its weights.
        steps: Optimizer steps to take.
        learning_rate: The learning rate at the start.
        total: Steps of the whole schedule, if training ends before the learning rate is 0; `steps` if None.
        observe: Function that is called after each step with its number.

    Returns:
        The loss at the last step; infinity if it became infinite or NaN, which ends the training.

    Example:
        >>> import torch
        >>> from overtone import operators
        >>> ends = {"ends": (lambda x, u: u - x, [[0.0], [1.0]])}
        >>> problem = operators.equation(ends, [(0, 1)])
        >>> line = torch.nn.Linear(1, 1)
        >>> loss = operators.train_network(problem, line, steps=300, learning_rate=0.1)
        >>> loss < 1e-4, round(float(line.weight.detach()), 2)
        (True, 1.0)
    """
    precision, field = next(network.parameters()).dtype, at_its_precision(network)
    size = output_power(network)
    # Places keep float64: fields compute phases of high frequencies in it, whatever the precision of the weights.
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    length = total or steps
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * min(step, length) / length))
    )
    value = math.inf
    for step in range(steps):
        optimizer.zero_grad(set_to_none=True)
        loss = problem.loss(field) / size
        value = float(loss.detach())
        if not math.isfinite(value):
            return math.inf
        loss.to(precision).backward()
        optimizer.step()
        schedule.step()
        if observe is not None:
            observe(step + 1)
    return value
