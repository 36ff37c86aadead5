"""Continuations of a signal outside its box, their spectral moments, and lower bounds that hold for all of them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor


class Extension(ABC):
    """Rule that continues samples on a box to a periodic signal, which yields an upper estimate of every moment."""

    @abstractmethod
    def along(self, values: Tensor, axis: int) -> Tensor:
        """Return the samples continued along one axis to a whole period.

        Args:
            values: Samples on a grid, float64.
            axis: The axis to extend.
        """


@final
class Repeat(Extension):
    """Repetition with the box as the period, which jumps unless opposite borders agree."""

    def along(self, values: Tensor, axis: int) -> Tensor:
        """Return the samples unchanged."""
        del axis
        return values


@final
class Mirror(Extension):
    """Even reflection about the outer samples: continuous, with a kink where the slope at the border is not zero."""

    def along(self, values: Tensor, axis: int) -> Tensor:
        """Return 2 n - 2 samples, continued from n."""
        inner = values.narrow(axis, 1, values.shape[axis] - 2)
        return torch.cat([values, inner.flip(axis)], dim=axis)


@final
class Bridge(Extension):
    """Odd reflection about both outer samples, blended into each other: continuous with its slope."""

    def along(self, values: Tensor, axis: int) -> Tensor:
        """Return 2 n - 2 samples, continued from n."""
        n = values.shape[axis]
        first, last = values.narrow(axis, 0, 1), values.narrow(axis, n - 1, 1)
        inner = values.narrow(axis, 1, n - 2).flip(axis)
        shape = [1] * values.ndim
        shape[axis] = n - 2
        j = torch.arange(1, n - 1, dtype=values.dtype, device=values.device).reshape(shape)
        blend = torch.cos(0.5 * math.pi * j / (n - 1)).square()
        return torch.cat([values, blend * (2 * last - inner) + (1 - blend) * (2 * first - inner)], dim=axis)


def extend(values: Tensor, by: Extension, axes: Sequence[int]) -> Tensor:
    """Return the samples continued along several axes.

    Args:
        values: Samples on a grid, float64.
        by: The extension.
        axes: The axes to extend.
    """
    for axis in axes:
        values = by.along(values, axis)
    return values


def affine_trend(values: Tensor, spacing: Sequence[float], axes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Subtract the best-fitting affine function of the coordinates along some axes.

    Args:
        values: Samples on a grid, float64.
        spacing: Distance of neighbours per axis, in coordinate units.
        axes: The axes along which to fit.

    Returns:
        The remainder, and the slope (d,) in value units per coordinate unit, 0 along the other axes.
    """
    residual, slope = values, values.new_zeros(values.ndim)
    for axis in axes:
        n = values.shape[axis]
        shape = [1] * values.ndim
        shape[axis] = n
        x = (
            (torch.arange(n, dtype=values.dtype, device=values.device) - (n - 1) / 2) * spacing[axis]
        ).reshape(shape)
        slope[axis] = (x * values).mean() / x.square().mean()
        residual = residual - slope[axis] * x
    return residual, slope


def moment(values: Tensor, spacing: Sequence[float]) -> float:
    """Return the first spectral moment of a periodic signal: sum_k |w_k| |c_k|, w in radians per unit.

    Args:
        values: One period on a grid, float64.
        spacing: Distance of neighbours per axis, in coordinate units.

    Returns:
        The moment, in value units per coordinate unit.
    """
    size = torch.zeros((), dtype=torch.float64, device=values.device)
    for w in _angular(values, spacing):
        size = size + w.square()
    return float((size.sqrt() * torch.fft.fftn(values).abs()).sum() / values.numel())


