"""Reading of records, also while they are being written."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from overtone.errors import InputError
from overtone.records._access import is_netcdf, locate, reading, size_of
from overtone.records._codec import ChecksumError, Packed
from overtone.records._netcdf import read_netcdf
from overtone.records._schema import PER_STEP, SCHEMA, STATIC, Header
from overtone.records._sqlite import Row, check_layout, damaged, read_header, read_rows

if TYPE_CHECKING:
    import xarray


def assemble(
    header: Header, steps: NDArray[np.int64], rows: Mapping[str, NDArray[np.float64]]
) -> xarray.Dataset:
    """Return the Dataset of a record.

    Args:
        header: Bands, channels, static variables and attributes.
        steps: (S,) recorded steps, ascending.
        rows: Every per-step variable, (S, ...).

    Returns:
        A Dataset with the dimensions `step`, `band` and `channel`.
    """
    import xarray

    frequency, value = (str(header.attrs.get(name) or "") for name in ("frequency_unit", "value_unit"))

    def described(units: str, meaning: str) -> dict[str, Any]:
        return {"units": units.format(value=f"({value})" if value else "value unit"), "long_name": meaning}

    data = {
        name: (variable.dims, array[name], described(variable.units, variable.meaning))
        for schema, array in ((STATIC, header.static), (PER_STEP, rows))
        for name, variable in schema.items()
    }
    coords = {
        "step": ("step", steps, {"long_name": "optimizer steps taken"}),
        # The geometric mean is the centre on a logarithmic axis; it is 0 for the band that holds the mean.
        "band": (
            "band",
            np.sqrt(header.band_low * header.band_high),
            {"units": frequency, "long_name": "band centre"},
        ),
        "band_low": ("band", header.band_low, {"units": frequency, "long_name": "lower band edge"}),
        "band_high": ("band", header.band_high, {"units": frequency, "long_name": "upper band edge"}),
        "channel": ("channel", np.array(header.channels, dtype=str)),
    }
    return xarray.Dataset(data, coords, {**header.attrs, "schema": SCHEMA})


def load(path: str | Path, *, salvage: bool = False) -> xarray.Dataset:
    """Load a record as a Dataset; see docs/record.md for its variables and units.

    Needs no permission to write, and may be called while another process writes: it then sees every finished row.

    Args:
        path: A run directory, a `.sqlite` record or an exported `.nc` file.
        salvage: Of a damaged `.sqlite` record, keep the rows that are intact instead of refusing it. What is wrong is
            then listed in the attribute `salvaged`.

    Returns:
        A Dataset with the dimensions `step`, `band` and `channel`, held in memory.

    Raises:
        InputError: If there is no record, or it is damaged, or written by a newer overtone.
        RunError: If the file system refuses.
    """
    file = locate(path)
    if is_netcdf(file):
        return read_netcdf(file)
    try:
        header, rows, faults = _content(file)
    # SQLite refuses to open a truncated file; a lenient second attempt tells how many rows are left in it.
    except InputError as broken:
        header, rows, faults = _remains(file, broken)
    if faults and not salvage:
        raise InputError(
            "an intact record",
            f"a damaged one with {len(rows)} good rows ({'; '.join(faults[:3])})",
            "keep those with load(path, salvage=True)",
            str(file),
        )
    shapes = {name: tuple(header.sizes[d] for d in variable.inner) for name, variable in PER_STEP.items()}
    stacked = {
        name: np.stack([row[name] for row in rows.values()]) if rows else np.empty((0, *shape))
        for name, shape in shapes.items()
    }
    record = assemble(header, np.array(list(rows), dtype=np.int64), stacked)
    return record.assign_attrs(salvaged=faults) if faults else record


def _content(file: Path, *, lenient: bool = False) -> tuple[Header, dict[int, Row], list[str]]:
    with reading(file, lenient=lenient) as connection:
        header = read_header(connection, file)
        return header, *read_rows(connection, header.sizes, size_of(file))


def _remains(file: Path, broken: InputError) -> tuple[Header, dict[int, Row], list[str]]:
    """Return the readable part of a file that SQLite finds broken, or raise the original error."""
    try:
        header, rows, faults = _content(file, lenient=True)
    except InputError:
        raise broken from None
    return header, rows, faults or ["the end of the file is missing"]


@dataclass(frozen=True)
class Snapshots:
    """Arrays stored in a record; each is read when it is asked for.

    Attributes:
        path: The record's file.
        entries: Name and step of every snapshot, sorted.
    """

    path: Path
    entries: tuple[tuple[str, int], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(dict.fromkeys(name for name, _ in self.entries))

    def steps(self, name: str) -> tuple[int, ...]:
        """Return the steps at which `name` was stored, ascending; empty if it never was."""
        return tuple(step for entry, step in self.entries if entry == name)

    def get(self, name: str, step: int) -> NDArray[np.generic]:
        """Read one array.

        Raises:
            InputError: If there is none, or it is damaged.
        """
        entry = None
        if (name, step) in self.entries:
            query = "SELECT dtype, shape, data, crc FROM snapshots WHERE name = ? AND step = ?"
            with reading(self.path) as connection:
                # The file may have been replaced since the list was made, so its layout is checked at each opening.
                check_layout(connection, self.path)
                entry = connection.execute(query, (name, int(step))).fetchone()
        if entry is None:
            names = ", ".join(f"{n}@{s}" for n, s in self.entries) or "none"
            raise InputError(
                f"one of the snapshots {names}", f"{name}@{step}", "choose one of them", str(self.path)
            )
        try:
            return Packed(*entry).unpack()
        except (ChecksumError, ValueError, TypeError, AttributeError, RecursionError, zlib.error) as broken:
            raise damaged(self.path, f"the snapshot {name}@{step}") from broken


def snapshots(path: str | Path) -> Snapshots:
    """List the arrays stored in a record, by name and step.

    Args:
        path: A run directory or a `.sqlite` record. Exported `.nc` files hold none.

    Raises:
        InputError: If there is no record, or it is damaged, or written by a newer overtone.
    """
    file = locate(path)
    if is_netcdf(file):
        return Snapshots(file, ())
    with reading(file) as connection:
        read_header(connection, file)
        entries: list[tuple[str, int]] = connection.execute(
            "SELECT name, step FROM snapshots ORDER BY name, step"
        ).fetchall()
    if not all(isinstance(name, str) and isinstance(step, int) for name, step in entries):
        raise damaged(file, "a snapshot without a name and a step")
    return Snapshots(file, tuple(entries))
