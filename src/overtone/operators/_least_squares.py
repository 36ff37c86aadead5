"""Ridge least squares on an operator's features, and Gauss-Newton steps for nonlinear equations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.operators._derivatives import MultiIndex, derivatives
from overtone.operators._features import Applied, Features
from overtone.operators._linear_part import Check
from overtone.signals import Measured

LINEARISATIONS = 24
"""Fields at which a nonlinear equation is linearised, those of steps that are too long included."""

SETTLED = 1e-2
"""Relative fall of the linearised loss below which Gauss-Newton steps end."""

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

    def derivatives(self, points: Tensor, indices: Sequence[MultiIndex]) -> Tensor:
        """Return (A, N, C) partial derivatives at points (N, d)."""
        jets = derivatives(self.features, points, indices)
        return torch.einsum("anf,cf->anc", jets.to(self.coefficients.dtype), self.coefficients)


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


def solve(problem: Measured, features: Features, ridge: float, checks: Sequence[Check]) -> Solution:
    """Return the ridge solution of the training loss.

    Args:
        problem: The measured field.
        features: The features.
        ridge: Relative to the largest eigenvalue of A* A.
        checks: What each term's operator is.
    """
    applied, channels = Applied(problem, features, checks), len(problem.channels)
    if not all(known.linear for known in checks):
        return solve_nonlinear(applied, (ridge,))[0]
    matrix, start = applied.system()
    w = RidgeSolver(matrix).solve(-start, ridge)
    return Solution(features, w.reshape(channels, -1), float((matrix @ w + start).abs().square().sum()))


def solve_nonlinear(
    applied: Applied, ridges: Sequence[float], near: Callable[[Tensor], Tensor] | None = None
) -> list[Solution]:
    """Return the ridge solutions of a nonlinear problem, by Gauss-Newton steps from one ridge to the next.

    Args:
        applied: The problem's operators applied to features.
        ridges: Relative to the largest eigenvalue of A* A about the zero field, largest first.
        near: A field near the solution, such as that of other features; the first linearisation is about it if that
            gives a smaller loss than zero.
    """
    matrix, residual = applied.system()
    gram = matrix.mH @ matrix
    top = float(torch.linalg.eigvalsh(gram)[-1])
    w = matrix.new_zeros(matrix.shape[1])
    solutions: list[Solution] = []
    for ridge in ridges:
        penalty = ridge * top
        if not solutions and near is not None:
            around, offset = applied.linearised(near)
            first = _descent(around, around.mH @ offset, penalty)
            about = applied.system(first.reshape(len(applied.problem.channels), -1))
            if _penalised(about[1], first, penalty) < _penalised(residual, w, penalty):
                w, (matrix, residual) = first, about
        w, matrix, residual, converged = _gauss_newton(applied, w, matrix, residual, penalty)
        solutions.append(
            Solution(
                applied.features,
                w.reshape(len(applied.problem.channels), -1),
                float(residual.abs().square().sum()),
                converged,
            )
        )
    return solutions


def _gauss_newton(
    applied: Applied, w: Tensor, matrix: Tensor, residual: Tensor, penalty: float
) -> tuple[Tensor, Tensor, Tensor, bool]:
    """Steps to the least penalised loss, halved while it does not fall: coefficients, system there, and convergence."""
    current, left, settled = _penalised(residual, w, penalty), LINEARISATIONS, False
    while not settled:
        slope = matrix.mH @ residual + penalty * w
        step = _descent(matrix, slope, penalty)
        settled = -float((slope.conj() * step).sum().real) < SETTLED * current
        part = 1.0
        while part >= SHORTEST and left:
            trial, left = w + part * step, left - 1
            trial_matrix, trial_residual = applied.system(trial.reshape(len(applied.problem.channels), -1))
            value = _penalised(trial_residual, trial, penalty)
            if value < current:
                w, matrix, residual, current = trial, trial_matrix, trial_residual, value
                break
            part /= 2
        else:
            break
    return w, matrix, residual, settled


def _penalised(residual: Tensor, w: Tensor, penalty: float) -> float:
    return float(residual.abs().square().sum() + penalty * w.abs().square().sum())


def _descent(matrix: Tensor, slope: Tensor, penalty: float) -> Tensor:
    """-(A* A + penalty)^-1 slope. Rounding of A* A shortens steps, but does not move where they end."""
    gram = matrix.mH @ matrix
    gram.diagonal().add_(penalty)
    factor, failed = torch.linalg.cholesky_ex(gram)
    if int(failed):
        left, singular, right = torch.linalg.svd(matrix, full_matrices=False)
        del left
        return -right.mH @ ((right @ slope) / (singular.square() + penalty))
    return -torch.cholesky_solve(slope[:, None], factor)[:, 0]
