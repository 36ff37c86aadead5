"""Random samples that represent a large grid: tiles at full resolution, and single samples."""

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
"""Maximum number of tiles, and the tile size in samples below which fewer tiles are used, down to half."""


@final
@dataclass(frozen=True)
class Spread:
    """Tiles and single samples spread over a whole grid, `samples` of them in all.

    Half of the samples form tiles at full resolution; the other half are drawn individually. Both are spread over the
    whole grid, half of them evenly and half where the target varies, and weighted accordingly: the measurements
    estimate the spectrum of the whole grid without bias, wherever its structure lies. The draw is reproducible for
    the same grid, target and seed.

    Attributes:
        samples: Maximum number of evaluated samples; a grid with no more samples is measured whole.
        seed: Seed of the random draw.

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
        """Return the number of samples of a tile per axis: equal along all axes, but at most the axis length.

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
    """Return probabilities proportional to shares, at most 1, with an expected total of `count` members.

    Args:
        share: (n,) positive weight of each entry.
        count: Expected number of members in the draw.
        members: (n,) members of each entry, all with the entry's probability; one member per entry if None.

    Returns:
        (n,) probabilities; all 1 if `count` is not below the number of members.
    """
    members = np.ones_like(share) if members is None else members
    result = np.ones_like(share)
    if count >= members.sum():
        return result
    certain = members == 0
    # Entries whose share exceeds one member become certain; their surplus is divided among the others until no
    # probability exceeds 1. Each pass adds at least one certain entry, so the loop ends.
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
        chance: (M,) inclusion probability of each sample.
        members: Number of samples of the grid with this role.
    """

    index: NDArray[np.int64]
    chance: NDArray[np.float64]
    members: int

    @property
    def weight(self) -> NDArray[np.float64]:
        """(M,) part of the role's samples that each sample represents; the sum is 1."""
        result = 1 / self.chance
        return np.asarray(result / result.sum())

    def mean(self, values: NDArray[np.float64]) -> tuple[float, float]:
        """Return the weighted mean, and half the width of its 95 % interval.

        Args:
            values: (M,) one number per sample.
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
        masks: (N,) bool, the samples of each role; the roles are disjoint.
        counts: Number of samples per role.
        blocks: Blocks of the grid.
        seed: Seed of the random draw.
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
    # One uniform number per sample of the grid, chunk by chunk: the draw does not depend on the chunk length, and
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

    A tile is centred on a block of half its width, so that all samples are contained in equally many possible tiles;
    beyond a border it continues with the mirror image, as in the spectrum of the whole grid, or periodically.

    Attributes:
        shape: Samples of a tile per axis.
        index: (tile, samples) int64 flat indices into the grid.
        weight: (tile,) part of the grid that each tile represents; the sum is 1.
        chance: (tile,) inclusion probability of each tile.
    """

    shape: tuple[int, ...]
    index: NDArray[np.int64]
    weight: NDArray[np.float64]
    chance: NDArray[np.float64]

    @staticmethod
    def of(grid: Grid, blocks: Blocks, shape: tuple[int, ...], count: int, seed: int) -> Tiles:
        """Draw tiles, in proportion to the blocks' shares and spread along a curve through the grid.

        The block of the largest variation is always included.

        Args:
            grid: The grid.
            blocks: Blocks of the grid.
            shape: Samples of a tile per axis.
            count: Number of tiles.
            seed: Seed of the random draw.
        """
        shares = blocks.shares
        # A rare detail in one block would dominate the variance if its inclusion were random.
        if blocks.variation.any():
            shares[int(blocks.variation.argmax())] = 1.0
        chance = inclusion_probabilities(shares, count)
        order = np.argsort(_along_curve(blocks.counts), kind="stable")
        reached = chance[order].cumsum()
        first = float(numpy_generator(seed, "watch", "tiles").random())
        # Systematic sampling: one random offset, then a block at each unit of cumulated probability along the curve.
        # Chosen blocks are spread evenly, and each is chosen with exactly its inclusion probability.
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

        Tiles with an inclusion probability of 1 represent only themselves and do not contribute.

        Args:
            values: (tile, ...) one or more numbers per tile.

        Returns:
            (...) margins; NaN if only one tile was drawn at random.
        """
        chosen = int((self.chance < 1).sum())
        if chosen < 2:
            return np.full(values.shape[1:], math.nan if chosen else 0.0)
        deviation = values - np.tensordot(self.weight, values, 1)
        parts = deviation * (self.weight * np.sqrt(1 - self.chance)).reshape(-1, *(1,) * (values.ndim - 1))
        spread = np.sqrt(chosen / (chosen - 1) * np.square(parts).sum(0))
        return np.asarray(float(student_quantile(0.95, chosen - 1)) * spread)


def _folded(position: NDArray[np.int64], n: int, wraps: bool) -> NDArray[np.int64]:
    """Map positions outside the borders to the grid, by wrapping around or mirroring."""
    if wraps:
        return position % n
    position = position % (2 * n)
    return np.minimum(position, 2 * n - 1 - position)


def _along_curve(counts: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the position of each block on a Morton curve (interleaved bits), which preserves neighbourhoods."""
    positions = np.indices(counts).reshape(len(counts), -1)
    code = np.zeros(positions.shape[1], dtype=np.int64)
    for bit in range(max(counts).bit_length()):
        for axis, position in enumerate(positions):
            code |= ((position >> bit) & 1) << (bit * len(counts) + axis)
    return code
