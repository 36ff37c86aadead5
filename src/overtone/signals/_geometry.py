"""Geometry of a signal's samples: a regular `Grid` or scattered `Points`, in physical coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias, final

import torch
from torch import Tensor

from overtone.errors import InputError

FINEST, COARSEST = 1e-60, 1e60
"""Limits of the spacing for which products and quotients are within the range of floating-point numbers."""


@final
@dataclass(frozen=True)
class Grid:
    """Regular lattice of `shape` samples; sample n of axis i is at `origin[i] + n * spacing[i]`.

    Attributes:
        shape: Samples per axis, 1 to 3 axes, slowest axis first (rows, columns).
        spacing: Distance between neighbouring samples per axis, in `units`.
        origin: Coordinate of the first sample per axis, in `units`.
        units: Name of the coordinate's unit per axis ("picture height", "s", "mm").
        periodic: Whether the signal wraps around, per axis. For spectra, a non-periodic axis is extended
            evenly about its half-sample borders.

    Example:
        >>> from overtone.signals import Grid
        >>> grid = Grid((4, 8), spacing=(0.5, 0.25), origin=(0.0, 0.0), units=("mm", "mm"), periodic=(False, False))
        >>> grid.extent, grid.nyquist, grid.frequency_unit
        ((2.0, 2.0), (1.0, 2.0), 'cycles per mm')
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    units: tuple[str, ...]
    periodic: tuple[bool, ...]

    def __post_init__(self) -> None:
        _check_shape(self.shape)
        axes = len(self.shape)
        for name in ("spacing", "origin", "units", "periodic"):
            if len(getattr(self, name)) != axes:
                raise InputError(
                    f"one {name} per axis ({axes})",
                    f"{len(getattr(self, name))}",
                    f"pass {axes} values",
                    name,
                )
        if not all(math.isfinite(s) and s > 0 for s in self.spacing):
            raise InputError(
                "positive finite distances between samples",
                f"{self.spacing}",
                "check the physical resolution",
                "spacing",
            )
        if not all(FINEST <= s <= COARSEST for s in self.spacing):
            raise InputError(
                f"distances between samples from {FINEST:g} to {COARSEST:g}",
                f"{self.spacing}",
                "choose a unit in which they are within this range",
                "spacing",
            )
        if not all(math.isfinite(o) for o in self.origin):
            raise InputError(
                "finite coordinates of the first sample", f"{self.origin}", "check the file", "origin"
            )

    @staticmethod
    def unit_box(shape: tuple[int, ...], periodic: bool = False, unit: str = "array") -> Grid:
        """Create the grid of an array without units: coordinates in [0, 1), frequencies per array."""
        _check_shape(shape)
        n = len(shape)
        return Grid(tuple(shape), tuple(1.0 / s for s in shape), (0.0,) * n, (unit,) * n, (periodic,) * n)

    @property
    def axes(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def samples(self) -> int:
        """Number of lattice points."""
        return math.prod(self.shape)

    @property
    def extent(self) -> tuple[float, ...]:
        """Length per axis, samples times spacing, in `units`."""
        return tuple(n * s for n, s in zip(self.shape, self.spacing, strict=True))

    @property
    def nyquist(self) -> tuple[float, ...]:
        """Nyquist frequency per axis, 1 / (2 spacing), in cycles per unit."""
        return tuple(0.5 / s for s in self.spacing)

    @property
    def frequency_unit(self) -> str:
        """Unit of every frequency on this grid: "Hz" for seconds, else "cycles per UNIT"."""
        names = list(dict.fromkeys(self.units))
        return "Hz" if names == ["s"] else "cycles per " + " / ".join(names)

    def coords(self, index: Tensor | None = None) -> Tensor:
        """Return the coordinates of the samples with flat (row-major) `index`, or of all samples.

        Args:
            index: (M,) int64 flat indices, or None for every sample in order.

        Returns:
            (M, d) float64 coordinates in `units`, on the device of the index. Float32 would be too coarse:
            minutes of a recording times kilohertz exhaust its 24 bits.
        """
        # Decompose the flat index from the fastest to the slowest axis, like the digits of a number.
        flat = torch.arange(self.samples, device="cpu") if index is None else index
        columns = []
        for n, spacing, origin in zip(
            reversed(self.shape), reversed(self.spacing), reversed(self.origin), strict=True
        ):
            columns.append((flat % n).double() * spacing + origin)
            flat = flat // n
        return torch.stack(columns[::-1], dim=-1)


@final
@dataclass(frozen=True)
class Points:
    """Scattered sample points in any order.

    Attributes:
        positions: (N, d) float64 coordinates.
        units: Name of each coordinate's unit; coordinates of the same unit share a scale.

    Example:
        >>> import torch
        >>> from overtone.signals import Points
        >>> points = Points(torch.tensor([[0.0], [0.3], [1.0]], dtype=torch.float64), ("s",))
        >>> points.samples, points.extent, points.frequency_unit
        (3, (1.0,), 'Hz')
    """

    positions: Tensor
    units: tuple[str, ...]

    @property
    def axes(self) -> int:
        """Number of coordinates, d."""
        return self.positions.shape[1]

    @property
    def shape(self) -> tuple[int]:
        """Shape of the samples, (N,): points form a list."""
        return (len(self.positions),)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.positions)

    @property
    def origin(self) -> tuple[float, ...]:
        """Smallest coordinate per axis, in `units`."""
        return tuple(self.positions.min(0).values.tolist())

    @property
    def extent(self) -> tuple[float, ...]:
        """Range of the coordinates per axis, in `units`; 1 along an axis where they are all equal."""
        length = self.positions.max(0).values - self.positions.min(0).values
        return tuple(torch.where(length > 0, length, 1.0).tolist())

    @property
    def nyquist(self) -> tuple[float, ...]:
        """Infinity per axis: irregular samples have no Nyquist frequency."""
        return (math.inf,) * self.axes

    @property
    def frequency_unit(self) -> str:
        """Unit of every frequency: "Hz" for seconds, "cycles per unit of the column" if units differ."""
        names = list(dict.fromkeys(self.units))
        if len(names) > 1:
            return "cycles per unit of the column"
        return "Hz" if names == ["s"] else f"cycles per {names[0]}"

    def coords(self, index: Tensor | None = None) -> Tensor:
        """Return (M, d) float64 coordinates of the samples with `index`, or of all, on the index's device."""
        return self.positions if index is None else self.positions.to(index.device)[index]


Geometry: TypeAlias = Grid | Points
"""Geometry of the samples of a signal."""


def _check_shape(shape: tuple[int, ...]) -> None:
    if not 1 <= len(shape) <= 3:
        raise InputError(
            "a grid of 1 to 3 axes", f"{len(shape)} axes", "pass one picture, recording or volume"
        )
    if min(shape) < 1:
        raise InputError(
            "at least one sample per axis", f"shape {tuple(shape)}", "pass a signal with samples", "shape"
        )
