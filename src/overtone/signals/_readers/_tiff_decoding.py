"""Decoding of a TIFF's samples by tifffile, by the codecs of Pillow, or by imagecodecs."""

from __future__ import annotations

import importlib.util
import io
import math
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image, ImageFile, Jpeg2KImagePlugin, JpegImagePlugin, TiffImagePlugin, WebPImagePlugin

from overtone._utils.optional import OptionalModule, install_command
from overtone.errors import InputError
from overtone.signals._readers._files import check_size

if TYPE_CHECKING:
    import tifffile
else:
    tifffile = OptionalModule("tifffile", "tiff")

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
    """Return the function that decompresses the strips or tiles of a page, or None for other compressions.

    Args:
        page: The page, with its compression and the parameters of the codec.
    """
    compression, deep = int(page.compression), page.bitspersample > 8
    if compression == _NONE:
        return lambda data, _, __: data
    if compression in _DEFLATE:
        return lambda data, _, __: zlib.decompress(data)
    if compression in _PLAIN_BYTES:
        # Pillow is the interface to libtiff: bytes of any meaning are wrapped as a gray picture.
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
    """Return whether the decoder of a page converts luminance and colour differences to RGB."""
    return int(page.compression) in (_JPEG, *_WEBP, *_JPEG_2000)


def _through_libtiff(data: bytes, width: int, rows: int, compression: int) -> bytes:
    """Decompress bytes as a gray picture of `width` bytes per row."""
    tags = {256: width, 257: rows, 258: 8, 259: compression, 262: 1, 277: 1, 278: rows}
    return _opened(data, tags).tobytes()


def _one_bit(data: bytes, columns: int, rows: int, compression: int, options: dict[int, int]) -> np.ndarray:
    tags = {256: columns, 257: rows, 258: 1, 259: compression, 262: 1, 277: 1, 278: rows, **options}
    return np.asarray(_opened(data, tags))[..., None]


def _opened(data: bytes, tags: dict[int, int]) -> Image.Image:
    """Decode compressed data as the only strip of a little-endian TIFF."""
    start = 8 + 2 + 12 * (len(tags) + 2) + 4
    # A TIFF directory must be sorted by tag; 273 and 279 are the offset and the size of the only strip.
    entries = sorted({**tags, 273: start, 279: len(data)}.items())
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    file = b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + b"\0" * 4 + data
    with _no_limit():
        picture = TiffImagePlugin.TiffImageFile(io.BytesIO(file))
        picture.load()
    return picture


