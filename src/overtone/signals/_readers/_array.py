"""Reader of arrays and of `.npy`, `.npz` and netCDF files."""

from __future__ import annotations

import functools
import os
import warnings
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from torch import Tensor

from overtone._utils.optional import import_optional
from overtone.errors import InputError
from overtone.signals._construction import check_shape, make_signal
from overtone.signals._geometry import Grid
from overtone.signals._readers._described import extract_labels, select_variable
from overtone.signals._readers._files import (
    ContentFamily,
    PathLike,
    check_size,
    content,
    decoding_errors,
    existing_file,
    is_numpy,
    is_zip,
)
from overtone.signals._readers._labelled import GridOptions, from_labelled
from overtone.signals._readers._netpbm import is_netpbm
from overtone.signals._readers._numbers import check_numeric, to_tensor_with_notes
from overtone.signals._readers._picture_files import PICTURES
from overtone.signals._readers._raster import raster_signal, split_channels, stored_values
from overtone.signals._signal import Signal


def load_numpy(path: Path, key: str | None = None) -> np.ndarray:
    """Load the array of a `.npy`, or one array of a `.npz`.

    Args:
        path: An existing file.
        key: Name of the array in a `.npz`, required if there are several.

    Returns:
        The stored array.

    Raises:
        InputError: If the file is damaged, contains objects, complex numbers or text, its header specifies
            too large an array, or the array is not uniquely identified.
    """
    if is_numpy(path):
        with path.open("rb") as stream:
            # The header is checked first: it may specify objects (a pickle) or more than fits in memory.
            _judge_header(stream, path)
        with decoding_errors(path, "a NumPy array"), path.open("rb") as stream:
            first, after = np.load(stream, allow_pickle=False), stream.read(6)
        if after == b"\x93NUMPY":
            raise InputError(
                "one array", "a second one behind it", "save them under names with numpy.savez", str(path)
            )
        return first
    if is_zip(path):
        return _load_member(path, key)
    raise InputError(
        "a NumPy .npy or .npz file",
        f"{content(path)}",
        "read it with signals.read, or save it with numpy.save or numpy.savez",
        str(path),
    )


def _load_member(path: Path, key: str | None) -> np.ndarray:
    with decoding_errors(path, "NumPy arrays"), zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        listed = ", ".join(names[:8]) or "no array"
        if key is None and len(names) != 1:
            raise InputError("one array", f"{len(names)} ({listed})", "name one with key=", str(path))
        key = names[0] if key is None else key
        if key not in names:
            raise InputError(f"an array named {key!r}", listed, "pass one of these names", str(path))
        with archive.open(f"{key}.npy") as stream:
            _judge_header(stream, path)
        with np.load(path, allow_pickle=False) as arrays:
            return arrays[key]


def _judge_header(stream: IO[bytes], path: Path) -> None:
    with decoding_errors(path, "a NumPy array"):
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise InputError("an array of numbers", "an array of records", "save plain numbers", str(path))
    check_numeric(dtype, str(path))
    check_size(shape, max(dtype.itemsize, 4), str(path))


NETCDF_SUFFIXES = (".nc", ".nc4", ".cdf", ".netcdf", ".h5", ".hdf5")
"""Suffixes of netCDF and HDF5 files."""


