"""The samples of a TIFF's picture or stack, by tifffile, by the codecs of Pillow, or by imagecodecs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import tifffile

from overtone.errors import InputError
from overtone.signals.readers.files import check_size
from overtone.signals.readers.tiff_segments import assemble_page, can_assemble

_NATIVE_COMPRESSIONS = (1, 8, 32946)
_NATIVE_BITS = (8, 16, 32, 64, 128)


def decode_tiff(series: tifffile.TiffPageSeries, path: Path) -> np.ndarray:
    """Every sample of a series of pages, in the shape and order of its axes.

    Args:
        series: From an open file.
        path: The file, for messages.

    Raises:
        InputError: If it is too large, pages are missing, or nothing installed decompresses it.
    """
    where, page = str(path), series.keyframe
    if series.dtype is None or page.dtype is None:
        raise InputError(
            "numbers of a known type",
            f"{page.bitspersample}-bit samples of SampleFormat {page.sampleformat}",
            "save it as integers or floating-point numbers",
            where,
        )
    check_size(series.shape, max(series.dtype.itemsize, 4), where)
    pages = [one for one in series.pages if one is not None]
    if len(pages) < len(series.pages):
        missing = len(series.pages) - len(pages)
        raise InputError(
            "all planes of the stack", f"{missing} of {len(series.pages)} missing", "export it again", where
        )
    plain = (
        page.compression in _NATIVE_COMPRESSIONS
        and page.predictor == 1
        and page.bitspersample in _NATIVE_BITS
    )
    if plain and not page.is_subsampled:
        return np.asarray(series.asarray())
    if can_assemble(page):
        return np.stack([assemble_page(one) for one in pages]).reshape(series.shape)
    if page.is_subsampled and int(page.compression) in _NATIVE_COMPRESSIONS:
        raise InputError(
            "a colour for every pixel",
            "colour differences stored for blocks of pixels (subsampled YCbCr)",
            "convert the picture to RGB",
            where,
        )
    if further_codecs():
        return np.asarray(series.asarray())
    raise InputError(
        "a TIFF that can be decompressed without further packages",
        _compression(page),
        'run: pip install "overtone[tiff]", or save it with deflate compression',
        where,
    )


def further_codecs() -> bool:
    """Whether the package is installed that decompresses everything else."""
    return importlib.util.find_spec("imagecodecs") is not None


def missing_notes(series: tifffile.TiffPageSeries) -> tuple[str, ...]:
    """A note on strips or tiles that the file leaves out, which read as one value."""
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
