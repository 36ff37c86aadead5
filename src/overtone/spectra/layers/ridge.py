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
    best, chosen = float("inf"), PENALTIES[-1]
    for penalty in PENALTIES:
        kept = square / (square + penalty * unit)
        lever = left.square() @ kept + 1 / len(features)
        out = (rest - left @ (kept[:, None] * along)) / (1 - lever).clamp(min=1e-12)[:, None]
        error = float((out.square().mean(0) / spread).sum())
        if error < best:
            best, chosen = error, penalty
    weights = right.T @ ((values / (square + chosen * unit))[:, None] * along)
    return Fit(weights, offset - centre @ weights, chosen)
