"""The bandwidths that are compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from overtone.planning.bandwidth import SAMPLING
from overtone.signals import Grid

OCTAVES, PER_OCTAVE = 2, 1.5
"""How far the ladder goes to either side of where it begins, and its rungs per octave."""

SAME = 1.05
"""Rungs closer than this factor on every axis are one, the higher."""

DARING = (1 / 4, 1 / 2)
"""Parts of the Nyquist frequency that are tried although an encoding there hardly ties neighbours together."""


@final
@dataclass(frozen=True)
class Ladder:
    """Bandwidths in ascending order, all of the same shape.

    Attributes:
        usual: Rungs within four times of the one that the spectrum recommends and within an eighth of Nyquist.
        daring: Rungs beyond, which have to be much better to be believed.
    """

    usual: tuple[tuple[float, ...], ...]
    daring: tuple[tuple[float, ...], ...]

    @property
    def rungs(self) -> tuple[tuple[float, ...], ...]:
        """All of them, ascending."""
        return self.usual + self.daring


def ladder(begin: tuple[float, ...], grid: Grid) -> Ladder:
    """Multiples of a bandwidth, each axis kept between half its fundamental and an eighth of its Nyquist frequency.

    Args:
        begin: The bandwidth that the spectrum recommends, per axis, in cycles per unit.
        grid: Where the samples lie.

    Returns:
        The ladder; rungs that the limits make nearly equal appear once.
    """
    count = round(OCTAVES * PER_OCTAVE)
    least = [0.5 / e for e in grid.extent]
    most = [max(SAMPLING * n, low) for n, low in zip(grid.nyquist, least, strict=True)]
    usual: list[tuple[float, ...]] = []
    for k in range(-count, count + 1):
        factor = 2 ** (k / PER_OCTAVE)
        rung = tuple(min(max(b * factor, low), high) for b, low, high in zip(begin, least, most, strict=True))
        if usual and all(r <= SAME * last for r, last in zip(rung, usual[-1], strict=True)):
            usual.pop()
        usual.append(rung)
    filled = max(b / n for b, n in zip(begin, grid.nyquist, strict=True))
    top = usual[-1]
    daring = [tuple(max(b * share / filled, x) for b, x in zip(begin, top, strict=True)) for share in DARING]
    return Ladder(tuple(usual), tuple(d for d in daring if d != top))


def middle(first: tuple[float, ...], last: tuple[float, ...]) -> tuple[float, ...]:
    """The geometric mean per axis."""
    return tuple(math.sqrt(a * b) for a, b in zip(first, last, strict=True))


def even(bandwidth: tuple[float, ...], grid: Grid) -> tuple[float, ...]:
    """The bandwidth that is the same part of Nyquist on every axis and has the same geometric mean."""
    share = math.exp(
        sum(math.log(b / n) for b, n in zip(bandwidth, grid.nyquist, strict=True)) / len(bandwidth)
    )
    return tuple(share * n for n in grid.nyquist)
