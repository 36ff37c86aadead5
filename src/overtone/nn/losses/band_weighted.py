"""Fixed weights per band of frequency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.nn.losses.basis import Basis
from overtone.nn.losses.spectral_loss import SpectralLoss, white


@final
class BandWeighted(SpectralLoss):
    """w_k is the weight of the band that holds mode k, with a mean weight of 1 over the modes.

    White: a residual of equal power at all modes has its mean square as loss. Weights of zero hide a band.

    Args:
        basis: The grid's transform; its `bands` are the bands.
        weights: (band,) or (band, channel) numbers of at least zero, not all zero; only their ratios matter.

    Raises:
        InputError: If there is not one weight per band, or they are not of this kind.
    """

    weight: Tensor

    def __init__(self, basis: Basis, weights: Tensor | Sequence[float]) -> None:
        super().__init__(basis)
        given = per_band(weights, basis, "weights")
        if not bool((given.sum(0) > 0).all()):
            raise InputError("a weight above zero", "zeros alone", "weigh at least one band", "weights")
        own = given[basis.bands.index(self.frequency)]
        self.register_buffer("weight", white(own, self.modes), persistent=False)

    def weights(self, power: Tensor) -> Tensor:
        """(*stored, 1 or C), always the same."""
        return self.weight.to(power)


def per_band(values: Tensor | Sequence[float], basis: Basis, name: str) -> Tensor:
    """(band, 1 or channel) float64 numbers of at least zero.

    Raises:
        InputError: If they are not one per band, finite and at least zero.
    """
    given = torch.as_tensor(values, dtype=torch.float64, device="cpu").detach()
    if given.ndim not in (1, 2) or given.shape[0] != basis.bands.count:
        raise InputError(
            f"one of the {name} per band ({basis.bands.count}), and per channel if they differ",
            f"shape {tuple(given.shape)}",
            "pass (band,) or (band, channel) numbers",
            name,
        )
    if not bool((given.isfinite() & (given >= 0)).all()):
        raise InputError(f"finite {name} of at least zero", f"{given.tolist()}", "check them", name)
    return given.unsqueeze(-1) if given.ndim == 1 else given
