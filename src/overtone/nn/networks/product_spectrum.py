"""The spectrum of a product of waves whose frequencies are known: a convolution, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

SHARE = 0.9


def product_power(indices: Sequence[Tensor], linears: nn.ModuleList) -> Tensor:
    """Power per |frequency| of z_L, where z_0 = g_0 and z_i = g_i * (W_i z_(i-1) + b_i), along one axis.

    A product of waves has the sums and differences of their frequencies, so that
    p_i = q_i conv (n mean(W_i^2) p_(i-1) + mean(b_i^2) delta_0), where q_i is the power of the waves of g_i
    at their frequencies, those of both signs alike. This is the expectation over weights that are
    independent and as large as those given; the frequencies are the given ones.

    Args:
        indices: Per layer, (width,) whole numbers of the frequency along the axis.
        linears: W_i and b_i, i = 1 .. L.

    Returns:
        (top + 1,) float64 power at |index| = 0 .. top, the sum of the layers' largest.
    """
    reach = sum(int(index.abs().max()) for index in indices)
    size = 2 * reach + 1
    waves = [torch.fft.rfft(_lines(index, reach)) for index in indices]
    spectrum = waves[0]
    for linear, wave in zip(linears, waves[1:], strict=True):
        assert isinstance(linear, nn.Linear)
        gain = linear.in_features * linear.weight.detach().double().square().mean()
        floor = linear.bias.detach().double().square().mean()
        spectrum = wave * (gain * spectrum + floor)
    power = torch.fft.irfft(spectrum, n=size).clamp(min=0)
    folded = power[: reach + 1].clone()
    folded[1:] += power[reach + 1 :].flip(0)
    return folded


def power_bandwidth(power: Tensor, quantum: float) -> float:
    """The least whole multiple of `quantum` that, with those below, holds 90 % of the power but the constant's.

    Args:
        power: (top + 1,) power at 0, quantum, 2 quantum, ...
        quantum: In cycles per unit.

    Returns:
        In cycles per unit; 0 if all is constant.
    """
    moving = power[1:].cumsum(0)
    if len(moving) == 0 or moving[-1] <= 1e-12 * power.sum():
        return 0.0
    return quantum * (1 + int(torch.searchsorted(moving, SHARE * moving[-1])))


def _lines(index: Tensor, reach: int) -> Tensor:
    """(2 reach + 1,) power 1/4 at +index and at -index per wave, averaged over the waves; negative ones last."""
    lines = torch.zeros(2 * reach + 1, dtype=torch.float64, device="cpu")
    share = torch.full((len(index),), 0.25 / len(index), dtype=torch.float64, device="cpu")
    own = index.long().cpu()
    for signed in (own, -own):
        lines.index_add_(0, signed % (2 * reach + 1), share)
    return lines
