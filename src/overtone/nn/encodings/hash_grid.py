"""The multi-resolution hash grid."""

from __future__ import annotations

from typing import final

from overtone.errors import InputError
from overtone.nn.checks import Numbers, size
from overtone.nn.encodings.multi_resolution import MultiResolution, ranges
from overtone.nn.seeding import Seed
from overtone.units import Interpolation


@final
class HashGrid(MultiResolution):
    """Trained values on lattices of growing resolution; those with more nodes than 2^T rows share them by a hash.

    Müller et al. 2022 (instant-ngp), section 3, with the settings of the reference code: 16 levels of 2 values,
    2^19 rows, 16 cells at the coarsest, values from U(-1e-4, 1e-4). `nn.parameter_groups` gives the table ten times
    the learning rate of the weights. See `MultiResolution` for the formula and the derivatives.

    Args:
        in_features: d, the number of coordinates.
        finest: Cells per unit of the last level, one for all axes or one per axis.
        coarsest: Those of the first.
        levels: How many.
        features: Values per node and level.
        log2_rows: T.
        kernel: The interpolation.
        seed: A seed, or the generator to draw the values from.

    Raises:
        InputError: If a size is below 1 or the table too large, or the resolutions are not positive and ordered.
    """

    def __init__(
        self,
        in_features: int,
        finest: Numbers = 1024.0,
        coarsest: Numbers = 16.0,
        levels: int = 16,
        features: int = 2,
        log2_rows: int = 19,
        kernel: Interpolation = Interpolation.LINEAR,
        seed: Seed = 0,
    ) -> None:
        if size(log2_rows, "log2_rows") > 28:
            raise InputError("at most 2^28 rows", f"2^{log2_rows}", "pass a smaller one", "log2_rows")
        self.log2_rows = log2_rows
        super().__init__(in_features, coarsest, finest, levels, features, kernel, 1 << log2_rows, seed)

    @staticmethod
    def from_bandwidth(
        in_features: int,
        bandwidth: Numbers,
        levels: int = 16,
        features: int = 2,
        log2_rows: int = 19,
        kernel: Interpolation = Interpolation.LINEAR,
        seed: Seed = 0,
    ) -> HashGrid:
        """The encoding with the given bandwidth, by its finest level; 16 cells at the coarsest, or fewer.

        Args:
            in_features: d, the number of coordinates.
            bandwidth: In cycles per unit, one for all axes or one per axis.
            levels: How many.
            features: Values per node and level.
            log2_rows: T.
            kernel: The interpolation.
            seed: A seed, or the generator to draw the values from.

        Raises:
            InputError: As for the class.
        """
        coarsest, finest = ranges(
            bandwidth, (16.0,) * size(in_features, "in_features"), size(levels, "levels"), kernel
        )
        return HashGrid(in_features, finest, coarsest, levels, features, log2_rows, kernel, seed)

    def with_bandwidth(self, bandwidth: Numbers, seed: Seed = 0) -> HashGrid:
        """A new grid of the same sizes that reaches `bandwidth`, its values drawn anew from `seed`."""
        coarsest, finest = self._range(bandwidth)
        new = HashGrid(
            self.in_features, finest, coarsest, self.levels, self.features, self.log2_rows, self.kernel, seed
        )
        return new.to(self.table.device, self.table.dtype)

    def describe(self) -> str:
        """One line for titles and records."""
        low, high = (" x ".join(f"{n:.4g}" for n in self.resolution[level].tolist()) for level in (0, -1))
        return f"HashGrid({self.levels} levels from {low} to {high}, 2^{self.log2_rows} rows, {self.kernel.value})"
