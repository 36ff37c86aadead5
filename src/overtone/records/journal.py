"""How SQLite keeps transactions: a write-ahead log where the file system allows one, else a rollback journal."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from overtone.records.failures import damaged

NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "glusterfs", "gpfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"}
    | {"fuse.glusterfs", "fuse.sshfs"}
)
"""File systems that several machines see: the shared memory of a write-ahead log does not cross machines."""

_MAGIC = bytes.fromhex("d9d505f920a163d7")
"""Ends a rollback journal that names another file."""


def check_journal(path: Path) -> None:
    """Whether the rollback journal that a crash left beside a record, if any, is the record's alone.

    A journal of several databases names a file that SQLite deletes when it rolls back. No writer of records makes one.

    Args:
        path: The record.

    Raises:
        InputError: If it is not.
    """
    with contextlib.suppress(OSError), Path(f"{path}-journal").open("rb") as stream:
        if stream.seek(0, os.SEEK_END) < len(_MAGIC):
            return
        stream.seek(-len(_MAGIC), os.SEEK_END)
        if stream.read() == _MAGIC:
            raise damaged(path, "a journal that names other files")


def prepare_journal(connection: sqlite3.Connection, path: Path) -> None:
    """Set up a writer's connection: readers do not block it, and `kill -9` never damages the record.

    Args:
        connection: Of a writer.
        path: The record.
    """
    if on_network(path):
        connection.execute("PRAGMA journal_mode=DELETE")
        return
    with contextlib.suppress(sqlite3.OperationalError):
        if connection.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",):
            connection.execute("PRAGMA synchronous=NORMAL")


def checkpoint_wal(connection: sqlite3.Connection) -> None:
    """Bring everything into the one file, if nobody else reads at this moment."""
    connection.execute("PRAGMA busy_timeout=200")
    with contextlib.suppress(sqlite3.Error):
        connection.execute("PRAGMA journal_mode=DELETE")


def on_network(path: Path, mounts: Path = Path("/proc/mounts")) -> bool:
    """Whether `path` lies on a file system shared between machines, as far as the system tells.

    Args:
        path: Any path, existing or not.
        mounts: The system's table of mounts.
    """
    target = path.resolve()
    deepest, kind = -1, ""
    with contextlib.suppress(OSError, ValueError):
        for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
            point, name = line.split()[1:3]
            place = Path(point.replace("\\040", " "))
            if target.is_relative_to(place) and len(place.parts) > deepest:
                deepest, kind = len(place.parts), name
    return kind in NETWORK
