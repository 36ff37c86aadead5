"""Division of a grid into blocks and the variation of the values per block, to select measured samples."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

EVERYWHERE = 0.5
"""Fraction of the measured samples that is spread evenly; the others follow the variation of the target."""


@final
@dataclass(frozen=True)
class Blocks:
    """Blocks of nearly equal size that cover a grid, with the variation of the values in and around each.

    Attributes:
        shape: Samples of the grid per axis.
        edges: Per axis, (blocks + 1,) int64 start indices of the blocks and the end of the last block.
        variation: (blocks,) float64 share of each block, row-major, in the total variation; 0 for constant
            values.
    """

    shape: tuple[int, ...]
    edges: tuple[NDArray[np.int64], ...]
    variation: NDArray[np.float64]

    @staticmethod
    def of(values: Tensor, shape: tuple[int, ...], counts: tuple[int, ...]) -> Blocks:
        """Divide a grid into blocks and measure the variation in each.

        The variation of a block is the variance of its values and half of its neighbours', so that a jump
        between two blocks counts for both.

        Args:
            values: (N, C) values in row-major order.
            shape: Samples per axis.
            counts: Blocks per axis.
        """
        edges = tuple(
            np.round(np.arange(m + 1) * (n / m)).astype(np.int64) for n, m in zip(shape, counts, strict=True)
        )
        table = values.detach().cpu().numpy().reshape(*shape, -1)
        total = np.zeros(counts)
        sizes = _outer([np.diff(e).astype(np.float64) for e in edges])
        for channel in range(table.shape[-1]):
            sums, squares = _sums(table[..., channel], edges)
            count, sums, squares = (_with_neighbours(part) for part in (sizes, sums, squares))
            total += np.clip(squares / count - np.square(sums / count), 0, None)
        whole = float(total.sum())
        return Blocks(shape, edges, (total / whole if whole > 0 else total).reshape(-1))

    @property
    def counts(self) -> tuple[int, ...]:
        """Blocks per axis."""
        return tuple(len(e) - 1 for e in self.edges)

    @property
    def sizes(self) -> NDArray[np.float64]:
        """(blocks,) number of samples of each block."""
        return _outer([np.diff(e).astype(np.float64) for e in self.edges]).reshape(-1)

    @property
    def shares(self) -> NDArray[np.float64]:
        """(blocks,) share of each block in the measured samples; the shares sum to 1."""
        even = self.sizes / math.prod(self.shape)
        if not self.variation.any():
            return even
        return EVERYWHERE * even + (1 - EVERYWHERE) * self.variation

    def owners(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the block of each sample.

        Args:
            index: (M,) flat row-major indices of samples.
        """
        owner = np.zeros(len(index), dtype=np.int64)
        places = np.unravel_index(index, self.shape)
        for place, edge in zip(places, self.edges, strict=True):
            owner = owner * (len(edge) - 1) + np.searchsorted(edge, place, side="right") - 1
        return owner


def _sums(
    field: NDArray[np.floating], edges: tuple[NDArray[np.int64], ...]
) -> tuple[NDArray[np.float64], ...]:
    """Return sums and sums of squares over the blocks, relative to the first sample, slab by slab."""
    # Subtracting one sample's value preserves the precision of small variations on a large offset.
    level = float(field[(0,) * field.ndim])
    collected: list[list[NDArray[np.float64]]] = [[], []]
    for begin, end in itertools.pairwise(edges[0]):
        slab = field[begin:end].astype(np.float64) - level
        for part, made in zip((slab, np.square(slab)), collected, strict=True):
            part = part.sum(0)
            for axis, edge in enumerate(edges[1:]):
                part = np.add.reduceat(part, edge[:-1], axis=axis)
            made.append(part)
    return np.stack(collected[0]), np.stack(collected[1])


def _with_neighbours(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each block's number plus half of its neighbours' numbers, along every axis."""
    for axis in range(blocks.ndim):
        padded = np.pad(blocks, [(1, 1) if a == axis else (0, 0) for a in range(blocks.ndim)])
        low, high = (np.delete(padded, ends, axis) for ends in ([-1, -2], [0, 1]))
        blocks = blocks + (low + high) / 2
    return blocks


def _outer(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    product = np.ones(())
    for part in parts:
        product = np.multiply.outer(product, part)
    return product
