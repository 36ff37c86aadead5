"""Partial derivatives of many features at once, and polynomials that carry them into a user's residual."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from itertools import combinations_with_replacement, product
from typing import Protocol, TypeAlias, runtime_checkable

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


@runtime_checkable
class Differentiable(Protocol):
    """Features with derivatives of their own, which cost less than nested forward-mode differentiation."""

    def derivatives(self, points: Tensor, indices: Sequence[MultiIndex]) -> Tensor:
        """Return (A, N, F) partial derivatives at points (N, d)."""


def derivatives(
    features: Callable[[Tensor], Tensor], points: Tensor, indices: Sequence[MultiIndex]
) -> Tensor:
    """Return the partial derivatives of features at points, by nested forward-mode differentiation or their own.

    Args:
        features: From points (N, d) to features (N, F), each row from its own point.
        points: (N, d).
        indices: Which derivatives.

    Returns:
        (A, N, F), in the order of the indices.
    """
    if isinstance(features, Differentiable):
        return features.derivatives(points, indices)
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


def lower_indices(indices: Sequence[MultiIndex]) -> tuple[MultiIndex, ...]:
    """Return all multi-indices that are nowhere above one of some, lowest first.

    Example:
        >>> from overtone.operators._derivatives import lower_indices
        >>> lower_indices([(2, 0), (0, 1)])
        ((0, 0), (0, 1), (1, 0), (2, 0))
    """
    below = {one for index in indices for one in product(*(range(order + 1) for order in index))}
    return tuple(sorted(below, key=lambda one: (sum(one), one)))


def composed(activation: Callable[[Tensor], Tensor], inner: Tensor, indices: Sequence[MultiIndex]) -> Tensor:
    """Return the partial derivatives of an elementwise function of features, by truncated power series.

    phi(u + v) = sum over k of phi^(k)(u) v^k / k!, with v the Taylor series of the features without its constant.

    Args:
        activation: The function phi.
        inner: (A, N, F) derivatives of the features.
        indices: Their multi-indices, with all lower ones, lowest first.

    Returns:
        (A, N, F), in the order of the indices.
    """
    place = {index: i for i, index in enumerate(indices)}
    scale = [float(math.prod(map(math.factorial, index))) for index in indices]
    # Pairs of series coefficients, neither of them the constant, whose product is one of the series'.
    pairs = [
        (i, j, place[total])
        for (a, i), (b, j) in product(place.items(), repeat=2)
        if i and j and (total := tuple(map(sum, zip(a, b, strict=True)))) in place
    ]
    series = [part / size for part, size in zip(inner, scale, strict=True)]
    slopes = _slopes(activation, inner[0], max(map(sum, indices)))
    result = [slopes[0], *(slopes[1] * part for part in series[1:])] if len(slopes) > 1 else [slopes[0]]
    power: list[Tensor | None] = list(series)
    for k in range(2, len(slopes)):
        raised: list[Tensor | None] = [None] * len(indices)
        for i, j, target in pairs:
            if (left := power[i]) is not None:
                term, before = left * series[j], raised[target]
                raised[target] = term if before is None else before + term
        power = raised
        for i, part in enumerate(power):
            if part is not None:
                result[i] = result[i] + slopes[k] * part / math.factorial(k)
    return torch.stack([part * size for part, size in zip(result, scale, strict=True)])


def _slopes(activation: Callable[[Tensor], Tensor], values: Tensor, order: int) -> list[Tensor]:
    """Derivatives of an elementwise function, from that of order 0 on."""
    if isinstance(activation, torch.nn.Tanh):
        # t' = 1 - t^2: polynomials in t, without nested differentiation.
        t, polynomial, slopes = torch.tanh(values), [0.0, 1.0], []
        for _ in range(order + 1):
            total = torch.full_like(t, polynomial[-1])
            for coefficient in polynomial[-2::-1]:
                total = total * t + coefficient
            slopes.append(total)
            rates = [i * c for i, c in enumerate(polynomial)][1:]
            polynomial = [
                (rates[i] if i < len(rates) else 0.0) - (rates[i - 2] if i >= 2 else 0.0)
                for i in range(len(rates) + 2)
            ]
        return slopes
    flat = values.reshape(-1, 1)
    stacked = derivatives(activation, flat, [(k,) for k in range(order + 1)])
    return list(stacked.reshape(order + 1, *values.shape))


def wave_derivatives(waves: Tensor, frequencies: Tensor, indices: Sequence[MultiIndex]) -> Tensor:
    """Return the partial derivatives of waves: each order multiplies by 2 pi b and turns by a quarter.

    Args:
        waves: (N, 2 m) cosines and then sines, each times its amplitude.
        frequencies: (m, d) in cycles per unit.
        indices: Which derivatives.

    Returns:
        (A, N, 2 m).
    """
    cosine, sine = waves.chunk(2, dim=1)
    turns = ((cosine, sine), (-sine, cosine), (-cosine, -sine), (sine, -cosine))
    rows = []
    for index in indices:
        factor = torch.ones_like(frequencies[:, 0])
        for axis, order in enumerate(index):
            factor = factor * (2 * math.pi * frequencies[:, axis]) ** order
        rows.append(torch.cat([factor * wave for wave in turns[sum(index) % 4]], dim=1))
    return torch.stack(rows)


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
