"""SQLite tables of a record: their layout, reading and writing of rows, and the meaning of SQLite's errors."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone.errors import InputError, OvertoneError, RunError
from overtone.records._attributes import is_whole
from overtone.records._codec import ChecksumError, checksum, from_bytes, to_bytes
from overtone.records._schema import PER_STEP, SCHEMA, STATIC, Header

DAMAGED = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_MISMATCH,
    }
)
"""SQLite's codes for a file that is broken or lacks what every record has."""

_REASONS = {
    sqlite3.SQLITE_FULL: ("room for the record", "a full disk or quota", "free some space, then resume"),
    sqlite3.SQLITE_READONLY: (
        "a record that can be written",
        "a read-only file or folder",
        "change its permissions",
    ),
    sqlite3.SQLITE_PERM: ("a record that can be written", "no permission", "change its permissions"),
    sqlite3.SQLITE_CANTOPEN: (
        "a file that can be opened",
        "a refusal by the file system",
        "check that the folder exists and that you may use it",
    ),
    sqlite3.SQLITE_BUSY: (
        "a free record",
        "one locked by another process",
        "close what uses it, then try again",
    ),
    sqlite3.SQLITE_LOCKED: ("a free record", "a locked one", "close what uses it, then try again"),
    sqlite3.SQLITE_IOERR: (
        "a disk that reads and writes",
        "an input/output error",
        "check the disk and its space",
    ),
}


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error of SQLite means that the file itself is broken."""
    return _code(error) in DAMAGED or _code(error) == sqlite3.SQLITE_INTERRUPT


def explain(error: sqlite3.Error, path: Path) -> OvertoneError:
    """Return the overtone error that stands for an error of SQLite."""
    code = _code(error)
    if code == sqlite3.SQLITE_INTERRUPT:
        return damaged(path, "it takes longer to read than any of its size")
    if code in DAMAGED:
        return damaged(path, str(error))
    expected, got, do = _REASONS.get(
        code, ("the record to be read or written", "a failure of the database", "try again")
    )
    return RunError(expected, f"{got} ({error})", do, str(path))


def damaged(path: Path, why: str) -> InputError:
    """Return the error for a damaged file or one that is not a record."""
    return InputError(
        "an intact overtone record", f"a damaged file ({why})", "use a backup or repeat the run", str(path)
    )


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn every SQLite error inside the block into an overtone error about `path`."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, path) from error
    except UnicodeDecodeError as error:
        raise damaged(path, "text that is none") from error


def _code(error: sqlite3.Error) -> int:
    # Errors of Python's own module, such as text that is not UTF-8, carry no code.
    undecodable = sqlite3.SQLITE_CORRUPT if isinstance(error, sqlite3.OperationalError) else 0
    # The low byte is the primary code; the others say which system call failed.
    return getattr(error, "sqlite_errorcode", undecodable) & 0xFF


_COLUMNS = ", ".join(f"{name} BLOB NOT NULL" for name in PER_STEP)

TABLES = {
    "meta": "CREATE TABLE meta (name TEXT PRIMARY KEY, text TEXT NOT NULL, crc INTEGER NOT NULL)",
    "static": "CREATE TABLE static (name TEXT PRIMARY KEY, data BLOB NOT NULL, crc INTEGER NOT NULL)",
    "rows": f"CREATE TABLE rows (step INTEGER PRIMARY KEY, crc INTEGER NOT NULL, {_COLUMNS})",
    "snapshots": "CREATE TABLE snapshots (name TEXT, step INTEGER, dtype TEXT NOT NULL, shape TEXT NOT NULL, "
    "data BLOB NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (name, step))",
}
"""The statement that made each table, as SQLite keeps it."""

MOST_ENTRIES = 64
"""Entries of the list of tables that are looked at; a record has seven."""

INSTRUCTIONS, AT_LEAST, BETWEEN = 4, 1_000_000, 1000
"""Instructions of SQLite per byte of a record and for any record that reading may take, and between two looks. Reading
takes about a quarter of one per byte."""


def be_cautious(connection: sqlite3.Connection, size: int) -> None:
    """Keep a connection from running code in the file, and from running longer than a file of its size needs.

    Args:
        connection: To a record that somebody else may have made.
        size: Bytes of its files.
    """
    # Functions in views, triggers and defaults of the file must not run.
    connection.execute("PRAGMA trusted_schema=OFF")
    # Damaged pages are then reported instead of being read beyond their end.
    connection.execute("PRAGMA cell_size_check=ON")
    checks = (AT_LEAST + INSTRUCTIONS * size) // BETWEEN
    # A function of C: one of Python would swallow Ctrl-C.
    connection.set_progress_handler(
        itertools.chain(itertools.repeat(0, checks), itertools.repeat(1)).__next__, BETWEEN
    )


def trust_schema(connection: sqlite3.Connection) -> None:
    """Lift the limit of `be_cautious`, for a writer that has checked the file."""
    connection.set_progress_handler(None, 0)


def check_meta(connection: sqlite3.Connection, path: Path) -> None:
    """Check that `meta`, which holds the version of the schema, is the expected table.

    Raises:
        InputError: If it is not.
    """
    if _entries(connection).get("meta") != ("table", TABLES["meta"]):
        raise damaged(path, "no table meta")


def check_layout(connection: sqlite3.Connection, path: Path) -> None:
    """Check that the tables are those of a record, with nothing besides.

    Raises:
        InputError: If they are not; says which.
    """
    entries = _entries(connection)
    for name, statement in TABLES.items():
        if entries.pop(name, None) != ("table", statement):
            raise damaged(path, f"no table {name}")
    # A trigger or a view would bring SQL of its own into every read and write. SQLite's own indices have no
    # statement; any other index was added by hand.
    for other, (kind, made_by) in entries.items():
        internal = kind in ("table", "index") and str(other).startswith("sqlite_")
        if not internal or (kind == "index" and made_by is not None):
            raise damaged(path, f"a {kind} {str(other)[:40]!r}, which no record has")


def _entries(connection: sqlite3.Connection) -> dict[object, tuple[object, object]]:
    entry = connection.execute(f"SELECT name, type, sql FROM sqlite_master LIMIT {MOST_ENTRIES}")
    return {name: (kind, statement) for name, kind, statement in entry}


_INSERT = f"INSERT INTO rows VALUES ({', '.join('?' * (2 + len(PER_STEP)))})"

Row = dict[str, NDArray[np.float64]]


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit all changes of a block, or none of them."""
    # IMMEDIATE takes the write lock at once. A lock taken at the first write could fail where waiting no longer
    # helps.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def create_tables(connection: sqlite3.Connection, header: Header) -> None:
    """Make the tables and write the header, in one transaction."""
    with transaction(connection):
        for statement in TABLES.values():
            connection.execute(statement)
        write_meta(connection, "schema", SCHEMA)
        write_meta(connection, "channels", list(header.channels))
        write_meta(connection, "attrs", header.attrs)
        write_meta(connection, "rows", 0)
        arrays = {"band_low": header.band_low, "band_high": header.band_high, **header.static}
        for name, array in arrays.items():
            data = to_bytes(array)
            connection.execute(
                "INSERT INTO static VALUES (?, ?, ?)", (name, data, checksum((name.encode(), data)))
            )


