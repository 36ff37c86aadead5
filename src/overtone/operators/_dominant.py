"""Dominant functionals: the few that hold much of the power, as the lowest frequencies of k-space do."""

from __future__ import annotations

import torch
from torch import Tensor

from overtone.operators._kernel import zero_field
from overtone.signals import Measured, Term

DOMINANT, DOMINANT_SHARE = 30.0, 0.005
"""Power of a group over the median one's, and over the sum, above which it is always trained on."""


def dominant_functionals(problem: Measured, term: Term) -> Tensor:
    """Return (M,) bool, whether a functional's group has far more power than most, and much of all.

    The power is that of the data; of residuals, whose data are zeros, that of the zero field's: a source or an initial
    value that is concentrated in a few points.

    Args:
        problem: The measured field.
        term: One of its terms.
    """
    _, inverse = term.group_numbers().unique(return_inverse=True)
    data = term.data
    if term.derivatives:
        data = term.functionals(zero_field(problem), problem.complex_values).detach() - term.data
    square = data.abs().square().reshape(term.size, -1).sum(1).double()
    count = int(inverse.max()) + 1
    power = torch.zeros(count, dtype=torch.float64, device=square.device).index_add(0, inverse, square)
    heavy = (power > DOMINANT * power.median()) & (power > DOMINANT_SHARE * power.sum())
    return heavy[inverse]
