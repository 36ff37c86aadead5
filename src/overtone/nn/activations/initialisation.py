"""How the linear layer before an activation begins."""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from overtone.nn.seeding import fill_uniform


@runtime_checkable
class Initialises(Protocol):
    """An activation that says how the linear layers before it begin; all others leave PyTorch's default."""

    def initialise_first(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Fill the layer that takes the network's input, in place."""

    def initialise_later(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Fill a layer that takes activations, the output layer among them, in place."""


def default_initialise(linear: nn.Linear, source: torch.Generator) -> None:
    """PyTorch's default, weight and bias ~ U(-1/sqrt(n), 1/sqrt(n)) over n inputs, from a given generator.

    Draws what `torch.nn.Linear` would draw if the global generator were in the state of `source`.

    Args:
        linear: The layer, filled in place.
        source: Where the numbers come from.
    """
    bound = 1 / math.sqrt(linear.in_features)
    fill_uniform(linear.weight, bound, source)
    if linear.bias is not None:
        fill_uniform(linear.bias, bound, source)


def fill(linear: nn.Linear, bound: float, source: torch.Generator, bias: float | None = None) -> None:
    """Weights ~ U(-bound, bound); biases as PyTorch draws them unless their bound is given.

    Args:
        linear: The layer, filled in place.
        bound: The largest weight.
        source: Where the numbers come from.
        bias: The largest bias; 1/sqrt(n) over n inputs unless given.
    """
    fill_uniform(linear.weight, bound, source)
    if linear.bias is not None:
        fill_uniform(linear.bias, 1 / math.sqrt(linear.in_features) if bias is None else bias, source)
