"""Partial derivatives of many features at once, and polynomials that carry them into a user's residual."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from itertools import combinations_with_replacement
from typing import TypeAlias

import torch
from torch import Tensor

MultiIndex: TypeAlias = tuple[int, ...]
"""Order of a partial derivative along each axis."""


def multi_indices(axes: int, order: int) -> tuple[MultiIndex, ...]:
    """Return all multi-indices up to a total order, lowest first.

    Example:
        >>> from overtone.operators._derivatives import multi_indices
        >>> multi_indices(2, 1)
        ((0, 0), (1, 0), (0, 1))
    """
    return tuple(
        tuple(chosen.count(axis) for axis in range(axes))
        for total in range(order + 1)
        for chosen in combinations_with_replacement(range(axes), total)
    )


def derivatives(
    features: Callable[[Tensor], Tensor], points: Tensor, indices: Sequence[MultiIndex]
) -> Tensor:
    """Return the partial derivatives of features at points, by nested forward-mode differentiation.

    Args:
        features: From points (N, d) to features (N, F), each row from its own point.
        points: (N, d).
        indices: Which derivatives.

    Returns:
        (A, N, F), in the order of the indices.
    """
    cache: dict[MultiIndex, Tensor] = {}
    # Highest first: the nest for d^2/dx dy also yields d/dx, d/dy and the value.
    for index in sorted(indices, key=sum, reverse=True):
        if index not in cache:
            directions = [axis for axis, order in enumerate(index) for _ in range(order)]
            for part, value in _nested(features, points, directions).items():
                cache.setdefault(part, value)
    return torch.stack([cache[index] for index in indices])


def _nested(
    features: Callable[[Tensor], Tensor], points: Tensor, directions: Sequence[int]
) -> dict[MultiIndex, Tensor]:
    """All derivatives along sub-lists of the directions."""
    axes = points.shape[1]

    def along(x: Tensor, left: Sequence[int]) -> dict[MultiIndex, Tensor]:
        if not left:
            return {(0,) * axes: features(x)}
        tangent = torch.zeros_like(x)
        tangent[:, left[0]] = 1.0
        values, slopes = torch.func.jvp(lambda z: along(z, left[1:]), (x,), (tangent,))[:2]
        raised = {
            tuple(order + (axis == left[0]) for axis, order in enumerate(part)): slope
            for part, slope in slopes.items()
        }
        return {**raised, **values}

    with torch.no_grad(), warnings.catch_warnings():
        # PyTorch compiles its forward-mode rules with torch.jit on first use, and warns of it.
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
        return along(points, directions)


def monomials(offsets: Tensor, indices: Sequence[MultiIndex]) -> Tensor:
    """Return (x - x0)^a / a! for each multi-index a, differentiable in the offsets.

    Args:
        offsets: (N, d) x - x0; zeros that require the gradient, at the points themselves.
        indices: All multi-indices up to an order, lowest first.

    Returns:
        (N, A).
    """
    # Products of lower monomials instead of powers: the derivative of a power at 0 is not a number for order 0.
    cache: dict[MultiIndex, Tensor] = {}
    for index in indices:
        axis = next((i for i, order in enumerate(index) if order), None)
        if axis is None:
            # 0 exp keeps the graph of derivatives of any order, also above that of the polynomial.
            cache[index] = 1 + 0 * offsets.sum(1).exp()
            continue
        lower = tuple(order - (i == axis) for i, order in enumerate(index))
        cache[index] = cache[lower] * offsets[:, axis] / index[axis]
    return torch.stack([cache[index] for index in indices], dim=1)
