"""Activations that bring frequencies, and the initialisation they need."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn

from overtone.nn._utils import fill_uniform
from overtone.units._frequency import positive


class SpectralActivation(nn.Module, ABC):
    """phi(z) elementwise or pairwise, whose frequencies its settings decide.

    Its argument is taken in float32 at least, since a factor of 30 costs five bits.
    """

    @abstractmethod
    def bandwidth(self, inputs: int) -> float:
        """Bandwidth per axis of a first layer of `inputs` coordinates in [-1, 1], in cycles per unit of them.

        That of the layer as it begins, all units together; see the law in `overtone.units`.

        Args:
            inputs: Number of coordinates.

        Raises:
            InputError: If `inputs` is below 1.
        """

    @abstractmethod
    def scaled(self, factor: float) -> Self:
        """The activation that reaches `factor` times as far."""

    def with_bandwidth(self, bandwidth: float, inputs: int) -> Self:
        """The activation of this kind and shape whose first layer reaches `bandwidth` along each axis.

        Args:
            bandwidth: In cycles per unit of the coordinate in [-1, 1].
            inputs: Number of coordinates.

        Raises:
            InputError: If `bandwidth` is not positive and finite, or `inputs` is below 1.
        """
        return self.scaled(positive(bandwidth, "bandwidth") / self.bandwidth(inputs))


def widened(z: Tensor) -> Tensor:
    """The argument in float32 at least."""
    return z.to(torch.promote_types(z.dtype, torch.float32))


@runtime_checkable
class HasInit(Protocol):
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
