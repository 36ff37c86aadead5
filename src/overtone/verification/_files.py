"""Fields from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overtone.errors import InputError


def read_fields(path: str | Path) -> Any:
    """Return the fields of a file: an array (.npy), a dictionary of arrays (.npz), or an xarray Dataset (.nc).

    A NetCDF file is opened only; its values are read in chunks later.

    Args:
        path: The file.

    Raises:
        InputError: If there is no such file, it is damaged, or its kind is not known.
    """
    file = Path(path)
    if not file.is_file():
        got = "a folder" if file.is_dir() else "no such file"
        raise InputError("a file of fields", got, "check the path", str(path))
    suffix = file.suffix.lower()
    if suffix in (".nc", ".nc4", ".netcdf", ".cdf"):
        return _open_netcdf(file)
    if suffix not in (".npy", ".npz"):
        raise InputError("a file .nc, .npy or .npz", repr(file.name), "convert it", str(path))
    try:
        # Arrays are mapped, not read: verification takes them in chunks.
        content = np.load(file, mmap_mode="c" if suffix == ".npy" else None, allow_pickle=False)
        return content if suffix == ".npy" else dict(content)
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise InputError("a complete file of arrays", f"{error}", "write it again", str(path)) from error


def _open_netcdf(file: Path) -> Any:
    import xarray

    from overtone._utils.optional import import_optional

    # Files of version 3 begin with CDF; SciPy reads them. Others are HDF5.
    with file.open("rb") as stream:
        classic = stream.read(3) == b"CDF"
    if not classic:
        import_optional("h5netcdf", "netcdf")
    try:
        # Lead times stay numbers with a unit, in whichever version of xarray.
        return xarray.open_dataset(file, engine="scipy" if classic else "h5netcdf", decode_timedelta=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError("a complete NetCDF file", f"{error}", "write it again", str(file)) from error
