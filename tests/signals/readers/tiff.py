"""TIFF files of any layout, written byte by byte, so that no library under test has made them."""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

NONE, LZW, DEFLATE, PACKBITS, LZMA, ZSTD = 1, 5, 8, 32773, 34925, 50000
_FORMAT = {"u": 1, "i": 2, "f": 3, "c": 6, "b": 1}


def lzw(data: bytes) -> bytes:
    """Codes of 9 to 12 bits, highest bit first, each one early, as TIFF has them."""
    bits: list[str] = []
    table, width = {bytes([i]): i for i in range(256)}, 9
    bits.append(format(256, "09b"))
    word, following = b"", 258
    for value in data:
        longer = word + bytes([value])
        if longer in table:
            word = longer
            continue
        bits.append(format(table[word], f"0{width}b"))
        table[longer] = following
        following += 1
        word = bytes([value])
        width = 9 + (following > 511) + (following > 1023) + (following > 2047)
        if following > 4093:
            bits.append(format(256, f"0{width}b"))
            table, width, following = {bytes([i]): i for i in range(256)}, 9, 258
    if word:
        bits.append(format(table[word], f"0{width}b"))
        following += 1
        width = 9 + (following > 511) + (following > 1023) + (following > 2047)
    bits.append(format(257, f"0{width}b"))
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8)


def packbits(data: bytes) -> bytes:
    """Runs of literal bytes."""
    parts = [data[i : i + 128] for i in range(0, len(data), 128)]
    return b"".join(bytes([len(part) - 1]) + part for part in parts)


def zstd(data: bytes) -> bytes:
    """One frame of one stored block."""
    assert len(data) < 1 << 17
    return (
        b"\x28\xb5\x2f\xfd\xa0"
        + struct.pack("<I", len(data))
        + struct.pack("<I", 1 | len(data) << 3)[:3]
        + data
    )


ENCODERS: dict[int, Callable[[bytes], bytes]] = {
    NONE: bytes,
    LZW: lzw,
    DEFLATE: zlib.compress,
    PACKBITS: packbits,
    LZMA: lzma.compress,
    ZSTD: zstd,
}


def write_tiff(
    path: Path,
    pages: list[np.ndarray],
    *,
    compression: int = NONE,
    predictor: int = 1,
    tile: int | None = None,
    rows: int = 3,
    planar: bool = False,
    order: str = "<",
    big: bool = False,
    photometric: int | None = None,
    tags: dict[int, tuple[int, Any]] | None = None,
    data: Callable[[np.ndarray], bytes] | None = None,
) -> Path:
    """Write (H, W, C) pages.

    Args:
        path: The file.
        pages: Pixels of one type and shape.
        compression: Number of a compression among `ENCODERS`.
        predictor: 1 for none, 2 for differences, 3 for floating-point differences.
        tile: Side of square tiles, in place of strips.
        rows: Rows per strip.
        planar: Whether each channel is stored apart.
        order: "<" or ">" for the order of bytes.
        big: Whether it is a BigTIFF.
        photometric: What the numbers mean, by default gray or RGB.
        tags: Further tags as (type, values).
        data: The bytes of a strip or tile in place of its own numbers'.
    """
    body = bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42))
    body += struct.pack(order + ("HHQ" if big else "I"), *((8, 0, 0) if big else (0,)))
    link = len(body) - (8 if big else 4)
    for page in pages:
        height, width, bands = page.shape
        blocks = list(_blocks(page, tile, rows, planar))
        encoded = [
            ENCODERS[compression](data(block) if data else _bytes(block, predictor, order))
            for block in blocks
        ]
        offsets = []
        for part in encoded:
            offsets.append(len(body))
            body += part + b"\0" * (len(part) % 2)
        if photometric is None:
            photometric = 2 if bands in (3, 4) else 1
        bits = 1 if page.dtype == bool else 8 * page.dtype.itemsize
        entries: dict[int, tuple[int, Any]] = {
            256: (4, width),
            257: (4, height),
            258: (3, [bits] * bands),
            259: (3, compression),
            262: (3, photometric),
            277: (3, bands),
            284: (3, 2 if planar else 1),
            317: (3, predictor),
            339: (3, [_FORMAT[page.dtype.kind]] * bands),
            **({322: (4, tile), 323: (4, tile)} if tile else {278: (4, rows)}),
            (324 if tile else 273): (4, offsets),
            (325 if tile else 279): (4, [len(part) for part in encoded]),
        }
        if bands > (3 if photometric == 2 else 1):
            entries[338] = (3, [0] * (bands - (3 if photometric == 2 else 1)))
        entries |= tags or {}
        body[link : link + (8 if big else 4)] = struct.pack(order + ("Q" if big else "I"), len(body))
        link = _directory(body, entries, order, big)
    path.write_bytes(body)
    return path


def _blocks(page: np.ndarray, tile: int | None, rows: int, planar: bool) -> Iterator[np.ndarray]:
    planes = [page[..., b : b + 1] for b in range(page.shape[2])] if planar else [page]
    for plane in planes:
        for top in range(0, plane.shape[0], tile or rows):
            for left in range(0, plane.shape[1], tile or plane.shape[1]):
                block = plane[top : top + (tile or rows), left : left + (tile or plane.shape[1])]
                if tile:
                    down, across = (tile - n for n in block.shape[:2])
                    block = np.pad(block, ((0, down), (0, across), (0, 0)), mode="edge")
                yield block


def _bytes(block: np.ndarray, predictor: int, order: str) -> bytes:
    if block.dtype == bool:
        return np.packbits(block.reshape(len(block), -1), axis=1).tobytes()
    if predictor == 1:
        return block.astype(block.dtype.newbyteorder(order)).tobytes()
    if predictor == 2:
        whole = np.ascontiguousarray(block).view(f"u{block.dtype.itemsize}")
        first = np.concatenate([whole[:, :1], whole[:, 1:] - whole[:, :-1]], axis=1)
        return first.astype(first.dtype.newbyteorder(order)).tobytes()
    height, width, bands = block.shape
    single = block.astype(block.dtype.newbyteorder(">")).tobytes()
    planes = (
        np.frombuffer(single, np.uint8).reshape(height, width * bands, -1).swapaxes(1, 2).reshape(height, -1)
    )
    steps = planes.copy()
    steps[:, bands:] -= planes[:, :-bands]
    return steps.tobytes()


_TYPES = {1: "B", 2: "s", 3: "H", 4: "I", 5: "I", 7: "B", 11: "f", 12: "d", 16: "Q"}


def _directory(body: bytearray, entries: dict[int, tuple[int, Any]], order: str, big: bool) -> int:
    """Append a directory and what it points to; return where the link to the next one stands."""
    size, room = (20, 8) if big else (12, 4)
    start = len(body)
    head = struct.pack(order + ("Q" if big else "H"), len(entries))
    after = start + len(head) + size * len(entries) + room
    fields, beyond = b"", b""
    for tag, (kind, value) in sorted(entries.items()):
        if kind == 2:
            packed, count = str(value).encode() + b"\0", len(str(value)) + 1
        else:
            values = list(value) if isinstance(value, list | tuple) else [value]
            packed = struct.pack(order + _TYPES[kind] * len(values), *values)
            count = len(values) // (2 if kind == 5 else 1)
        if len(packed) <= room:
            place = packed.ljust(room, b"\0")
        else:
            place = struct.pack(order + ("Q" if big else "I"), after + len(beyond))
            beyond += packed + b"\0" * (len(packed) % 2)
        fields += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, count) + place
    body += head + fields + b"\0" * room + beyond
    return after - room
