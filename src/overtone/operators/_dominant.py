"""Dominant measurements: the few that hold much of the data's power, as the lowest frequencies of k-space do."""

from __future__ import annotations

import torch
from torch import Tensor

from overtone.signals import Term

DOMINANT, DOMINANT_SHARE = 30.0, 0.005
"""Power of a group over the median one's, and over the sum, above which it is always trained on."""


def dominant_functionals(term: Term) -> Tensor:
    """Return (M,) bool, whether a functional's group has far more power than most, and much of all."""
    _, inverse = term.group_numbers().unique(return_inverse=True)
    square = term.data.abs().square().reshape(term.size, -1).sum(1).double()
    power = torch.zeros(int(inverse.max()) + 1, dtype=torch.float64, device="cpu").index_add(
        0, inverse, square
    )
    heavy = (power > DOMINANT * power.median()) & (power > DOMINANT_SHARE * power.sum())
    return heavy[inverse]
