"""The Gaussian activation."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from overtone import units
from overtone.nn.activations.reaching import Reaching, widened


@final
class Gauss(Reaching):
    """exp(-(s z)^2).

    Layers begin as PyTorch leaves them, weight and bias ~ U(-1/sqrt(n), 1/sqrt(n)), as in the reference code of FINER
    and WIRE, which take s = 30 and 10 with learning rates of 1e-3 to 5e-3 (Ramasinghe & Lucey 2022, section 3).

    Args:
        scale: s, per unit of z.

    Raises:
        InputError: If `scale` is not positive and finite.
    """

    def __init__(self, scale: float = 30.0) -> None:
        super().__init__()
        self.scale = units.positive(scale, "scale")

    def bandwidth(self, inputs: int) -> float:
        """Bandwidth per axis of a first layer; see `units.gauss_bandwidth`."""
        return units.gauss_bandwidth(self.scale, inputs)

    def scaled(self, factor: float) -> Gauss:
        """With scale times `factor`."""
        return Gauss(self.scale * factor)

    def forward(self, z: Tensor) -> Tensor:
        """exp(-(s z)^2) in the precision of z."""
        return torch.exp(-(self.scale * widened(z)).square()).to(z.dtype)

    def extra_repr(self) -> str:
        """The factor, for printing."""
        return f"scale={self.scale:g}"
