"""What Pillow drops of a PNG: the low bytes of 16-bit colours, and transparency by colour at full depth."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from overtone.signals.readers.pixels import Coverage

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _RGB, _GRAY_ALPHA, _RGBA = 0, 2, 4, 6


def header(path: Path) -> tuple[int, int] | None:
    """Bits per sample and colour type of a PNG; None for other files."""
    with path.open("rb") as stream:
        head = stream.read(26)
    if head[:8] != _SIGNATURE or head[12:16] != b"IHDR" or len(head) < 26:
        return None
    return head[24], head[25]


def deep_colour(path: Path, high: Image.Image) -> tuple[np.ndarray, Coverage] | None:
    """16-bit pixels of gray with alpha, or of colours, as stored; None for all others.

    Args:
        path: The file.
        high: What Pillow makes of it, the high bytes of colours.

    Returns:
        (H, W, C) uint16 and whether the last channel is alpha.
    """
    bits, kind = header(path) or (8, 0)
    if bits != 16 or kind == _GRAY:
        return None
    if kind == _GRAY_ALPHA:
        quarters = np.asarray(Image.open(io.BytesIO(_as_eight_bits(path.read_bytes()))), np.uint16)
        return quarters[..., 0::2] << 8 | quarters[..., 1::2], Coverage.STRAIGHT
    with Image.open(path) as low:
        layout = str(low.tile[0].args) if low.tile else ""
        if layout not in ("RGB;16B", "RGBA;16B"):
            return None
        low.tile = [part._replace(args=layout.replace("16B", "16L")) for part in low.tile]
        low.load()
        stored = np.asarray(high).astype(np.uint16)
        stored <<= 8
        stored |= np.asarray(low)
    return stored, Coverage.STRAIGHT if kind == _RGBA else Coverage.NONE


def _as_eight_bits(data: bytes) -> bytes:
    """The same file declared as 8-bit RGBA, whose four bytes are the halves of gray and of alpha."""
    declared = data[12:24] + bytes([8, _RGBA]) + data[26:29]
    return data[:12] + declared + struct.pack(">I", zlib.crc32(declared)) + data[33:]


def key_colour(path: Path, picture: Image.Image) -> tuple[int, ...] | None:
    """The stored colour that means transparent, in the depth of the decoded pixels; None if there is none.

    Args:
        path: The file.
        picture: The decoded picture, gray or RGB.
    """
    found = picture.info.get("transparency")
    bits, kind = header(path) or (8, -1)
    if found is None or isinstance(found, bytes) or kind not in (_GRAY, _RGB):
        return None
    key = tuple(int(part) for part in (found if isinstance(found, tuple) else (found,)))
    factor = 255 // (2**bits - 1) if bits < 8 else 1
    return tuple((part & (2**bits - 1)) * factor for part in key)


def with_cover(stored: np.ndarray, key: tuple[int, ...]) -> np.ndarray:
    """(H, W, C) unsigned pixels with a channel that is 0 where they have the key colour and full elsewhere."""
    seen = np.any(stored != np.asarray(key, stored.dtype), axis=-1, keepdims=True)
    return np.concatenate([stored, seen * np.iinfo(stored.dtype).max], -1).astype(stored.dtype)
