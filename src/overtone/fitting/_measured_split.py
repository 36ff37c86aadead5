"""Split of functionals into those that are trained on and those held out; dominant ones are always trained on."""

from __future__ import annotations

from dataclasses import replace

from overtone.operators._dominant import dominant_functionals
from overtone.signals import Measured

FEW = 8
"""Groups of measurements below which none are held out, as in `Measured.split`."""


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
    return problem.split(share, seed, [dominant_functionals(problem, term) for term in problem.terms])


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
        dominant = dominant_functionals(problem, whole)
        share = float(dominant.double().mean())
        terms.append(replace(part, weight=part.weight * (1 - share)))
        if share > 0:
            terms.append(replace(whole.select(dominant), weight=whole.weight * share))
    return replace(held_out, terms=tuple(terms))
