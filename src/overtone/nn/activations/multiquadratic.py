"""The multi-quadratic activation."""

from __future__ import annotations

from typing import final

from torch import Tensor

from overtone import units
from overtone.nn.activations.reaching import Reaching, widened


@final
class MultiQuadratic(Reaching):
    """1 / sqrt(1 + (s z)^2), whose tails reach far: most of its power lies at the lowest frequencies.

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
        """Bandwidth per axis of a first layer; see `units.multiquadratic_bandwidth`."""
        return units.multiquadratic_bandwidth(self.scale, inputs)

    def scaled(self, factor: float) -> MultiQuadratic:
        """With scale times `factor`."""
        return MultiQuadratic(self.scale * factor)

    def forward(self, z: Tensor) -> Tensor:
        """1 / sqrt(1 + (s z)^2) in the precision of z."""
        return (1 + (self.scale * widened(z)).square()).rsqrt().to(z.dtype)

    def extra_repr(self) -> str:
        """The factor, for printing."""
        return f"scale={self.scale:g}"
