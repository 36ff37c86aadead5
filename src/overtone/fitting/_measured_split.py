"""Split of measurements into those that are trained on and those held out; dominant ones are always trained on."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from overtone.signals import Measured, Term

FEW = 8
"""Groups of measurements below which none are held out, as in `Measured.split`."""


DOMINANT, DOMINANT_SHARE = 30.0, 0.005
"""Power of a group over the median one's, and over the sum, above which it is always trained on."""


def split_measured(problem: Measured, share: float, seed: int) -> tuple[Measured, Measured | None]:
    """Return the measurements to train on, and those held out; None if the share is 0 or there are too few groups.

    Groups that hold much of the data's power, as the lowest frequencies of k-space do, are always trained on: without
    them the picture is another.

    Args:
        problem: The measurements.
        share: Part of the groups that is held out.
        seed: Seed of the draw.
    """
    if share == 0 or all(len(term.group_numbers().unique()) < FEW for term in problem.terms):
        return problem, None
    return problem.split(share, seed, [_dominant(term) for term in problem.terms])


def with_dominant_apart(problem: Measured) -> Measured:
    """Return the problem with its dominant measurements as terms of one group, which splits never hold out.

    Splits of k-space that hold the lowest frequencies out rank bandwidths by those alone, and often none is better than
    zero.

    Args:
        problem: The measurements.
    """
    terms = []
    for term in problem.terms:
        dominant = _dominant(term)
        share = float(dominant.double().mean())
        if share == 0:
            terms.append(term)
            continue
        apart = term.select(dominant)
        one = torch.zeros(apart.size, dtype=torch.int64, device="cpu")
        terms.append(replace(term.select(~dominant), weight=term.weight * (1 - share)))
        terms.append(replace(apart, name=f"dominant {term.name}", groups=one, weight=term.weight * share))
    return replace(problem, terms=tuple(terms))


def judged_measurements(problem: Measured, held_out: Measured) -> Measured:
    """Return what a run is stopped by: held-out measurements for all others, and dominant ones for themselves.

    Held-out measurements alone would not show that the dominant ones are not learned yet: their error is small at the
    start, rises with the first frequencies and falls again.

    Args:
        problem: All measurements.
        held_out: Those that are held out.
    """
    terms = []
    for whole, part in zip(problem.terms, held_out.terms, strict=True):
        dominant = _dominant(whole)
        share = float(dominant.double().mean())
        terms.append(replace(part, weight=part.weight * (1 - share)))
        if share > 0:
            terms.append(replace(whole.select(dominant), weight=whole.weight * share))
    return replace(held_out, terms=tuple(terms))


def _dominant(term: Term) -> Tensor:
    """(M,) whether a functional's group has far more power than most, and much of all."""
    _, inverse = term.group_numbers().unique(return_inverse=True)
    square = term.data.abs().square().reshape(term.size, -1).sum(1).double()
    power = torch.zeros(int(inverse.max()) + 1, dtype=torch.float64, device="cpu").index_add(
        0, inverse, square
    )
    heavy = (power > DOMINANT * power.median()) & (power > DOMINANT_SHARE * power.sum())
    return heavy[inverse]
