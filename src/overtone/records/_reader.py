"""Reading of records, also while they are being written."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from overtone.errors import InputError
from overtone.records._access import is_netcdf, locate, reading, size_of
from overtone.records._codec import ChecksumError, Packed
from overtone.records._netcdf import read_netcdf
from overtone.records._schema import PER_STEP, Header
from overtone.records._sqlite import Row, check_layout, damaged, read_header, read_rows

if TYPE_CHECKING:
    import xarray


def load(path: str | Path, *, salvage: bool = False) -> xarray.Dataset:
    """Load a record as a Dataset; see docs/guide/record.md for its variables and units.

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

    Example:
        >>> import tempfile
        >>> from overtone.records import Header, Writer, load
        >>> header = Header([0, 1], [1, 2], ["value"], {"target_power": [[0], [1]]})
        >>> path = tempfile.mkdtemp() + "/record.sqlite"
        >>> with Writer.create(path, header) as writer:
        ...     writer.append(0, {"residual_power": [[0], [1]], "loss": 0.5})
        ...     float(load(path).loss[-1])
        0.5
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
    record = header.record(np.array(list(rows), dtype=np.int64), stacked)
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

    Example:
        >>> import tempfile
        >>> from overtone.records import Header, Writer, snapshots
        >>> header = Header([0, 1], [1, 2], ["value"], {"target_power": [[0], [1]]})
        >>> with Writer.create(tempfile.mkdtemp() + "/record.sqlite", header) as writer:
        ...     writer.snapshot("prediction", 0, [1, 2, 3])
        >>> arrays = snapshots(writer.path)
        >>> arrays.names, arrays.steps("prediction"), arrays.get("prediction", 0).tolist()
        (('prediction',), (0,), [1, 2, 3])
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

    def find(self, name: str, step: int) -> NDArray[np.generic] | None:
        """Read one array; None if there is none.

        Raises:
            InputError: If it is damaged.
        """
        return self.get(name, step) if (name, step) in self.entries else None

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

    Example:
        >>> import tempfile
        >>> from overtone.records import Header, Writer, snapshots
        >>> header = Header([0, 1], [1, 2], ["value"], {"target_power": [[0], [1]]})
        >>> with Writer.create(tempfile.mkdtemp() + "/record.sqlite", header) as writer:
        ...     writer.snapshot("target", -1, [1, 2, 3])
        >>> snapshots(writer.path).entries
        (('target', -1),)
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
