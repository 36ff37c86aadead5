"""What each encoding needs to be set to for a bandwidth, in the numbers that its own papers use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

from overtone import units
from overtone._utils.text import number, per_axis
from overtone.signals import Grid

LEVELS, COARSEST = 16, 16.0
"""Levels of the hash grid, and cells of its coarsest (Mueller et al. 2022, table 1)."""


@final
@dataclass(frozen=True)
class Needs:
    """Settings with which each encoding reaches a bandwidth, by the bandwidth laws of `overtone.units`.

    Attributes:
        sigma: Standard deviation of Gaussian Fourier features per axis, in cycles per extent (coordinates in [0, 1)).
        octaves: L of the positional encoding 2^0, ..., 2^(L-1) per axis, in cycles per extent (coordinates in [0, 1)).
        omega: omega_0 of the first layer of a sine network, in radians per unit of coordinates in [-1, 1]; for the axis
            that needs most, since it has one for all.
        cells: Cells of the finest of 16 levels of a hash grid per axis, per extent.
    """

    sigma: tuple[float, ...]
    octaves: tuple[int, ...]
    omega: float
    cells: tuple[float, ...]

    @staticmethod
    def of(bandwidth: Sequence[float], grid: Grid) -> Needs:
        """The settings for a bandwidth on a grid.

        Args:
            bandwidth: Per axis, in cycles per unit of that axis.
            grid: Where the samples lie.

        Raises:
            InputError: If a bandwidth is not positive and finite.
        """
        cycles = [b * e for b, e in zip(bandwidth, grid.extent, strict=True)]
        linear = units.Interpolation.LINEAR
        return Needs(
            tuple(units.gaussian_sigma(c) for c in cycles),
            tuple(units.octave_count(c) for c in cycles),
            units.sine_omega(max(cycles) / 2, len(cycles)),
            tuple(units.lattice_range(c, COARSEST, LEVELS, linear)[1] for c in cycles),
        )

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON-able values."""
        return asdict(self)

    def __str__(self) -> str:
        """One line."""
        sigma = per_axis(self.sigma)
        octaves = " x ".join(map(str, self.octaves))
        cells = " x ".join(f"{c:.0f}" for c in self.cells)
        ending = "" if octaves == "1" else "s"
        return f"sigma {sigma}, {octaves} octave{ending}, omega_0 {number(self.omega)}, hash grid {cells}"
