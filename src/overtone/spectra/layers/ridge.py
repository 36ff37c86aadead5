"""Ridge regression in closed form, its penalty chosen by leaving out one sample after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

PENALTIES = tuple(10.0**power for power in range(-10, 3))
"""Penalties tried, in units of the mean square of the features' singular values."""


@final
@dataclass(frozen=True)
class Fit:
    """A linear read-out.

    Attributes:
        weights: (k, C).
        offset: (C,).
        penalty: The one chosen, in units of the mean square of the singular values.
    """

    weights: Tensor
    offset: Tensor
    penalty: float

    def predict(self, features: Tensor) -> Tensor:
        """(N, C) outputs for (N, k) features."""
        return features @ self.weights + self.offset


def ridge(features: Tensor, targets: Tensor) -> Fit:
    """The read-out w of least |y - X w|^2 + a |w|^2 about the means, a of least leave-one-out error.

    With X = U S V^T, w = V diag(s / (s^2 + a)) U^T y, and the error left out at sample i is r_i / (1 - h_i), r the
    residual, h_i = 1 / n + sum_k U_ik^2 s_k^2 / (s_k^2 + a) (Golub, Heath, Wahba 1979, Technometrics 21, section 2).
    Each channel counts in units of its own variance.

    Where the features interpolate, r and 1 - h vanish together as a does. Both are therefore formed from what is
    outside the span of U and from a / (s^2 + a), never as differences of nearly equal numbers: otherwise rounding
    would choose among the small penalties.

    Args:
        features: (n, k) float64.
        targets: (n, C) float64.
    """
    centre, offset = features.mean(0), targets.mean(0)
    left, values, right = torch.linalg.svd(features - centre, full_matrices=False)
    seen = values > values.max() * max(features.shape) * torch.finfo(values.dtype).eps
    left, values, right = left[:, seen], values[seen], right[seen]
    rest = targets - offset
    along, square = left.T @ rest, values.square()
    unit = float(square.mean()) if len(values) else 1.0
    spread = rest.square().mean(0)
    spread = torch.where(spread > 0, spread, 1.0)
    # With as many directions as samples have about their mean, nothing is outside the span.
    complete = len(values) == len(features) - 1
    outside = torch.zeros_like(rest) if complete else rest - left @ along
    free_outside = torch.zeros_like(left[:, 0]) if complete else 1 - 1 / len(features) - left.square().sum(1)
    best, chosen = float("inf"), PENALTIES[-1]
    for penalty in PENALTIES:
        shrunk = penalty * unit / (square + penalty * unit)
        residual = outside + left @ (shrunk[:, None] * along)
        free = free_outside + left.square() @ shrunk
        out = residual / free.clamp(min=torch.finfo(values.dtype).tiny)[:, None]
        error = float((out.square().mean(0) / spread).sum())
        if error < best:
            best, chosen = error, penalty
    weights = right.T @ ((values / (square + chosen * unit))[:, None] * along)
    return Fit(weights, offset - centre @ weights, chosen)
