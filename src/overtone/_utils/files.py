"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_path(path: Path, partial: Path | None = None) -> Iterator[Path]:
    """Yield a path to write to; move that file over `path` once the block has ended without an error.

    Args:
        path: Final place. Its folder is made as needed; an older file there stays untouched until the move.
        partial: Place to write to meanwhile, in the same folder; a fresh hidden name if None. A fixed name
            lets the next writer overwrite what a killed one left, a fresh one lets several write at once.

    Raises:
        OSError: If the folder or the file cannot be written. The partial file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial or path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}.part")
    try:
        yield partial
        # Without it a crash of the machine can leave the new name with an empty file: the move may reach the disk
        # before the bytes do.
        with partial.open("rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def write_atomic(path: Path, content: str | bytes, partial: Path | None = None) -> Path:
    """Write text (UTF-8) or bytes to `path` in one move.

    Args:
        path: Final place.
        content: All of the file.
        partial: As in `atomic_path`.

    Raises:
        OSError: If it cannot be written; an older file at `path` is untouched.
    """
    data = content.encode("utf-8", errors="replace") if isinstance(content, str) else content
    with atomic_path(path, partial) as place, place.open("xb" if partial is None else "wb") as stream:
        stream.write(data)
    return path
