"""Fields from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overtone.errors import InputError


def read_fields(path: str | Path) -> Any:
    """Return the fields of a file: an array (.npy), or a dictionary of arrays (.npz).

    Args:
        path: The file.

    Raises:
        InputError: If there is no such file, it is damaged, or its kind is not known.
    """
    file = Path(path)
    if not file.is_file():
        got = "a folder" if file.is_dir() else "no such file"
        raise InputError("a file of fields", got, "check the path", str(path))
    suffix = file.suffix.lower()
    if suffix not in (".npy", ".npz"):
        raise InputError("a file .npy or .npz", repr(file.name), "convert it", str(path))
    try:
        # Arrays are mapped, not read: verification takes them in chunks.
        content = np.load(file, mmap_mode="c" if suffix == ".npy" else None, allow_pickle=False)
        return content if suffix == ".npy" else dict(content)
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise InputError("a complete file of arrays", f"{error}", "write it again", str(path)) from error
