"""Tiles of equal shape spread over a grid, each standing for a part of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from overtone._utils.seeding import generator
from overtone.probes.inclusion import inclusion
from overtone.signals import Grid
from overtone.signals.blocks import Blocks


@final
@dataclass(frozen=True)
class Tiles:
    """Boxes of samples at full resolution, and what part of the grid each stands for.

    A tile lies centred on a block of the grid that is half as wide, so that every sample could be in as many tiles as
    any other; beyond a border it goes on with the mirror image, as the spectrum of the whole grid does, or around.

    Attributes:
        shape: Samples of a tile per axis.
        index: (tile, samples) int64 flat indices into the grid.
        weight: (tile,) part of the grid that each stands for; they sum to 1.
        chance: (tile,) probability with which each was drawn.
    """

    shape: tuple[int, ...]
    index: NDArray[np.int64]
    weight: NDArray[np.float64]
    chance: NDArray[np.float64]

    @staticmethod
    def of(grid: Grid, blocks: Blocks, shape: tuple[int, ...], count: int, seed: int) -> Tiles:
        """Draw tiles, in proportion to the blocks' shares and spread along a curve through the grid.

        The block where the values vary most is always among them.

        Args:
            grid: The grid.
            blocks: Its blocks.
            shape: Samples of a tile per axis.
            count: How many.
            seed: Seeds the draw.
        """
        shares = blocks.shares
        if blocks.variation.any():
            shares[int(blocks.variation.argmax())] = 1.0
        chance = inclusion(shares, count)
        order = np.argsort(_along_curve(blocks.counts), kind="stable")
        reached = chance[order].cumsum()
        first = float(generator(seed, "watch", "tiles").random())
        marks = np.floor(reached - first)
        drawn = np.sort(order[np.diff(marks, prepend=np.floor(-first)) > 0])
        starts = [
            np.round((e[:-1] + e[1:]) / 2 - s / 2).astype(np.int64) if len(e) > 2 else np.zeros(1, np.int64)
            for e, s in zip(blocks.edges, shape, strict=True)
        ]
        index = np.zeros((len(drawn), *(1,) * len(shape)), dtype=np.int64)
        for axis, place in enumerate(np.unravel_index(drawn, blocks.counts)):
            along = starts[axis][place][:, None] + np.arange(shape[axis])
            inside = _folded(along, grid.shape[axis], grid.periodic[axis])
            index = index * grid.shape[axis] + inside.reshape(
                len(drawn), *(-1 if a == axis else 1 for a in range(len(shape)))
            )
        weight = 1 / chance[drawn]
        return Tiles(shape, index.reshape(len(drawn), -1), weight / weight.sum(), chance[drawn])

    @property
    def count(self) -> int:
        """How many tiles."""
        return len(self.index)

    def margin(self, each: NDArray[np.float64]) -> NDArray[np.float64]:
        """Half the width of Student's 95 % interval of the weighted mean over tiles.

        Tiles that were certain to be drawn stand for themselves alone and add nothing to it.

        Args:
            each: (tile, ...) one number or more a tile.

        Returns:
            (...); NaN if a single tile was left to chance.
        """
        chosen = int((self.chance < 1).sum())
        if chosen < 2:
            return np.full(each.shape[1:], math.nan if chosen else 0.0)
        rest = each - np.tensordot(self.weight, each, 1)
        parts = rest * (self.weight * np.sqrt(1 - self.chance)).reshape(-1, *(1,) * (each.ndim - 1))
        spread = np.sqrt(chosen / (chosen - 1) * np.square(parts).sum(0))
        return np.asarray(float(stats.t.ppf(0.975, chosen - 1)) * spread)


def _folded(place: NDArray[np.int64], n: int, wraps: bool) -> NDArray[np.int64]:
    """Places beyond the borders, taken around or mirrored back inside."""
    if wraps:
        return place % n
    place = place % (2 * n)
    return np.minimum(place, 2 * n - 1 - place)


def _along_curve(counts: tuple[int, ...]) -> NDArray[np.int64]:
    """(blocks,) position of each block on a curve that keeps neighbours together: the bits of its places, mixed."""
    places = np.indices(counts).reshape(len(counts), -1)
    code = np.zeros(places.shape[1], dtype=np.int64)
    for bit in range(max(counts).bit_length()):
        for axis, place in enumerate(places):
            code |= ((place >> bit) & 1) << (bit * len(counts) + axis)
    return code
