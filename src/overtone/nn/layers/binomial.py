"""Blurring before samples are dropped, with binomial weights."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from overtone.nn.checks import size
from overtone.nn.layers.borders import Border
from overtone.nn.layers.checks import check_axes, check_grid, check_length, check_odd
from overtone.nn.layers.low_pass import white_bandwidth

CONVOLVE = {1: nn.functional.conv1d, 2: nn.functional.conv2d}


@final
class BinomialPool(nn.Module):
    """Convolve each channel with [1, taps - 1, ..., 1] / 2^(taps - 1) per axis, then keep every stride-th sample.

    The response is cos(pi f)^(taps - 1) per axis, f in cycles per sample: nothing of the highest frequency,
    which would come back as a constant, remains (Zhang 2019, "Making convolutional networks shift-invariant
    again", section 3.2; taps 3 there in DenseNets, 5 in ResNets).

    Args:
        axes: 1 or 2.
        stride: One sample in `stride` is kept along each axis; 1 only blurs.
        taps: Width of the kernel, odd so that samples stay in place.
        border: How the grid goes on beyond its border.

    Raises:
        InputError: If a number is below 1, `taps` is even or below 3, or there are more than 2 axes.
    """

    kernel: Tensor

    def __init__(self, axes: int, stride: int = 2, taps: int = 3, border: Border = Border.MIRROR) -> None:
        super().__init__()
        self.axes, self.stride = check_axes(axes), size(stride, "stride")
        self.taps, self.border = check_odd(taps, "taps"), border
        row = torch.tensor([math.comb(taps - 1, k) for k in range(taps)], dtype=torch.float64, device="cpu")
        row = row / row.sum()
        kernel = row if axes == 1 else torch.outer(row, row)
        self.register_buffer("kernel", kernel.to(torch.float32), persistent=False)

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Per axis, the frequency below which 90 % of filtered white noise lies, in cycles per input sample."""
        return (white_bandwidth(self.response),) * self.axes

    def response(self, frequency: Tensor) -> Tensor:
        """The factor of a wave along one axis, `frequency` in cycles per sample."""
        return torch.cos(math.pi * frequency) ** (self.taps - 1)

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, channels, *shape) to (batch, channels, *ceil(shape / stride)).

        Raises:
            InputError: If there are other axes, or a side is too short for the border.
        """
        check_grid(values, self.axes)
        check_length(values, self.axes, self.taps // 2, self.border)
        channels = values.shape[1]
        padded = nn.functional.pad(values, (self.taps // 2,) * (2 * self.axes), mode=self.border.value)
        kernel = self.kernel.to(values.dtype).expand(channels, 1, *self.kernel.shape)
        return CONVOLVE[self.axes](padded, kernel, stride=self.stride, groups=channels)
