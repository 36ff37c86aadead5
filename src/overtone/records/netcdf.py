"""Records as netCDF-4 files, for sharing: opened by any tool that reads netCDF, and by `load` without loss."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from overtone.errors import InputError, RunError
from overtone.records.failures import damaged
from overtone.records.schema import PER_STEP, SCHEMA, STATIC, plain_attrs

if TYPE_CHECKING:
    import xarray

ATTRIBUTES = "overtone_attributes"
"""Scalar variable with all attributes as JSON: netCDF attributes know neither None nor nested lists."""


def to_netcdf(record: xarray.Dataset, path: str | Path) -> None:
    """Write a record, or several joined by `concat`, to a netCDF-4 file.

    Args:
        record: From `load` or `concat`.
        path: The file to write; replaced if it exists, at once and only when complete.

    Raises:
        InputError: If `record` is no record.
        RunError: If the file cannot be written.
    """
    path = Path(path)
    if "schema" not in record.attrs or "target_power" not in record:
        raise InputError("a record from load or concat", "another Dataset", "load it first", "record")
    attrs = {**plain_attrs(record.attrs), "schema": record.attrs["schema"]}
    simple = {k: v for k, v in attrs.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    text = {k: v for k, v in attrs.items() if isinstance(v, str) and v and v.isprintable()}
    file = record.assign({ATTRIBUTES: ((), json.dumps(attrs))})
    file.attrs = {k: v for k, v in {**simple, **text}.items() if _fits(k, v)}
    packed = {
        str(name): {"zlib": True, "complevel": 4, "shuffle": True, "fletcher32": True}
        for name, variable in record.data_vars.items()
        if variable.ndim and variable.size
    }
    fill = {str(name): {"_FillValue": None} for name in record.variables}
    encoding = {name: {**fill[name], **packed.get(name, {})} for name in fill}
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file.to_netcdf(partial, engine="h5netcdf", encoding=encoding)
        os.replace(partial, path)
    except (OSError, RuntimeError) as refused:
        raise RunError(
            "a file that can be written", f"{refused}", "check the folder and its space", str(path)
        ) from refused
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def read_netcdf(file: Path) -> xarray.Dataset:
    """The record in a netCDF file, as it was given to `to_netcdf`.

    Raises:
        InputError: If it holds no record, or a damaged or newer one.
    """
    import h5py
    import xarray

    try:
        h5py.File(file, "r").close()
        with xarray.open_dataset(file, engine="h5netcdf", mask_and_scale=False, decode_times=False) as opened:
            stored = opened.load()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as broken:
        raise damaged(file, "not readable as netCDF") from broken
    if ATTRIBUTES not in stored:
        raise InputError(
            "a netCDF file written by overtone", "another one", "export it with to_netcdf", str(file)
        )
    try:
        attrs = json.loads(str(stored[ATTRIBUTES].item()))
    except ValueError as broken:
        raise damaged(file, "its attributes cannot be read") from broken
    if attrs["schema"] > SCHEMA:
        raise InputError(
            f"a record of schema {SCHEMA} or older",
            f"schema {attrs['schema']}, written by a newer overtone",
            "upgrade overtone to read it",
            str(file),
        )
    missing = {*STATIC, *PER_STEP, "band_low", "band_high"} - set(stored.variables)
    if missing:
        raise damaged(file, f"no {sorted(missing)[0]}")
    record = stored.drop_vars(ATTRIBUTES)
    record.attrs = attrs
    for name in [name for name, coord in record.coords.items() if coord.dtype.kind in "OT"]:
        kept = record[name].attrs
        record = record.assign_coords({name: record[name].astype(str)})
        record[name].attrs = kept
    for variable in record.variables.values():
        variable.encoding.clear()
    record.encoding.clear()
    return record


def _fits(name: str, value: object) -> bool:
    if "/" in name or not name.isprintable() or not name:
        return False
    if isinstance(value, int):
        return bool(np.iinfo(np.int64).min <= value <= np.iinfo(np.int64).max)
    return not isinstance(value, str) or len(value) < 10_000
