"""Filters of multiplicative filter networks, and the power spectrum of their products."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from overtone.nn._utils import fill_uniform
from overtone.units._bandwidth import BANDWIDTH_SHARE


class Filter(nn.Module, ABC):
    """A layer of `width` waves of d coordinates, each with a frequency and a phase."""

    @property
    @abstractmethod
    def frequencies(self) -> Tensor:
        """(width, d) float64, signed, in cycles per unit of the coordinate."""

    @abstractmethod
    def forward(self, coords: Tensor) -> Tensor:
        """Return the waves (..., width) at coordinates (..., d), in their precision; phases in float32 at least."""


class TrainedFilter(Filter, ABC):
    """Waves with trained frequencies.

    Attributes:
        omega: (width, d) in radians per unit of the coordinate.
    """

    omega: nn.Parameter

    @property
    def frequencies(self) -> Tensor:
        """(width, d) float64, in cycles per unit of the coordinate."""
        return self.omega.detach().double() / (2 * math.pi)

    def scale_frequencies(self, factors: Tensor) -> None:
        """Multiply the frequencies by one factor per axis, (d,), in place."""
        with torch.no_grad():
            self.omega.mul_(factors.to(self.omega))


def phases(coords: Tensor, angular_frequencies: Tensor) -> Tensor:
    """Return coords @ angular_frequencies.T in float32 at least, summed axis by axis.

    A matrix product would be rounded to 11 bits or fewer in reduced-precision modes (TF32, autocast).

    Args:
        coords: (..., d).
        angular_frequencies: (width, d).

    Returns:
        (..., width).
    """
    exact = torch.promote_types(torch.promote_types(coords.dtype, angular_frequencies.dtype), torch.float32)
    x, w = coords.to(exact), angular_frequencies.to(exact)
    total = x[..., :1] * w[:, 0]
    for axis in range(1, w.shape[1]):
        total = total + x[..., axis : axis + 1] * w[:, axis]
    return total


@final
class SineFilter(TrainedFilter):
    """The filter g(x) = sin(Omega x + phi) with trained Omega and phi.

    Omega ~ U(-scale/sqrt(d), scale/sqrt(d)) in radians per unit, phi ~ U(-pi, pi) (Fathony et al. 2021,
    section 3.1, and the reference code).

    Args:
        in_features: d.
        width: Number of waves.
        scale: In radians per unit of the coordinate.
        source: Generator of the initial values.
    """

    def __init__(self, in_features: int, width: int, scale: float, source: torch.Generator) -> None:
        super().__init__()
        self.omega = nn.Parameter(torch.empty(width, in_features, device="cpu"))
        self.phase = nn.Parameter(torch.empty(width, device="cpu"))
        fill_uniform(self.omega, scale / math.sqrt(in_features), source)
        fill_uniform(self.phase, math.pi, source)

    def forward(self, coords: Tensor) -> Tensor:
        """Return the waves (..., width) at coordinates (..., d)."""
        return torch.sin(phases(coords, self.omega) + self.phase).to(coords.dtype)


@final
class LatticeFilter(Filter):
    """The filter g(x) = sin(2 pi q K x + phi) with fixed integers K and trained phi, of period 1/q.

    K_ij is uniform on the integers in [-highest_j, highest_j] (Lindell et al. 2022, section 3.2).

    Args:
        quantum: q, in cycles per unit of the coordinate.
        highest: Per axis, the largest |K|.
        width: Number of waves.
        source: Generator of K and the initial phi.
    """

    index: Tensor

    def __init__(self, quantum: float, highest: tuple[int, ...], width: int, source: torch.Generator) -> None:
        super().__init__()
        self.quantum = quantum
        columns = [
            torch.randint(-limit, limit + 1, (width,), generator=source, device=source.device)
            for limit in highest
        ]
        self.register_buffer("index", torch.stack(columns, dim=-1).cpu())
        self.phase = nn.Parameter(torch.empty(width, device="cpu"))
        fill_uniform(self.phase, math.pi, source)

    @property
    def frequencies(self) -> Tensor:
        """(width, d) float64, in cycles per unit of the coordinate."""
        return self.quantum * self.index.double()

    def forward(self, coords: Tensor) -> Tensor:
        """Return the waves (..., width) at coordinates (..., d)."""
        # Phases are reduced to one cycle before the factor 2 pi, so that whole periods vanish exactly.
        cycles = self.quantum * phases(coords, self.index)
        return torch.sin(2 * math.pi * (cycles - cycles.round()) + self.phase).to(coords.dtype)


def product_power(indices: Sequence[Tensor], linears: nn.ModuleList) -> Tensor:
    """Return the power per |frequency| along one axis of z_L, with z_0 = g_0 and z_i = g_i * (W_i z_(i-1) + b_i).

    A product of waves has the sums and differences of their frequencies, so that
    p_i = q_i conv (n mean(W_i^2) p_(i-1) + mean(b_i^2) delta_0), where q_i is the power of the waves of g_i
    at their frequencies of either sign. This is the expectation over independent weights of the same mean squares,
    for the frequencies of the filters.

    Args:
        indices: Per layer, (width,) integer frequencies along the axis.
        linears: W_i and b_i, i = 1 .. L.

    Returns:
        (top + 1,) float64 power at |index| = 0 .. top, the sum of the highest frequencies of the layers.
    """
    highest = sum(int(index.abs().max()) for index in indices)
    # Long enough for all sums of frequencies, so that the circular convolution has no wrap-around.
    size = 2 * highest + 1
    waves = [torch.fft.rfft(_line_power(index, highest)) for index in indices]
    spectrum = waves[0]
    for linear, wave in zip(linears, waves[1:], strict=True):
        assert isinstance(linear, nn.Linear)
        gain = linear.in_features * linear.weight.detach().double().square().mean()
        floor = linear.bias.detach().double().square().mean()
        spectrum = wave * (gain * spectrum + floor)
    power = torch.fft.irfft(spectrum, n=size).clamp(min=0)
    # Frequencies of either sign are one |frequency|; the transform's second half holds the negative ones.
    folded = power[: highest + 1].clone()
    folded[1:] += power[highest + 1 :].flip(0)
    return folded


def power_bandwidth(power: Tensor, quantum: float) -> float:
    """Return the lowest multiple of `quantum` up to which 90 % of the power lies, the constant excluded.

    Args:
        power: (top + 1,) power at 0, quantum, 2 quantum, ...
        quantum: In cycles per unit.

    Returns:
        The bandwidth in cycles per unit; 0 if all power is at 0.
    """
    varying = power[1:].cumsum(0)
    if len(varying) == 0 or varying[-1] <= 1e-12 * power.sum():
        return 0.0
    return quantum * (1 + int(torch.searchsorted(varying, BANDWIDTH_SHARE * varying[-1])))


def _line_power(index: Tensor, highest: int) -> Tensor:
    """Return (2 highest + 1,) power, 1/4 at +index and -index per wave, averaged over the waves; negative last."""
    lines = torch.zeros(2 * highest + 1, dtype=torch.float64, device="cpu")
    share = torch.full((len(index),), 0.25 / len(index), dtype=torch.float64, device="cpu")
    whole = index.long().cpu()
    for signed in (whole, -whole):
        lines.index_add_(0, signed % (2 * highest + 1), share)
    return lines
