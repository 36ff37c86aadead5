"""Write a file whole or not at all."""

from __future__ import annotations

from pathlib import Path

from overtone._utils.files import write_atomic
from overtone.errors import InputError, RunError


def write_html(path: Path, content: str) -> Path:
    """Write UTF-8 text beside `path` under another name, then rename it over `path`.

    Args:
        path: Where it goes; its folder is made as needed.
        content: The text.

    Returns:
        `path`.

    Raises:
        InputError: If `path` is a folder.
        RunError: If the folder cannot be made or written to, or the disk is full. An older file at `path` is untouched.
    """
    if path.is_dir():
        raise InputError("a file name for the report", "a folder", f"pass {path / 'report.html'}", str(path))
    try:
        write_atomic(path, content)
    except OSError as refused:
        raise RunError(
            "a place the report can be written to",
            f"{refused.strerror or refused}",
            "free some space or choose another path",
            str(path),
        ) from refused
    return path