def second_moment(values: Tensor, spacing: Sequence[float], half: Sequence[float]) -> float:
    """Return the second spectral moment over a box: sum_k (sum_i |w_ki| h_i)^2 |c_k|.

    Args:
        values: One period on a grid, float64.
        spacing: Distance of neighbours per axis, in coordinate units.
        half: Half the box's extent per axis, in coordinate units.

    Returns:
        The moment, in value units.
    """
    phase_range = torch.zeros((), dtype=torch.float64, device=values.device)
    for w, h in zip(_angular(values, spacing), half, strict=True):
        phase_range = phase_range + w.abs() * h
    return float((phase_range.square() * torch.fft.fftn(values).abs()).sum() / values.numel())


def _angular(values: Tensor, spacing: Sequence[float]) -> list[Tensor]:
    """Return the angular frequency along each axis, shaped to broadcast."""
    waves = []
    for axis, (n, s) in enumerate(zip(values.shape, spacing, strict=True)):
        shape = [1] * values.ndim
        shape[axis] = n
        w = 2 * math.pi * torch.fft.fftfreq(n, s, dtype=torch.float64, device=values.device)
        waves.append(w.reshape(shape))
    return waves


_FINE = 64
"""Number of frequencies between two modes at which the spectrum of a window is summed."""

_BETWEEN = 1.002
"""Margin for other frequencies between two modes."""


def gradient(values: Tensor, spacing: Sequence[float]) -> Tensor:
    """Return the gradient of samples on a grid at the centres of the cells.

    Differences along one axis are averaged over the neighbours along the others: for a wave with angular frequency w,
    the length of the gradient is at most |w| times the amplitude.

    Args:
        values: Samples, float64, at least two per axis.
        spacing: Distance of neighbours per axis, in coordinate units.

    Returns:
        (d, *cells) gradient in value units per coordinate unit.
    """
    parts = []
    for axis, s in enumerate(spacing):
        part = values.diff(dim=axis) / s
        for other in range(values.ndim):
            if other != axis:
                n = part.shape[other] - 1
                part = (part.narrow(other, 0, n) + part.narrow(other, 1, n)) / 2
        parts.append(part)
    return torch.stack(parts)


def lower_bound(values: Tensor, spacing: Sequence[float]) -> float:
    """Return a lower bound of the Barron constant of every signal with these values on the grid.

    The gradient of f = int exp(i w.x) f~(w) dw has the spectral mass int |w| |f~| dw = C. So C is at least (1) the
    largest length of the gradient, and (2) the spectral mass sum_k |(h g)^_k| of the gradient g with a window h,
    divided by the largest factor by which the window can increase the mass of a single wave, sup_w sum_k |h^(w - k)|
    (5 % per axis for a Hann window).

    Args:
        values: Samples on a grid, float64, at least two per axis.
        spacing: Distance of neighbours per axis, in coordinate units.

    Returns:
        The larger of both, in value units per coordinate unit.
    """
    # The gradient has the spectral mass C, so that its largest length is already a bound: a sum of waves is at most
    # the sum of their amplitudes.
    slope = gradient(values, spacing)
    steepest = float(slope.square().sum(0).sqrt().max())
    # The box truncates waves: without the window their leakage would add mass that no continuation has.
    spread = 1.0
    for axis, cells in enumerate(slope.shape[1:]):
        window = torch.sin(
            torch.pi * (torch.arange(cells, dtype=values.dtype, device=values.device) + 0.5) / cells
        ).square()
        shape = [1] * slope.ndim
        shape[axis + 1] = cells
        slope = slope * window.reshape(shape)
        spread *= _spread(window)
    axes = tuple(range(1, slope.ndim))
    modes = torch.fft.fftn(slope, dim=axes).abs().square().sum(0).sqrt()
    return max(steepest, float(modes.sum()) / modes.numel() / spread)


def _spread(window: Tensor) -> float:
    """Return the largest sum over modes of a windowed wave's spectrum, over frequencies between two modes."""
    n = len(window)
    fine = torch.fft.fft(window, _FINE * n).abs().reshape(n, _FINE).sum(0) / n
    return float(fine.max()) * _BETWEEN
