"""`.npy` and `.npz` files: the header is judged before data are read, and nothing in them is executed."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from overtone.errors import InputError
from overtone.signals.readers.files import check_size, content, decoding, is_numpy, is_zip
from overtone.signals.readers.numbers import check_numeric


def load_numpy(path: Path, key: str | None = None) -> np.ndarray:
    """The one array of a `.npy`, or one of a `.npz`.

    Args:
        path: An existing file.
        key: Name of the array in a `.npz`; needed if there are several.

    Returns:
        The array as it is in the file.

    Raises:
        InputError: If the file is damaged, holds objects, complex numbers or text, announces too much, or the
            array is not named unambiguously.
    """
    if is_numpy(path):
        with path.open("rb") as stream:
            _judge_header(stream, path)
        with decoding(path, "a NumPy array"):
            return np.load(path, allow_pickle=False)
    if is_zip(path):
        return _load_member(path, key)
    raise InputError(
        "a NumPy .npy or .npz file",
        f"{content(path)}",
        "read it with signals.read, or save it with numpy.save or numpy.savez",
        str(path),
    )


def _load_member(path: Path, key: str | None) -> np.ndarray:
    with decoding(path, "NumPy arrays"), zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        listed = ", ".join(names[:8]) or "no array"
        if key is None and len(names) != 1:
            raise InputError("one array", f"{len(names)} ({listed})", "name one with key=", str(path))
        key = names[0] if key is None else key
        if key not in names:
            raise InputError(f"an array named {key!r}", listed, "pass one of these names", str(path))
        with archive.open(f"{key}.npy") as stream:
            _judge_header(stream, path)
        with np.load(path, allow_pickle=False) as arrays:
            return arrays[key]


def _judge_header(stream: IO[bytes], path: Path) -> None:
    with decoding(path, "a NumPy array"):
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise InputError("an array of numbers", "an array of records", "save plain numbers", str(path))
    check_numeric(dtype, str(path))
    check_size(shape, max(dtype.itemsize, 4), str(path))
