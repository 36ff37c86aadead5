"""From physical coordinates to the range that an encoding wants."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.nn.checks import last_axis, per_axis
from overtone.nn.exact import ExactBuffers


@final
class Frame(ExactBuffers):
    """The map v = low + scale (x - origin) per axis, computed and returned in float64.

    Args:
        origin: (d,) physical coordinate that is mapped to `low`.
        scale: (d,) positive, in encoding units per physical unit.
        low: (d,) where the origin lies in the encoding's domain.

    Raises:
        InputError: If the counts differ, a number is not finite, or a scale is not positive.
    """

    origin: Tensor
    scale: Tensor
    low: Tensor

    def __init__(self, origin: Sequence[float], scale: Sequence[float], low: Sequence[float]) -> None:
        super().__init__()
        axes = len(origin)
        if axes == 0 or len(low) != axes or not all(map(math.isfinite, (*origin, *low))):
            raise InputError(
                "finite origin and low, one per axis", f"{origin} and {low}", "pass one number per axis"
            )
        numbers = {"origin": origin, "scale": per_axis(scale, axes, "scale"), "low": low}
        for name, values in numbers.items():
            self.register_buffer(name, torch.tensor(tuple(values), dtype=torch.float64, device="cpu"))

    @staticmethod
    def identity(axes: int) -> Frame:
        """The map that leaves `axes` coordinates as they are."""
        return Frame((0.0,) * axes, (1.0,) * axes, (0.0,) * axes)

    @staticmethod
    def of(
        origin: Sequence[float],
        extent: Sequence[float],
        units: Sequence[str],
        domain: tuple[float, float],
    ) -> Frame:
        """Fit the box [origin, origin + extent) into a domain, with one scale for the axes that share a unit.

        Of the axes of one unit the longest fills the domain and the others are centred in it, so that a
        picture's pixels stay square and a bandwidth means the same along both sides.

        Args:
            origin: (d,) lower corner in physical units.
            extent: (d,) lengths in physical units.
            units: (d,) name of each axis's unit.
            domain: (low, high), an encoding's `domain`.

        Returns:
            The frame.

        Raises:
            InputError: If the counts differ or a length is not positive and finite.
        """
        lengths = per_axis(tuple(extent), len(origin), "extent")
        if len(units) != len(origin):
            raise InputError(
                f"one unit per axis ({len(origin)})", f"{len(units)}", "pass one name per axis", "units"
            )
        low, high = domain
        longest = [max(e for e, u in zip(lengths, units, strict=True) if u == unit) for unit in units]
        return Frame(
            origin,
            [(high - low) / top for top in longest],
            [low + (high - low) * (top - e) / (2 * top) for e, top in zip(lengths, longest, strict=True)],
        )

    def forward(self, coords: Tensor) -> Tensor:
        """Physical coordinates (..., d) to encoding coordinates (..., d) in float64."""
        last_axis(coords, len(self.scale), "coordinates")
        return self.low + self.scale * (coords.double() - self.origin)

    def to_physical(self, frequency: Sequence[float]) -> tuple[float, ...]:
        """Frequencies per axis in cycles per encoding unit, as cycles per physical unit."""
        return tuple(f * s for f, s in zip(frequency, self.scale.tolist(), strict=True))
