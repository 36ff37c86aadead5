"""Maxima without aliasing."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from overtone.nn.checks import size
from overtone.nn.layers.checks import check_axes, check_grid

POOL = {1: nn.functional.max_pool1d, 2: nn.functional.max_pool2d}


@final
class LowPassMaxPool(nn.Module):
    """The largest of `window` neighbours at every sample, then a low pass that drops samples (Zhang 2019, equation 4).

    Max pooling with a stride picks maxima on a coarse grid and aliases; here maxima are taken densely first.

    Args:
        axes: 1 or 2.
        low_pass: `BinomialPool` or `IdealPool`, whose stride is that of the pool.
        window: Neighbours along each axis.

    Raises:
        InputError: If the window is below 1 or there are more than 2 axes.
    """

    def __init__(self, axes: int, low_pass: nn.Module, window: int = 2) -> None:
        super().__init__()
        self.axes, self.window, self.low_pass = check_axes(axes), size(window, "window"), low_pass

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, channels, *shape) to what the low pass makes of shape - window + 1 samples."""
        check_grid(values, self.axes)
        return self.low_pass(POOL[self.axes](values, self.window, stride=1))
