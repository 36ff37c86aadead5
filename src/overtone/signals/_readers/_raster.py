"""TIFFs as arrays of physical values (heights, temperatures, counts) with scale, unit and pixel size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from overtone.errors import InputError
from overtone.signals._construction import check_shape, make_signal
from overtone.signals._geometry import Grid
from overtone.signals._readers._files import is_tiff
from overtone.signals._readers._numbers import require_real
from overtone.signals._readers._picture_files import read_picture
from overtone.signals._readers._pixels import Coverage, stored_marks
from overtone.signals._readers._tiff import read_tiff, tiff_outline
from overtone.signals._readers._tiff_metadata import Distances, Stored
from overtone.signals._signal import Signal

_NAMES = {"T": "frame", "Z": "slice"}


def grid_from_file(axes: str, shape: tuple[int, ...], known: Distances) -> tuple[Grid, tuple[str, ...]]:
    """Return the grid of a stored picture or stack.

    Without known distances, the unit of a picture is the pixel, and coordinates of a stack are fractions of
    the array. If only some axes of a stack have a distance, all are fractions of the array, unless one of
    them is time, which never shares a unit with the others.

    Args:
        axes: One letter per axis, as in `Stored`.
        shape: Samples per axis.
        known: Stored distances of neighbouring samples per axis.

    Returns:
        The grid, and notes on assumptions.
    """
    stated = [axis in known for axis in axes]
    flat = len(axes) == 2
    if all(stated) or flat or ("T" in axes and any(stated)):
        each = [known.get(axis, (1.0, _NAMES.get(axis, "pixel"))) for axis in axes]
        spacing, units = zip(*each, strict=True)
        n = len(axes)
        grid = Grid(shape, spacing, (0.0,) * n, units, (False,) * n)
        return grid, _assumed(axes, known) + _mixed(units)
    notes = _pages(axes, any(stated))
    if "T" in axes:
        notes = ("the first axis is time; its interval is not stored",)
    return Grid.unit_box(shape), notes


def _assumed(axes: str, known: Distances) -> tuple[str, ...]:
    if "T" in axes and "T" not in known:
        return ("time is counted in frames, since their interval is not stored",)
    return ()


def _mixed(units: tuple[str, ...]) -> tuple[str, ...]:
    names = list(dict.fromkeys(units))
    if len(names) < 2:
        return ()
    listed = " and ".join(names)
    return (f"axes in {listed}: a band's frequency mixes the two, so it depends on these units",)


def _pages(axes: str, stated: bool) -> tuple[str, ...]:
    notes = []
    if "I" in axes or "Q" in axes:
        notes.append("pages taken as slices of a volume, since the file does not say what they are")
    if stated:
        notes.append("pixel size ignored, since the distance of the slices is not stored")
    return tuple(notes)


def grid_with_spacing(
    axes: str, shape: tuple[int, ...], spacing: float | tuple[float, ...], location: str
) -> Grid:
    """Create the grid with the caller's distances: mm in space, seconds in time.

    Raises:
        InputError: If the number of distances is not that of the axes, or one distance is for lengths and
            time.
    """
    alone = isinstance(spacing, int | float)
    if alone and "T" in axes and len(axes) > 1:
        time = axes.index("T") + 1
        raise InputError(
            f"a distance for each of the {len(axes)} axes, since axis {time} is time",
            f"{spacing:g} for all",
            f"pass {len(axes)} numbers, in s for axis {time} and in mm for the others",
            location,
        )
    distances = (float(spacing),) * len(axes) if isinstance(spacing, int | float) else tuple(spacing)
    if len(distances) != len(axes):
        raise InputError(
            f"one spacing, or one per axis ({len(axes)})",
            f"{len(distances)}",
            "pass as many as axes",
            location,
        )
    units = tuple("s" if axis == "T" else "mm" for axis in axes)
    return Grid(shape, tuple(map(float, distances)), (0.0,) * len(axes), units, (False,) * len(axes))


_KINDS = {1: "series", 2: "array", 3: "volume"}


def stored_values(path: Path) -> Stored:
    """Read the stored numbers of a picture file, without conversion to fractions of a full range.

    Args:
        path: An existing file, a TIFF of at most three grid axes or any other picture.

    Raises:
        InputError: If the file cannot be read, or there are more than three axes.
    """
    if is_tiff(path):
        _check_axes(tiff_outline(path).axes, str(path))
        return read_tiff(path)
    return Stored.of(read_picture(path))


def _check_axes(axes: str, location: str) -> None:
    """Raise an error for files of more than three grid axes.

    Raises:
        InputError: If there are more than three axes.
    """
    if len(axes) <= 3:
        return
    todo = "save one slice or one time step of it" if "T" in axes else "save a part of three axes"
    raise InputError("at most three grid axes", f"{len(axes)} ({axes})", todo, location)


def raster_signal(stored: Stored, *, grid: Grid | None, name: str, location: str) -> Signal:
    """Create the signal of stored numbers, scaled by GDAL's metadata.

    Args:
        stored: Result of `stored_values`.
        grid: Geometry of the samples, in place of that of the file.
        name: See `Signal`.
        location: File name in error messages.

    Raises:
        InputError: See `make_signal`.
    """
    shape = stored.samples.shape[:-1]
    check_shape(shape, location)
    grid, notes = (grid, ()) if grid is not None else grid_from_file(stored.axes, shape, stored.distances)
    values = require_real(stored.samples, location)
    marks: tuple[str, ...] = ()
    if stored.scaling.scales:
        with np.errstate(invalid="ignore", over="ignore"):
            values = values * stored.scaling.slope + stored.scaling.offset
        # Sentinels are searched before scaling, which would hide them.
        marks = stored_marks(stored.samples)
        notes = (*notes, "values scaled as the file says", *marks)
    return make_signal(
        torch.from_numpy(np.ascontiguousarray(values)).reshape(-1, values.shape[-1]),
        grid,
        kind=_KINDS[len(shape)],
        name=name,
        location=location,
        channels=_names(stored),
        value_unit=stored.scaling.unit,
        notes=stored.notes + notes,
        find_sentinels=not marks,
    )


def _names(stored: Stored) -> tuple[str, ...] | None:
    bands = stored.samples.shape[-1]
    covered = stored.coverage is not Coverage.NONE
    names = stored.scaling.names or stored.names
    if covered and (names is None or len(names) < bands):
        left = bands - 1
        names = names or (("value",) if left == 1 else tuple(f"channel {b + 1}" for b in range(left)))
        return (*names, "alpha")
    return names if names is None or len(names) == bands else None


def split_channels(stored: Stored, channel_axis: int) -> Stored:
    """Return the numbers with another axis as the channel axis, such as the pages of a stack.

    Args:
        stored: Numbers of one band.
        channel_axis: Index of the axis in the file.

    Raises:
        InputError: If the file already has channels, or the axis does not exist.
    """
    axes = len(stored.axes)
    if stored.samples.shape[-1] > 1 or not -axes <= channel_axis < axes:
        bands = stored.samples.shape[-1]
        raise InputError(
            f"a channel axis within the {axes} axes of a file without channels",
            f"{channel_axis} for {axes} axes and {bands} channels",
            "leave it out",
            "channel_axis",
        )
    at = channel_axis % axes
    samples = np.moveaxis(stored.samples[..., 0], at, -1)
    return replace(stored, samples=samples, axes=stored.axes[:at] + stored.axes[at + 1 :], names=None)
