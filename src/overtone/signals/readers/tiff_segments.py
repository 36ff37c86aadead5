"""A TIFF page put together from its strips or tiles: predictors, packed bits, planes and missing tiles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from overtone.signals.readers.tiff_codecs import Codec, codec, colours_are_converted

_WHOLE_BYTES = (8, 16, 32, 64)
_DIFFERENCES, _FLOATING = 2, 3


def can_assemble(page: Any) -> bool:
    """Whether `assemble_page` can read pages like this one."""
    if page.dtype is None or codec(page) is None or page.predictor not in (1, _DIFFERENCES, _FLOATING):
        return False
    if page.bitspersample not in _WHOLE_BYTES and (
        page.dtype.kind not in "bu" or page.bitspersample > 16 or page.predictor != 1
    ):
        return False
    backwards = page.fillorder == 2 and not (page.compression == 1 or page.bitspersample == 1)
    subsampled = bool(page.is_subsampled) and not colours_are_converted(page)
    return not (backwards or subsampled or page.tiledepth > 1)


def assemble_page(page: Any) -> np.ndarray:
    """The samples of one page.

    Args:
        page: A page, or a frame that shares the layout of its key page.

    Returns:
        Samples in the shape of `page.shape`, in the machine's byte order.

    Raises:
        ValueError: If a strip or tile is cut short or damaged.
    """
    key = page.keyframe
    result = np.zeros(key.shaped, key.dtype.newbyteorder("="))
    decompress = codec(key)
    assert decompress is not None
    if key.nodata:
        result[...] = key.nodata
    for place, data in _segments(page, result.shape):
        if data:
            _fill(result, place, _segment(data, key, decompress, place))
    return result.reshape(key.shape)


Place = tuple[int, int, int, int, int, int]
"""Plane, first slice, first row, first column, and the rows and columns that the segment stores."""


def _segments(page: Any, shaped: tuple[int, ...]) -> Iterator[tuple[Place, bytes]]:
    key, stream = page.keyframe, page.parent.filehandle
    _, slices, height, width, _ = shaped
    rows, columns = (key.tilelength, key.tilewidth) if key.is_tiled else (key.rowsperstrip, width)
    down, across = math.ceil(height / rows), math.ceil(width / columns)
    for index, (offset, size) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
        rest, column = divmod(index, across)
        rest, row = divmod(rest, down)
        plane, level = divmod(rest, slices)
        stored = rows if key.is_tiled else min(rows, height - row * rows)
        stream.seek(offset)
        data = stream.read(size) if size else b""
        if len(data) < size:
            raise ValueError("the file ends within its pixels")
        yield (plane, level, row * rows, column * columns, stored, columns), data


def _segment(data: bytes, key: Any, decompress: Codec, place: Place) -> np.ndarray:
    """(rows, columns, samples) of one strip or tile."""
    rows, columns = place[4:]
    samples = key.shaped[-1]
    bits = columns * samples * key.bitspersample
    found = decompress(data, math.ceil(bits / 8), rows)
    if isinstance(found, np.ndarray):
        return found
    need = rows * math.ceil(bits / 8)
    if len(found) < need:
        raise ValueError(f"a strip or tile of {len(found)} bytes instead of {need}")
    lines = np.frombuffer(found, np.uint8, need).reshape(rows, -1)
    if key.bitspersample not in _WHOLE_BYTES:
        return _unpacked(lines, key, columns * samples).reshape(rows, columns, samples)
    if key.predictor == _FLOATING:
        return _floating(lines, key.dtype, samples).reshape(rows, columns, samples)
    stored = key.dtype.newbyteorder(key.parent.byteorder)
    values = np.frombuffer(found, stored, rows * columns * samples).reshape(rows, columns, samples)
    if key.predictor != _DIFFERENCES:
        return values
    whole = values.astype(stored.newbyteorder("=")).view(f"u{stored.itemsize}")
    return np.cumsum(whole, axis=1, dtype=whole.dtype).view(stored.newbyteorder("="))


def _unpacked(lines: np.ndarray, key: Any, count: int) -> np.ndarray:
    """Numbers of fewer or more bits than whole bytes hold, the highest bit first; rows begin at whole bytes."""
    order: Literal["little", "big"] = "little" if key.fillorder == 2 else "big"
    bits = np.unpackbits(lines, axis=1, count=count * key.bitspersample, bitorder=order)
    bits = bits.reshape(len(lines), count, key.bitspersample)
    powers = 1 << np.arange(key.bitspersample - 1, -1, -1, dtype=np.uint32)
    return (bits @ powers).astype(key.dtype)


def _floating(lines: np.ndarray, dtype: np.dtype, samples: int) -> np.ndarray:
    """Undo the floating-point predictor: bytes ordered by significance, then differences along the row."""
    rows = len(lines)
    summed = np.cumsum(lines.reshape(rows, -1, samples), axis=1, dtype=np.uint8)
    by_significance = summed.reshape(rows, dtype.itemsize, -1).swapaxes(1, 2)
    return np.ascontiguousarray(by_significance).view(f">f{dtype.itemsize}")[..., 0]


def _fill(result: np.ndarray, place: Place, values: np.ndarray) -> None:
    plane, level, row, column, *_ = place
    target = result[plane, level, row : row + values.shape[0], column : column + values.shape[1]]
    target[...] = values[: target.shape[0], : target.shape[1]]
