"""Convolutions and pooling that remove what the coarser grid cannot represent."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from overtone.nn._utils import Seed, fill_uniform, generator, size
from overtone.nn.layers._spectral_filter import (
    Border,
    check_axes,
    check_grid,
    check_length,
    check_odd,
    filtered,
    white_bandwidth,
)

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
            index = torch.arange(0, values.shape[axis], self.stride, device=values.device)
            smooth = smooth.index_select(axis, index)
        return smooth

    def _product(self, frequencies: list[Tensor]) -> Tensor:
        factors = [self.response(frequency) for frequency in frequencies]
        return factors[0] if len(factors) == 1 else torch.mul(*factors)


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
