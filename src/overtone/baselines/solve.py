"""Conjugate gradients for several right-hand sides at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Operator = Callable[[np.ndarray], np.ndarray]


def conjugate_gradients(
    product: Operator,
    right: np.ndarray,
    start: np.ndarray,
    precondition: Operator = np.asarray,
    *,
    tolerance: float,
    most: int = 80,
) -> np.ndarray:
    """Solve A x = b for a symmetric positive semidefinite A, per channel (last axis).

    Ended when every channel's residual, as |r|_P relative to |b|_P with P the preconditioner, is below the tolerance.

    Args:
        product: x to A x, shapes (..., C).
        right: b.
        start: First guess.
        precondition: r to P r, near A^-1.
        tolerance: Of the residual, see above.
        most: Most products.

    Returns:
        x.

    Source:
        Hestenes and Stiefel 1952, J. Res. Natl. Bur. Stand. 49, section 3.
    """
    axes = tuple(range(right.ndim - 1))
    x, residual = start.copy(), right - product(start)
    searched = along = precondition(residual)
    size = (residual * along).sum(axes)
    wanted = tolerance**2 * (right * precondition(right)).sum(axes)
    for _ in range(most):
        if not (size > wanted).any():
            break
        moved = product(searched)
        curvature = (searched * moved).sum(axes)
        step = np.where(curvature > 0, size / np.where(curvature > 0, curvature, 1.0), 0.0)
        x, residual = x + step * searched, residual - step * moved
        along = precondition(residual)
        before, size = size, (residual * along).sum(axes)
        searched = along + np.where(before > 0, size / np.where(before > 0, before, 1.0), 0.0) * searched
    return x
