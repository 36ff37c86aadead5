"""Weights of the nodes around a point of a lattice."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from overtone.units import Interpolation


def taps(position: Tensor, kernel: Interpolation) -> tuple[Tensor, Tensor]:
    """The nodes that a value is made of, along each axis by itself.

    Args:
        position: Places in cells; node k lies at k, or at k - 1 for the cubic kernel, which needs one before.
        kernel: The interpolation.

    Returns:
        The lowest node, int64 of the shape of `position`, and the weights (..., kernel.taps) of it and those after
        it. Weights sum to 1.
    """
    cell = position.detach().floor()
    t = position - cell
    match kernel:
        case Interpolation.LINEAR:
            weights = [1 - t, t]
        case Interpolation.SMOOTHSTEP:
            s = t * t * (3 - 2 * t)
            weights = [1 - s, s]
        case Interpolation.CUBIC:
            u, t2 = 1 - t, t * t
            weights = [
                u * u * u / 6,
                (4 - 6 * t2 + 3 * t2 * t) / 6,
                (1 + 3 * (t + t2 - t2 * t)) / 6,
                t2 * t / 6,
            ]
    return cell.to(torch.int64), torch.stack(weights, dim=-1)


def combined(terms: Tensor, together: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """One number for each combination of the nodes of all axes.

    Args:
        terms: (..., d, t), t numbers for each axis.
        together: Joins those of two axes: a sum, a product, an exclusive or.

    Returns:
        (..., t^d), those of the last axis varying fastest.
    """
    found = terms[..., 0, :]
    for axis in range(1, terms.shape[-2]):
        found = together(found[..., :, None], terms[..., axis, None, :]).flatten(-2)
    return found
