"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_path(path: Path, partial: Path | None = None, *, make_folder: bool = True) -> Iterator[Path]:
    """Yield a path to write to; move that file over `path` once the block has ended without an error.

    Args:
        path: Final place; an older file there stays untouched until the move.
        partial: Place to write to meanwhile, in the same folder; a fresh hidden name if None. A fixed name
            lets the next writer overwrite what a killed one left, a fresh one lets several write at once.
        make_folder: Whether to make the folder. A run directory that was removed meanwhile should not come back with
            one file alone.

    Raises:
        OSError: If the folder or the file cannot be written. The partial file is removed.

    Example:
        >>> import tempfile
        >>> place = Path(tempfile.mkdtemp()) / "numbers" / "primes.txt"
        >>> with atomic_path(place) as partial:
        ...     _ = partial.write_text("2 3 5")
        ...     place.exists()
        False
        >>> place.read_text(), partial.exists()
        ('2 3 5', False)
    """
    if make_folder:
        path.parent.mkdir(parents=True, exist_ok=True)
    elif not path.parent.is_dir():
        raise FileNotFoundError(f"no folder {path.parent}")
    partial = partial or path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}.part")
    # What a killed writer left may be a link, which would be followed out of the folder.
    partial.unlink(missing_ok=True)
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


def write_atomic(
    path: Path, content: str | bytes, partial: Path | None = None, *, make_folder: bool = True
) -> Path:
    """Write text (UTF-8) or bytes to `path` in one move.

    Args:
        path: Final place.
        content: All of the file.
        partial: As in `atomic_path`.
        make_folder: As in `atomic_path`.

    Raises:
        OSError: If it cannot be written; an older file at `path` is untouched.

    Example:
        >>> import tempfile
        >>> write_atomic(Path(tempfile.mkdtemp()) / "primes.txt", "2 3 5").read_text()
        '2 3 5'
    """
    data = content.encode("utf-8", errors="replace") if isinstance(content, str) else content
    mode = "xb" if partial is None else "wb"
    with atomic_path(path, partial, make_folder=make_folder) as place, place.open(mode) as stream:
        stream.write(data)
    return path
