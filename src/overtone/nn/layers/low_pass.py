"""How much of a white signal a response lets pass."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

POINTS = 8192


def white_bandwidth(response: Callable[[Tensor], Tensor]) -> float:
    """The frequency below which 90 % of the power of filtered white noise lies.

    Args:
        response: From frequencies in cycles per sample to factors.

    Returns:
        In cycles per sample, to 1/16384 of one.
    """
    frequency = (torch.arange(POINTS, dtype=torch.float64, device="cpu") + 0.5) / (2 * POINTS)
    power = response(frequency).detach().double().square().cumsum(0)
    return float(frequency[torch.searchsorted(power, 0.9 * power[-1])])
