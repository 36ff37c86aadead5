"""One writer per record: a lock of the operating system, gone with the process that holds it, however it dies."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from pathlib import Path

from overtone.errors import RunError
from overtone.records.failures import explain


class WriterLock:
    """Exclusive right to write `path`, held until `release` or the end of the process.

    The lock is an open exclusive transaction on an empty SQLite file beside the record. SQLite takes the locks of the
    operating system, on every platform, also between two writers of one process; `kill -9` drops them.

    Raises:
        RunError: If another writer holds it, or the folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.with_name(path.name + ".lock")
        self._connection = self._acquire(path)

    def release(self) -> None:
        """Let others write, and remove the lock file. May be called twice."""
        with contextlib.suppress(OSError):
            self._file.unlink()
        self._connection.close()

    def _acquire(self, path: Path) -> sqlite3.Connection:
        while True:
            connection = None
            try:
                before = _own(self._file)
                connection = sqlite3.connect(
                    self._file, timeout=0, isolation_level=None, check_same_thread=False
                )
                connection.execute("PRAGMA journal_mode=MEMORY")
                connection.execute("BEGIN EXCLUSIVE")
            except OSError as refused:
                raise _unwritable(path, refused) from refused
            except sqlite3.DatabaseError as refused:
                if connection is not None:
                    connection.close()
                if refused.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                    raise RunError(
                        "one writer",
                        "a second one",
                        "close the other writer or choose another path",
                        str(path),
                    ) from refused
                raise explain(refused, path) from refused
            if _inode(self._file) == before:
                return connection
            connection.close()


def _own(file: Path) -> int:
    """Make the lock file, or take the one that is there, and return its inode.

    A link, or a file that holds something, is no lock; its name is taken away, and what it stood for is left alone.
    """
    for _ in range(100):
        with contextlib.suppress(FileExistsError):
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        with contextlib.suppress(FileNotFoundError):
            there = os.lstat(file)
            if stat.S_ISREG(there.st_mode) and not there.st_size and there.st_nlink <= 1:
                return there.st_ino
            file.unlink()
    raise OSError("its lock file changes all the time")


def _unwritable(path: Path, refused: OSError) -> RunError:
    return RunError(
        "a folder that can be written",
        refused.strerror or str(refused),
        "choose another path or free some space",
        str(path),
    )


def _inode(file: Path) -> int | None:
    try:
        return os.stat(file).st_ino
    except OSError:
        return None
