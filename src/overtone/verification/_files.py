"""Fields from files."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from overtone._utils.optional import import_optional
from overtone.errors import InputError

NETCDF, GRIB = (".nc", ".nc4", ".netcdf", ".cdf"), (".grib", ".grib2", ".grb", ".grb2")
_MARKS = ("zarr.json", ".zgroup", ".zmetadata")
"""Files of which every Zarr group has one."""


def read_fields(path: str | Path) -> Any:
    """Return the fields of a file: an array (.npy), a dictionary of arrays (.npz), or an xarray Dataset.

    Datasets are those of NetCDF (.nc), Zarr (a folder) and GRIB (.grib) files. They are opened only; their values are
    read in parts later. A group within a file stands behind two colons: `truth.zarr::era5`.

    Args:
        path: The file or folder.

    Raises:
        InputError: If there is no such file or group, it is damaged, or its kind is not known.
    """
    name, _, group = str(path).partition("::")
    file = Path(name)
    suffix = file.suffix.lower()
    if file.is_dir():
        if suffix != ".zarr" and not any((file / mark).is_file() for mark in _MARKS):
            raise InputError("a file of fields, or a folder of Zarr", "a folder", "check the path", str(path))
        return _open_zarr(file, group)
    if not file.is_file():
        raise InputError("a file of fields", "no such file", "check the path", str(path))
    if suffix in NETCDF:
        return _open_netcdf(file, group)
    if group:
        raise InputError("a group of NetCDF or Zarr", repr(group), "leave it out", str(path))
    if suffix in GRIB:
        return _open_grib(file)
    if suffix not in (".npy", ".npz"):
        raise InputError("a file .nc, .zarr, .grib, .npy or .npz", repr(file.name), "convert it", str(path))
    try:
        # Arrays are mapped, not read: verification takes them in parts.
        content = np.load(file, mmap_mode="c" if suffix == ".npy" else None, allow_pickle=False)
        return content if suffix == ".npy" else dict(content)
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise InputError("a complete file of arrays", f"{error}", "write it again", str(path)) from error


def _open_netcdf(file: Path, group: str) -> Any:
    import xarray

    # Files of version 3 begin with CDF; SciPy reads them. Others are HDF5.
    with file.open("rb") as stream:
        classic = stream.read(3) == b"CDF"
    if not classic:
        import_optional("h5netcdf", "netcdf")
    if classic and group:
        raise InputError(
            "a file with groups", "NetCDF of version 3, which has none", "leave the group out", str(file)
        )

    def groups() -> Sequence[str]:
        with import_optional("h5netcdf", "netcdf").File(file, "r") as content:
            return tuple(content.groups)

    # Lead times stay numbers with a unit, in whichever version of xarray.
    options: dict[str, Any] = {"decode_timedelta": False, **({"group": group} if group else {})}
    engine = "scipy" if classic else "h5netcdf"
    return _opened(
        lambda **more: xarray.open_dataset(file, engine=engine, **options, **more),
        "NetCDF file",
        file,
        groups,
    )


def _open_zarr(folder: Path, group: str) -> Any:
    import xarray

    zarr = import_optional("zarr", "zarr")

    def groups() -> Sequence[str]:
        return tuple(zarr.open_group(folder, mode="r").group_keys())

    # Without chunks of Dask, parts are read as verification asks for them.
    options: dict[str, Any] = {"chunks": None, "decode_timedelta": False, "group": group or None}
    return _opened(lambda **more: xarray.open_zarr(folder, **options, **more), "Zarr group", folder, groups)


def _open_grib(file: Path) -> Any:
    import xarray

    import_optional("cfgrib", "grib")
    # The reader would write an index beside the file, which may stand where nothing can be written.
    options: dict[str, Any] = {"decode_timedelta": False, "backend_kwargs": {"indexpath": ""}}
    return _opened(
        lambda **more: xarray.open_dataset(file, engine="cfgrib", **options, **more), "GRIB file", file, tuple
    )


def _opened(open_file: Callable[..., Any], kind: str, file: Path, groups: Callable[[], Sequence[str]]) -> Any:
    """Open a data set.

    Args:
        open_file: Opens it, with further options of xarray.
        kind: Kind of the file, for errors.
        file: The file.
        groups: Returns the names of the groups.

    Raises:
        InputError: If it is damaged, the group does not exist, or a calendar needs a package.
    """
    try:
        with warnings.catch_warnings():
            # Metadata in one place would only be opened faster.
            warnings.filterwarnings("ignore", "Failed to open Zarr store", RuntimeWarning)
            return open_file()
    except (OSError, ValueError, TypeError, KeyError, EOFError) as error:
        if "unable to decode time units" in str(error):
            # Times before 1678, and calendars of models.
            import_optional("cftime", "calendars")
            # Times from year 0 on, as of climatologies, belong to no calendar and stay numbers.
            return open_file(decode_times=False)
        names = _groups(groups)
        if names and ("group" in str(error).lower() or isinstance(error, KeyError | FileNotFoundError)):
            raise InputError(
                f"one of the groups {', '.join(names)}",
                f"{error}",
                "name it behind two colons, FILE::GROUP",
                str(file),
            ) from error
        raise InputError(f"a complete {kind}", f"{error}", "write it again", str(file)) from error


def _groups(groups: Callable[[], Sequence[str]]) -> Sequence[str]:
    """Return the names of the groups of a file, none if it is damaged."""
    try:
        return groups()
    except (OSError, ValueError, KeyError):
        return ()