def write_meta(connection: sqlite3.Connection, name: str, value: Any) -> None:
    """Store `value` as JSON under `name`."""
    text = json.dumps(value)
    crc = checksum((name.encode(), text.encode()))
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (name, text, crc))


def write_row(
    connection: sqlite3.Connection, step: int, row: Mapping[str, NDArray[np.float64]], count: int
) -> None:
    """Store a complete row and the number of rows so far."""
    blobs = [to_bytes(row[name]) for name in PER_STEP]
    connection.execute(_INSERT, (step, _row_checksum(step, blobs), *blobs))
    write_meta(connection, "rows", count)


def drop_rows_after(connection: sqlite3.Connection, step: int) -> None:
    """Remove rows and snapshots of later steps, in one transaction."""
    with transaction(connection):
        connection.execute("DELETE FROM rows WHERE step > ?", (step,))
        connection.execute("DELETE FROM snapshots WHERE step > ?", (step,))
        write_meta(connection, "rows", connection.execute("SELECT COUNT(*) FROM rows").fetchone()[0])


def read_header(connection: sqlite3.Connection, path: Path) -> Header:
    """Read the header of an open record.

    Raises:
        InputError: If the file is no record, a damaged one, or one of a newer schema.
    """
    try:
        check_meta(connection, path)
        _check_schema(_meta(connection, "schema"), path)
        check_layout(connection, path)
        channels, attrs = _meta(connection, "channels"), _meta(connection, "attrs")
        stored = {
            name: (data, crc) for name, data, crc in connection.execute("SELECT name, data, crc FROM static")
        }
        # The number of bands follows from the length of their edges; the checksums are verified just below.
        bands, both = len(stored["band_low"][0]) // 8, (len(stored["band_low"][0]) // 8, len(channels))
        low, high = (_static(stored, name, (bands,)) for name in ("band_low", "band_high"))
        static = {name: _static(stored, name, both) for name in STATIC}
    except (ChecksumError, KeyError, TypeError, ValueError) as broken:
        if isinstance(broken, InputError):
            raise
        raise damaged(path, "its header cannot be read") from broken
    try:
        return Header(low, high, tuple(channels), static, attrs)
    except (InputError, TypeError, ValueError) as wrong:
        why = (
            f"its {wrong.source} should be {wrong.expected}"
            if isinstance(wrong, InputError)
            else "its header"
        )
        raise damaged(path, why) from wrong


