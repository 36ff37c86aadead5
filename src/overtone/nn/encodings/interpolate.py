"""Weights of the nodes around a point of a lattice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from overtone.units import Interpolation


def taps(position: Tensor, kernel: Interpolation) -> tuple[Tensor, list[Tensor]]:
    """The nodes along one axis that a value is made of.

    Args:
        position: Places in cells; node k lies at k, or at k - 1 for the cubic kernel, which needs one before.
        kernel: The interpolation.

    Returns:
        The lowest node, int32 of the shape of `position`, and the weights of it and of those after it, which sum to 1.
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
    return cell.to(torch.int32), weights


def combined(terms: Sequence[Sequence[Tensor]], together: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """One number for each combination of the nodes of all axes.

    Args:
        terms: For each axis, one tensor (...) for each of its t nodes.
        together: Joins those of two axes: a sum, a product, an exclusive or.

    Returns:
        (..., t^d), those of the last axis varying fastest.
    """
    found = list(terms[0])
    for axis in terms[1:]:
        found = [together(one, other) for one in found for other in axis]
    return torch.stack(found, dim=-1)
