"""Open a record to read it, wherever it lies: while it is written, after a crash, on a read-only disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from overtone.errors import InputError
from overtone.records.failures import damaged, explained, is_damage
from overtone.records.journal import check_journal
from overtone.records.layout import be_cautious

RECORD = "record.sqlite"
"""Name of the record in a run directory."""

PATIENCE = 30.0
"""Seconds to wait for a writer to finish its transaction."""

_SQLITE, _HDF5 = b"SQLite format 3\0", b"\x89HDF\r\n\x1a\n"


def locate(path: str | Path) -> Path:
    """The file of a record given by itself or by its run directory.

    Raises:
        InputError: If there is none.
    """
    given = Path(path)
    file = given / RECORD if given.is_dir() else given
    if not file.is_file():
        got = f"a folder without {RECORD}" if given.is_dir() else "no such file"
        raise InputError("a run directory, a .sqlite or a .nc file", got, "check the path", str(given))
    return file


def is_netcdf(file: Path) -> bool:
    """Whether a file is netCDF (True) or SQLite (False), by its first bytes.

    Raises:
        InputError: If it is neither; a run's own record is damaged then, any other file may be something else.
    """
    try:
        with file.open("rb") as stream:
            start = stream.read(16)
    except OSError as refused:
        raise InputError(
            "a file that can be read", f"{refused.strerror}", "check its permissions", str(file)
        ) from refused
    if start.startswith(_HDF5):
        return True
    if start != _SQLITE:
        if start and file.name == RECORD:
            raise damaged(file, "its first bytes are not those of a record")
        got = "an empty file" if not start else "something else or a damaged file"
        raise InputError("an overtone record (SQLite or netCDF)", got, "check the path", str(file))
    return False


def size_of(file: Path) -> int:
    """Bytes of a record's file and of what is not yet folded into it."""
    return sum(part.stat().st_size for part in (file, Path(f"{file}-wal")) if part.is_file())


def check_own(file: Path) -> None:
    """Whether a record that will be written is a file of its own, and SQLite's files beside it are.

    Raises:
        InputError: If one is a link, so that writing would change a file in another place.
    """
    for part in (file, *(Path(f"{file}{suffix}") for suffix in ("-wal", "-shm", "-journal"))):
        try:
            there = os.lstat(part)
        except OSError:
            continue
        if not stat.S_ISREG(there.st_mode) or there.st_nlink > 1:
            raise InputError(
                "a file that belongs to this record alone",
                "a link to another" if there.st_nlink > 1 or stat.S_ISLNK(there.st_mode) else "no file",
                "copy the folder with its links followed (cp -rL) and go on with the copy",
                str(part),
            )


@contextlib.contextmanager
def reading(file: Path, *, lenient: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection that sees one consistent state of the record and changes nothing.

    With `lenient`, SQLite also opens a file that is shorter than it should be; its last pages then are missing.

    Tried in turn: an ordinary read-only connection; where the folder is read-only and nothing is pending, one that
    takes no locks; and, where a crash left a journal that cannot be replayed in place, a private copy.
    """
    with contextlib.ExitStack() as stack, explained(file):
        connection = _usable(file, lenient, stack)
        connection.execute("BEGIN")
        yield connection


def _usable(file: Path, lenient: bool, stack: contextlib.ExitStack) -> sqlite3.Connection:
    try:
        return _connect(file, "mode=ro", lenient, stack)
    except sqlite3.OperationalError as refused:
        if is_damage(refused):
            raise
    check_journal(file)
    pending = [extra for suffix in ("-wal", "-journal") if (extra := Path(f"{file}{suffix}")).exists()]
    if not any(extra.stat().st_size for extra in pending):
        return _connect(file, "mode=ro&immutable=1", lenient, stack)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="overtone-")))
    for source in (file, *pending):
        shutil.copyfile(source, folder / source.name)
    return _connect(folder / file.name, "mode=rw", lenient, stack)


def _connect(file: Path, options: str, lenient: bool, stack: contextlib.ExitStack) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{file.resolve().as_uri()}?{options}", uri=True, timeout=PATIENCE, isolation_level=None
    )
    try:
        be_cautious(connection, size_of(file))
        connection.execute("PRAGMA query_only=ON")
        if lenient:
            connection.execute("PRAGMA writable_schema=1")
        connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    stack.callback(connection.close)
    return connection
