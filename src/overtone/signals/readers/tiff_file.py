"""TIFF files: which of their pages are the picture, what its axes are, and its samples the right way up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from overtone.errors import InputError
from overtone.signals.readers.files import decoding, quiet
from overtone.signals.readers.geotiff import check_gaps, is_map, scaling, unit_is_missing
from overtone.signals.readers.orientation import upright
from overtone.signals.readers.physical import distances, ome_pixels
from overtone.signals.readers.pixels import Coverage
from overtone.signals.readers.stored import Stored
from overtone.signals.readers.tiff_colour import Colours, colours
from overtone.signals.readers.tiff_decode import decode_tiff, missing_notes

_SPACE, _TIME, _PAGES = "ZYX", "T", "IQ"
_CHANNELS = "CSEHPAL"
_ORIENTATION = 274


@dataclass(frozen=True)
class Outline:
    """What the header of a TIFF says about its picture or stack.

    Attributes:
        axes: One letter for each grid axis, as in `Stored`.
        shape: Samples along each of them, as stored.
        dtype: Type of the stored numbers.
        is_gray: Whether they are brightness or another quantity rather than colours.
        is_map: Whether the file says that it holds a map or measurements.
        scales: Whether it gives its values a scale of their own.
    """

    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype
    is_gray: bool
    is_map: bool
    scales: bool


def tiff_outline(path: Path) -> Outline:
    """What a TIFF holds, from its header.

    Raises:
        InputError: If the file is damaged, or its axes are not known here.
    """
    where = str(path)
    with _opened(path) as (_, series):
        page, axes = series.keyframe, _axes(series, where)
        return Outline(
            "".join(a for a in axes if a not in _CHANNELS),
            tuple(int(n) for a, n in zip(axes, series.shape, strict=True) if a not in _CHANNELS),
            np.dtype("V1") if series.dtype is None else series.dtype,
            int(page.photometric) <= 1,
            is_map(page),
            scaling(page, max(1, int(page.samplesperpixel))).scales,
        )


def read_tiff(path: Path) -> Stored:
    """Read the first picture or stack of a TIFF, leaving out thumbnails, pyramids and masks.

    Args:
        path: An existing file that starts like a TIFF.

    Raises:
        InputError: If the file is damaged or too large, marks samples as missing, or is stored in a
            compression, a colour space or axes that are not known here.
    """
    where = str(path)
    with _opened(path) as (tif, series):
        page, axes = series.keyframe, _axes(series, where)
        notes = _beside(tif, series, where) + missing_notes(series)
        samples = _turned(decode_tiff(series, path), axes, page)
        if not any(axis in "S" for axis in axes):
            samples, axes = samples[..., None], axes + "S"
        at = axes.index("S")
        samples = np.moveaxis(samples, at, -1)
        axes = axes.replace("S", "") + "S"
        check_gaps(samples, page, where)
        found = colours(samples, page, where)
        white = _stated_white(tif, found, samples)
        samples, axes, names = _bands_last(found, axes, tif, where)
        turned = int(page.tags.valueof(_ORIENTATION, 1))
        across = distances(tif, page)
        if turned >= 5:
            across = {{"X": "Y", "Y": "X"}.get(axis, axis): value for axis, value in across.items()}
        notes += ("orientation applied",) * (2 <= turned <= 8)
        if unit_is_missing(page):
            notes += ("pixel size ignored, since its unit is not stored",)
        return Stored(
            samples,
            axes,
            found.coverage,
            white,
            names,
            across,
            scaling(page, samples.shape[-1]),
            is_map(page),
            notes + found.notes,
        )


@contextmanager
def _opened(path: Path) -> Iterator[tuple[tifffile.TiffFile, tifffile.TiffPageSeries]]:
    with decoding(path, "a TIFF picture"), quiet("tifffile"), tifffile.TiffFile(path) as tif:
        yield tif, _main(tif, str(path))


def _main(tif: tifffile.TiffFile, where: str) -> tifffile.TiffPageSeries:
    """The first series that is neither a reduced copy of another nor a mask."""
    for series in tif.series:
        if len(series.shape) >= 2 and not _is_aside(series.keyframe):
            return series
    raise InputError("a TIFF with a picture", "none but thumbnails or masks", "export it again", where)


def _is_aside(page: tifffile.TiffPage) -> bool:
    return bool(int(page.subfiletype) & 5) or int(page.tags.valueof(255, 1)) == 2


def _beside(tif: tifffile.TiffFile, main: tifffile.TiffPageSeries, where: str) -> tuple[str, ...]:
    """Notes on what else the file holds.

    Raises:
        InputError: If a mask marks samples of the picture as missing.
    """
    others = [series for series in tif.series if series is not main]
    pictures = 1 + sum(1 for series in others if not _is_aside(series.keyframe))
    for series in others:
        page = series.keyframe
        if int(page.subfiletype) & 4 and not int(page.subfiletype) & 1:
            seen = decode_tiff(series, Path(where)) != 0
            if not seen.all():
                raise InputError(
                    "a picture without gaps",
                    f"a mask in the file that marks {int((~seen).sum())} of {seen.size} samples as missing",
                    "fill them in and save it without the mask, or cut out a part without them",
                    where,
                )
    return (f"first of {pictures} pictures of different kinds in the file",) * (pictures > 1)


def _axes(series: tifffile.TiffPageSeries, where: str) -> str:
    axes = str(series.axes)
    known = _SPACE + _TIME + _PAGES + _CHANNELS
    odd = [axis for axis in axes if axis not in known]
    if odd or len(set(axes) - set(_PAGES)) < len([a for a in axes if a not in _PAGES]) or "X" not in axes:
        shape = " x ".join(map(str, series.shape))
        raise InputError(
            "a TIFF whose axes are slices, times, channels, rows and columns",
            f"the axes {axes} ({shape})",
            "save one picture, stack or time series of it",
            where,
        )
    return axes


def _turned(samples: np.ndarray, axes: str, page: tifffile.TiffPage) -> np.ndarray:
    """Rows and columns as the orientation says, wherever these two axes stand."""
    orientation = int(page.tags.valueof(_ORIENTATION, 1))
    places = axes.index("Y"), axes.index("X")
    first = np.moveaxis(samples, places, (0, 1))
    return np.moveaxis(upright(first, orientation), (0, 1), places)


def _bands_last(
    found: Colours, axes: str, tif: tifffile.TiffFile, where: str
) -> tuple[np.ndarray, str, tuple[str, ...] | None]:
    """Every axis of channels merged into the last one."""
    apart = [i for i, axis in enumerate(axes[:-1]) if axis in _CHANNELS]
    grid = "".join(axis for axis in axes[:-1] if axis not in _CHANNELS)
    if not apart:
        return found.samples, grid, found.names
    if found.coverage is not Coverage.NONE:
        raise InputError(
            "channels without transparency",
            f"channels that have alpha each (axes {axes})",
            "save them without alpha",
            where,
        )
    samples = np.moveaxis(found.samples, apart, range(-1 - len(apart), -1))
    samples = samples.reshape(*samples.shape[: len(grid)], -1)
    return samples, grid, _channel_names(tif, samples.shape[-1])


def _stated_white(tif: tifffile.TiffFile, found: Colours, samples: np.ndarray) -> float | None:
    """The number of white by OME's count of significant bits, if it is smaller and no sample exceeds it."""
    if not tif.ome_metadata or found.white is None or samples.dtype.kind != "u":
        return found.white
    bits = str(ome_pixels(tifffile.xml2dict(tif.ome_metadata)).get("SignificantBits", ""))
    white = float(2 ** int(bits) - 1) if bits.isdigit() and 1 < int(bits) < 16 else found.white
    return white if white < found.white and samples.max() <= white else found.white


def _channel_names(tif: tifffile.TiffFile, count: int) -> tuple[str, ...] | None:
    """The channels' names in OME, if each has one of its own, else their numbers."""
    numbers = tuple(f"channel {c + 1}" for c in range(count)) if count > 1 else None
    if not tif.ome_metadata:
        return numbers
    listed = ome_pixels(tifffile.xml2dict(tif.ome_metadata)).get("Channel", [])
    listed = listed if isinstance(listed, list) else [listed]
    names = [str(channel.get("Name", "")) for channel in listed if isinstance(channel, dict)]
    return tuple(names) if len(names) == len(set(names)) == count and all(names) else numbers
