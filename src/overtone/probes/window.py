"""A contiguous block of a grid, where one part has to stand for itself: it says nothing of the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.signals import Grid
from overtone.signals.blocks import Blocks

LEAST = 0.25
"""Share of the mean variation over the grid that the central block has to hold to be taken."""


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

    @staticmethod
    def where_it_varies(values: Tensor, grid: Grid, samples: int) -> Window:
        """The central block, or, where the values hardly vary in it, that in which they vary most.

        Args:
            values: (N, C) values on the grid.
            grid: The grid.
            samples: How many samples the block may have; the whole grid if it has no more than that.
        """
        central = Window.central(grid, samples)
        if central.covers(grid):
            return central
        counts = tuple(
            1 if w == n else math.ceil(2 * n / w) for n, w in zip(grid.shape, central.shape, strict=True)
        )
        blocks = Blocks.of(values, grid.shape, counts)
        varies = blocks.variation.reshape(counts)
        if varies[tuple(m // 2 for m in counts)] >= LEAST * varies.mean():
            return central
        best = np.unravel_index(int(varies.argmax()), counts)
        start = tuple(
            min(max(0, round(float(edges[b] + edges[b + 1] - w) / 2)), n - w)
            for edges, b, w, n in zip(blocks.edges, best, central.shape, grid.shape, strict=True)
        )
        return Window(start, central.shape)

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
