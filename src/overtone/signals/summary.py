"""One pass over the samples of a signal: extremes, means and the first value that is not a number."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_ROWS = 1 << 18


@dataclass(frozen=True)
class Summary:
    """What one pass over (N, C) values finds.

    Attributes:
        low: (C,) float64, the smallest value per channel.
        high: (C,) float64, the largest value per channel.
        mean: (C,) float64, the mean per channel, accumulated in float64.
        first_bad: (sample, channel) of the first NaN or infinity, or None; the other fields are then
            meaningless.
    """

    low: Tensor
    high: Tensor
    mean: Tensor
    first_bad: tuple[int, int] | None

    @property
    def constant(self) -> bool:
        """Whether every channel holds a single value."""
        return bool((self.low == self.high).all())


def summarise(values: Tensor) -> Summary:
    """Summarise (N, C) values block by block, so that no second copy of a large signal is made.

    Args:
        values: (N, C) floating-point samples, N at least 1.

    Returns:
        The `Summary`; the scan ends at the first NaN or infinity.
    """
    channels = values.shape[1]
    low = torch.full((channels,), torch.inf, dtype=torch.float64, device=values.device)
    high, total = -low, torch.zeros_like(low)
    for start in range(0, values.shape[0], _ROWS):
        block = values[start : start + _ROWS]
        finite = torch.isfinite(block)
        if not bool(finite.all()):
            row, channel = (int(i) for i in (~finite).nonzero()[0])
            return Summary(low, high, total, (start + row, channel))
        smallest, largest = torch.aminmax(block, dim=0)
        low, high = torch.minimum(low, smallest.double()), torch.maximum(high, largest.double())
        total += block.double().sum(dim=0)
    return Summary(low, high, total / values.shape[0], None)
