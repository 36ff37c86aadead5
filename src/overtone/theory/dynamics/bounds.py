"""What counts as divergence, and the last step before it."""

from __future__ import annotations

from collections.abc import Callable

import torch

BLOW_UP = 1e6
"""Growth of the loss beyond which training counts as diverged."""


def bound(*losses: float) -> float:
    """The largest loss that is no divergence.

    Args:
        losses: Of the start, and others that are no divergence, in squared units.
    """
    return BLOW_UP * max(*losses, torch.finfo(torch.float64).tiny)


def last_within(holds: Callable[[int], bool], beyond: int) -> int:
    """The last n below `beyond` that holds, by bisection.

    Args:
        holds: True up to some n and false from there; true at 0.
        beyond: An n that does not hold.
    """
    low, high = 0, beyond
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
