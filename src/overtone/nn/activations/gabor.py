"""The real Gabor activation."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from overtone import units
from overtone.nn.activations.reaching import Reaching, widened


@final
class Gabor(Reaching):
    """cos(omega z) exp(-(s z)^2), a wave in a bump: local in the coordinate and in frequency.

    The real variant of WIRE (Saragadam et al. 2023, section 3 and the reference code, which has omega = s = 10 for
    it). Layers begin as PyTorch leaves them. Its authors advise omega / s < 2 and learning rates of 5e-3 to 2e-2.

    Args:
        omega: In radians per unit of z.
        scale: s, per unit of z.

    Raises:
        InputError: If a number is not positive and finite.
    """

    def __init__(self, omega: float = 10.0, scale: float = 10.0) -> None:
        super().__init__()
        self.omega, self.scale = units.positive(omega, "omega"), units.positive(scale, "scale")

    def bandwidth(self, inputs: int) -> float:
        """Bandwidth per axis of a first layer; see `units.gabor_bandwidth`."""
        return units.gabor_bandwidth(self.omega, self.scale, inputs)

    def scaled(self, factor: float) -> Gabor:
        """Both factors times `factor`."""
        return Gabor(self.omega * factor, self.scale * factor)

    def forward(self, z: Tensor) -> Tensor:
        """cos(omega z) exp(-(s z)^2) in the precision of z."""
        wide = widened(z)
        return (torch.cos(self.omega * wide) * torch.exp(-(self.scale * wide).square())).to(z.dtype)

    def extra_repr(self) -> str:
        """The factors, for printing."""
        return f"omega={self.omega:g}, scale={self.scale:g}"
