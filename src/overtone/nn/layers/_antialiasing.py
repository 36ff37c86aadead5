"""Convolution and pooling with a low-pass filter before samples are dropped."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from overtone.nn._utils import Seed, check_count, fill_uniform, torch_generator
from overtone.nn.layers._spectral_filter import (
    Border,
    apply_response,
    check_axes,
    check_grid,
    check_length,
    check_odd,
    white_bandwidth,
)

CONVOLVE = {1: nn.functional.conv1d, 2: nn.functional.conv2d}


@final
class BinomialPool(nn.Module):
    """Blur pooling: convolve with the binomial kernel [1, taps - 1, ..., 1] / 2^(taps - 1), then keep strided samples.

    The response is cos(pi f)^(taps - 1) per axis, f in cycles per sample. It is zero at the highest frequency, which
    would otherwise alias to a constant (Zhang 2019, "Making convolutional networks shift-invariant again", section 3.2;
    3 taps in DenseNets, 5 in ResNets).

    Args:
        axes: 1 or 2.
        stride: Every stride-th sample is kept along each axis; 1 only blurs.
        taps: Length of the kernel, odd so that samples stay in place.
        border: Extension of the grid beyond its border.

    Raises:
        InputError: If a number is below 1, `taps` is even or below 3, or there are more than 2 axes.

    Example:
        >>> import torch
        >>> from overtone.nn.layers import BinomialPool
        >>> BinomialPool(axes=1, stride=2)(torch.tensor([[[0.0, 4.0, 0.0, 4.0]]]))
        tensor([[[2., 2.]]])
    """

    kernel: Tensor

    def __init__(self, axes: int, stride: int = 2, taps: int = 3, border: Border = Border.MIRROR) -> None:
        super().__init__()
        self.axes, self.stride = check_axes(axes), check_count(stride, "stride")
        self.taps, self.border = check_odd(taps, "taps"), border
        row = torch.tensor([math.comb(taps - 1, k) for k in range(taps)], dtype=torch.float64, device="cpu")
        row = row / row.sum()
        kernel = row if axes == 1 else torch.outer(row, row)
        self.register_buffer("kernel", kernel.to(torch.float32), persistent=False)

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Frequency per axis below which 90 % of the power of filtered white noise lies, in cycles per input sample."""
        return (white_bandwidth(self.response),) * self.axes

    def response(self, frequency: Tensor) -> Tensor:
        """Return the gain along one axis at `frequency`, in cycles per sample."""
        return torch.cos(math.pi * frequency) ** (self.taps - 1)

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, channels, *shape) to (batch, channels, *ceil(shape / stride)).

        Raises:
            InputError: If the values have other axes, or a side is too short for the border.
        """
        check_grid(values, self.axes)
        check_length(values, self.axes, self.taps // 2, self.border)
        # One kernel for all channels: a grouped convolution with a group per channel.
        channels = values.shape[1]
        padded = nn.functional.pad(values, (self.taps // 2,) * (2 * self.axes), mode=self.border.value)
        kernel = self.kernel.to(values.dtype).expand(channels, 1, *self.kernel.shape)
        return CONVOLVE[self.axes](padded, kernel, stride=self.stride, groups=channels)


@final
class LowPassConv(nn.Module):
    """An anti-aliased convolution: unit stride, an activation, then a low pass with stride (Zhang 2019, equation 5).

    A strided convolution aliases the frequencies above the Nyquist frequency of the coarse grid. Here the low pass
    follows the activation, which creates new high frequencies. Weights are initialised as those of `torch.nn.Conv2d`,
    U(-1/sqrt(fan in), 1/sqrt(fan in)).

    Args:
        axes: 1 or 2.
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        low_pass: `BinomialPool` or `IdealPool`; its stride is that of the layer.
        taps: Length of the kernel, odd.
        activation: Activation between convolution and low pass; none by default.
        border: Extension of the grid beyond its border.
        seed: A seed or a generator, for the weights.

    Raises:
        InputError: If a size is below 1, `taps` even or below 3, or there are more than 2 axes.

    Example:
        >>> import torch
        >>> from overtone.nn.layers import BinomialPool, LowPassConv
        >>> layer = LowPassConv(2, 3, 8, BinomialPool(2, stride=2), activation=torch.nn.ReLU())
        >>> layer(torch.zeros(1, 3, 32, 32)).shape
        torch.Size([1, 8, 16, 16])
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
        self.in_channels = check_count(in_channels, "in_channels")
        shape = (check_count(out_channels, "out_channels"), in_channels, *[taps] * axes)
        self.weight = nn.Parameter(torch.empty(shape, device="cpu"))
        self.bias = nn.Parameter(torch.empty(out_channels, device="cpu"))
        bound = 1 / math.sqrt(in_channels * taps**axes)
        source = torch_generator(seed, "weights")
        fill_uniform(self.weight, bound, source)
        fill_uniform(self.bias, bound, source)
        self.activation, self.low_pass = activation or nn.Identity(), low_pass

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, in_channels, *shape) to (batch, out_channels, *ceil(shape / stride)).

        Raises:
            InputError: If the values have other channels or axes, or a side is too short for the border.
        """
        check_grid(values, self.axes, self.in_channels)
        check_length(values, self.axes, self.taps // 2, self.border)
        padded = nn.functional.pad(values, (self.taps // 2,) * (2 * self.axes), mode=self.border.value)
        return self.low_pass(self.activation(CONVOLVE[self.axes](padded, self.weight, self.bias)))


@final
class IdealPool(nn.Module):
    """Spectral pooling: remove all modes from 1 / (2 stride) cycles per sample on, then keep every stride-th sample.

    The coarser grid represents all remaining modes, so nothing aliases. Unlike `BinomialPool`, the sharp cut-off
    rings at jumps.

    Args:
        axes: 1 or 2.
        stride: Every stride-th sample is kept along each axis; 1 only removes the highest frequency.
        periodic: Whether the grid is periodic; otherwise it is mirrored about its half-sample borders.

    Raises:
        InputError: If the stride is below 1 or there are more than 2 axes.

    Example:
        >>> import torch
        >>> from overtone.nn.layers import IdealPool
        >>> wave = torch.cos(2 * torch.pi * 3 * torch.arange(8) / 8)  # 3 cycles; 4 samples represent less than 2
        >>> bool(IdealPool(1, stride=2, periodic=True)(wave[None, None]).abs().max() < 1e-6)
        True
    """

    def __init__(self, axes: int, stride: int = 2, periodic: bool = False) -> None:
        super().__init__()
        self.axes, self.stride, self.periodic = check_axes(axes), check_count(stride, "stride"), periodic

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Frequency per axis below which 90 % of the power of filtered white noise lies, in cycles per input sample."""
        return (white_bandwidth(self.response),) * self.axes

    def response(self, frequency: Tensor) -> Tensor:
        """Return the gain along one axis, 0 or 1, at `frequency` in cycles per sample."""
        # Strictly below the coarse Nyquist frequency, with a margin for its rounding in float32.
        return (frequency < 0.5 / self.stride * (1 - 1e-6)).to(frequency.dtype)

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, channels, *shape) to (batch, channels, *ceil(shape / stride)).

        Raises:
            InputError: If the values have other axes.
        """
        check_grid(values, self.axes)
        filtered = apply_response(values, self.axes, self.periodic, self._separable_response)
        for axis in range(-self.axes, 0):
            index = torch.arange(0, values.shape[axis], self.stride, device=values.device)
            filtered = filtered.index_select(axis, index)
        return filtered

    def _separable_response(self, frequencies: list[Tensor]) -> Tensor:
        factors = [self.response(frequency) for frequency in frequencies]
        return factors[0] if len(factors) == 1 else torch.mul(*factors)


POOL = {1: nn.functional.max_pool1d, 2: nn.functional.max_pool2d}


@final
class LowPassMaxPool(nn.Module):
    """Anti-aliased max pooling: maxima at every sample, then a low pass with stride (Zhang 2019, equation 4).

    Max pooling with a stride aliases; here the maxima are taken with unit stride before the low pass.

    Args:
        axes: 1 or 2.
        low_pass: `BinomialPool` or `IdealPool`; its stride is that of the pool.
        window: Samples per axis of which the maximum is taken.

    Raises:
        InputError: If the window is below 1 or there are more than 2 axes.

    Example:
        >>> import torch
        >>> from overtone.nn.layers import BinomialPool, LowPassMaxPool
        >>> LowPassMaxPool(2, BinomialPool(2, stride=2))(torch.zeros(1, 4, 33, 33)).shape
        torch.Size([1, 4, 16, 16])
    """

    def __init__(self, axes: int, low_pass: nn.Module, window: int = 2) -> None:
        super().__init__()
        self.axes, self.window, self.low_pass = check_axes(axes), check_count(window, "window"), low_pass

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, channels, *shape) to the low pass of shape - window + 1 maxima per axis."""
        check_grid(values, self.axes)
        return self.low_pass(POOL[self.axes](values, self.window, stride=1))
