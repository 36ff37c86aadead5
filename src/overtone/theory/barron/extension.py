"""How a signal on a box is continued beyond it, and the spectral moments of what results."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor


class Extension(ABC):
    """A periodic signal that equals the given samples on the box. Each gives an upper estimate of every moment."""

    @abstractmethod
    def along(self, values: Tensor, axis: int) -> Tensor:
        """Continue the samples along one axis to a whole period.

        Args:
            values: Samples on a grid, float64.
            axis: The axis to extend.
        """


@final
class Repeat(Extension):
    """The box itself as the period; jumps unless opposite borders agree."""

    def along(self, values: Tensor, axis: int) -> Tensor:
        """The samples as they are."""
        del axis
        return values


@final
class Mirror(Extension):
    """Even reflection about the outer samples: continuous, with a kink where the slope at the border is not zero."""

    def along(self, values: Tensor, axis: int) -> Tensor:
        """From n to 2 n - 2 samples."""
        inner = values.narrow(axis, 1, values.shape[axis] - 2)
        return torch.cat([values, inner.flip(axis)], dim=axis)


@final
class Bridge(Extension):
    """Odd reflection about both outer samples, blended into each other: continuous with its slope."""

    def along(self, values: Tensor, axis: int) -> Tensor:
        """From n to 2 n - 2 samples."""
        n = values.shape[axis]
        first, last = values.narrow(axis, 0, 1), values.narrow(axis, n - 1, 1)
        inner = values.narrow(axis, 1, n - 2).flip(axis)
        shape = [1] * values.ndim
        shape[axis] = n - 2
        j = torch.arange(1, n - 1, dtype=values.dtype, device=values.device).reshape(shape)
        blend = torch.cos(0.5 * math.pi * j / (n - 1)).square()
        return torch.cat([values, blend * (2 * last - inner) + (1 - blend) * (2 * first - inner)], dim=axis)


def extend(values: Tensor, by: Extension, axes: Sequence[int]) -> Tensor:
    """The samples continued along several axes.

    Args:
        values: Samples on a grid, float64.
        by: The extension.
        axes: The axes to extend.
    """
    for axis in axes:
        values = by.along(values, axis)
    return values


def trend(values: Tensor, spacing: Sequence[float], axes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Split off the best affine function of the coordinates along some axes.

    Args:
        values: Samples on a grid, float64.
        spacing: Distance of neighbours per axis, in coordinate units.
        axes: The axes along which to fit.

    Returns:
        The rest, and the slope (d,) in value units per coordinate unit, 0 along the other axes.
    """
    rest, slope = values, values.new_zeros(values.ndim)
    for axis in axes:
        n = values.shape[axis]
        shape = [1] * values.ndim
        shape[axis] = n
        x = (
            (torch.arange(n, dtype=values.dtype, device=values.device) - (n - 1) / 2) * spacing[axis]
        ).reshape(shape)
        slope[axis] = (x * values).mean() / x.square().mean()
        rest = rest - slope[axis] * x
    return rest, slope


def moment(values: Tensor, spacing: Sequence[float]) -> float:
    """First spectral moment of a periodic signal: sum_k |w_k| |c_k|, w in radians per unit.

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
    """Second spectral moment over a box: sum_k (sum_i |w_ki| h_i)^2 |c_k|.

    Args:
        values: One period on a grid, float64.
        spacing: Distance of neighbours per axis, in coordinate units.
        half: Half the box's extent per axis, in coordinate units.

    Returns:
        The moment, in value units.
    """
    reach = torch.zeros((), dtype=torch.float64, device=values.device)
    for w, h in zip(_angular(values, spacing), half, strict=True):
        reach = reach + w.abs() * h
    return float((reach.square() * torch.fft.fftn(values).abs()).sum() / values.numel())


def _angular(values: Tensor, spacing: Sequence[float]) -> list[Tensor]:
    """Angular frequency along each axis, shaped to broadcast."""
    waves = []
    for axis, (n, s) in enumerate(zip(values.shape, spacing, strict=True)):
        shape = [1] * values.ndim
        shape[axis] = n
        w = 2 * math.pi * torch.fft.fftfreq(n, s, dtype=torch.float64, device=values.device)
        waves.append(w.reshape(shape))
    return waves
