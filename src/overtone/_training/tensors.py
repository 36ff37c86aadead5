"""Tensors in a safetensors file, each with a checksum, so that a flipped bit is noticed and named."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

UNREADABLE = (
    OSError,
    SafetensorError,
    KeyError,
    ValueError,
    TypeError,
    RuntimeError,
    AttributeError,
    OverflowError,
)
"""What reading such a file may raise."""

_DESCRIPTION, _SUMS, _SUM = "overtone", "checksums", "checksum"


class DamagedError(Exception):
    """A file that does not hold what was written; says what of it."""


def write(path: Path, tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> None:
    """Write by a temporary file and a rename, so that a kill leaves the old file or the new one.

    A link at `path` is replaced, never followed.

    Args:
        path: The file.
        tensors: By name.
        description: Anything JSON can hold.

    Raises:
        OSError: If the file cannot be written.
        SafetensorError: If the file cannot be written.
    """
    plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    text = json.dumps(description)
    sums = json.dumps(
        {"": zlib.crc32(text.encode())} | {name: _crc(name, value) for name, value in plain.items()}
    )
    metadata = {_DESCRIPTION: text, _SUMS: sums, _SUM: str(zlib.crc32(sums.encode()))}
    temporary = path.with_suffix(".partial")
    temporary.unlink(missing_ok=True)
    try:
        save_file(plain, str(temporary), metadata=metadata)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read(path: Path) -> tuple[dict[str, Tensor], Any]:
    """What `write` wrote: tensors by name, and the description, None where there is none.

    Files of versions that wrote no checksums are read without them.

    Raises:
        DamagedError: If it is not what was written.
        FileNotFoundError: If there is no file.
        OSError: And the others of `UNREADABLE`, if it is no such file.
    """
    if path.exists() and not path.is_file():
        raise DamagedError("no file at all")
    with safe_open(str(path), framework="pt") as file:
        metadata = dict(file.metadata() or {})
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if not set(metadata) <= {_DESCRIPTION} and set(metadata) != {_DESCRIPTION, _SUMS, _SUM}:
        raise DamagedError("a header of something else")
    text = metadata.get(_DESCRIPTION)
    if _SUMS in metadata:
        _check(tensors, str(text), metadata[_SUMS], metadata[_SUM])
    try:
        return tensors, None if text is None else json.loads(text)
    except RecursionError as nested:
        raise DamagedError("a header nested too deeply") from nested


def _check(tensors: Mapping[str, Tensor], text: str, sums: str, own: str) -> None:
    if str(zlib.crc32(sums.encode())) != own:
        raise DamagedError("the list of checksums")
    known = json.loads(sums)
    if zlib.crc32(text.encode()) != known.pop("", None):
        raise DamagedError("the header")
    for name in sorted(known.keys() | tensors.keys()):
        if name not in tensors or name not in known:
            raise DamagedError(f"{name}, which is {'missing' if name in known else 'too many'}")
        if _crc(name, tensors[name]) != known[name]:
            raise DamagedError(f"the checksum of {name}")


def _crc(name: str, value: Tensor) -> int:
    head = zlib.crc32(f"{name} {value.dtype} {tuple(value.shape)}".encode())
    return zlib.crc32(value.reshape(-1).view(torch.uint8).numpy().data, head)
