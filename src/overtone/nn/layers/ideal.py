"""Dropping samples without any aliasing."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from overtone.nn.checks import size
from overtone.nn.layers.checks import check_axes, check_grid
from overtone.nn.layers.low_pass import white_bandwidth
from overtone.nn.layers.spectral_filter import filtered


@final
class IdealPool(nn.Module):
    """Keep the modes below 1 / (2 stride) cycles per sample as they are and no others, then every stride-th sample.

    What remains is what the coarser grid can hold, so nothing aliases. The price is ringing at jumps,
    which `BinomialPool` does not have.

    Args:
        axes: 1 or 2.
        stride: One sample in `stride` is kept along each axis; 1 changes nothing but the highest frequency.
        periodic: Whether the grid wraps around; else it is mirrored about its half-sample borders.

    Raises:
        InputError: If the stride is below 1 or there are more than 2 axes.
    """

    def __init__(self, axes: int, stride: int = 2, periodic: bool = False) -> None:
        super().__init__()
        self.axes, self.stride, self.periodic = check_axes(axes), size(stride, "stride"), periodic

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Per axis, the frequency below which 90 % of filtered white noise lies, in cycles per input sample."""
        return (white_bandwidth(self.response),) * self.axes

    def response(self, frequency: Tensor) -> Tensor:
        """The factor of a wave along one axis, 0 or 1, `frequency` in cycles per sample."""
        return (frequency < 0.5 / self.stride * (1 - 1e-6)).to(frequency.dtype)

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, channels, *shape) to (batch, channels, *ceil(shape / stride)).

        Raises:
            InputError: If there are other axes.
        """
        check_grid(values, self.axes)
        smooth = filtered(values, self.axes, self.periodic, self._product)
        for axis in range(-self.axes, 0):
            kept = torch.arange(0, values.shape[axis], self.stride, device=values.device)
            smooth = smooth.index_select(axis, kept)
        return smooth

    def _product(self, frequencies: list[Tensor]) -> Tensor:
        factors = [self.response(frequency) for frequency in frequencies]
        return factors[0] if len(factors) == 1 else torch.mul(*factors)
