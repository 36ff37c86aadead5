"""16-bit PNG files of any colour type, which Pillow cannot write, and PNG headers of any size."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

_COLOUR_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}


def write_deep_png(path: Path, pixels: np.ndarray) -> Path:
    """Write (H, W, C) uint16 pixels, C from 1 to 4."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPE[channels], 0, 0, 0)
    return _write(path, header, zlib.compress(rows))


def write_png_header(path: Path, width: int, height: int) -> Path:
    """Write a PNG that announces a size and holds almost nothing."""
    return _write(path, struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), zlib.compress(b"\0" * 100))


def _write(path: Path, header: bytes, data: bytes) -> Path:
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks))
    return path


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
