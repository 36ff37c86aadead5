"""What is watched of a large grid: tiles at full resolution and single samples, spread over all of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from overtone.errors import InputError

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
