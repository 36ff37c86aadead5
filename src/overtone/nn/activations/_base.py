"""Base class of activations with a bandwidth, and initialisation of the layers before them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn

from overtone.nn._utils import fill_uniform
from overtone.units._frequency import positive


class SpectralActivation(nn.Module, ABC):
    """An activation phi(z), elementwise or on pairs, whose bandwidth is set by its parameters.

    The argument of phi is computed in float32 at least, since a factor of 30 costs five bits.
    """

    @abstractmethod
    def bandwidth(self, inputs: int) -> float:
        """Return the bandwidth of a first layer with this activation, in cycles per unit of the coordinate.

        It is that of all units together at initialisation, along each of `inputs` coordinates in [-1, 1].

        Args:
            inputs: Number of coordinates.

        Raises:
            InputError: If `inputs` is below 1.
        """

    @abstractmethod
    def scaled(self, factor: float) -> Self:
        """Return an activation of `factor` times the bandwidth."""

    def with_bandwidth(self, bandwidth: float, inputs: int) -> Self:
        """Return an activation of this kind and shape whose first layer has the bandwidth `bandwidth` along each axis.

        Args:
            bandwidth: In cycles per unit of the coordinate in [-1, 1].
            inputs: Number of coordinates.

        Raises:
            InputError: If `bandwidth` is not positive and finite, or `inputs` is below 1.
        """
        return self.scaled(positive(bandwidth, "bandwidth") / self.bandwidth(inputs))


class ScaledActivation(SpectralActivation, ABC):
    """An activation phi(s z) with one parameter, whose bandwidth is proportional to it.

    Layers have PyTorch's default initialisation.

    Args:
        scale: s, per unit of z.

    Raises:
        InputError: If `scale` is not positive and finite.
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = positive(scale, "scale")

    def scaled(self, factor: float) -> Self:
        """Return the activation with `scale` multiplied by `factor`."""
        return type(self)(self.scale * factor)

    def extra_repr(self) -> str:
        """Return the parameters that `repr` shows."""
        return f"scale={self.scale:g}"


def to_float32_at_least(z: Tensor) -> Tensor:
    """Return the argument in float32 or a higher precision."""
    return z.to(torch.promote_types(z.dtype, torch.float32))


@runtime_checkable
class HasInit(Protocol):
    """An activation that initialises the linear layers before it; other activations leave PyTorch's default."""

    def initialise_first(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Initialise the layer that takes the network's input, in place."""

    def initialise_later(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Initialise a later layer or the output layer, in place."""


def uninitialised_linear(in_features: int, out_features: int) -> nn.Linear:
    """Return a linear layer whose weights hold anything, without a draw from PyTorch's global generator.

    `torch.nn.utils.skip_init` does the same by way of the meta device, which takes 30 times as long: more than all else
    that building a network of a few dozen units takes.

    Args:
        in_features: Inputs.
        out_features: Outputs.
    """
    linear = nn.Linear.__new__(nn.Linear)
    nn.Module.__init__(linear)
    linear.in_features, linear.out_features = in_features, out_features
    linear.weight = nn.Parameter(torch.empty(out_features, in_features, device="cpu"))
    linear.bias = nn.Parameter(torch.empty(out_features, device="cpu"))
    return linear


def default_initialise(linear: nn.Linear, source: torch.Generator) -> None:
    """Initialise a layer as PyTorch does: weight and bias ~ U(-1/sqrt(n), 1/sqrt(n)) over n inputs.

    The values are those of `torch.nn.Linear` if the global generator were in the state of `source`.

    Args:
        linear: The layer, changed in place.
        source: Generator of the samples.
    """
    bound = 1 / math.sqrt(linear.in_features)
    fill_uniform(linear.weight, bound, source)
    if linear.bias is not None:
        fill_uniform(linear.bias, bound, source)


def initialise_uniform(
    linear: nn.Linear, bound: float, source: torch.Generator, bias: float | None = None
) -> None:
    """Initialise weights ~ U(-bound, bound) and biases ~ U(-bias, bias).

    Args:
        linear: The layer, changed in place.
        bound: Bound of the weights.
        source: Generator of the samples.
        bias: Bound of the biases; by default PyTorch's, 1/sqrt(n) over n inputs.
    """
    fill_uniform(linear.weight, bound, source)
    if linear.bias is not None:
        fill_uniform(linear.bias, 1 / math.sqrt(linear.in_features) if bias is None else bias, source)
