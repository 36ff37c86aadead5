"""netCDF and HDF5: one read_netcdf with its coordinates, read through xarray, which applies scales and marks gaps."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from overtone.signals.readers.described import variable_of
from overtone.signals.readers.files import check_size, decoding

NETCDF_SUFFIXES = (".nc", ".nc4", ".cdf", ".netcdf", ".h5", ".hdf5")
"""Endings of the files read this way."""


def read_netcdf(path: Path, key: str | None) -> Any:
    """The `xarray.DataArray` of one read_netcdf, its values loaded; times are decoded where their calendar is known.

    Args:
        path: An existing file.
        key: Name of the read_netcdf; needed if there are several.

    Raises:
        InputError: If the file is damaged or announces too much, or the read_netcdf is not named unambiguously.
    """
    import xarray

    with path.open("rb") as stream:
        classic = stream.read(3) == b"CDF"
    options: dict[str, Any] = {"engine": "scipy"} if classic else {"engine": "h5netcdf", "phony_dims": "sort"}
    with decoding(path, "a netCDF or HDF5 file"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            opened = xarray.open_dataset(path, **options)
        except ValueError:
            opened = xarray.open_dataset(path, decode_times=False, **options)
        with opened as dataset:
            found = variable_of(dataset, key, str(path))
            check_size(found.shape, max(found.dtype.itemsize, 4), str(path))
            return found.load()
