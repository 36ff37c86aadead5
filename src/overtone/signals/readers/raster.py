"""TIFFs as arrays of their own values: heights, temperatures, counts, with scale, unit and size of pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from overtone.errors import InputError
from overtone.signals.assemble import check_shape, make_signal
from overtone.signals.geometry import Grid
from overtone.signals.readers.files import is_tiff
from overtone.signals.readers.numbers import real
from overtone.signals.readers.picture_file import read_picture
from overtone.signals.readers.pixels import Coverage
from overtone.signals.readers.placement import placed
from overtone.signals.readers.stored import Stored
from overtone.signals.readers.stored_marks import stored_marks
from overtone.signals.readers.tiff_file import read_tiff, tiff_outline
from overtone.signals.signal import Signal

_KINDS = {1: "series", 2: "array", 3: "volume"}


def stored_values(path: Path) -> Stored:
    """A picture file's stored numbers, without making fractions of a full range of them.

    Args:
        path: An existing file, a TIFF of at most three grid axes or any other picture.

    Raises:
        InputError: As the readers of these files, and if there are more than three axes.
    """
    if is_tiff(path):
        check_axes(tiff_outline(path).axes, str(path))
        return read_tiff(path)
    return Stored.of(read_picture(path))


def check_axes(axes: str, where: str) -> None:
    """Refuse what has more than three grid axes.

    Raises:
        InputError: If there are more, with the words for it.
    """
    if len(axes) <= 3:
        return
    todo = "save one slice, or one moment, of it" if "T" in axes else "save a part of three axes"
    raise InputError("at most three grid axes", f"{len(axes)} ({axes})", todo, where)


def raster_signal(stored: Stored, *, grid: Grid | None, name: str, where: str) -> Signal:
    """The signal of stored numbers, scaled as GDAL's metadata say.

    Args:
        stored: From `stored_values`.
        grid: Where the samples lie, in place of what the file says.
        name: See `Signal`.
        where: The file, for messages.

    Raises:
        InputError: As `make_signal`.
    """
    shape = stored.samples.shape[:-1]
    check_shape(shape, where)
    grid, notes = (grid, ()) if grid is not None else placed(stored.axes, shape, stored.distances)
    values = real(stored.samples, where)
    if stored.scaling.scales:
        with np.errstate(invalid="ignore", over="ignore"):
            values = values * stored.scaling.slope + stored.scaling.offset
        notes = (*notes, "values scaled as the file says", *stored_marks(stored.samples))
    return make_signal(
        torch.from_numpy(np.ascontiguousarray(values)).reshape(-1, values.shape[-1]),
        grid,
        kind=_KINDS[len(shape)],
        name=name,
        where=where,
        channels=_names(stored),
        value_unit=stored.scaling.unit,
        notes=stored.notes + notes,
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
    """The same numbers with another axis as channels, such as the pages of a stack.

    Args:
        stored: Numbers of one band.
        channel_axis: The axis to take, counted as the file stores them.

    Raises:
        InputError: If there are bands already, or no such axis.
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
