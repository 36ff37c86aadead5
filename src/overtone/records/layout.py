"""Which tables a record's SQLite file has, and that it has nothing else: no view and no trigger is ever run."""

from __future__ import annotations

import itertools
import sqlite3
from pathlib import Path

from overtone.records.failures import damaged
from overtone.records.schema import PER_STEP

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
    """Let a connection run no code that the file brings, and not more than a file of its size can need.

    Args:
        connection: To a record that somebody else may have made.
        size: Bytes of its files.
    """
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    looks = (AT_LEAST + INSTRUCTIONS * size) // BETWEEN
    # A function of C: one of Python would swallow Ctrl-C.
    connection.set_progress_handler(
        itertools.chain(itertools.repeat(0, looks), itertools.repeat(1)).__next__, BETWEEN
    )


def trust_schema(connection: sqlite3.Connection) -> None:
    """Take the limit of `cautious` away: for a writer that has looked at what there was."""
    connection.set_progress_handler(None, 0)


def check_meta(connection: sqlite3.Connection, path: Path) -> None:
    """Whether `meta`, which says the version of the schema, is the table that it should be.

    Raises:
        InputError: If it is not.
    """
    if _entries(connection).get("meta") != ("table", TABLES["meta"]):
        raise damaged(path, "no table meta")


def check_layout(connection: sqlite3.Connection, path: Path) -> None:
    """Whether the tables are those of a record, and there is nothing besides.

    Raises:
        InputError: If they are not; says which.
    """
    entries = _entries(connection)
    for name, statement in TABLES.items():
        if entries.pop(name, None) != ("table", statement):
            raise damaged(path, f"no table {name}")
    for other, (kind, made_by) in entries.items():
        own = kind in ("table", "index") and str(other).startswith("sqlite_")
        if not own or (kind == "index" and made_by is not None):
            raise damaged(path, f"a {kind} {str(other)[:40]!r}, which no record has")


def _entries(connection: sqlite3.Connection) -> dict[object, tuple[object, object]]:
    found = connection.execute(f"SELECT name, type, sql FROM sqlite_master LIMIT {MOST_ENTRIES}")
    return {name: (kind, statement) for name, kind, statement in found}
