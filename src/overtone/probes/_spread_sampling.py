"""Samples that stand for a large grid: tiles at full resolution and single samples, drawn by their share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from overtone._utils.seeding import numpy_generator
from overtone._utils.statistics import student_quantile
from overtone.errors import InputError
from overtone.signals import Grid
from overtone.signals._blocks import Blocks

MAX_TILES, MIN_TILE_SAMPLES = 16, 128
"""Maximum number of tiles, and samples of a tile below which there are fewer tiles, down to half."""


@final
@dataclass(frozen=True)
class Spread:
    """Tiles and single samples spread over a whole grid, `samples` of them in all.

    Half of the samples make tiles, which keep the full resolution; the other half are drawn one by one. Both are spread
    over the whole grid, half of them evenly and half where the target varies, and weighted accordingly: what is
    measured estimates the spectrum of the whole grid, without bias wherever the structure lies. The same grid, target
    and seed give the same samples.

    Attributes:
        samples: How many samples may be evaluated; the whole grid is measured where it has no more.
        seed: Seeds the draw.

    Example:
        >>> spread = Spread(65536)
        >>> spread.tiles, spread.tile((1024, 1024))
        (16, (45, 45))
    """

    samples: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.samples < 64:
            raise InputError(
                "at least 64 samples to measure", f"{self.samples}", "pass a larger number", "samples"
            )

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return max(MAX_TILES // 2, min(MAX_TILES, self.samples // (2 * MIN_TILE_SAMPLES)))

    def tile(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the samples of a tile per axis: equally many along each, or as many as the axis has.

        Args:
            shape: Samples of the grid per axis.
        """
        limit = max(2, self.samples // (2 * self.tiles))
        side = 1
        while math.prod(min(n, side + 1) for n in shape) <= limit and side < max(shape):
            side += 1
        return tuple(min(n, max(side, 2)) for n in shape)


def inclusion_probabilities(
    share: NDArray[np.float64], count: float, members: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return probabilities proportional to shares, none above 1, with `count` members expected in all.

    Args:
        share: (n,) positive weight of each entry.
        count: How many members are to be drawn in all.
        members: (n,) members of each entry, which all get its probability; one each if None.

    Returns:
        (n,) probabilities; all 1 if `count` is not below the number of members.
    """
    members = np.ones_like(share) if members is None else members
    result = np.ones_like(share)
    if count >= members.sum():
        return result
    certain = members == 0
    # Entries whose share exceeds one member become certain; their surplus is divided among the others until none
    # exceeds 1. Each pass adds at least one certain entry, so it ends.
    while True:
        open_ = ~certain
        remaining = count - members[certain].sum()
        scale = max(remaining, 0.0) / float((share * members)[open_].sum())
        over = open_ & (scale * share >= 1)
        if not over.any():
            result[open_] = scale * share[open_]
            return result
        certain |= over


_CHUNK = 1 << 20


@final
@dataclass(frozen=True)
class SingleSamples:
    """Samples of one role, drawn independently of each other.

    Attributes:
        index: (M,) int64 flat indices into the grid, ascending.
        chance: (M,) probability with which each was drawn.
        members: How many samples of the grid have the role.
    """

    index: NDArray[np.int64]
    chance: NDArray[np.float64]
    members: int

    @property
    def weight(self) -> NDArray[np.float64]:
        """(M,) part of the role's samples that each represents; they sum to 1."""
        result = 1 / self.chance
        return np.asarray(result / result.sum())

    def mean(self, values: NDArray[np.float64]) -> tuple[float, float]:
        """Return the weighted mean, and half the width of its 95 % interval.

        Args:
            values: (M,) one number a sample.
        """
        mean = float(self.weight @ values)
        open_ = int((self.chance < 1).sum())
        if open_ < 2 or not math.isfinite(mean):
            return mean, math.nan if open_ else 0.0
        # Poisson sampling: a sample that was certain to be drawn contributes no variance.
        spread = self.weight * (values - mean) * np.sqrt(1 - self.chance)
        half = math.sqrt(open_ / (open_ - 1)) * float(np.sqrt(np.square(spread).sum()))
        return mean, float(student_quantile(0.95, open_ - 1)) * half


def draw_single_samples(
    masks: Mapping[str, Tensor], counts: Mapping[str, float], blocks: Blocks, seed: int
) -> dict[str, SingleSamples]:
    """Draw samples of every role, in proportion to the blocks' shares.

    Args:
        masks: (N,) bool, the samples of each role; no sample has two.
        counts: How many of each.
        blocks: Of the grid.
        seed: Seeds the draw.
    """
    sizes, shares = blocks.sizes, blocks.shares
    count = math.prod(blocks.shape)
    members = {name: np.zeros(len(sizes)) for name in masks}
    for begin in range(0, count, _CHUNK):
        index = np.arange(begin, min(begin + _CHUNK, count))
        owner = blocks.owners(index)
        for name, mask in masks.items():
            part = mask[begin : begin + len(index)].cpu().numpy()
            members[name] += np.bincount(owner[part], minlength=len(sizes))
    chances = {name: inclusion_probabilities(shares / sizes, counts[name], members[name]) for name in masks}
    # One uniform number per sample of the grid, chunk by chunk: the draw does not depend on the chunks' length, and
    # memory stays bounded for grids of any size.
    random = numpy_generator(seed, "watch", "samples")
    result: dict[str, list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = {name: [] for name in masks}
    for begin in range(0, count, _CHUNK):
        index = np.arange(begin, min(begin + _CHUNK, count))
        owner, dice = blocks.owners(index), random.random(len(index))
        for name, mask in masks.items():
            chance = chances[name][owner]
            hit = mask[begin : begin + len(index)].cpu().numpy() & (dice < chance)
            result[name].append((index[hit], chance[hit]))
    return {
        name: SingleSamples(
            np.concatenate([index for index, _ in parts]),
            np.concatenate([chance for _, chance in parts]),
            int(members[name].sum()),
        )
        for name, parts in result.items()
    }


@final
@dataclass(frozen=True)
class Tiles:
    """Boxes of samples at full resolution, and the part of the grid that each represents.

    A tile lies centred on a block of the grid that is half as wide, so that every sample could be in as many tiles as
    any other; beyond a border it goes on with the mirror image, as the spectrum of the whole grid does, or around.

    Attributes:
        shape: Samples of a tile per axis.
        index: (tile, samples) int64 flat indices into the grid.
        weight: (tile,) part of the grid that each represents; they sum to 1.
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
        # A rare detail in one block would dominate the variance if it were left to chance.
        if blocks.variation.any():
            shares[int(blocks.variation.argmax())] = 1.0
        chance = inclusion_probabilities(shares, count)
        order = np.argsort(_along_curve(blocks.counts), kind="stable")
        reached = chance[order].cumsum()
        first = float(numpy_generator(seed, "watch", "tiles").random())
        # Systematic sampling: one random offset, then a block at each unit of cumulated probability along the curve.
        # Chosen blocks are spread evenly, and each is chosen with exactly its probability.
        marks = np.floor(reached - first)
        chosen = np.sort(order[np.diff(marks, prepend=np.floor(-first)) > 0])
        starts = [
            np.round((e[:-1] + e[1:]) / 2 - s / 2).astype(np.int64) if len(e) > 2 else np.zeros(1, np.int64)
            for e, s in zip(blocks.edges, shape, strict=True)
        ]
        index = np.zeros((len(chosen), *(1,) * len(shape)), dtype=np.int64)
        for axis, position in enumerate(np.unravel_index(chosen, blocks.counts)):
            along = starts[axis][position][:, None] + np.arange(shape[axis])
            # Tiles at a border continue with the mirror image, as the even extension of the cosine transform does.
            inside = _folded(along, grid.shape[axis], grid.periodic[axis])
            index = index * grid.shape[axis] + inside.reshape(
                len(chosen), *(-1 if a == axis else 1 for a in range(len(shape)))
            )
        weight = 1 / chance[chosen]
        return Tiles(shape, index.reshape(len(chosen), -1), weight / weight.sum(), chance[chosen])

    @property
    def count(self) -> int:
        """Number of tiles."""
        return len(self.index)

    def margin(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return half the width of Student's 95 % interval of the weighted mean over tiles.

        Tiles that were certain to be drawn represent themselves alone and add nothing to it.

        Args:
            values: (tile, ...) one number or more a tile.

        Returns:
            (...); NaN if a single tile was left to chance.
        """
        chosen = int((self.chance < 1).sum())
        if chosen < 2:
            return np.full(values.shape[1:], math.nan if chosen else 0.0)
        deviation = values - np.tensordot(self.weight, values, 1)
        parts = deviation * (self.weight * np.sqrt(1 - self.chance)).reshape(-1, *(1,) * (values.ndim - 1))
        spread = np.sqrt(chosen / (chosen - 1) * np.square(parts).sum(0))
        return np.asarray(float(student_quantile(0.95, chosen - 1)) * spread)


def _folded(position: NDArray[np.int64], n: int, wraps: bool) -> NDArray[np.int64]:
    """Map positions outside the borders inside, by wrapping around or mirroring."""
    if wraps:
        return position % n
    position = position % (2 * n)
    return np.minimum(position, 2 * n - 1 - position)


def _along_curve(counts: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the position of each block on a Morton curve, which keeps neighbours together: interleaved bits."""
    positions = np.indices(counts).reshape(len(counts), -1)
    code = np.zeros(positions.shape[1], dtype=np.int64)
    for bit in range(max(counts).bit_length()):
        for axis, position in enumerate(positions):
            code |= ((position >> bit) & 1) << (bit * len(counts) + axis)
    return code
