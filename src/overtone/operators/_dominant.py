"""Dominant measurements: the few that hold much of the data's power, as the lowest frequencies of k-space do."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from overtone.signals import Measured, Term

DOMINANT, DOMINANT_SHARE = 30.0, 0.005
"""Power of a group over the median one's, and over the sum, above which it is always trained on."""


def with_dominant_apart(problem: Measured) -> Measured:
    """Return the problem with its dominant measurements as terms of one group, which splits never hold out.

    Splits of k-space that hold the lowest frequencies out rank bandwidths by those alone, and often none is better than
    zero.

    Args:
        problem: The measurements.
    """
    terms = []
    for term in problem.terms:
        dominant = dominant_functionals(term)
        share = float(dominant.double().mean())
        if share == 0:
            terms.append(term)
            continue
        apart = term.select(dominant)
        one = torch.zeros(apart.size, dtype=torch.int64, device="cpu")
        terms.append(replace(term.select(~dominant), weight=term.weight * (1 - share)))
        terms.append(replace(apart, name=f"dominant {term.name}", groups=one, weight=term.weight * share))
    return replace(problem, terms=tuple(terms))


def dominant_functionals(term: Term) -> Tensor:
    """Return (M,) bool, whether a functional's group has far more power than most, and much of all."""
    _, inverse = term.group_numbers().unique(return_inverse=True)
    square = term.data.abs().square().reshape(term.size, -1).sum(1).double()
    power = torch.zeros(int(inverse.max()) + 1, dtype=torch.float64, device="cpu").index_add(
        0, inverse, square
    )
    heavy = (power > DOMINANT * power.median()) & (power > DOMINANT_SHARE * power.sum())
    return heavy[inverse]
