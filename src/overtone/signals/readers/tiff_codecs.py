"""One compressed strip or tile of a TIFF, through the codecs that Pillow and Python bring."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import tifffile
from PIL import Image, ImageFile, Jpeg2KImagePlugin, JpegImagePlugin, TiffImagePlugin, WebPImagePlugin

_NONE, _FAX, _GROUP_3, _GROUP_4, _LZW, _JPEG = 1, 2, 3, 4, 5, 7
_DEFLATE = (8, 32946)
_PACKBITS, _LZMA, _ZSTD = 32773, 34925, 50000
_WEBP, _JPEG_2000 = (50001, 34927), (33003, 33005, 34712)
_PLAIN_BYTES = (_LZW, _PACKBITS, _LZMA, _ZSTD)
_ONE_BIT = (_FAX, _GROUP_3, _GROUP_4)
_YCBCR, _RGB = 6, 2

Decoded = bytes | np.ndarray
Codec = Callable[[bytes, int, int], Decoded]
"""(compressed, bytes per row, rows) -> the bytes of the rows, or (rows, columns, samples) of whole pixels."""


def codec(page: tifffile.TiffPage) -> Codec | None:
    """What decompresses a page's strips or tiles, or None if nothing here does.

    Args:
        page: The page, for its compression and what its codec needs to know beside.
    """
    compression, deep = int(page.compression), page.bitspersample > 8
    if compression == _NONE:
        return lambda data, _, __: data
    if compression in _DEFLATE:
        return lambda data, _, __: zlib.decompress(data)
    if compression in _PLAIN_BYTES:
        return lambda data, width, rows: _through_libtiff(data, width, rows, compression)
    if compression in _ONE_BIT and page.bitspersample == 1 and page.samplesperpixel == 1:
        options = {
            tag: int(page.tags.valueof(tag, default)) for tag, default in ((266, 1), (292, 0), (293, 0))
        }
        columns = page.tilewidth if page.is_tiled else page.imagewidth
        return lambda data, _, rows: _one_bit(data, columns, rows, compression, options)
    if deep or page.samplesperpixel > 4:
        return None
    if compression == _JPEG:
        tables, ycbcr = bytes(page.jpegtables or b""), page.photometric == _YCBCR
        return lambda data, _, __: _jpeg(data, tables, ycbcr)
    if compression in _WEBP:
        mode = {3: "RGB", 4: "RGBA"}.get(int(page.samplesperpixel), "L")
        return lambda data, _, __: _picture(WebPImagePlugin.WebPImageFile, data, mode)
    if compression in _JPEG_2000 and compression != _JPEG_2000[0]:
        return lambda data, _, __: _picture(Jpeg2KImagePlugin.Jpeg2KImageFile, data, None)
    return None


def colours_are_converted(page: tifffile.TiffPage) -> bool:
    """Whether decoding a page already turns luminance and colour differences into red, green and blue."""
    return int(page.compression) in (_JPEG, *_WEBP, *_JPEG_2000)


def _through_libtiff(data: bytes, width: int, rows: int, compression: int) -> bytes:
    """Decompress bytes as if they were a gray picture of `width` bytes a row."""
    tags = {256: width, 257: rows, 258: 8, 259: compression, 262: 1, 277: 1, 278: rows}
    return _opened(data, tags).tobytes()


def _one_bit(data: bytes, columns: int, rows: int, compression: int, options: dict[int, int]) -> np.ndarray:
    tags = {256: columns, 257: rows, 258: 1, 259: compression, 262: 1, 277: 1, 278: rows, **options}
    return np.asarray(_opened(data, tags))[..., None]


def _opened(data: bytes, tags: dict[int, int]) -> Image.Image:
    """A little-endian TIFF of one strip around compressed data, decoded."""
    start = 8 + 2 + 12 * (len(tags) + 2) + 4
    entries = sorted({**tags, 273: start, 279: len(data)}.items())
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    file = b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + b"\0" * 4 + data
    with _no_limit():
        picture = TiffImagePlugin.TiffImageFile(io.BytesIO(file))
        picture.load()
    return picture


@contextmanager
def _no_limit() -> Iterator[None]:
    """Lift Pillow's limit on pixels for a strip, whose size has been judged by the header of the whole file."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _jpeg(data: bytes, tables: bytes, ycbcr: bool) -> np.ndarray:
    """A JPEG stream whose tables may stand apart and whose colour space the TIFF tells, not the stream."""
    told = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + (b"\1" if ycbcr else b"\0")
    shared = tables[2:-2] if tables.endswith(b"\xff\xd9") else tables[2:]
    pixels = _picture(JpegImagePlugin.JpegImageFile, data[:2] + told + shared + data[2:], None)
    return 255 - pixels if pixels.shape[-1] == 4 else pixels  # Pillow takes four samples for inks, inverted


def _picture(kind: type[ImageFile.ImageFile], data: bytes, mode: str | None) -> np.ndarray:
    """Whole pixels of a picture format; made directly, since the header of the TIFF has been judged already."""
    with kind(io.BytesIO(data)) as picture:
        pixels = np.asarray(picture if mode is None else picture.convert(mode))
    return pixels if pixels.ndim == 3 else pixels[..., None]
