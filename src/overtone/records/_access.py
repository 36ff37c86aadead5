"""Safe access to a record's file: journal, lock, and read-only connections."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from overtone.errors import InputError, RunError
from overtone.records._sqlite import be_cautious, damaged, explain, explained, is_damage

NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "glusterfs", "gpfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"}
    | {"fuse.glusterfs", "fuse.sshfs"}
)
"""File systems that several machines see: the shared memory of a write-ahead log does not cross machines."""

_MAGIC = bytes.fromhex("d9d505f920a163d7")
"""Ends a rollback journal that names another file."""


def check_journal(path: Path) -> None:
    """Check that a rollback journal that a crash left beside a record belongs to that record alone.

    A journal of several databases names a file that SQLite deletes when it rolls back. No writer of records makes one.

    Args:
        path: The record.

    Raises:
        InputError: If it is not.
    """
    with contextlib.suppress(OSError), Path(f"{path}-journal").open("rb") as stream:
        # The magic number stands at the very end of a journal that names another file.
        if stream.seek(0, os.SEEK_END) < len(_MAGIC):
            return
        stream.seek(-len(_MAGIC), os.SEEK_END)
        if stream.read() == _MAGIC:
            raise damaged(path, "a journal that names other files")


def prepare_journal(connection: sqlite3.Connection, path: Path) -> None:
    """Choose the journal of a writer's connection: readers do not block it, and `kill -9` never damages the record.

    Args:
        connection: Of a writer.
        path: The record.
    """
    # A write-ahead log needs memory that all its processes share, and machines do not share it.
    if on_network(path):
        connection.execute("PRAGMA journal_mode=DELETE")
        return
    # With a write-ahead log, NORMAL loses at most the last rows if the machine crashes and none if the process is
    # killed, and it saves a sync per row.
    with contextlib.suppress(sqlite3.OperationalError):
        if connection.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",):
            connection.execute("PRAGMA synchronous=NORMAL")


def checkpoint_wal(connection: sqlite3.Connection) -> None:
    """Fold the write-ahead log into the record's file, unless another process is reading."""
    # Leaving the mode folds the log into the file and removes it: one file remains, which can be copied.
    connection.execute("PRAGMA busy_timeout=200")
    with contextlib.suppress(sqlite3.Error):
        connection.execute("PRAGMA journal_mode=DELETE")


def on_network(path: Path, mounts: Path = Path("/proc/mounts")) -> bool:
    """Return whether `path` lies on a file system shared between machines, according to the system's mounts.

    Args:
        path: Any path, existing or not.
        mounts: The system's table of mounts.
    """
    target = path.resolve()
    deepest, kind = -1, ""
    with contextlib.suppress(OSError, ValueError):
        for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
            point, name = line.split()[1:3]
            # The table of mounts writes spaces as octal numbers; the deepest mount above the path holds it.
            place = Path(point.replace("\\040", " "))
            if target.is_relative_to(place) and len(place.parts) > deepest:
                deepest, kind = len(place.parts), name
    return kind in NETWORK


RECORD = "record.sqlite"
"""Name of the record in a run directory."""

PATIENCE = 30.0
"""Seconds to wait for a writer to finish its transaction."""

_SQLITE, _HDF5 = b"SQLite format 3\0", b"\x89HDF\r\n\x1a\n"


def locate(path: str | Path) -> Path:
    """Return the file of a record from its own path or that of its run directory.

    Raises:
        InputError: If there is none.
    """
    place = Path(path)
    file = place / RECORD if place.is_dir() else place
    if not file.is_file():
        got = f"a folder without {RECORD}" if place.is_dir() else "no such file"
        raise InputError("a run directory, a .sqlite or a .nc file", got, "check the path", str(place))
    return file


def is_netcdf(file: Path) -> bool:
    """Return whether a file is netCDF (True) or SQLite (False), by its first bytes.

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
    """Return the bytes of a record's file and its write-ahead log."""
    return sum(part.stat().st_size for part in (file, Path(f"{file}-wal")) if part.is_file())


def check_own(file: Path) -> None:
    """Check that a record to be written, and SQLite's files beside it, are files and not links.

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
    """Open a connection that sees one consistent state of the record and changes nothing.

    With `lenient`, SQLite also opens a file that is shorter than it should be; its last pages then are missing.

    Tried in turn: an ordinary read-only connection; where the folder is read-only and nothing is pending, one that
    takes no locks; and, where a crash left a journal that cannot be replayed in place, a private copy.
    """
    with contextlib.ExitStack() as stack, explained(file):
        connection = _usable(file, lenient, stack)
        # All reads of one transaction see the same rows, whatever a writer adds meanwhile.
        connection.execute("BEGIN")
        yield connection


def _usable(file: Path, lenient: bool, stack: contextlib.ExitStack) -> sqlite3.Connection:
    try:
        return _connect(file, "mode=ro", lenient, stack)
    except sqlite3.OperationalError as refused:
        if is_damage(refused):
            raise
    # Ordinary read-only access needs a writable folder for the shared memory of a write-ahead log.
    check_journal(file)
    pending = [extra for suffix in ("-wal", "-journal") if (extra := Path(f"{file}{suffix}")).exists()]
    if not any(extra.stat().st_size for extra in pending):
        return _connect(file, "mode=ro&immutable=1", lenient, stack)
    # Replaying what a crash left writes to the file, which is not allowed here: a private copy takes it.
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
        # This switches off the check that the file is as long as its header says; `query_only` still forbids writes.
        if lenient:
            connection.execute("PRAGMA writable_schema=1")
        # SQLite opens files lazily: only the first read shows whether this way of access works.
        connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    stack.callback(connection.close)
    return connection


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
        """Release the lock and remove its file. May be called twice."""
        with contextlib.suppress(OSError):
            self._file.unlink()
        self._connection.close()

    def _acquire(self, path: Path) -> sqlite3.Connection:
        while True:
            connection = None
            try:
                before = _lock_inode(self._file)
                connection = sqlite3.connect(
                    self._file, timeout=0, isolation_level=None, check_same_thread=False
                )
                # The lock file stays empty, so a journal beside it would have no use.
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
            # The former holder may have removed the file before this lock was taken: it is then a lock on a file
            # without a name, and the next writer would not see it.
            if _inode(self._file) == before:
                return connection
            connection.close()


def _lock_inode(file: Path) -> int:
    """Make the lock file, or use an existing one, and return its inode.

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
