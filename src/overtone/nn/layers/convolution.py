"""Convolution that drops samples without aliasing."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from overtone.nn.checks import size
from overtone.nn.layers.borders import Border
from overtone.nn.layers.checks import check_axes, check_grid, check_length, check_odd
from overtone.nn.seeding import Seed, fill_uniform, generator

CONVOLVE = {1: nn.functional.conv1d, 2: nn.functional.conv2d}


@final
class LowPassConv(nn.Module):
    """A convolution at every sample, an activation, then a low pass that drops samples (Zhang 2019, equation 5).

    A strided convolution aliases whatever its kernel lets pass above the coarse grid's Nyquist frequency. Here
    the low pass comes after the activation, which makes new high frequencies. Weights begin as those of
    `torch.nn.Conv2d` do, U(-1/sqrt(fan in), 1/sqrt(fan in)).

    Args:
        axes: 1 or 2.
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        low_pass: `BinomialPool` or `IdealPool`, whose stride is that of the layer.
        taps: Width of the kernel, odd.
        activation: What comes between; none by default.
        border: How the grid goes on beyond its border.
        seed: A seed, or the generator to draw the weights from.

    Raises:
        InputError: If a size is below 1, `taps` even or below 3, or there are more than 2 axes.
    """

    def __init__(
        self,
        axes: int,
        in_channels: int,
        out_channels: int,
        low_pass: nn.Module,
        taps: int = 3,
        activation: nn.Module | None = None,
        border: Border = Border.MIRROR,
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        self.axes, self.taps, self.border = check_axes(axes), check_odd(taps, "taps"), border
        self.in_channels = size(in_channels, "in_channels")
        shape = (size(out_channels, "out_channels"), in_channels, *[taps] * axes)
        self.weight = nn.Parameter(torch.empty(shape, device="cpu"))
        self.bias = nn.Parameter(torch.empty(out_channels, device="cpu"))
        bound = 1 / math.sqrt(in_channels * taps**axes)
        source = generator(seed, "weights")
        fill_uniform(self.weight, bound, source)
        fill_uniform(self.bias, bound, source)
        self.activation, self.low_pass = activation or nn.Identity(), low_pass

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, in_channels, *shape) to (batch, out_channels, *ceil(shape / stride)).

        Raises:
            InputError: If there are other channels or axes, or a side is too short for the border.
        """
        check_grid(values, self.axes, self.in_channels)
        check_length(values, self.axes, self.taps // 2, self.border)
        padded = nn.functional.pad(values, (self.taps // 2,) * (2 * self.axes), mode=self.border.value)
        return self.low_pass(self.activation(CONVOLVE[self.axes](padded, self.weight, self.bias)))
