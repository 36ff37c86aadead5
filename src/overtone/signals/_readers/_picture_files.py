"""Picture files: pixels at their stored depth, and the classification of files as pictures."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from overtone.errors import InputError
from overtone.signals._readers._files import decoding_errors, is_tiff
from overtone.signals._readers._netpbm import is_netpbm, read_netpbm
from overtone.signals._readers._pixels import Coverage, Pixels, upright
from overtone.signals._readers._tiff import Outline, read_tiff, tiff_outline

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _RGB, _GRAY_ALPHA, _RGBA = 0, 2, 4, 6


def _png_header(path: Path) -> tuple[int, int] | None:
    """Return the bits per sample and the colour type of a PNG, or None for other files."""
    with path.open("rb") as stream:
        head = stream.read(26)
    if head[:8] != _SIGNATURE or head[12:16] != b"IHDR" or len(head) < 26:
        return None
    return head[24], head[25]


def deep_colour(path: Path, high: Image.Image) -> tuple[np.ndarray, Coverage] | None:
    """Decode 16-bit pixels of gray with alpha, or of colours, as stored; None for all other files.

    Args:
        path: The file.
        high: Picture decoded by Pillow: the high bytes of the colours.

    Returns:
        (H, W, C) uint16 and whether the last channel is alpha.
    """
    bits, kind = _png_header(path) or (8, 0)
    if bits != 16 or kind == _GRAY:
        return None
    if kind == _GRAY_ALPHA:
        # Pillow drops the low bytes of gray with alpha; declared as 8-bit RGBA, all four bytes are decoded.
        quarters = np.asarray(Image.open(io.BytesIO(_as_eight_bits(path.read_bytes()))), np.uint16)
        return quarters[..., 0::2] << 8 | quarters[..., 1::2], Coverage.STRAIGHT
    with Image.open(path) as low:
        layout = str(low.tile[0].args) if low.tile else ""
        if layout not in ("RGB;16B", "RGBA;16B"):
            return None
        # With exchanged bytes, Pillow decodes the low bytes instead of the high bytes.
        low.tile = [part._replace(args=layout.replace("16B", "16L")) for part in low.tile]
        low.load()
        stored = np.asarray(high).astype(np.uint16)
        stored <<= 8
        stored |= np.asarray(low)
    return stored, Coverage.STRAIGHT if kind == _RGBA else Coverage.NONE


def _as_eight_bits(data: bytes) -> bytes:
    """Return the file declared as 8-bit RGBA, whose four bytes are the halves of gray and alpha."""
    declared = data[12:24] + bytes([8, _RGBA]) + data[26:29]
    return data[:12] + declared + struct.pack(">I", zlib.crc32(declared)) + data[33:]


def key_colour(path: Path, picture: Image.Image) -> tuple[int, ...] | None:
    """Return the stored transparent colour in the depth of the decoded pixels, or None.

    Args:
        path: The file.
        picture: The decoded picture, gray or RGB.
    """
    transparency = picture.info.get("transparency")
    bits, kind = _png_header(path) or (8, -1)
    if transparency is None or isinstance(transparency, bytes) or kind not in (_GRAY, _RGB):
        return None
    # A transparent colour of fewer than 8 bits is scaled like the pixels in Pillow.
    key = tuple(int(part) for part in (transparency if isinstance(transparency, tuple) else (transparency,)))
    factor = 255 // (2**bits - 1) if bits < 8 else 1
    return tuple((part & (2**bits - 1)) * factor for part in key)


def with_cover(stored: np.ndarray, key: tuple[int, ...]) -> np.ndarray:
    """Append an alpha channel to (H, W, C) unsigned pixels: 0 at the key colour, full elsewhere."""
    opaque = np.any(stored != np.asarray(key, stored.dtype), axis=-1, keepdims=True)
    return np.concatenate([stored, opaque * np.iinfo(stored.dtype).max], -1).astype(stored.dtype)


_KEPT = {"L": Coverage.NONE, "LA": Coverage.STRAIGHT, "RGB": Coverage.NONE, "RGBA": Coverage.STRAIGHT}
_ORIENTATION = 0x0112
_DEEP = ("I;16", "I;16B", "I;16L", "I", "F")
_UNSAFE = ("EPS", "WMF", "GRIB", "HDF5", "BUFR", "MPEG", "FITS")


def read_pillow(path: Path) -> Pixels:
    """Decode the first frame of a picture file.

    Palettes and the EXIF orientation are applied; CMYK, YCbCr, Lab and HSV are converted to RGB; embedded
    colour profiles are ignored.

    Args:
        path: An existing file.

    Returns:
        The pixels as stored, without a pixel size.

    Raises:
        InputError: If the file is not a picture format of Pillow, is damaged, or exceeds Pillow's limit on
            pixels.
    """
    with decoding_errors(path, "a picture"), _within_pixel_limit(path):
        with Image.open(path, formats=_formats()) as opened:
            frames, notes = getattr(opened, "n_frames", 1), _icon_note(opened)
            opened.load()
            orientation = _orientation(opened)
            stored, coverage, conversion_notes = _pixels(path, opened)
        notes += (f"first of {frames} frames",) * (frames > 1)
        notes += ("orientation applied",) * (orientation in range(2, 9)) + conversion_notes
        # The orientation is applied last, because the depth is restored in stored order.
        stored, white, depth_notes = _at_depth(stored, _depth(path), opened.format)
        return Pixels(upright(stored, orientation), coverage, white=white, notes=notes + depth_notes)


def _orientation(opened: Image.Image) -> int:
    """Return the orientation in EXIF or XMP, or 1 if it is invalid."""
    number = opened.getexif().get(_ORIENTATION, 1)
    return int(number) if number in range(1, 9) else 1


def _formats() -> list[str]:
    """Return the picture formats that need no external program."""
    Image.init()
    return [name for name in Image.ID if name not in _UNSAFE]


def _icon_note(opened: Image.Image) -> tuple[str, ...]:
    """Return a note on the sizes of an icon."""
    sizes = opened.info.get("sizes", ())
    return (f"largest of {len(sizes)} sizes",) * (opened.format in ("ICO", "ICNS", "CUR") and len(sizes) > 1)


def _pixels(path: Path, picture: Image.Image) -> tuple[np.ndarray, Coverage, tuple[str, ...]]:
    """Decode (H, W, C) numbers as stored; also return the use of the last channel and notes on conversions."""
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
    """Return the bits per sample of formats that may exceed the depth of Pillow; 8 for all others."""
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
    """Restore the stored numbers; also return the number of white and a note on lost bits.

    Pillow preserves the bits of gray JPEG 2000, shifted up to 16, and only the upper 8 bits of other deep
    pictures.
    """
    if bits <= 8:
        return stored, None, ()
    # Pillow shifts gray JPEG 2000 up to 16 bits; shifting back restores the stored numbers.
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
                "reduce it, or decode it separately and pass the array",
                str(path),
            ) from error


def read_picture(path: Path) -> Pixels:
    """Read the stored pixels of any picture file, with the physical pixel size if available.

    Args:
        path: An existing file.

    Raises:
        InputError: If the file contains a stack, is damaged or too large, or is not a supported picture.
    """
    if not is_tiff(path):
        return read_netpbm(path) if is_netpbm(path) else read_pillow(path)
    outline = tiff_outline(path)
    if len(outline.axes) != 2:
        raise InputError("one picture", *_stack_words(outline), str(path))
    stored = read_tiff(path)
    row, column = stored.distances.get("Y"), stored.distances.get("X")
    size, unit = None, "mm"
    if row is not None and column is not None:
        size, unit = (row[0], column[0]), row[1]
    notes = stored.notes + ("the file's own scale of values is not applied",) * stored.scaling.scales
    return Pixels(stored.samples, stored.coverage, size, unit, stored.white, stored.names, notes)


def _stack_words(outline: Outline) -> tuple[str, str]:
    """Describe a TIFF of more than two axes and the remedy, for the error."""
    axes, first = outline.axes, outline.shape[0]
    if len(axes) > 3:
        return f"a stack of {len(axes)} axes ({axes})", "save one slice at one moment"
    what = f"a series of {first} pictures over time" if "T" in axes else f"a stack of {first} slices"
    return what, "read it with signals.volume, or save one of them"


PICTURES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".avif", ".avifs", ".bmp", ".dib"),
    *(".gif", ".tif", ".tiff", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    *(".pbm", ".pgm", ".ppm", ".pnm", ".pam", ".pfm"),
    *(".tga", ".icb", ".vda", ".vst", ".pcx", ".sgi", ".rgb", ".rgba", ".bw", ".ras", ".qoi", ".dds", ".psd"),
    *(".ico", ".icns", ".cur", ".xbm", ".xpm"),
)
"""Suffixes of picture files."""

_PLAUSIBLE = (-1.0, 2.0)
_OF_PICTURES = {"alpha", "background", "full_range"}
_OF_ARRAYS = {"unit", "channel_axis", "periodic"}


def picture_kind(path: Path, options: set[str]) -> str:
    """Classify a file as "picture", "volume" or "array" by its options, or by its numbers.

    8-bit and 16-bit pixels are a picture, and so are floating-point pixels near 0 to 1. Other types, rasters
    of maps with more than 8 bits, and numbers with a scale are an array.

    Args:
        path: An existing picture file.
        options: Names of the caller's options.
    """
    if not is_tiff(path):
        floating = is_netpbm(path) and not options & _OF_PICTURES
        return _by_range(read_netpbm(path).stored) if floating else "picture"
    outline = tiff_outline(path)
    # An option of only one reader takes precedence over the content.
    if len(outline.axes) == 2 and options & _OF_PICTURES:
        return "picture"
    if options & _OF_ARRAYS:
        return "array"
    if len(outline.axes) != 2:
        return "volume"
    bits, kind = 8 * outline.dtype.itemsize, outline.dtype.kind
    measured = outline.scales or (outline.is_map and outline.is_gray and bits > 8)
    if measured or kind not in "bfu" or (kind == "u" and bits > 16):
        return "array"
    return _by_range(read_tiff(path).samples) if kind == "f" else "picture"


def _by_range(stored: np.ndarray) -> str:
    """Return "picture", or "array" if floating-point numbers exceed the plausible range of a picture."""
    out_of_range = stored.dtype.kind == "f" and (stored.min() < _PLAUSIBLE[0] or stored.max() > _PLAUSIBLE[1])
    return "array" if out_of_range else "picture"
