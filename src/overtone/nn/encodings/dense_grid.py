"""The multi-resolution grid with a value for every node."""

from __future__ import annotations

from typing import final

from overtone.nn.checks import Numbers, size
from overtone.nn.encodings.multi_resolution import MultiResolution, ranges
from overtone.nn.seeding import Seed
from overtone.units import Interpolation


@final
class DenseGrid(MultiResolution):
    """Trained values on lattices of growing resolution, every node with its own; no collisions, more memory.

    The dense grid of Müller et al. 2022, section 5. See `MultiResolution` for the formula and the derivatives, and
    `HashGrid` for the beginning and the learning rate.

    Args:
        in_features: d, the number of coordinates.
        finest: Cells per unit of the last level, one for all axes or one per axis.
        coarsest: Those of the first.
        levels: How many.
        features: Values per node and level.
        kernel: The interpolation.
        seed: A seed, or the generator to draw the values from.

    Raises:
        InputError: If a size is below 1 or the table too large, or the resolutions are not positive and ordered.
    """

    def __init__(
        self,
        in_features: int,
        finest: Numbers = 128.0,
        coarsest: Numbers = 16.0,
        levels: int = 4,
        features: int = 2,
        kernel: Interpolation = Interpolation.LINEAR,
        seed: Seed = 0,
    ) -> None:
        super().__init__(in_features, coarsest, finest, levels, features, kernel, None, seed)

    @staticmethod
    def from_bandwidth(
        in_features: int,
        bandwidth: Numbers,
        levels: int = 4,
        features: int = 2,
        kernel: Interpolation = Interpolation.LINEAR,
        seed: Seed = 0,
    ) -> DenseGrid:
        """The encoding with the given bandwidth, by its finest level; 16 cells at the coarsest, or fewer.

        Args:
            in_features: d, the number of coordinates.
            bandwidth: In cycles per unit, one for all axes or one per axis.
            levels: How many.
            features: Values per node and level.
            kernel: The interpolation.
            seed: A seed, or the generator to draw the values from.

        Raises:
            InputError: As for the class.
        """
        coarsest, finest = ranges(
            bandwidth, (16.0,) * size(in_features, "in_features"), size(levels, "levels"), kernel
        )
        return DenseGrid(in_features, finest, coarsest, levels, features, kernel, seed)

    def with_bandwidth(self, bandwidth: Numbers, seed: Seed = 0) -> DenseGrid:
        """A new grid of the same levels that reaches `bandwidth`, its values drawn anew from `seed`."""
        coarsest, finest = self._range(bandwidth)
        new = DenseGrid(self.in_features, finest, coarsest, self.levels, self.features, self.kernel, seed)
        return new.to(self.table.device, self.table.dtype)

    def describe(self) -> str:
        """One line for titles and records."""
        low, high = (" x ".join(f"{n:.4g}" for n in self.resolution[level].tolist()) for level in (0, -1))
        return f"DenseGrid({self.levels} levels from {low} to {high}, {self.kernel.value})"
