"""The Sobolev loss."""

from __future__ import annotations

import math
from typing import final

from torch import Tensor

from overtone import units
from overtone.errors import InputError
from overtone.nn.losses.basis import Basis
from overtone.nn.losses.spectral_loss import SpectralLoss, white


@final
class Sobolev(SpectralLoss):
    """The squared H^s norm of the residual, w(f) ~ (1 + (f / f0)^2)^s, with a mean weight of 1 over the modes.

    s > 0 asks for high frequencies first, s < 0 for low ones; s = 0 is the mean square (Yu et al. 2023,
    "Tuning frequency bias in neural network training with nonuniform training data", section 4). White: a
    residual of equal power at all modes has its mean square as loss.

    Args:
        basis: The grid's transform.
        s: The order, of either sign.
        unit: f0, the frequency that counts as 1, in cycles per unit of the coordinate; one cycle along the
            longest side unless given, which makes f / f0 the harmonic's number on a periodic grid.

    Raises:
        InputError: If the order is not finite, or the unit not positive.
    """

    weight: Tensor

    def __init__(self, basis: Basis, s: float, unit: float | None = None) -> None:
        super().__init__(basis)
        if not math.isfinite(s):
            raise InputError("a finite order", f"{s}", "pass a number such as 1 or -1", "s")
        self.s = float(s)
        lattice = basis.lattice
        longest = max(n * d for n, d in zip(lattice.shape, lattice.spacing, strict=True))
        self.unit = 1 / longest if unit is None else units.positive(unit, "unit")
        growth = (self.s * (1 + (self.frequency / self.unit).square()).log()).double()
        weight = white((growth - growth.max()).exp(), self.modes)
        self.register_buffer("weight", weight.unsqueeze(-1), persistent=False)

    def weights(self, power: Tensor) -> Tensor:
        """(*stored, 1), always the same."""
        return self.weight.to(power)
