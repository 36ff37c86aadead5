"""Writing of a record during training: one transaction per step; it survives `kill -9` and can be read meanwhile."""

from __future__ import annotations

import contextlib
import operator
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from numpy.typing import ArrayLike

from overtone._utils.files import atomic_path
from overtone.errors import InputError, RunError
from overtone.records._access import (
    WriterLock,
    check_journal,
    check_own,
    checkpoint_wal,
    prepare_journal,
    size_of,
)
from overtone.records._codec import Packed
from overtone.records._schema import PER_STEP, Header, complete, plain_attrs
from overtone.records._sqlite import (
    be_cautious,
    create_tables,
    damaged,
    drop_rows_after,
    explained,
    read_header,
    read_rows,
    transaction,
    trust_schema,
    write_meta,
    write_row,
)

PATIENCE = 30.0
"""Seconds to wait for readers before a row counts as failed."""


class Writer:
    """Writer of a record, the only one at a time; made by `Writer.create` or `Writer.resume`.

    What `append`, `snapshot` and `annotate` have returned from is in the file: it survives the death of the process.
    Usable as a context manager.

    Example:
        >>> import tempfile
        >>> from overtone.records import Header, Writer, load
        >>> header = Header([0, 1], [1, 2], ["value"], {"target_power": [[0], [1]]})
        >>> path = tempfile.mkdtemp() + "/record.sqlite"
        >>> with Writer.create(path, header) as writer:
        ...     writer.append(0, {"residual_power": [[0], [1]]})
        >>> with Writer.resume(path, last_step=0) as writer:
        ...     writer.append(10, {"residual_power": [[0], [0.2]]})
        ...     writer.annotate(steps=10)
        >>> load(path).step.values.tolist()
        [0, 10]
    """

    def __init__(self, path: Path, lock: WriterLock, connection: sqlite3.Connection, header: Header) -> None:
        self.path = path
        self._lock, self._open, self._header = lock, True, header
        self._connection = connection
        self._attrs = dict(header.attrs)
        self._last, self._count = connection.execute("SELECT MAX(step), COUNT(*) FROM rows").fetchone()

    @classmethod
    def create(cls, path: str | Path, header: Header) -> Writer:
        """Create a record.

        Args:
            path: A `.sqlite` file that does not exist yet; folders are made as needed.
            header: Bands, channels, static variables and attributes.

        Raises:
            InputError: If `path` is no `.sqlite` file or exists.
            RunError: If it cannot be written, or another writer holds it.
        """
        path = Path(path)
        if path.suffix != ".sqlite":
            raise InputError(
                "a file name ending in .sqlite", f"{path.name!r}", "name it record.sqlite", str(path)
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as refused:
            raise RunError(
                "a folder that can be made",
                refused.strerror or f"{refused}",
                "choose another path",
                str(path),
            ) from refused
        # Whatever fails from here on gives back the lock and the connection. The lock comes first: two writers that
        # both find no file would both make one.
        with contextlib.ExitStack() as undo, explained(path):
            lock = WriterLock(path)
            undo.callback(lock.release)
            if path.exists() and (path.is_dir() or path.stat().st_size):
                raise InputError(
                    "a path without a record",
                    "an existing one",
                    "resume it, remove it or choose another path",
                    str(path),
                )
            _build(path, header)
            connection = _connect(path)
            undo.callback(connection.close)
            prepare_journal(connection, path)
            writer = cls(path, lock, connection, header)
            undo.pop_all()
        return writer

    @classmethod
    def resume(cls, path: str | Path, last_step: int) -> Writer:
        """Continue a record after `last_step`; rows and snapshots of later steps are dropped.

        Args:
            path: An existing `.sqlite` record.
            last_step: The step of the checkpoint that training continues from.

        Raises:
            InputError: If there is no record, or it is damaged or newer than this overtone.
            RunError: If it cannot be written, or another writer holds it.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError("an existing record", "no such file", "create it with Writer.create", str(path))
        last_step = _step(last_step, minimum=-1)
        with contextlib.ExitStack() as undo, explained(path):
            lock = WriterLock(path)
            undo.callback(lock.release)
            check_own(path)
            check_journal(path)
            connection = _connect(path)
            undo.callback(connection.close)
            # The whole record is read before it is continued: damage would otherwise be carried along unnoticed.
            be_cautious(connection, size_of(path))
            header = read_header(connection, path)
            _, faults = read_rows(connection, header.sizes, size_of(path))
            if faults:
                raise damaged(path, "; ".join(faults[:3]))
            trust_schema(connection)
            prepare_journal(connection, path)
            drop_rows_after(connection, last_step)
            writer = cls(path, lock, connection, header)
            undo.pop_all()
        return writer

    @property
    def header(self) -> Header:
        """Header that the record was opened with."""
        return self._header

    def append(self, step: int, row: Mapping[str, ArrayLike]) -> None:
        """Add the row of one step, in one transaction.

        Args:
            step: Above every step so far; 0 or more.
            row: `residual_power` (band, channel) and any others of the schema's per-step variables, in physical units.
                What is left out reads as NaN.

        Raises:
            InputError: If the step does not increase, or a variable is unknown, missing or of the wrong shape.
            RunError: If the disk is full, read-only or locked. The record is then as it was before the call.
        """
        self._check_open()
        step = _step(step, minimum=0)
        if self._last is not None and step <= self._last:
            raise InputError(
                f"a step above {self._last}", f"{step}", "record each step once, in order", "step"
            )
        values = complete(row, PER_STEP, self._header.sizes, f"step {step}")
        with explained(self.path), transaction(self._connection):
            # The number of rows is stored with each row: it reveals rows that vanish with a damaged page.
            write_row(self._connection, step, values, self._count + 1)
        self._last, self._count = step, self._count + 1

    def snapshot(self, name: str, step: int, array: ArrayLike) -> None:
        """Store an array, for instance the whole prediction; compressed without loss, dtype kept.

        Args:
            name: What it is ("prediction"); "target" is kept at step -1.
            step: The step it belongs to. The same name and step replaces what was there.
            array: Numbers of any shape.

        Raises:
            InputError: If the array holds anything but numbers.
            RunError: If the disk is full, read-only or locked.
        """
        self._check_open()
        if not isinstance(name, str) or not name or not name.isprintable():
            raise InputError("a printable name", f"{name!r}", "name the snapshot", "snapshot")
        step = _step(step, minimum=-1)
        packed = Packed.of(array, name)
        values = (name, step, packed.dtype, packed.shape, packed.data, packed.crc)
        with explained(self.path), transaction(self._connection):
            self._connection.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?)", values)

    def annotate(self, **attrs: Any) -> None:
        """Set attributes that are known only later; those of the same name are replaced.

        Raises:
            InputError: If a value cannot be written as JSON.
            RunError: If the disk is full, read-only or locked.
        """
        self._check_open()
        merged = self._attrs | plain_attrs(attrs)
        with explained(self.path), transaction(self._connection):
            write_meta(self._connection, "attrs", merged)
        self._attrs = merged

    def close(self) -> None:
        """Close the file and release the lock. May be called twice."""
        if self._open:
            self._open = False
            checkpoint_wal(self._connection)
            self._connection.close()
            self._lock.release()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        if not self._open:
            raise InputError(
                "an open record", "a closed one", "continue it with Writer.resume", str(self.path)
            )


def _build(path: Path, header: Header) -> None:
    """Put a record without rows at `path` in one move: a reader sees all of it or no file.

    What an earlier writer left that died before this move is cleared away.
    """
    part = path.with_name(path.name + ".part")
    try:
        # SQLite would replay the journal of an earlier file of this name into the new one.
        for stale in (part, path):
            for suffix in ("-journal", "-wal", "-shm"):
                Path(f"{stale}{suffix}").unlink(missing_ok=True)
        part.unlink(missing_ok=True)
        with atomic_path(path, part), contextlib.closing(_connect(part)) as connection:
            create_tables(connection, header)
    except OSError as refused:
        raise RunError(
            "a folder that can be written", f"{refused}", "choose another path", str(path)
        ) from refused


def _connect(path: Path) -> sqlite3.Connection:
    # Loops and callbacks may run in other threads than the one that opened the record, one at a time.
    return sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)


def _step(step: int, minimum: int) -> int:
    try:
        number = operator.index(step)
    except TypeError as wrong:
        raise InputError("a whole number of steps", f"{step!r}", "pass an int", "step") from wrong
    if not minimum <= number < 1 << 63:
        raise InputError(f"a step of {minimum} or more", f"{number}", "count steps from 0", "step")
    return number
