"""The quadratic activation."""

from __future__ import annotations

from typing import final

from torch import Tensor

from overtone import units
from overtone.nn.activations.reaching import Reaching, widened


@final
class Quadratic(Reaching):
    """1 / (1 + (s z)^2), whose spectrum falls exponentially.

    Layers begin as PyTorch leaves them (Ramasinghe & Lucey 2022, section 3, where s is tuned per signal).

    Args:
        scale: s, per unit of z.

    Raises:
        InputError: If `scale` is not positive and finite.
    """

    def __init__(self, scale: float = 10.0) -> None:
        super().__init__()
        self.scale = units.positive(scale, "scale")

    def bandwidth(self, inputs: int) -> float:
        """Bandwidth per axis of a first layer; see `units.quadratic_bandwidth`."""
        return units.quadratic_bandwidth(self.scale, inputs)

    def scaled(self, factor: float) -> Quadratic:
        """With scale times `factor`."""
        return Quadratic(self.scale * factor)

    def forward(self, z: Tensor) -> Tensor:
        """1 / (1 + (s z)^2) in the precision of z."""
        return (1 + (self.scale * widened(z)).square()).reciprocal().to(z.dtype)

    def extra_repr(self) -> str:
        """The factor, for printing."""
        return f"scale={self.scale:g}"
