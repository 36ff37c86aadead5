"""TIFF files: deep pictures, pictures of many channels, and stacks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

from overtone.errors import InputError
from overtone.signals.readers import pillow_file
from overtone.signals.readers.files import check_size, decoding
from overtone.signals.readers.physical import PixelSize, pixel_size
from overtone.signals.readers.pixels import Coverage, Pixels

_STACK_AXES = "ZQIT"
_CHANNEL_AXES = "SC"
_ORIENTED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


def is_stack(path: Path) -> bool:
    """Whether a TIFF holds several slices of a volume rather than one picture."""
    with decoding(path, "a TIFF picture"), tifffile.TiffFile(path) as tif:
        return _axes(tif.series[0])[0] in _STACK_AXES


def read_picture(path: Path) -> Pixels:
    """A TIFF of one picture.

    8-bit pictures and those of one deep channel go through Pillow, which knows more compressions; 16-bit
    colour, many channels and other number types through tifffile.

    Args:
        path: An existing file that starts like a TIFF.

    Returns:
        The pixels as stored, with their physical size where the file has one.

    Raises:
        InputError: If the file holds a stack, is damaged or too large, or is stored in a colour space that
            neither library converts.
    """
    with decoding(path, "a TIFF picture"), tifffile.TiffFile(path) as tif:
        series, page = tif.series[0], tif.pages.first
        axes = _axes(series)
        if axes[0] in _STACK_AXES:
            raise InputError(
                "one picture",
                f"a stack of {len(tif.pages)} slices",
                "read it with signals.volume, or save one slice",
                str(path),
            )
        size = pixel_size(tif)
        orientation = int(page.tags.valueof(274, 1))
        across = None if size is None else (size.picture[::-1] if orientation >= 5 else size.picture)
        if _pillow_keeps_all(page, axes):
            found = pillow_file.read(path)
            return Pixels(found.stored, found.coverage, across, found.notes)
        stored = _channels_last(_decode(series, path), axes)
        stored = _ORIENTED.get(orientation, lambda a: a)(stored)
        notes = ("orientation applied",) * (orientation in _ORIENTED)
        return Pixels(_black_is_zero(stored, page, path), _coverage(page), across, notes)


def read_stack(path: Path) -> tuple[np.ndarray, PixelSize | None]:
    """A TIFF of several slices.

    Args:
        path: An existing file that starts like a TIFF.

    Returns:
        (slices, rows, columns, channels) as stored, and the size of a voxel if the file has one.

    Raises:
        InputError: If it is no stack, damaged or too large.
    """
    with decoding(path, "a TIFF stack"), tifffile.TiffFile(path) as tif:
        series = tif.series[0]
        axes = _axes(series)
        if axes[0] not in _STACK_AXES:
            raise InputError("a stack of slices", "one picture", "read it with signals.image", str(path))
        return _channels_last(_decode(series, path), axes), pixel_size(tif)


def _axes(series: tifffile.TiffPageSeries) -> str:
    return str(series.axes)


def _decode(series: tifffile.TiffPageSeries, path: Path) -> np.ndarray:
    check_size(series.shape, max(series.dtype.itemsize, 4), str(path))
    try:
        return np.asarray(series.asarray())
    except (KeyError, ValueError, ImportError) as error:
        if "imagecodecs" not in str(error) and not isinstance(error, ImportError):
            raise
        raise InputError(
            "an uncompressed or deflate-compressed TIFF",
            f"{tifffile.COMPRESSION(series.keyframe.compression).name} compression",
            "save it again with one of these",
            str(path),
        ) from error


def _channels_last(stored: np.ndarray, axes: str) -> np.ndarray:
    found = [i for i, axis in enumerate(axes) if axis in _CHANNEL_AXES]
    return np.moveaxis(stored, found[0], -1) if found else stored[..., None]


def _pillow_keeps_all(page: tifffile.TiffPage, axes: str) -> bool:
    if "C" in axes or page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
        return False
    if page.dtype in (np.dtype("uint8"), np.dtype("bool")):
        return page.samplesperpixel <= 4
    black_is_zero = page.photometric == tifffile.PHOTOMETRIC.MINISBLACK
    return (
        page.samplesperpixel == 1
        and black_is_zero
        and page.dtype in (np.dtype("uint16"), np.dtype("float32"))
    )


def _coverage(page: tifffile.TiffPage) -> Coverage:
    last = page.extrasamples[-1] if page.extrasamples else None
    if last == tifffile.EXTRASAMPLE.UNASSALPHA:
        return Coverage.STRAIGHT
    return Coverage.PREMULTIPLIED if last == tifffile.EXTRASAMPLE.ASSOCALPHA else Coverage.NONE


def _black_is_zero(stored: np.ndarray, page: tifffile.TiffPage, path: Path) -> np.ndarray:
    if page.photometric in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB):
        return stored
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and stored.dtype.kind == "u":
        return np.iinfo(stored.dtype).max - stored
    raise InputError(
        "gray or RGB pixels",
        f"{tifffile.PHOTOMETRIC(page.photometric).name} pixels",
        "convert the picture to RGB",
        str(path),
    )