def _netcdf_variable(path: Path, key: str | None) -> Any:
    """Load one variable as an `xarray.DataArray`; times are decoded if their calendar is known.

    Args:
        path: An existing file.
        key: Name of the variable, required if there are several; one within groups as "group/name".

    Raises:
        InputError: If the file is damaged or too large, or the variable is not uniquely identified.
    """
    import xarray

    group, name = "", key
    with path.open("rb") as stream:
        classic = stream.read(3) == b"CDF"
    if not classic:
        import_optional("h5netcdf", "netcdf")
        group, name = _place_in_groups(path, key)
    options: dict[str, Any] = {"engine": "scipy"} if classic else {"engine": "h5netcdf", "phony_dims": "sort"}
    with decoding_errors(path, "a netCDF or HDF5 file"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Dimensions and coordinates of a group may lie further up, so the whole tree is opened.
        load = xarray.open_datatree if group else xarray.open_dataset
        # Times of unsupported calendars remain numbers; their unit is read from the attributes.
        try:
            opened = load(path, **options)
        except ValueError:
            opened = load(path, decode_times=False, **options)
        with opened:
            variable = select_variable(opened[group].to_dataset() if group else opened, name, str(path))
            check_size(variable.shape, max(variable.dtype.itemsize, 4), str(path))
            return variable.load()


def _place_in_groups(path: Path, key: str | None) -> tuple[str, str | None]:
    """Return the group of an HDF5 file that holds a variable, "" for the file itself, and its name there.

    Args:
        path: An existing HDF5 file.
        key: Name of the variable, with its groups; None for the only one.

    Raises:
        InputError: If all variables lie in groups and the key names none of several.
    """
    import h5py

    names: list[str] = []

    def note(name: str, thing: Any) -> None:
        if (
            isinstance(thing, h5py.Dataset)
            and thing.ndim
            and thing.dtype.kind in "biufc"
            and not thing.is_scale
        ):
            names.append(name)

    with decoding_errors(path, "a netCDF or HDF5 file"), h5py.File(path, "r") as file:
        # Visits each object once, and follows no links out of the file.
        file.visititems(note)
        plain = None if key is None else key.strip("/")
        # A variable may have further names, by links.
        if (
            plain is not None
            and "/" in plain
            and plain not in names
            and isinstance(file.get(plain), h5py.Dataset)
        ):
            names.append(plain)
    inside = [name for name in names if "/" in name]
    if plain not in inside and (not inside or len(inside) < len(names)):
        return "", key
    if plain is None and len(inside) == 1:
        plain = inside[0]
    if plain not in inside:
        raise InputError(
            "one variable of numbers" if key is None else f"a variable named {key!r}",
            f"{len(inside)} in groups ({', '.join(inside[:8])})",
            f"name one with its groups, key={inside[0]!r} (--key {inside[0]} on the command line)",
            str(path),
        )
    group, _, name = plain.rpartition("/")
    return group, name


_MOST_CHANNELS = 4
_KINDS = {1: "series", 2: "array", 3: "volume"}


def array(
    values: object | PathLike,
    spacing: float | tuple[float, ...] | None = None,
    periodic: bool | tuple[bool, ...] | None = None,
    channel_axis: int | None = None,
    unit: str | None = None,
    key: str | None = None,
) -> Signal:
    """Create a signal of unchanged values from an array, a `.npy`, `.npz` or `.nc` file, or a picture file.

    The values of a picture are the stored numbers, scaled if a TIFF specifies a scale (GDAL), not fractions
    of a full range. Without `spacing`, the distance of pixels is that of the file, or one pixel.

    Without `channel_axis`, the last of three or more axes is the channel axis if it has at most 4 entries and
    is shorter than all others (a picture or volume with channels); every other axis is a grid axis. If a
    shape is ambiguous, a note of the signal contains the interpretation.

    Labels of xarray and pandas are used: coordinates give origin, spacing and unit, dates are converted to
    the time since the first date, longitudes around the globe are periodic, names are channels, units and
    scales are applied. Descending coordinates are reversed. Notes list these steps and unused labels.

    Args:
        values: Array, nested lists, DataArray, Dataset, Series, DataFrame, quantity with a unit,
            tensor (the device does not change), or the path of a file.
        spacing: Distance between neighbouring samples in `unit`, one for all axes or one per axis; None for 1
            / n per axis, with coordinates in [0, 1) and frequencies in cycles per array.
        periodic: Whether the array wraps around, for all axes or per axis; None for the labels of the array,
            else false.
        channel_axis: The channel axis, in place of the rule above.
        unit: Unit of `spacing` ("s" gives Hz), by default "sample spacing"; of dates "days", "h", "min" or "s".
        key: Name of the array in a `.npz`, `.nc` or Dataset of several.

    Returns:
        A signal of kind "series", "array" or "volume" for 1, 2 or 3 grid axes. Values are float64 for float64
        and wide integers, else float32.

    Raises:
        InputError: If the values are not finite real numbers or do not vary, or there are more than 3 grid
            axes.

    Example:
        >>> import numpy as np
        >>> from overtone import signals
        >>> signal = signals.array(np.arange(12.0).reshape(3, 4), spacing=0.5, unit="mm")
        >>> signal.geometry.shape, signal.geometry.frequency_unit
        ((3, 4), 'cycles per mm')
    """
    lattice = ArrayLattice(spacing, periodic or False, unit)
    if isinstance(values, str | os.PathLike):
        path = existing_file(values)
        name, location = path.name, str(values)
        if _is_picture(path):
            return _picture_values(path, lattice, channel_axis, location)
        values = _netcdf_variable(path, key) if _is_netcdf(path) else load_numpy(path, key)
        key = None
    else:
        name, location = "array", "array"
    speaking = extract_labels(values, key, location)
    if speaking is not None:
        grid = None if spacing is None else functools.partial(lattice.grid, location=location)
        return from_labelled(speaking, GridOptions(grid, periodic, channel_axis, unit), name, location)
    samples, lost = to_tensor_with_notes(values, location)
    note = lost if channel_axis is not None else (*lost, *_reading(tuple(samples.shape)))
    samples = _channels_last(samples, channel_axis, location)
    return on_lattice(samples, lattice, name=name, location=location, notes=note)


@dataclass(frozen=True)
class ArrayLattice:
    """Grid options of an array without labels.

    Attributes:
        spacing: Distance of neighbours, for all axes or per axis; None for coordinates in [0, 1).
        periodic: Whether the array wraps around, for all axes or per axis.
        unit: Unit of `spacing`.
    """

    spacing: float | tuple[float, ...] | None = None
    periodic: bool | tuple[bool, ...] = False
    unit: str | None = None

    def grid(self, shape: tuple[int, ...], location: str) -> Grid:
        """Return the geometry of an array of `shape` samples.

        Raises:
            InputError: If the number of spacings is not that of the axes, or there is a unit without a
                spacing.
        """
        n = len(shape)
        wraps = self._per_axis(self.periodic, n, "periodic", location)
        if self.spacing is None:
            if self.unit is not None:
                raise InputError(
                    "a spacing with the unit", f"unit {self.unit!r} alone", "pass spacing= too", location
                )
            box = Grid.unit_box(shape)
            return Grid(shape, box.spacing, box.origin, box.units, tuple(bool(w) for w in wraps))
        distances = tuple(float(s) for s in self._per_axis(self.spacing, n, "spacing", location))
        units = (self.unit or "sample spacing",) * n
        return Grid(shape, distances, (0.0,) * n, units, tuple(bool(w) for w in wraps))

    @staticmethod
    def _per_axis(value: float | tuple[float, ...], axes: int, name: str, location: str) -> tuple[float, ...]:
        values = (value,) * axes if isinstance(value, int | float) else tuple(value)
        if len(values) != axes:
            raise InputError(
                f"one {name}, or one per axis ({axes})", f"{len(values)}", "pass as many as axes", location
            )
        return values


def on_lattice(
    samples: Tensor, lattice: ArrayLattice, *, name: str, location: str, notes: tuple[str, ...] = ()
) -> Signal:
    """Create the signal of (*shape, C) samples on a lattice.

    Raises:
        InputError: See `array`.
    """
    shape = tuple(samples.shape[:-1])
    check_shape(shape, location)
    return make_signal(
        samples.reshape(-1, samples.shape[-1]),
        lattice.grid(shape, location),
        kind=_KINDS[len(shape)],
        name=name,
        location=location,
        notes=notes,
    )


def _reading(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return a note on the channel axis for ambiguous shapes of three or more axes."""
    if len(shape) < 3:
        return ()
    if _has_channels(shape):
        return (f"the last axis of the shape {shape} was read as the channels",)
    if min(shape[0], shape[-1]) <= _MOST_CHANNELS:
        return (f"every axis of the shape {shape} was read as an axis of the grid, none as channels",)
    return ()


def _has_channels(shape: tuple[int, ...]) -> bool:
    return len(shape) >= 3 and shape[-1] <= _MOST_CHANNELS and shape[-1] < min(shape[:-1])


def _is_netcdf(path: Path) -> bool:
    with path.open("rb") as stream:
        head = stream.read(8)
    return head[:4] in (b"CDF\x01", b"CDF\x02", b"CDF\x05") or head == b"\x89HDF\r\n\x1a\n"


def _is_picture(path: Path) -> bool:
    family, suffix = content(path).family, path.suffix.lower()
    if family in (ContentFamily.PICTURE, ContentFamily.TIFF) or is_netpbm(path):
        return True
    return suffix in PICTURES and family in (ContentFamily.TEXT, ContentFamily.UNKNOWN)


def _picture_values(path: Path, lattice: ArrayLattice, channel_axis: int | None, location: str) -> Signal:
    """Read the stored numbers of a picture file as an array."""
    stored = stored_values(path)
    if channel_axis is not None:
        stored = split_channels(stored, channel_axis)
    shape = stored.samples.shape[:-1]
    if lattice.spacing is not None or lattice.unit is not None:
        return raster_signal(stored, grid=lattice.grid(shape, location), name=path.name, location=location)
    read = raster_signal(stored, grid=None, name=path.name, location=location)
    return replace(read, geometry=replace(read.geometry, periodic=lattice.grid(shape, location).periodic))


def _channels_last(samples: Tensor, channel_axis: int | None, location: str) -> Tensor:
    if channel_axis is not None:
        if not -samples.ndim <= channel_axis < samples.ndim:
            raise InputError(
                f"a channel axis within the {samples.ndim} axes", f"{channel_axis}", "pass another", location
            )
        return samples.movedim(channel_axis, -1).contiguous()
    return samples if _has_channels(tuple(samples.shape)) else samples.unsqueeze(-1)
