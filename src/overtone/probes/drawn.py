"""Single samples drawn from all over a grid, each standing for those like it."""

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
from overtone.probes.inclusion import inclusion
from overtone.signals.blocks import Blocks

_CHUNK = 1 << 20


@final
@dataclass(frozen=True)
class Drawn:
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


def draw(
    masks: Mapping[str, Tensor], wanted: Mapping[str, float], blocks: Blocks, seed: int
) -> dict[str, Drawn]:
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
    chances = {name: inclusion(shares / sizes, wanted[name], members[name]) for name in masks}
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
        name: Drawn(
            np.concatenate([index for index, _ in parts]),
            np.concatenate([chance for _, chance in parts]),
            int(members[name].sum()),
        )
        for name, parts in found.items()
    }