@contextmanager
def _no_limit() -> Iterator[None]:
    """Disable Pillow's limit on pixels for a strip, because the size of the file has been checked."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _jpeg(data: bytes, tables: bytes, ycbcr: bool) -> np.ndarray:
    """Decode a JPEG stream with the tables and the colour space of the TIFF."""
    colour_marker = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + (b"\1" if ycbcr else b"\0")
    # An Adobe marker states the colour transform, which the TIFF and not the stream decides.
    shared = tables[2:-2] if tables.endswith(b"\xff\xd9") else tables[2:]
    pixels = _picture(JpegImagePlugin.JpegImageFile, data[:2] + colour_marker + shared + data[2:], None)
    return 255 - pixels if pixels.shape[-1] == 4 else pixels  # Pillow takes four samples for inks, inverted


def _picture(kind: type[ImageFile.ImageFile], data: bytes, mode: str | None) -> np.ndarray:
    """Decode the pixels of a picture format."""
    with kind(io.BytesIO(data)) as picture:
        pixels = np.asarray(picture if mode is None else picture.convert(mode))
    return pixels if pixels.ndim == 3 else pixels[..., None]


_WHOLE_BYTES = (8, 16, 32, 64)
_DIFFERENCES, _FLOATING = 2, 3


def can_assemble(page: Any) -> bool:
    """Return whether `assemble_page` supports the page."""
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
    """Decode the samples of one page.

    Args:
        page: A page, or a frame that shares the layout of its key page.

    Returns:
        Samples in the shape of `page.shape`, in the machine's byte order.

    Raises:
        ValueError: If a strip or tile is truncated or damaged.
    """
    key = page.keyframe
    result = np.zeros(key.shaped, key.dtype.newbyteorder("="))
    decompress = codec(key)
    assert decompress is not None
    # Strips of size 0 are missing and have the value of missing data.
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
        index_above, column = divmod(index, across)
        index_above, row = divmod(index_above, down)
        plane, level = divmod(index_above, slices)
        stored = rows if key.is_tiled else min(rows, height - row * rows)
        stream.seek(offset)
        data = stream.read(size) if size else b""
        if len(data) < size:
            raise ValueError("the file ends within its pixels")
        yield (plane, level, row * rows, column * columns, stored, columns), data


def _segment(data: bytes, key: Any, decompress: Codec, place: Place) -> np.ndarray:
    """Return the (rows, columns, samples) of one strip or tile."""
    rows, columns = place[4:]
    samples = key.shaped[-1]
    bits = columns * samples * key.bitspersample
    decompressed = decompress(data, math.ceil(bits / 8), rows)
    if isinstance(decompressed, np.ndarray):
        return decompressed
    required = rows * math.ceil(bits / 8)
    if len(decompressed) < required:
        raise ValueError(f"a strip or tile of {len(decompressed)} bytes instead of {required}")
    lines = np.frombuffer(decompressed, np.uint8, required).reshape(rows, -1)
    if key.bitspersample not in _WHOLE_BYTES:
        return _unpacked(lines, key, columns * samples).reshape(rows, columns, samples)
    if key.predictor == _FLOATING:
        return _floating(lines, key.dtype, samples).reshape(rows, columns, samples)
    stored = key.dtype.newbyteorder(key.parent.byteorder)
    values = np.frombuffer(decompressed, stored, rows * columns * samples).reshape(rows, columns, samples)
    if key.predictor != _DIFFERENCES:
        return values
    # Horizontal differences wrap around in unsigned arithmetic, also for floating-point bits.
    whole = values.astype(stored.newbyteorder("=")).view(f"u{stored.itemsize}")
    return np.cumsum(whole, axis=1, dtype=whole.dtype).view(stored.newbyteorder("="))


def _unpacked(lines: np.ndarray, key: Any, count: int) -> np.ndarray:
    """Unpack numbers of any bit depth, highest bit first, with byte-aligned rows."""
    # Fill order 2 stores the lowest bit of each byte first.
    order: Literal["little", "big"] = "little" if key.fillorder == 2 else "big"
    bits = np.unpackbits(lines, axis=1, count=count * key.bitspersample, bitorder=order)
    bits = bits.reshape(len(lines), count, key.bitspersample)
    powers = 1 << np.arange(key.bitspersample - 1, -1, -1, dtype=np.uint32)
    return (bits @ powers).astype(key.dtype)


def _floating(lines: np.ndarray, dtype: np.dtype, samples: int) -> np.ndarray:
    """Undo the floating-point predictor: bytes ordered by significance, then differences along the row."""
    rows = len(lines)
    # TIFF Technical Note 3: differences run over the bytes of a row, most significant bytes of all samples first.
    summed = np.cumsum(lines.reshape(rows, -1, samples), axis=1, dtype=np.uint8)
    by_significance = summed.reshape(rows, dtype.itemsize, -1).swapaxes(1, 2)
    return np.ascontiguousarray(by_significance).view(f">f{dtype.itemsize}")[..., 0]


def _fill(result: np.ndarray, place: Place, values: np.ndarray) -> None:
    plane, level, row, column, *_ = place
    target = result[plane, level, row : row + values.shape[0], column : column + values.shape[1]]
    # Tiles at the right and lower edges extend beyond the picture.
    target[...] = values[: target.shape[0], : target.shape[1]]


_NATIVE_COMPRESSIONS = (1, 8, 32946)
_NATIVE_BITS = (8, 16, 32, 64, 128)


def decode_tiff(series: tifffile.TiffPageSeries, path: Path) -> np.ndarray:
    """Decode all samples of a series of pages, in the shape and order of its axes.

    Args:
        series: Series of an open file.
        path: The file in error messages.

    Raises:
        InputError: If it is too large, pages are missing, or no installed package can decompress it.
    """
    location, page = str(path), series.keyframe
    if series.dtype is None or page.dtype is None:
        raise InputError(
            "numbers of a known type",
            f"{page.bitspersample}-bit samples of SampleFormat {page.sampleformat}",
            "save it as integers or floating-point numbers",
            location,
        )
    check_size(series.shape, max(series.dtype.itemsize, 4), location)
    pages = [one for one in series.pages if one is not None]
    if len(pages) < len(series.pages):
        missing = len(series.pages) - len(pages)
        raise InputError(
            "all planes of the stack",
            f"{missing} of {len(series.pages)} missing",
            "export it again",
            location,
        )
    plain = (
        page.compression in _NATIVE_COMPRESSIONS
        and page.predictor == 1
        and page.bitspersample in _NATIVE_BITS
    )
    # tifffile decodes these without a codec and can map the file into memory.
    if plain and not page.is_subsampled:
        return np.asarray(series.asarray())
    if can_assemble(page):
        return np.stack([assemble_page(one) for one in pages]).reshape(series.shape)
    if page.is_subsampled and int(page.compression) in _NATIVE_COMPRESSIONS:
        raise InputError(
            "a colour for every pixel",
            "colour differences stored for blocks of pixels (subsampled YCbCr)",
            "convert the picture to RGB",
            location,
        )
    if further_codecs():
        return np.asarray(series.asarray())
    raise InputError(
        "a TIFF that can be decompressed without further packages",
        _compression(page),
        f"run: {install_command('tiff')}, or save it with deflate compression",
        location,
    )


def further_codecs() -> bool:
    """Return whether imagecodecs, which decompresses every other format, is installed."""
    return importlib.util.find_spec("imagecodecs") is not None


def missing_notes(series: tifffile.TiffPageSeries) -> tuple[str, ...]:
    """Return a note on strips or tiles that are not stored and have a constant value."""
    counts = [count for page in series.pages if page is not None for count in page.databytecounts]
    left_out = sum(count == 0 for count in counts)
    if not left_out:
        return ()
    what = "tiles" if series.keyframe.is_tiled else "strips"
    return (f"{left_out} of {len(counts)} {what} are not stored and read as {series.keyframe.nodata:g}",)


def _compression(page: tifffile.TiffPage) -> str:
    try:
        name = tifffile.COMPRESSION(page.compression).name
    except ValueError:
        name = f"unknown ({int(page.compression)})"
    beside = f" of {page.bitspersample}-bit samples"
    return f"{name} compression{beside}" + (
        f" with predictor {int(page.predictor)}" if page.predictor > 1 else ""
    )
