"""Ridge least squares on an operator's features, and Gauss-Newton steps for nonlinear equations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.operators._features import Applied, Features
from overtone.operators._linear_part import Check
from overtone.signals import Measured

GAUSS_NEWTON_STEPS = 20
"""Linearisations of a nonlinear equation."""

SETTLED = 1e-3
"""Relative change of the loss below which Gauss-Newton steps end."""

SHORTEST = 1 / 64
"""Part of a Gauss-Newton step below which the iteration ends."""


@final
@dataclass(frozen=True, eq=False)
class Solution:
    """A combination of features.

    Attributes:
        features: The features.
        coefficients: (C, F) per channel and feature, complex for complex fields.
        loss: The training loss.
        converged: Whether Gauss-Newton steps settled; True for linear problems.
    """

    features: Features
    coefficients: Tensor
    loss: float
    converged: bool = True

    def __call__(self, x: Tensor) -> Tensor:
        """Return the field (N, C) at points (N, d); complex fields as real and imaginary outputs in turn."""
        x = x.to(self.coefficients.device, torch.float64)
        values = self.features(x).to(self.coefficients.dtype) @ self.coefficients.T
        return torch.view_as_real(values).flatten(1) if values.is_complex() else values


class RidgeSolver:
    """min |A w - b|^2 + ridge lambda_max |w|^2 for many ridges, from one decomposition.

    Args:
        matrix: A (R, F).
        accurate: Decompose A itself instead of A* A, for ridges below 1e-10.
    """

    def __init__(self, matrix: Tensor, accurate: bool = False) -> None:
        self._matrix = matrix
        if accurate:
            self._left, singular, self._right = torch.linalg.svd(matrix, full_matrices=False)
            self.singular = singular
        else:
            power, vectors = torch.linalg.eigh(matrix.mH @ matrix)
            self._left, self._right = None, vectors.mH
            self.singular = power.clamp(min=0).sqrt()
        self.top = float(self.singular.max()) ** 2

    def solve(self, right: Tensor, ridge: float) -> Tensor:
        """Return w for a right-hand side b (R,)."""
        damped = self.singular.square() + ridge * self.top
        if self._left is None:
            projected = (self._right @ (self._matrix.mH @ right)) / damped
        else:
            projected = (self._left.mH @ right) * self.singular / damped
        return self._right.mH @ projected


def solve(
    problem: Measured, features: Features, ridge: float, checks: Sequence[Check], accurate: bool = False
) -> Solution:
    """Return the ridge solution of the training loss.

    Args:
        problem: The measured field.
        features: The features.
        ridge: Relative to the largest eigenvalue of A* A.
        checks: What each term's operator is.
        accurate: For ridges below 1e-10.
    """
    applied = Applied(problem, features, checks)
    matrix, start = applied.system()
    channels = len(problem.channels)
    w = RidgeSolver(matrix, accurate).solve(-start, ridge)
    if all(known.linear for known in checks):
        return Solution(features, w.reshape(channels, -1), float((matrix @ w + start).abs().square().sum()))
    return _gauss_newton(applied, w, ridge, channels, accurate)


def _gauss_newton(applied: Applied, first: Tensor, ridge: float, channels: int, accurate: bool) -> Solution:
    """Steps to the ridge solution of the linearised problem, halved while the penalised loss does not fall."""
    w = torch.zeros_like(first)
    matrix, residual = applied.system()
    penalty = ridge * float(torch.linalg.matrix_norm(matrix, 2)) ** 2

    def objective(r: Tensor, v: Tensor) -> float:
        return float(r.abs().square().sum() + penalty * v.abs().square().sum())

    current, converged = objective(residual, w), False
    for _ in range(GAUSS_NEWTON_STEPS):
        decomposed = RidgeSolver(matrix, accurate)
        goal = decomposed.solve(matrix @ w - residual, penalty / decomposed.top)
        part = 1.0
        while part >= SHORTEST:
            trial = w + part * (goal - w)
            trial_matrix, trial_residual = applied.system(trial.reshape(channels, -1))
            value = objective(trial_residual, trial)
            if value < current:
                break
            part /= 2
        else:
            break
        change = (current - value) / current
        w, matrix, residual, current = trial, trial_matrix, trial_residual, value
        if change < SETTLED:
            converged = True
            break
    return Solution(
        applied.features, w.reshape(channels, -1), float(residual.abs().square().sum()), converged
    )
