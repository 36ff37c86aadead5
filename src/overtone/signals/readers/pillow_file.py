"""Pictures through Pillow, at the depth they are stored in, the right way up."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from overtone.errors import InputError
from overtone.signals.readers.files import decoding
from overtone.signals.readers.orientation import upright
from overtone.signals.readers.pixels import Coverage, Pixels
from overtone.signals.readers.png_file import deep_colour, key_colour, with_cover

_KEPT = {"L": Coverage.NONE, "LA": Coverage.STRAIGHT, "RGB": Coverage.NONE, "RGBA": Coverage.STRAIGHT}
_ORIENTATION = 0x0112
_DEEP = ("I;16", "I;16B", "I;16L", "I", "F")
_UNSAFE = ("EPS", "WMF", "GRIB", "HDF5", "BUFR", "MPEG", "FITS")


def read_pillow(path: Path) -> Pixels:
    """Decode the first frame of a picture file.

    Palettes are looked up; CMYK, YCbCr, Lab and HSV are converted to RGB; EXIF orientation is applied;
    embedded colour profiles are not.

    Args:
        path: An existing file.

    Returns:
        The pixels as stored, without a pixel size.

    Raises:
        InputError: If the file is no picture Pillow knows, is damaged, or exceeds Pillow's limit on pixels.
    """
    with decoding(path, "a picture"), _within_pixel_limit(path):
        with Image.open(path, formats=_formats()) as opened:
            frames, notes = getattr(opened, "n_frames", 1), _beside(opened)
            opened.load()
            orientation = _orientation(opened)
            stored, coverage, how = _pixels(path, opened)
        notes += (f"first of {frames} frames",) * (frames > 1)
        notes += ("orientation applied",) * (orientation in range(2, 9)) + how
        stored, white, lost = _at_depth(stored, _depth(path), opened.format)
        return Pixels(upright(stored, orientation), coverage, white=white, notes=notes + lost)


def _orientation(opened: Image.Image) -> int:
    """The number in EXIF or XMP, 1 where it is none of the eight."""
    found = opened.getexif().get(_ORIENTATION, 1)
    return int(found) if found in range(1, 9) else 1


def _formats() -> list[str]:
    """The formats that hold pictures and need no other program."""
    Image.init()
    return [name for name in Image.ID if name not in _UNSAFE]


def _beside(opened: Image.Image) -> tuple[str, ...]:
    """A note on the sizes that an icon comes in."""
    sizes = opened.info.get("sizes", ())
    return (f"largest of {len(sizes)} sizes",) * (opened.format in ("ICO", "ICNS", "CUR") and len(sizes) > 1)


def _pixels(path: Path, picture: Image.Image) -> tuple[np.ndarray, Coverage, tuple[str, ...]]:
    """(H, W, C) numbers as stored, whether the last channel is alpha, and what was converted."""
    deep = deep_colour(path, picture)
    key = key_colour(path, picture)
    if deep is not None:
        stored, coverage = deep
        return (*_covered(stored, coverage, key), ())
    if key is not None:
        plain = picture.convert("L") if picture.mode == "1" else picture
        return (*_covered(_three_axes(plain), Coverage.NONE, key), ())
    converted, changed = _plain(picture)
    coverage = _KEPT.get(converted.mode, Coverage.NONE)
    stored = _three_axes(converted)
    if stored.dtype == np.int32 and picture.format == "PNG":
        stored = stored.astype(np.uint16)
    return stored, coverage, (f"converted from {picture.mode} to {converted.mode}",) * changed


def _covered(
    stored: np.ndarray, coverage: Coverage, key: tuple[int, ...] | None
) -> tuple[np.ndarray, Coverage]:
    if key is None or coverage is not Coverage.NONE:
        return stored, coverage
    return with_cover(stored, key), Coverage.STRAIGHT


def _three_axes(picture: Image.Image) -> np.ndarray:
    stored = np.asarray(picture)
    return stored if stored.ndim == 3 else stored[..., None]


def _plain(picture: Image.Image) -> tuple[Image.Image, bool]:
    stored_alpha = picture.mode in ("LA", "RGBA")
    if picture.mode in _DEEP or stored_alpha or (picture.mode in _KEPT and not picture.has_transparency_data):
        return picture, False
    gray = picture.mode in ("1", "L", "La")
    if picture.has_transparency_data:
        return picture.convert("LA" if gray else "RGBA"), picture.mode not in ("L", "RGB")
    return picture.convert("L" if gray else "RGB"), True


def _depth(path: Path) -> int:
    """Bits per sample of formats that may store more than Pillow gives; 8 of all others."""
    with path.open("rb") as stream:
        head = stream.read(4096)
    codes, box = head.find(b"\xff\x4f\xff\x51"), head.find(b"pixi")
    if head[4:8] == b"jP  " or codes == 0:
        return (head[codes + 42] & 0x7F) + 1 if 0 <= codes < len(head) - 44 else 8
    if head[4:12] in (b"ftypavif", b"ftypavis"):
        return head[box + 9] if 0 <= box < len(head) - 10 else 8
    return 16 if head[:2] == b"\x01\xda" and head[3:4] == b"\x02" else 8


def _at_depth(
    stored: np.ndarray, bits: int, form: str | None
) -> tuple[np.ndarray, float | None, tuple[str, ...]]:
    """The stored numbers, what means white, and a note where bits are lost.

    Pillow keeps the bits of gray JPEG 2000, moved up to 16, and the upper 8 of every other deep picture.
    """
    if bits <= 8:
        return stored, None, ()
    if form == "JPEG2000" and stored.dtype.itemsize == 2:
        return stored >> (16 - bits) if bits < 16 else stored, float(2**bits - 1), ()
    return stored, None, (f"read at 8 of {bits} bits",)


@contextmanager
def _within_pixel_limit(path: Path) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            limit = Image.MAX_IMAGE_PIXELS or 0
            raise InputError(
                f"a picture of at most {limit / 1e6:.0f} million pixels",
                "a larger one, which may be a decompression bomb",
                "reduce it, or decode it yourself and pass the array",
                str(path),
            ) from error
