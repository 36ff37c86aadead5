"""Lower bounds of the Barron constant that hold for every continuation of the samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_FINE = 64
_BETWEEN = 1.002


def gradient(values: Tensor, spacing: Sequence[float]) -> Tensor:
    """Gradient of samples on a grid at the centres of the cells.

    Differences along one axis, averaged over the neighbours along the others: of a wave with angular
    frequency w, its length is at most |w| times the amplitude.

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
    """A lower bound of the Barron constant of every signal on the whole space that has these values on the grid.

    The gradient of f = int exp(i w.x) f~(w) dw has the spectral mass int |w| |f~| dw = C. So C is at least
    (1) the longest gradient, and (2) the spectral mass sum_k |(h g)^_k| of the gradient g under a window h,
    divided by the most that the window can add to the mass of a single wave, sup_w sum_k |h^(w - k)| (5 % per
    axis for a Hann window).

    Args:
        values: Samples on a grid, float64, at least two per axis.
        spacing: Distance of neighbours per axis, in coordinate units.

    Returns:
        The larger of both, in value units per coordinate unit.
    """
    slope = gradient(values, spacing)
    steepest = float(slope.square().sum(0).sqrt().max())
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
    """Largest sum over modes of a windowed wave's spectrum, over all frequencies between two modes."""
    n = len(window)
    fine = torch.fft.fft(window, _FINE * n).abs().reshape(n, _FINE).sum(0) / n
    return float(fine.max()) * _BETWEEN
