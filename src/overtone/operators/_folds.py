"""Held-out losses of measurements of samples over several splits, whose operators are applied to features once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from overtone._utils.seeding import derive_seed
from overtone.operators._features import Applied, Features, shared_system
from overtone.operators._least_squares import NormalEquations
from overtone.operators._linear_part import Check
from overtone.signals import Measured
from overtone.signals._measured import maps_columns

SPLITS = 5
"""Splits of the groups: a single one holds out the low frequencies of k-space, or does not."""

RIDGES = (1e-3, 1e-4, 1e-5)
"""Ridges that stand for a training on measurements of samples; noise needs more than equations do."""


def is_measurement(problem: Measured) -> bool:
    """Whether no term differentiates: samples were measured, and no equation is known."""
    return not any(term.derivatives for term in problem.terms)


def fold_losses(
    problem: Measured, features: Features, checks: Sequence[Check], share: float, seed: int
) -> tuple[float, ...]:
    """Return the held-out loss over that of the zero field at each ridge, as geometric means over splits.

    Args:
        problem: A field known through linear maps of its samples.
        features: The features.
        checks: What each term's operator is.
        share: Part of the groups that is held out.
        seed: Seed of the splits.
    """
    matrix, start = (
        shared_system(problem, features)
        if all(maps_columns(term) for term in problem.terms)
        else _as_columns(*Applied(problem, features, checks).system())
    )
    channels = start.shape[1]
    # Normal equations of all rows once: those of a split are theirs less those of what is held out.
    whole, right = matrix.mH @ matrix, matrix.mH @ start
    logarithms = torch.zeros(len(RIDGES), dtype=torch.float64, device="cpu")
    for number in range(SPLITS):
        held_out, weights = _rows(problem, share, derive_seed(seed, "fold", str(number)), channels)
        other, offset, scale = matrix[held_out], start[held_out], weights[held_out, None]
        # A split of few groups alone holds out all of them and none: they are fitted, too.
        alone = bool(held_out.all())
        fitted = whole if alone else whole - other.mH @ other
        decomposed = NormalEquations(fitted)
        product = right if alone else right - other.mH @ offset
        zero = float((offset.abs().square() * scale).sum())
        for position, ridge in enumerate(RIDGES):
            residual = offset - other @ decomposed.solve(product, ridge)
            loss = float((residual.abs().square() * scale).sum())
            logarithms[position] += math.log(max(loss / zero, 1e-300)) if zero > 0 else 0.0
    return tuple((logarithms / SPLITS).exp().tolist())


def _as_columns(matrix: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    return matrix, start[:, None]


def _rows(problem: Measured, share: float, seed: int, channels: int) -> tuple[Tensor, Tensor]:
    """Which rows of the whole system are held out, and the factors that make their sums means.

    A functional has a row for each of its data, or one for `channels` of them together.
    """
    masks, factors = [], []
    positions = replace(
        problem,
        terms=tuple(
            # Functionals numbered in place of their data say which of them a split holds out.
            replace(term, data=torch.arange(term.size, device=term.data.device), groups=term.group_numbers())
            for term in problem.terms
        ),
    )
    _, held_out = positions.split(share, seed)
    for term, part in zip(problem.terms, held_out.terms, strict=True):
        mask = torch.zeros(term.size, dtype=torch.bool, device="cpu")
        mask[part.data.cpu()] = True
        rows = mask.repeat_interleave(max(1, term.data[0].numel() // channels))
        if term.data.is_complex() and not problem.complex_values:
            rows = rows.repeat(2)
        masks.append(rows)
        factors.append(
            torch.full(rows.shape, term.size / max(1, part.size), dtype=torch.float64, device="cpu")
        )
    # Terms of few groups are in both parts of a split: they are fitted, and not held out where others are.
    whole = [bool(mask.all()) for mask in masks]
    if not all(whole):
        masks = [torch.zeros_like(m) if all_of_it else m for m, all_of_it in zip(masks, whole, strict=True)]
    return torch.cat(masks), torch.cat(factors)
