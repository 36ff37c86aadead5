"""The spectral solution of a linear equation: Chebyshev collocation on the box, as least squares at the points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.operators._features import Applied
from overtone.operators._least_squares import RidgeSolver, Solution
from overtone.operators._linear_part import Check
from overtone.signals import Measured

DEGREES = {1: (8, 16, 32, 64), 2: (6, 12, 20)}
"""Highest degrees along each axis that are tried, by number of axes."""

RIDGES = (1e-28, 1e-20, 1e-12)
"""Ridges tried, relative to the largest eigenvalue."""

SHARE = 0.25
"""Part of the points that chooses degree and ridge."""


@final
@dataclass(frozen=True)
class ChebyshevFeatures:
    """Products of Chebyshev polynomials T_0 to T_degree of each coordinate, scaled to [-1, 1].

    Attributes:
        low: (d,) lower ends of the box.
        extent: (d,) its lengths.
        degree: Highest degree along each axis.

    Source: Boyd 2001, "Chebyshev and Fourier spectral methods", chapter 3.
    """

    low: Tensor
    extent: Tensor
    degree: int

    def __call__(self, x: Tensor) -> Tensor:
        """Return the features (N, (degree + 1)^d) at points (N, d)."""
        scaled = 2 * (x - self.low) / self.extent - 1
        product = torch.ones_like(x[:, :1])
        for t in scaled.unbind(1):
            # The recurrence has derivatives at the ends, which cos(k arccos t) has not.
            terms = [torch.ones_like(t), t]
            while len(terms) <= self.degree:
                terms.append(2 * t * terms[-1] - terms[-2])
            product = (product[:, :, None] * torch.stack(terms, 1)[:, None, :]).flatten(1)
        return product


def spectral_solution(problem: Measured, known: Sequence[Check], seed: int) -> Solution | None:
    """Return the field of least held-out loss over degrees and ridges; None of nonlinear equations or above two axes.

    Args:
        problem: The equation with its conditions.
        known: What each term's operator is.
        seed: Seed of the split.

    Returns:
        A function from points (N, d) to values (N, C).
    """
    geometry = problem.geometry
    if geometry.axes not in DEGREES or not all(one.linear and one.local for one in known):
        return None
    low, extent = (
        torch.tensor(v, dtype=torch.float64, device="cpu") for v in (geometry.origin, geometry.extent)
    )
    train, held_out = problem.split(SHARE, seed)
    best: tuple[float, Solution] | None = None
    for degree in DEGREES[geometry.axes]:
        features = ChebyshevFeatures(low, extent, degree)
        matrix, start = Applied(train, features, known).system()
        decomposed = RidgeSolver(matrix, accurate=True)
        for ridge in RIDGES:
            coefficients = decomposed.solve(-start, ridge).reshape(len(problem.channels), -1)
            field = Solution(features, coefficients, 0.0)
            loss = float(held_out.loss(field).detach())
            if math.isfinite(loss) and (best is None or loss < best[0]):
                best = loss, field
    return None if best is None else best[1]
