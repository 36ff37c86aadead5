"""Lossless storage of arrays as bytes with checksums. Nothing stored is ever executed when read."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overtone.errors import InputError

LARGEST_SNAPSHOT = 900_000_000
"""Bytes; SQLite holds no more than 1e9 in one value."""

_DEFLATED = 1100
"""Bytes that one byte of deflated data can stand for, at most: a little more than 1032."""

_DTYPE = re.compile(r"<[iufc](2|4|8|16)|\|[biu]1")


class ChecksumError(Exception):
    """Bytes that differ from those written. The reader turns it into an `InputError`."""


def checksum(parts: Iterable[bytes]) -> int:
    """Return the crc32 of the concatenation of `parts`."""
    crc = 0
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc


def to_bytes(array: NDArray[np.float64]) -> bytes:
    """Return an array as little-endian float64 in row-major order."""
    return np.ascontiguousarray(array, dtype="<f8").tobytes()


def from_bytes(data: bytes, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the array that `to_bytes` stored.

    Raises:
        ChecksumError: If the length does not fit the shape.
    """
    if not isinstance(data, bytes) or len(data) != 8 * math.prod(shape):
        raise ChecksumError
    # A copy in the machine's byte order; the buffer itself is read-only.
    return np.frombuffer(data, dtype="<f8").reshape(shape).astype(np.float64)


@dataclass(frozen=True)
class Packed:
    """Stored array: bytes grouped by significance (all first bytes, all second bytes, ...), then deflated.

    Attributes:
        dtype: Little-endian NumPy dtype, like "<f4".
        shape: JSON list.
        data: Deflated bytes.
        crc: Of dtype, shape and data.
    """

    dtype: str
    shape: str
    data: bytes
    crc: int

    @staticmethod
    def of(array: ArrayLike, source: str) -> Packed:
        """Pack an array of numbers of any shape; its dtype is kept.

        Raises:
            InputError: If it holds anything but plain numbers, or is too large for one value.
        """
        try:
            values = np.asarray(array)
        except (TypeError, ValueError, RuntimeError) as refused:
            raise InputError(
                "an array of numbers", f"{type(array).__name__} ({refused})", "pass a NumPy array", source
            ) from refused
        if values.dtype.kind not in "biufc" or values.dtype.itemsize not in (1, 2, 4, 8, 16):
            raise InputError(
                "an array of numbers", f"dtype {values.dtype}", "convert it to a numeric dtype", source
            )
        little = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)
        # Exponents of neighbouring numbers are alike, their last digits are not: grouped by significance, bytes
        # deflate to a fraction of their size.
        grouped = np.frombuffer(little.tobytes(), np.uint8).reshape(-1, little.dtype.itemsize).T
        data = zlib.compress(grouped.tobytes(), level=1)
        if len(data) > LARGEST_SNAPSHOT:
            raise InputError(
                f"a snapshot of at most {LARGEST_SNAPSHOT} bytes",
                f"{len(data)}",
                "keep fewer samples",
                source,
            )
        dtype, shape = little.dtype.str, json.dumps(values.shape)
        return Packed(dtype, shape, data, checksum((dtype.encode(), shape.encode(), data)))

    def unpack(self) -> NDArray[np.generic]:
        """Return the stored array, in the machine's byte order.

        Raises:
            ChecksumError: If the bytes are not those that were written.
        """
        if checksum((self.dtype.encode(), self.shape.encode(), self.data)) != self.crc:
            raise ChecksumError
        # Only plain numbers: an object dtype would let the file run code.
        if not _DTYPE.fullmatch(self.dtype):
            raise ChecksumError
        dtype, shape = np.dtype(self.dtype), _shape(self.shape)
        size = math.prod(shape) * dtype.itemsize
        # Refused before memory is allocated: deflated data cannot expand this far.
        if size > _DEFLATED * len(self.data):
            raise ChecksumError
        # Inflating stops at the size that the shape promises, and nothing may follow it.
        inflate = zlib.decompressobj()
        content = inflate.decompress(self.data, size) if size else b""
        if len(content) != size or (
            size and not inflate.eof and inflate.decompress(inflate.unconsumed_tail, 1)
        ):
            raise ChecksumError
        grouped = np.frombuffer(content, np.uint8).reshape(dtype.itemsize, -1)
        values = np.frombuffer(np.ascontiguousarray(grouped.T).tobytes(), dtype).reshape(shape)
        return values.astype(dtype.newbyteorder("="))


def _shape(text: str) -> tuple[int, ...]:
    shape = json.loads(text)
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise ChecksumError
    return tuple(shape)
