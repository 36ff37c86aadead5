"""Samples that stand for a large grid: tiles at full resolution and single samples, drawn by their share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from overtone._utils.seeding import generator
from overtone.errors import InputError
from overtone.signals import Grid
from overtone.signals._blocks import Blocks

TILES, FEWEST = 16, 128
"""Most tiles, and samples of a tile below which there are fewer of them, down to half."""


@final
@dataclass(frozen=True)
class Spread:
    """Tiles and single samples spread over a whole grid, `samples` of them in all.

    Half of the samples make tiles, which keep the full resolution; the other half are drawn one by one. Both are spread
    over the whole grid, half of them evenly and half where the target varies, and weighted accordingly: what is
    measured estimates what the whole grid would give, without bias wherever the structure lies. The same grid, target
    and seed give the same samples.

    Attributes:
        samples: How many samples may be evaluated; the whole grid is measured where it has no more.
        seed: Seeds the draw.
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
        """How many tiles there are."""
        return max(TILES // 2, min(TILES, self.samples // (2 * FEWEST)))

    def tile(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Samples of a tile per axis: equally many along each, or as many as the axis has.

        Args:
            shape: Samples of the grid per axis.
        """
        most = max(2, self.samples // (2 * self.tiles))
        side = 1
        while math.prod(min(n, side + 1) for n in shape) <= most and side < max(shape):
            side += 1
        return tuple(min(n, max(side, 2)) for n in shape)


def inclusion_probabilities(
    share: NDArray[np.float64], count: float, members: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Probabilities proportional to shares, none above 1, that make `count` expected.

    Args:
        share: (n,) positive weight of each entry.
        count: How many members are to be drawn in all.
        members: (n,) members of each entry, who all get its probability; one each if None.

    Returns:
        (n,) probabilities; all 1 if there are no more members than are wanted.
    """
    members = np.ones_like(share) if members is None else members
    found = np.ones_like(share)
    if count >= members.sum():
        return found
    certain = members == 0
    while True:
        open_ = ~certain
        wanted = count - members[certain].sum()
        scale = max(wanted, 0.0) / float((share * members)[open_].sum())
        over = open_ & (scale * share >= 1)
        if not over.any():
            found[open_] = scale * share[open_]
            return found
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
        """(M,) part of the role's samples that each stands for; they sum to 1."""
        found = 1 / self.chance
        return np.asarray(found / found.sum())

    def mean(self, each: NDArray[np.float64]) -> tuple[float, float]:
        """The weighted mean, and half the width of its 95 % interval.

        Args:
            each: (M,) one number a sample.
        """
        mean = float(self.weight @ each)
        open_ = int((self.chance < 1).sum())
        if open_ < 2 or not math.isfinite(mean):
            return mean, math.nan if open_ else 0.0
        spread = self.weight * (each - mean) * np.sqrt(1 - self.chance)
        half = math.sqrt(open_ / (open_ - 1)) * float(np.sqrt(np.square(spread).sum()))
        return mean, float(stats.t.ppf(0.975, open_ - 1)) * half


def draw_single_samples(
    masks: Mapping[str, Tensor], wanted: Mapping[str, float], blocks: Blocks, seed: int
) -> dict[str, SingleSamples]:
    """Draw samples of every role, in proportion to the blocks' shares.

    Args:
        masks: (N,) bool, the samples of each role; no sample has two.
        wanted: How many of each.
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
    chances = {name: inclusion_probabilities(shares / sizes, wanted[name], members[name]) for name in masks}
    random = generator(seed, "watch", "samples")
    found: dict[str, list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = {name: [] for name in masks}
    for begin in range(0, count, _CHUNK):
        index = np.arange(begin, min(begin + _CHUNK, count))
        owner, dice = blocks.owners(index), random.random(len(index))
        for name, mask in masks.items():
            chance = chances[name][owner]
            hit = mask[begin : begin + len(index)].cpu().numpy() & (dice < chance)
            found[name].append((index[hit], chance[hit]))
    return {
        name: SingleSamples(
            np.concatenate([index for index, _ in parts]),
            np.concatenate([chance for _, chance in parts]),
            int(members[name].sum()),
        )
        for name, parts in found.items()
    }


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
        chance = inclusion_probabilities(shares, count)
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
