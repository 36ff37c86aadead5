"""What a spectral loss has to know about the grid: its transform, its frequencies and its bands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor


class Modes(Protocol):
    """The modes of a grid: how many there are and at which frequencies."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples per axis."""

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance of neighbours per axis, in units of the coordinate."""

    @property
    def stored(self) -> tuple[int, ...]:
        """Shape of the stored coefficients."""

    def frequencies(self, axis: int, device: torch.device | None = None) -> Tensor:
        """(stored[axis],) frequency of each coefficient along an axis, in cycles per unit."""

    def weights(self, axis: int, device: torch.device | None = None) -> Tensor:
        """(stored[axis],) number of real modes that each coefficient stands for along an axis."""


class Partition(Protocol):
    """Bands of frequency."""

    @property
    def count(self) -> int:
        """Number of bands."""

    def index(self, frequency: Tensor) -> Tensor:
        """Band of each frequency."""


class Basis(Protocol):
    """An orthonormal transform of values on a grid that gradients pass; `spectra.GridTransform` is one."""

    @property
    def lattice(self) -> Modes:
        """The modes."""

    @property
    def bands(self) -> Partition:
        """The bands."""

    def coefficients(self, values: Tensor) -> Tensor:
        """Values (*shape, C) to orthonormal coefficients (*stored, C)."""


def radial(modes: Modes) -> Tensor:
    """(*stored,) float64 radial frequency sqrt(sum_i f_i^2) of each coefficient, in cycles per unit."""
    squares = [modes.frequencies(axis).double().square() for axis in range(len(modes.shape))]
    return _outer(squares, torch.add).sqrt()


def multiplicity(modes: Modes) -> Tensor:
    """(*stored,) float64 number of real modes of each coefficient; they sum to the number of samples."""
    counts = [modes.weights(axis).double() for axis in range(len(modes.shape))]
    return _outer(counts, torch.mul)


def _outer(columns: Sequence[Tensor], join: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    total = columns[0]
    for column in columns[1:]:
        total = join(total.unsqueeze(-1), column)
    return total