def read_rows(
    connection: sqlite3.Connection, sizes: Mapping[str, int], size: int
) -> tuple[dict[int, Row], list[str]]:
    """Read all rows with correct checksums, by ascending step, and describe the faults of the others.

    Args:
        connection: An open record.
        sizes: Number of bands and channels.
        size: Bytes of the record's files: rows that are larger together are not all in them.
    """
    rows: dict[int, Row] = {}
    faults: list[str] = []
    names, left = ", ".join(PER_STEP), 2 * size
    # A damaged page hides the rows behind it: those are read from the other end, until both passes meet.
    for order in ("ASC", "DESC"):
        try:
            for step, crc, *blobs in connection.execute(
                f"SELECT step, crc, {names} FROM rows ORDER BY step {order}"
            ):
                # Crossed pages can repeat rows without end; intact ones are never larger together than the file.
                left -= sum(len(blob) for blob in blobs if isinstance(blob, bytes))
                if left < 0:
                    return rows, ["rows that are larger together than the file"]
                if order == "DESC" and step in rows:
                    break
                try:
                    rows[step] = _row(step, crc, blobs, sizes)
                except ChecksumError:
                    faults.append(f"the checksum of step {step}")
        except sqlite3.DatabaseError as broken:
            if not is_damage(broken):
                raise
            faults.append(str(broken))
            continue
        break
    if not faults:
        faults = _missing(connection, len(rows))
    return dict(sorted(rows.items())), list(dict.fromkeys(faults))


def _missing(connection: sqlite3.Connection, present: int) -> list[str]:
    try:
        count = _meta(connection, "rows")
    except (ChecksumError, KeyError, TypeError, ValueError):
        return ["the number of rows"]
    if not is_whole(count):
        return ["the number of rows"]
    return [] if count == present else [f"{present} rows of {count}"]


def _row(step: int, crc: int, blobs: list[bytes], sizes: Mapping[str, int]) -> Row:
    if (
        not isinstance(step, int)
        or step < 0
        or not all(isinstance(blob, bytes) for blob in blobs)
        or _row_checksum(step, blobs) != crc
    ):
        raise ChecksumError
    shapes = (tuple(sizes[d] for d in variable.inner) for variable in PER_STEP.values())
    return {n: from_bytes(b, s) for n, b, s in zip(PER_STEP, blobs, shapes, strict=True)}


def _row_checksum(step: int, blobs: list[bytes]) -> int:
    # The step is part of the sum, so that no row passes for that of another step.
    return checksum((step.to_bytes(8, "little", signed=True), *blobs))


def _meta(connection: sqlite3.Connection, name: str) -> Any:
    entry = connection.execute("SELECT text, crc FROM meta WHERE name = ?", (name,)).fetchone()
    if entry is None:
        raise KeyError(name)
    text, crc = entry
    if not isinstance(text, str) or checksum((name.encode(), text.encode())) != crc:
        raise ChecksumError
    try:
        return json.loads(text)
    # Deeply nested JSON overflows the parser's stack; no writer stores it.
    except RecursionError as nested:
        raise ChecksumError from nested


def _static(
    stored: Mapping[str, tuple[bytes, int]], name: str, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    data, crc = stored[name]
    if checksum((name.encode(), data)) != crc:
        raise ChecksumError
    return from_bytes(data, shape)


def _check_schema(schema: Any, path: Path) -> None:
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise damaged(path, "its schema has no number")
    if schema > SCHEMA:
        raise InputError(
            f"a record of schema {SCHEMA} or older",
            f"schema {schema}, written by a newer overtone",
            "upgrade overtone to read it",
            str(path),
        )
