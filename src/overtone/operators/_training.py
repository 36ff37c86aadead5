"""Training of a network on a measured field: the short race between bandwidths, and plain scripts' loop."""

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
    """Train a network on the loss of a measured field, with Adam and a cosine from the learning rate to 0.

    Args:
        problem: The measured field; points and data as they are, every step.
        network: The network, changed in place; fields take points in float64, others in the precision of their weights.
        steps: Steps to take.
        learning_rate: At the start.
        total: Steps of the whole schedule, if the training ends before its end.
        observe: Called with the number of each step after it.

    Returns:
        The last loss, of outputs before their scaling, infinity where it is not finite.
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
