"""Geometry of fields to verify: which transform suits them, which bands are reliable, and the unit of wavelengths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._band_transform import BandTransform
from overtone.spectra._grid import GridTransform
from overtone.spectra._grid_modes import GridModes
from overtone.spectra._healpix import HealpixGrid, HealpixTransform
from overtone.spectra._legendre import DegreeTransform
from overtone.spectra._pair_power import radial_slope, usable_bands
from overtone.spectra._sphere import SphereTransform
from overtone.spectra._sphere_grid import (
    SphereGrid,
    check_each_once,
    check_no_gap,
    covers_sphere,
    wrapped_degrees,
)
from overtone.spectra._windowed import WindowedTransform
from overtone.spectra._winds import WindTransform

DEGREE = 6371.0 * math.pi / 180
"""Kilometres per degree of latitude, with the mean radius of the Earth."""

TALLEST = 1.25
"""Largest ratio of the lengths of a degree of longitude within a region that is treated as a plane."""

STEEPEST = 3.0
"""Exponent p of E(f) ~ f^-p up to which the even extension is right; steeper boxes get a window."""


class GeometryKind(Enum):
    """Kind of the domain of the fields; the value is the name in JSON."""

    BOX = "box"
    REGION = "region"
    SPHERE = "sphere"


@final
@dataclass(frozen=True)
class FieldGeometry:
    """Positions of the values of a field.

    Attributes:
        kind: A box, a region of the sphere that is treated as one, or the whole sphere.
        shape: Samples per axis.
        spacing: Distance between neighbouring samples per axis in `unit`; of a region, at its central latitude.
        periodic: Whether each axis wraps around.
        unit: Unit of the wavelengths.
        sphere: The grid of the whole sphere, else None; then the spacing is in degrees.
        directions: Sign of the coordinate along each axis, which matters for winds; none if all ascend.
    """

    kind: GeometryKind
    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    periodic: tuple[bool, ...]
    unit: str
    sphere: SphereGrid | HealpixGrid | None = None
    directions: tuple[int, ...] = ()

    @staticmethod
    def box(
        shape: Sequence[int],
        spacing: float | Sequence[float] | None,
        periodic: bool | Sequence[bool],
        unit: str | None,
        directions: Sequence[int] = (),
    ) -> FieldGeometry:
        """Return a box; without a spacing, lengths are counted in samples.

        Args:
            shape: Samples per axis.
            spacing: Distance of neighbouring samples.
            periodic: Whether the axes wrap around.
            unit: Unit of the spacing.
            directions: Sign of the coordinate along each axis; none if all ascend.

        Raises:
            InputError: If the grid is invalid.
        """
        modes = GridModes.of(shape, 1.0 if spacing is None else spacing, periodic)
        return FieldGeometry(
            GeometryKind.BOX,
            modes.shape,
            modes.spacing,
            modes.periodic,
            unit or ("samples" if spacing is None else "units"),
            directions=tuple(directions),
        )

    @staticmethod
    def of_coordinates(latitude: ArrayLike, longitude: ArrayLike) -> FieldGeometry:
        """Return the geometry of a latitude-longitude grid: the sphere if it is covered, else a region.

        A region is treated as a plane, at the scale of its central latitude.

        Args:
            latitude: Latitudes of the rows in degrees.
            longitude: Longitudes of the columns in degrees.

        Raises:
            InputError: If a globe is incomplete or irregular, or a region is too tall to be treated as a plane.
        """
        rows, columns = (np.asarray(x, dtype=np.float64) for x in (latitude, longitude))
        if covers_sphere(rows, columns):
            grid = SphereGrid.of(rows, columns)
            steps = (180 / grid.complete.latitudes, 360 / grid.longitudes)
            shape = (rows.size, columns.size)
            signs = _directions(rows, columns)
            return FieldGeometry(GeometryKind.SPHERE, shape, steps, (False, True), "km", grid, signs)
        return _region(rows, columns)

    @staticmethod
    def healpix(grid: HealpixGrid) -> FieldGeometry:
        """Return the geometry of the pixels of a HEALPix grid.

        Args:
            grid: The grid.
        """
        step = math.degrees(math.sqrt(math.pi / 3) / grid.nside)
        return FieldGeometry(GeometryKind.SPHERE, (grid.pixels,), (step,), (True,), "km", grid)

    @property
    def rows_and_columns(self) -> SphereGrid | None:
        """The grid of latitudes and longitudes of the whole sphere, or None."""
        return self.sphere if isinstance(self.sphere, SphereGrid) else None

    @property
    def frequency_unit(self) -> str:
        """Unit of the bands."""
        return f"cycles/{self.unit}" if self.sphere is None else "degree"

    def wavelength(self, frequency: float) -> float:
        """Return the wavelength in `unit` of a frequency of the bands, at most the longest side or the circumference.

        Degree l of the sphere has the wavelength 2 pi R / l.
        """
        if self.sphere is not None:
            return 360 * DEGREE / max(frequency, 1.0)
        longest = max(n * s for n, s in zip(self.shape, self.spacing, strict=True))
        return min(1 / frequency, longest) if frequency > 0 else longest

    def transform(self, target: Tensor, winds: tuple[int, int] | None = None) -> tuple[BandTransform, str]:
        """Return the transform that suits these fields, and the name of the estimator.

        A box with open axes gets the even extension where the spectrum of the target is not steeper than f^-3, which
        closes and varies less, and plane detrend with a Hann window otherwise, as always for winds.

        Args:
            target: (channel, *space) one target. The steepest channel decides for all.
            winds: Channels of the components of a wind, which is split into its rotational and divergent part.

        Raises:
            InputError: If there are winds, but not two axes.
        """
        if winds is None:
            return self._scalars(target)
        if self.sphere is not None or all(self.periodic):
            transform, estimator = self._scalars(target)
        else:
            transform = WindowedTransform(self.shape, self.spacing, self.periodic)
            estimator = "plane detrend and Hann window"
        assert isinstance(transform, DegreeTransform | GridTransform | WindowedTransform)
        split = WindTransform(transform, len(target), winds, self.directions)
        return split, f"{estimator}; winds split into a rotational and a divergent part"

    def _scalars(self, target: Tensor) -> tuple[BandTransform, str]:
        if isinstance(self.sphere, HealpixGrid):
            order = "nested" if self.sphere.nested else "ring"
            return HealpixTransform(self.sphere), f"spherical harmonics, HEALPix grid in {order} order"
        if self.sphere is not None:
            return SphereTransform(self.sphere), f"spherical harmonics, {self.sphere.kind.value} grid"
        if all(self.periodic):
            return GridTransform(self.shape, self.spacing, True), "periodic"
        windowed = WindowedTransform(self.shape, self.spacing, self.periodic)
        power = windowed.power(windowed.coefficients(target.double().movedim(0, -1)))
        slopes = [
            radial_slope(windowed.bands, windowed.modes, column, windowed.reliable_from)
            for column in power.unbind(1)
        ]
        known = [slope for slope in slopes if math.isfinite(slope)]
        if known and max(known) <= STEEPEST:
            return GridTransform(self.shape, self.spacing, self.periodic), "even extension"
        return windowed, "plane detrend and Hann window"

    def reported(self, transform: BandTransform) -> list[bool]:
        """Return for each band whether it is reliable: three waves per open axis or more, and below Nyquist's corner.

        Raises:
            InputError: If there is no such band.
        """
        if self.sphere is not None:
            return list(usable_bands(transform.bands, 0.0, math.inf))
        box = GridModes.of(self.shape, self.spacing, self.periodic)
        lengths = [self.shape[axis] * self.spacing[axis] for axis in box.even if self.shape[axis] > 1]
        usable = list(usable_bands(transform.bands, 3 / min(lengths) if lengths else 0.0, math.inf))
        if not any(usable):
            raise InputError(
                "a box of at least three waves of its finest scale",
                f"{' x '.join(map(str, self.shape))} samples",
                "verify a larger box, or state which axes are periodic",
                "shape",
            )
        return usable


def _region(rows: NDArray[np.float64], columns: NDArray[np.float64]) -> FieldGeometry:
    """Return the geometry of a region from its latitudes and longitudes in degrees."""
    height, width = _even(rows, "latitude"), _even(columns, "longitude")
    scales = np.cos(np.radians(rows))
    if scales.max() > TALLEST * scales.min():
        raise InputError(
            "a region where the length of a degree of longitude is about constant, or the whole sphere",
            f"latitudes {rows.min():g} to {rows.max():g}, which change it by a factor of "
            f"{scales.max() / max(scales.min(), 1e-9):.3g}",
            "choose fewer latitudes, or complete the globe with NaN in the cells of the other rows and columns, which "
            "are measured as missing (.reindex in xarray)",
            "latitude",
        )
    turn = (columns.size * width - 360) / width
    around = abs(turn) < 0.02 * columns.size**0.5
    if turn > 0.5 and not around:
        raise InputError(
            "each longitude once",
            f"{columns.size} longitudes from {columns[0]:g} to {columns[-1]:g}, where the last {round(turn)} repeat "
            "the first",
            "remove them (array[..., :n]; .isel in xarray)",
            "longitude",
        )
    middle = float(np.cos(np.radians((rows.min() + rows.max()) / 2)))
    spacing = (height * DEGREE, width * DEGREE * middle)
    return FieldGeometry(
        GeometryKind.REGION,
        (rows.size, columns.size),
        spacing,
        (False, bool(around)),
        "km",
        directions=_directions(rows, columns),
    )


def _directions(rows: NDArray[np.float64], columns: NDArray[np.float64]) -> tuple[int, int]:
    """Return 1 or -1: whether latitudes, and longitudes, ascend."""
    steps = np.median(np.diff(rows)), np.median(wrapped_degrees(np.diff(columns)))
    return (1 if steps[0] > 0 else -1, 1 if steps[1] > 0 else -1)


def _even(coordinate: NDArray[np.float64], name: str) -> float:
    """Return the positive step of the latitudes or longitudes of a region.

    Raises:
        InputError: If the steps differ, or a latitude is outside -90 to 90.
    """
    n = coordinate.size
    if coordinate.ndim != 1 or n < 2 or not np.isfinite(coordinate).all():
        raise InputError(f"at least two values of {name}", f"{n}", f"pass the {name} of each line", name)
    if name == "latitude" and np.abs(coordinate).max() > 90.01:
        raise InputError(
            "latitudes from -90 to 90 degrees",
            f"{coordinate.min():g} to {coordinate.max():g}",
            "pass latitudes first, then longitudes",
            name,
        )
    lines = "rows" if name == "latitude" else "columns"
    check_each_once(coordinate, name, lines)
    steps = np.diff(coordinate) if name == "latitude" else wrapped_degrees(np.diff(coordinate))
    steps = steps if np.median(steps) > 0 else -steps
    if not (steps > 0).all():
        raise InputError(
            f"ascending or descending values of {name}", "a change of direction", f"sort the {lines}", name
        )
    got = f"{n} from {coordinate[0]:g} to {coordinate[-1]:g} in steps of about {np.median(steps):.4g}"
    check_no_gap(coordinate, steps, name, f"equal steps of {name}", got)
    return float(np.median(steps))


def tensor_of(values: object) -> Tensor:
    """Return an array or tensor as a tensor on the CPU, without gradients."""
    if isinstance(values, Tensor):
        return values.detach().cpu()
    array = np.asarray(values)
    # PyTorch supports neither read-only memory nor reversed axes; a file mapped as copy-on-write counts as writeable.
    supported = array.flags.writeable and all(stride >= 0 for stride in array.strides)
    return torch.from_numpy(array if supported else array.copy())


def common_step(coordinate: NDArray[np.float64], name: str) -> float:
    """Return the common step of a coordinate, negative if it descends.

    Args:
        coordinate: Its values.
        name: Its name in error messages.

    Raises:
        InputError: If the steps are not equal within 1 %.
    """
    steps = np.diff(coordinate)
    if not len(steps):
        raise InputError(
            "at least two positions along each axis of space", "one", "choose another axis", name
        )
    step = float(np.median(steps))
    if not np.isfinite(steps).all() or step == 0 or np.abs(steps - step).max() > 0.01 * abs(step):
        raise InputError(
            "equal steps along each axis of space",
            f"steps from {steps.min():.4g} to {steps.max():.4g}",
            "interpolate to a regular grid",
            name,
        )
    return step
