"""Frequencies that are trained and stay within bounds."""

from __future__ import annotations

import torch
from torch import Tensor


def bounded(free: Tensor, limit: Tensor) -> Tensor:
    """Frequencies limit tanh(free / limit): what is trained is free, the frequency never passes the limit.

    Near zero f is `free`; the slope is positive everywhere, so no frequency gets stuck at the limit.

    Args:
        free: (m, d) parameter in cycles per unit.
        limit: (d,) in cycles per unit.

    Returns:
        (m, d) frequencies.
    """
    return limit * torch.tanh(free / limit)


def unbounded(frequencies: Tensor, limit: Tensor) -> Tensor:
    """The inverse of `bounded`; frequencies above 0.99 of the limit begin there.

    Args:
        frequencies: (m, d) in cycles per unit.
        limit: (d,) in cycles per unit.
    """
    return limit * torch.atanh((frequencies / limit).clamp(-0.99, 0.99))
