"""From what a network gives to physical values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from overtone._utils.tensors import as_tensor
from overtone.errors import InputError
from overtone.nn.exact import ExactBuffers


@final
class Restore(ExactBuffers):
    """The map y = offset + scale z per channel, computed in float64 and returned in the precision of z.

    Args:
        offset: (C,) in physical value units.
        scale: (C,) positive, physical value units per unit of the network's output.

    Raises:
        InputError: If the counts differ, a number is not finite, or a scale is not positive.
    """

    offset: Tensor
    scale: Tensor

    def __init__(self, offset: Tensor | Sequence[float], scale: Tensor | Sequence[float]) -> None:
        super().__init__()
        pair = [as_tensor(v, torch.float64).detach().clone() for v in (offset, scale)]
        same = pair[0].ndim == 1 and pair[0].shape == pair[1].shape and pair[0].numel() > 0
        if not same or not all(bool(v.isfinite().all()) for v in pair) or not bool((pair[1] > 0).all()):
            raise InputError(
                "one finite offset and one positive scale per channel",
                f"{pair[0].tolist()} and {pair[1].tolist()}",
                "pass the normalisation of the values that the network was trained on",
            )
        self.register_buffer("offset", pair[0])
        self.register_buffer("scale", pair[1])

    @staticmethod
    def identity(channels: int) -> Restore:
        """The map that leaves `channels` values as they are."""
        return Restore((0.0,) * channels, (1.0,) * channels)

    def forward(self, normalised: Tensor) -> Tensor:
        """Network outputs (..., C) to physical values (..., C)."""
        return (self.offset + self.scale * normalised.double()).to(normalised.dtype)
