"""The sinc activation."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from overtone import units
from overtone.nn.activations.reaching import Reaching, widened


@final
class Sinc(Reaching):
    """sin(omega z) / (omega z), 1 at z = 0; all its frequencies up to omega / (2 pi) have one amplitude.

    Layers begin as PyTorch leaves them (Ramasinghe & Lucey 2022; Saratchandran et al. 2024, who show that its shifts
    span the band-limited signals). The factor is to be chosen per signal; 30 is no more than a start.

    Args:
        omega: In radians per unit of z.

    Raises:
        InputError: If `omega` is not positive and finite.
    """

    def __init__(self, omega: float = 30.0) -> None:
        super().__init__()
        self.omega = units.positive(omega, "omega")

    def bandwidth(self, inputs: int) -> float:
        """Bandwidth per axis of a first layer; see `units.sinc_bandwidth`."""
        return units.sinc_bandwidth(self.omega, inputs)

    def scaled(self, factor: float) -> Sinc:
        """With omega times `factor`."""
        return Sinc(self.omega * factor)

    def forward(self, z: Tensor) -> Tensor:
        """sin(omega z) / (omega z) in the precision of z."""
        return torch.sinc(self.omega / math.pi * widened(z)).to(z.dtype)

    def extra_repr(self) -> str:
        """The factor, for printing."""
        return f"omega={self.omega:g}"
