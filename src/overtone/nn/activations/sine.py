"""The sine activation of SIREN."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from overtone import units
from overtone.nn.activations.initialisation import fill
from overtone.nn.activations.reaching import Reaching, widened


@final
class Sine(Reaching):
    """sin(omega z), with the initialisation that keeps activations alike at every depth.

    First layer W ~ U(-1/n, 1/n), later ones and the output W ~ U(-sqrt(6/n)/omega, sqrt(6/n)/omega), biases
    as PyTorch leaves them (Sitzmann et al. 2020, section 3.2, and the reference code). The inputs should lie
    in [-1, 1].

    Args:
        omega: The factor inside the sine, in radians per unit of z. 30 suits small pictures; it is not a law:
            recordings need thousands in the first layer.

    Raises:
        InputError: If `omega` is not positive and finite.
    """

    def __init__(self, omega: float = 30.0) -> None:
        super().__init__()
        self.omega = units.positive(omega, "omega")

    @staticmethod
    def from_bandwidth(bandwidth: float, inputs: int) -> Sine:
        """The activation of a first layer that reaches `bandwidth` along each of `inputs` axes.

        Args:
            bandwidth: In cycles per unit of the coordinate in [-1, 1].
            inputs: Number of coordinates.

        Returns:
            The activation.

        Raises:
            InputError: If `bandwidth` is not positive and finite, or `inputs` is below 1.
        """
        return Sine(units.sine_omega(bandwidth, inputs))

    def bandwidth(self, inputs: int) -> float:
        """Bandwidth per axis of a first layer of `inputs` coordinates, in cycles per unit of them."""
        return units.sine_bandwidth(self.omega, inputs)

    def scaled(self, factor: float) -> Sine:
        """With omega times `factor`."""
        return Sine(self.omega * factor)

    def forward(self, z: Tensor) -> Tensor:
        """sin(omega z) in the precision of z, its argument in float32 at least."""
        return torch.sin(self.omega * widened(z)).to(z.dtype)

    def initialise_first(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Weights U(-1/n, 1/n), which put frequencies up to omega / (2 pi n) on each axis."""
        fill(linear, 1 / linear.in_features, source)

    def initialise_later(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Weights U(-sqrt(6/n)/omega, sqrt(6/n)/omega), which bring omega z to a standard deviation of 1."""
        fill(linear, math.sqrt(6 / linear.in_features) / self.omega, source)

    def extra_repr(self) -> str:
        """The factor, for printing."""
        return f"omega={self.omega:g}"
