"""What went wrong in SQLite, in one clear sentence."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from overtone.errors import InputError, OvertoneError, RunError

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
    """Whether SQLite found the file itself broken."""
    return _code(error) in DAMAGED or _code(error) == sqlite3.SQLITE_INTERRUPT


def explain(error: sqlite3.Error, path: Path) -> OvertoneError:
    """The overtone error that stands for an error of SQLite."""
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
    """The error for a file that is no record or a broken one."""
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
    undecodable = sqlite3.SQLITE_CORRUPT if isinstance(error, sqlite3.OperationalError) else 0
    return getattr(error, "sqlite_errorcode", undecodable) & 0xFF
