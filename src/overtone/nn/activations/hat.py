"""The hat activation."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from overtone import units
from overtone.nn.activations.reaching import Reaching, widened


@final
class Hat(Reaching):
    """max(0, min(s z, 2 - s z)), the linear B-spline on [0, 2/s].

    Piecewise linear as ReLU, but of finite support, which takes the bias towards low frequencies out of the training
    of outer weights (Hong et al. 2022, section 3). Layers begin as PyTorch leaves them. It has kinks: no second
    derivatives.

    Args:
        scale: s, per unit of z; 1 in the paper.

    Raises:
        InputError: If `scale` is not positive and finite.
    """

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = units.positive(scale, "scale")

    def bandwidth(self, inputs: int) -> float:
        """Bandwidth per axis of a first layer; see `units.hat_bandwidth`."""
        return units.hat_bandwidth(self.scale, inputs)

    def scaled(self, factor: float) -> Hat:
        """With scale times `factor`."""
        return Hat(self.scale * factor)

    def forward(self, z: Tensor) -> Tensor:
        """max(0, min(s z, 2 - s z)) in the precision of z."""
        stretched = self.scale * widened(z)
        return torch.minimum(stretched, 2 - stretched).clamp(min=0).to(z.dtype)

    def extra_repr(self) -> str:
        """The factor, for printing."""
        return f"scale={self.scale:g}"
