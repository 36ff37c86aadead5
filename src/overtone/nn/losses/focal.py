"""The focal frequency loss."""

from __future__ import annotations

from typing import final

from torch import Tensor

from overtone import units
from overtone.nn.losses.basis import Basis
from overtone.nn.losses.spectral_loss import SpectralLoss, present


@final
class FocalFrequency(SpectralLoss):
    """Each mode weighs as the present amplitude of its residual, w_k ~ |r_k|^alpha; the weights are constants.

    Modes with a large error are asked for more (Jiang et al. 2021, "Focal frequency loss for image
    reconstruction and synthesis", section 3.3). There the weights are divided by their largest; here they are
    scaled so that the loss of the present residual is its mean square. So the value is that of the mean square
    at every step, and only the gradient differs: its share of each mode, and not the loss, is what is chosen.

    Args:
        basis: The grid's transform.
        alpha: The exponent; 1 in the paper.

    Raises:
        InputError: If alpha is not positive and finite.
    """

    def __init__(self, basis: Basis, alpha: float = 1.0) -> None:
        super().__init__(basis)
        self.alpha = units.positive(alpha, "alpha")

    def weights(self, power: Tensor) -> Tensor:
        """(*stored, C), each mode's amplitude to the power alpha, relative to the largest before scaling."""
        square = power / self.modes.unsqueeze(-1)
        top = square.amax().clamp(min=1e-300)
        return present((square / top) ** (self.alpha / 2), power)
