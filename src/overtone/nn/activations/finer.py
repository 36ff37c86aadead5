"""The sine of variable period."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from overtone import units
from overtone.nn.activations.initialisation import fill
from overtone.nn.activations.reaching import Reaching, widened


@final
class Finer(Reaching):
    """sin(omega (|z| + 1) z): the further from zero, the higher the frequency, so first biases choose the band.

    Weights begin as in SIREN, first biases ~ U(-k, k), later ones as PyTorch leaves them (Liu et al. 2024, FINER,
    section 3). Gradients are those of the function. The reference code takes |z| + 1 as constant in them, which
    `detached` repeats; derivatives with respect to coordinates are wrong then.

    Args:
        omega: In radians per unit of z.
        bias: k, the largest first bias; larger ones reach higher frequencies.
        detached: Whether |z| + 1 is a constant to the gradient.

    Raises:
        InputError: If `omega` or `bias` is not positive and finite.
    """

    def __init__(self, omega: float = 30.0, bias: float = 1.0, detached: bool = False) -> None:
        super().__init__()
        self.omega, self.bias = units.positive(omega, "omega"), units.positive(bias, "bias")
        self.detached = detached

    def bandwidth(self, inputs: int) -> float:
        """Bandwidth per axis of a first layer; see `units.finer_bandwidth`."""
        return units.finer_bandwidth(self.omega, self.bias, inputs)

    def scaled(self, factor: float) -> Finer:
        """With omega times `factor`."""
        return Finer(self.omega * factor, self.bias, self.detached)

    def forward(self, z: Tensor) -> Tensor:
        """sin(omega (|z| + 1) z) in the precision of z."""
        wide = widened(z)
        period = wide.detach().abs() + 1 if self.detached else wide.abs() + 1
        return torch.sin(self.omega * period * wide).to(z.dtype)

    def initialise_first(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Weights U(-1/n, 1/n), biases U(-k, k)."""
        fill(linear, 1 / linear.in_features, source, self.bias)

    def initialise_later(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Weights U(-sqrt(6/n)/omega, sqrt(6/n)/omega)."""
        fill(linear, math.sqrt(6 / linear.in_features) / self.omega, source)

    def extra_repr(self) -> str:
        """The factors, for printing."""
        return f"omega={self.omega:g}, bias={self.bias:g}" + (", detached" if self.detached else "")
