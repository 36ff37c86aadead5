"""The part of a grid on which rows are measured.

Evaluating a network on every sample of a large grid costs as much as many training steps. A contiguous central block
keeps the full resolution, and so every frequency up to Nyquist; it loses only those below one cycle per block. A
strided subset would be as cheap, but would alias high frequencies into low ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.signals import Grid


@dataclass(frozen=True)
class Window:
    """A contiguous block of a grid: `shape` samples beginning at `start`, per axis."""

    start: tuple[int, ...]
    shape: tuple[int, ...]

    @staticmethod
    def whole(grid: Grid) -> Window:
        """The window that is the grid itself."""
        return Window((0,) * len(grid.shape), grid.shape)

    @staticmethod
    def central(grid: Grid, samples: int) -> Window:
        """The central block of at most `samples` samples with the grid's proportions.

        Args:
            grid: The grid.
            samples: How many samples may be measured; the whole grid if it has no more than that.

        Returns:
            The window; at least 2 samples along each axis longer than 1.
        """
        if samples < 1:
            raise InputError(
                "at least one sample to measure", f"{samples}", "pass a larger number", "samples"
            )
        if grid.samples <= samples:
            return Window.whole(grid)
        long = sum(n > 1 for n in grid.shape)
        factor = (samples / grid.samples) ** (1 / long)
        shape = [min(n, max(2, math.floor(n * factor))) for n in grid.shape]
        for axis in sorted(range(len(shape)), key=shape.__getitem__, reverse=True):
            others = math.prod(shape) // shape[axis]
            shape[axis] = min(shape[axis], max(2, samples // others))
        return Window(tuple((n - w) // 2 for n, w in zip(grid.shape, shape, strict=True)), tuple(shape))

    def covers(self, grid: Grid) -> bool:
        """Whether the window is the whole grid."""
        return self.shape == grid.shape

    def restrict(self, grid: Grid) -> Grid:
        """The geometry of the block. An axis that is cut is no longer periodic."""
        return Grid(
            self.shape,
            grid.spacing,
            tuple(o + s * d for o, s, d in zip(grid.origin, self.start, grid.spacing, strict=True)),
            grid.units,
            tuple(p and w == n for p, w, n in zip(grid.periodic, self.shape, grid.shape, strict=True)),
        )

    def index(self, grid: Grid) -> Tensor:
        """Flat row-major indices, in the full grid, of the block's samples: (M,) int64."""
        flat = torch.zeros((), dtype=torch.int64, device="cpu")
        for n, start, width in zip(grid.shape, self.start, self.shape, strict=True):
            flat = flat[..., None] * n + torch.arange(start, start + width, device="cpu")
        return flat.reshape(-1)
