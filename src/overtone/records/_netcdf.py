"""Records as netCDF-4 files for sharing: any netCDF tool opens them, and `load` reads them without loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from overtone._utils.files import atomic_path
from overtone._utils.optional import import_optional
from overtone.errors import InputError, RunError
from overtone.records._attributes import is_whole
from overtone.records._schema import PER_STEP, SCHEMA, STATIC, check_bands, plain_attrs
from overtone.records._sqlite import damaged

if TYPE_CHECKING:
    import xarray

DEFLATED, SMALL = 1100, 1 << 20
"""Bytes that one byte of a file can stand for, at most, and bytes that any file may stand for."""

_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RuntimeError,
    IndexError,
    OverflowError,
)

ATTRIBUTES = "overtone_attributes"
"""Scalar variable with all attributes as JSON: netCDF attributes know neither None nor nested lists."""


def to_netcdf(record: xarray.Dataset, path: str | Path) -> None:
    """Write a record, or several joined by `concat`, to a netCDF-4 file.

    Args:
        record: From `load` or `concat`.
        path: The file to write; replaced if it exists, at once and only when complete.

    Raises:
        InputError: If `record` is no record, or the extra `netcdf` is not installed.
        RunError: If the file cannot be written.

    Example:
        >>> import tempfile
        >>> from overtone.records import Header, load, to_netcdf
        >>> header = Header([0, 1], [1, 2], ["value"], {"target_power": [[0], [1]]})
        >>> path = tempfile.mkdtemp() + "/shared.nc"
        >>> to_netcdf(header.record([0], {"residual_power": [[[0], [1]]]}), path)
        >>> load(path).step.values.tolist()
        [0]
    """
    import_optional("h5netcdf", "netcdf")
    path = Path(path)
    if "schema" not in record.attrs or "target_power" not in record:
        raise InputError("a record from load or concat", "another Dataset", "load it first", "record")
    attrs = {**plain_attrs(record.attrs), "schema": record.attrs["schema"]}
    # Attributes that netCDF can hold are repeated as such, for readers without overtone.
    simple = {k: v for k, v in attrs.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    text = {k: v for k, v in attrs.items() if isinstance(v, str) and v and v.isprintable()}
    file = record.assign({ATTRIBUTES: ((), json.dumps(attrs))})
    file.attrs = {k: v for k, v in {**simple, **text}.items() if _fits(k, v)}
    # Fletcher's checksum makes a damaged file an error instead of wrong numbers.
    packed = {
        str(name): {"zlib": True, "complevel": 4, "shuffle": True, "fletcher32": True}
        for name, variable in record.data_vars.items()
        if variable.ndim and variable.size
    }
    # NaN is a value here (not measured); a fill value would mark it as missing data.
    fill = {str(name): {"_FillValue": None} for name in record.variables}
    encoding = {name: {**fill[name], **packed.get(name, {})} for name in fill}
    try:
        with atomic_path(path, path.with_name(path.name + ".partial")) as partial:
            file.to_netcdf(partial, engine="h5netcdf", encoding=encoding)
    except (OSError, RuntimeError) as refused:
        raise RunError(
            "a file that can be written", f"{refused}", "check the folder and its space", str(path)
        ) from refused


def read_netcdf(file: Path) -> xarray.Dataset:
    """Read the record in a netCDF file, as it was passed to `to_netcdf`.

    Raises:
        InputError: If it holds no record, or a damaged or newer one.
    """
    import xarray

    import_optional("h5netcdf", "netcdf")
    try:
        _check_storage(file)
        with xarray.open_dataset(file, engine="h5netcdf", mask_and_scale=False, decode_times=False) as opened:
            stored = opened.load()
    except InputError:
        raise
    except _UNREADABLE as broken:
        raise damaged(file, "not readable as netCDF") from broken
    if ATTRIBUTES not in stored:
        raise InputError(
            "a netCDF file written by overtone",
            "one of another program",
            "export the record with to_netcdf",
            str(file),
        )
    attrs = _attributes(stored, file)
    missing = {*STATIC, *PER_STEP, "band_low", "band_high"} - set(stored.variables)
    if missing:
        raise damaged(file, f"no {sorted(missing)[0]}")
    record = stored.drop_vars(ATTRIBUTES)
    record.attrs = attrs
    # HDF5 returns strings as objects; records hold them as NumPy strings.
    for name in [name for name, coord in record.coords.items() if coord.dtype.kind in "OT"]:
        attributes = record[name].attrs
        record = record.assign_coords({name: record[name].astype(str)})
        record[name].attrs = attributes
    _check_variables(record, file)
    for variable in record.variables.values():
        variable.encoding.clear()
    record.encoding.clear()
    return record


def _attributes(stored: xarray.Dataset, file: Path) -> dict[str, Any]:
    """Return the attributes, which are all stored in one variable.

    Raises:
        InputError: If they are damaged or those of a newer schema.
    """
    try:
        attrs = json.loads(str(stored[ATTRIBUTES].item()))
        schema = attrs["schema"]
    except (ValueError, KeyError, TypeError, RecursionError) as broken:
        raise damaged(file, "its attributes cannot be read") from broken
    if not is_whole(schema) or schema < 1:
        raise damaged(file, "its schema has no number")
    if schema > SCHEMA:
        raise InputError(
            f"a record of schema {SCHEMA} or older",
            f"schema {schema}, written by a newer overtone",
            "upgrade overtone to read it",
            str(file),
        )
    try:
        return {**plain_attrs(attrs), "schema": schema}
    except InputError as wrong:
        raise damaged(file, f"its {wrong.source} should be {wrong.expected}") from wrong


def _check_storage(file: Path) -> None:
    """Check that all data are in the file itself, and not more than such a file can hold.

    Raises:
        InputError: If a link leads elsewhere, or a shape says more than deflating can have saved.
    """
    h5py = import_optional("h5py", "netcdf")

    # External links, and virtual or external storage, would make the reader open other files. Chunks never written
    # take no space, so that a small file could claim any shape.
    size = 0
    with h5py.File(file, "r") as opened:
        for name in opened:
            if not isinstance(opened.get(name, getlink=True), h5py.HardLink):
                raise damaged(file, f"{name[:40]!r} lies in another place")
            item = opened[name]
            if not isinstance(item, h5py.Dataset) or item.external or item.is_virtual:
                raise damaged(file, f"{name[:40]!r} holds no numbers of its own")
            size += item.size * item.dtype.itemsize if item.shape else 0
    if size > DEFLATED * file.stat().st_size + SMALL:
        raise damaged(file, "shapes larger than the file can hold")


def _check_variables(record: xarray.Dataset, file: Path) -> None:
    """Check that variables have the dimensions and types of a record, of one run or of several.

    Raises:
        InputError: If one has not; says which.
    """
    extra = [name for name in record.target_power.dims if name not in ("band", "channel")]
    expected = {name: set(variable.dims) for name, variable in (STATIC | PER_STEP).items()}
    for name, dims in expected.items():
        variable = record[name]
        if not dims <= set(variable.dims) <= dims | set(extra) or variable.dtype.kind not in "fiu":
            raise damaged(file, f"{name} is not {' x '.join(map(str, dims)) or 'a number'}")
    for name, kind in {"step": "iuf", "band": "f", "band_low": "f", "band_high": "f", "channel": "U"}.items():
        if name not in record.coords or len(record[name].dims) != 1 or record[name].dtype.kind not in kind:
            raise damaged(file, f"no coordinate {name}")
    try:
        check_bands(record.band_low.values, record.band_high.values)
    except InputError as wrong:
        raise damaged(file, f"its {wrong.source} should be {wrong.expected}") from wrong
    steps = record.step.values
    if not np.isfinite(steps).all() or (steps < 0).any() or (np.diff(steps) <= 0).any():
        raise damaged(file, "steps that do not ascend")


def _fits(name: str, value: object) -> bool:
    if "/" in name or not name.isprintable() or not name:
        return False
    if isinstance(value, int):
        return bool(np.iinfo(np.int64).min <= value <= np.iinfo(np.int64).max)
    return not isinstance(value, str) or len(value) < 10_000
