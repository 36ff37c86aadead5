"""Reader of TIFF files: pages, axes, colours and orientation of a picture or stack."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from overtone._utils.optional import OptionalModule
from overtone.errors import InputError
from overtone.signals._readers._files import decoding_errors, silenced_logger
from overtone.signals._readers._pixels import Coverage, upright
from overtone.signals._readers._tiff_decoding import colours_are_converted, decode_tiff, missing_notes
from overtone.signals._readers._tiff_metadata import (
    Stored,
    check_gaps,
    distances,
    is_map,
    ome_pixels,
    scaling,
    unit_is_missing,
)

if TYPE_CHECKING:
    import tifffile
else:
    tifffile = OptionalModule("tifffile", "tiff")

_GRAY, _RGB, _PALETTE, _INKS = 1, 2, 3, 5
_WHITE_IS_ZERO, _YCBCR, _CIELAB = 0, 6, 8
_PREMULTIPLIED, _STRAIGHT = 1, 2
_COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class Colours:
    """Samples whose last axis holds colours or bands.

    Attributes:
        samples: (..., bands) numbers; alpha is the last band.
        coverage: Whether the last band is alpha.
        white: The stored number of white, or None if the type has no full range.
        names: Names of the bands without alpha, or None for numbers.
        notes: Notes on conversions.
    """

    samples: np.ndarray
    coverage: Coverage
    white: float | None
    names: tuple[str, ...] | None
    notes: tuple[str, ...]


def colours(samples: np.ndarray, page: tifffile.TiffPage, location: str) -> Colours:
    """Convert samples to gray, to red, green and blue, or to bands.

    Args:
        samples: (..., bands) as stored.
        page: Page of the samples.
        location: File name in error messages.

    Raises:
        InputError: If the colour space is not gray, RGB, palette, CMYK or YCbCr.
    """
    kind, white = int(page.photometric), _white(page, samples.dtype)
    if kind == _PALETTE and page.colormap is not None:
        return _from_palette(samples, page)
    if kind == _WHITE_IS_ZERO:
        return _inverted(samples, page, white)
    if kind == _INKS and int(page.tags.valueof(332, 1)) == 1 and samples.shape[-1] >= 4 and white:
        return _from_inks(samples, page, white)
    if kind == _YCBCR and samples.shape[-1] == 3 and not colours_are_converted(page):
        return _from_differences(samples, page, white, location)
    if kind in (_RGB, _YCBCR):
        return _with_extras(samples, page, white, 3, ())
    if kind in (_GRAY, _INKS, _PALETTE):
        return _with_extras(samples, page, white, 1, ())
    raise _unknown_space(page, location)


def _unknown_space(page: tifffile.TiffPage, location: str) -> InputError:
    try:
        name = tifffile.PHOTOMETRIC(page.photometric).name
    except ValueError:
        name = f"PhotometricInterpretation {int(page.photometric)}"
    return InputError("gray or RGB pixels", f"{name} pixels", "convert the picture to RGB", location)


def _white(page: tifffile.TiffPage, dtype: np.dtype) -> float | None:
    if dtype.kind == "u":
        bits = page.bitspersample if page.bitspersample < 8 * dtype.itemsize else 8 * dtype.itemsize
        return float(2**bits - 1) if bits <= 16 else None
    return 1.0 if dtype.kind in "bf" else None


def _with_extras(
    samples: np.ndarray, page: tifffile.TiffPage, white: float | None, plain: int, notes: tuple[str, ...]
) -> Colours:
    """Move the alpha channel of the extra samples to the end and name the bands."""
    bands = samples.shape[-1]
    extras = [int(e) for e in page.extrasamples][-bands:]
    # Only the first alpha among the extra samples is used as alpha; others are bands.
    cover = [bands - len(extras) + i for i, e in enumerate(extras) if e in (_PREMULTIPLIED, _STRAIGHT)]
    coverage = Coverage.NONE
    if cover and bands > 1:
        kind = extras[cover[0] - bands]
        coverage = Coverage.STRAIGHT if kind == _STRAIGHT else Coverage.PREMULTIPLIED
        order = [b for b in range(bands) if b != cover[0]] + [cover[0]]
        samples = samples if order == list(range(bands)) else samples[..., order]
    left = bands - (coverage is not Coverage.NONE)
    names = tuple(f"channel {b + 1}" for b in range(left)) if left > 1 else None
    if plain == 3 and left >= 3:
        names = _COLOURS + (names or ())[3:]
    if left > plain and page.photometric in (_RGB, _YCBCR):
        notes = (
            *notes,
            f"{left - plain} further {'band' if left - plain == 1 else 'bands'} beside the colours",
        )
    return Colours(samples, coverage, white, names, notes)


def _from_palette(samples: np.ndarray, page: tifffile.TiffPage) -> Colours:
    table = np.asarray(page.colormap).T
    # Colour maps have 16 bits; some writers store 8 of them, in the lower or in the upper byte.
    if table.max() <= 255:
        table = table * 257
    elif not (table & 255).any():
        table = (table >> 8) * 257
    table = table.astype(np.uint16)
    colours_of = table[np.minimum(samples[..., 0], len(table) - 1)]
    extra_bands = samples[..., 1:]
    notes: tuple[str, ...] = ("palette looked up",)
    if extra_bands.shape[-1]:
        notes = (*notes, "bands beside the palette's left out")
    return Colours(colours_of, Coverage.NONE, 65535.0, _COLOURS, notes)


def _inverted(samples: np.ndarray, page: tifffile.TiffPage, white: float | None) -> Colours:
    bands = _with_extras(samples, page, white, 1, ())
    if white is None:
        note = "stored numbers kept, although the smallest one means white"
        return Colours(bands.samples, bands.coverage, None, None, (*bands.notes, note))
    last = None if bands.coverage is Coverage.NONE else -1
    inverted = bands.samples.copy()
    # Premultiplied gray is inverted within its own alpha: white is the stored alpha, not the full range.
    gray = inverted[..., :last]
    if bands.coverage is Coverage.PREMULTIPLIED:
        gray[...] = inverted[..., -1:] - gray
    else:
        gray[...] = ~gray if gray.dtype.kind == "b" else gray.dtype.type(white) - gray
    notes = (*bands.notes, "inverted, since the smallest number means white")
    return Colours(inverted, bands.coverage, white, bands.names, notes)


def _from_inks(samples: np.ndarray, page: tifffile.TiffPage, white: float) -> Colours:
    """Convert inks to colours without a colour profile: red = (1 - cyan)(1 - black) of the full range etc."""
    extras = [int(e) for e in page.extrasamples]
    # Each ink removes its complement; black removes all three colours (no profile: a naive conversion).
    amount = samples[..., :4].astype(np.float64) / white
    rgb = (1.0 - amount[..., :3]) * (1.0 - amount[..., 3:])
    notes = ["converted from CMYK to RGB"]
    if extras[:1] == [_STRAIGHT]:
        rgb = np.concatenate([rgb, samples[..., 4:5] / white], -1)
        return Colours(rgb.astype(np.float32), Coverage.STRAIGHT, 1.0, _COLOURS, tuple(notes))
    notes += ["bands beside the inks left out"] * (samples.shape[-1] > 4)
    return Colours(rgb.astype(np.float32), Coverage.NONE, 1.0, _COLOURS, tuple(notes))


def _from_differences(
    samples: np.ndarray, page: tifffile.TiffPage, white: float | None, location: str
) -> Colours:
    """Convert luminance and colour differences to RGB, with the file's luminance coefficients."""
    weights = _rationals(page, 529, (0.299, 0.587, 0.114))
    levels = _rationals(page, 532, (0.0, 255.0, 128.0, 255.0, 128.0, 255.0))
    if samples.dtype != np.uint8 or white is None or not all(weights):
        raise _unknown_space(page, location)
    red, green, blue = weights
    low, high = levels[0::2], levels[1::2]
    spans = (255.0, 127.0, 127.0)
    y, cb, cr = (
        (samples[..., i].astype(np.float64) - low[i]) * spans[i] / (high[i] - low[i]) for i in range(3)
    )
    r = y + cr * (2 - 2 * red)
    b = y + cb * (2 - 2 * blue)
    g = (y - red * r - blue * b) / green
    rgb = np.clip(np.stack([r, g, b], -1) / 255.0, 0.0, 1.0).astype(np.float32)
    return Colours(rgb, Coverage.NONE, 1.0, _COLOURS, ("converted from YCbCr to RGB",))


def _rationals(page: tifffile.TiffPage, tag: int, default: tuple[float, ...]) -> tuple[float, ...]:
    stored = page.tags.valueof(tag)
    if stored is None or len(stored) != 2 * len(default):
        return default
    pairs = zip(stored[0::2], stored[1::2], strict=True)
    values = tuple(top / bottom if bottom else 0.0 for top, bottom in pairs)
    return values if all(np.isfinite(values)) else default


_SPACE, _TIME, _PAGES = "ZYX", "T", "IQ"
_CHANNELS = "CSEHPAL"
_ORIENTATION = 274


@dataclass(frozen=True)
class Outline:
    """Header of the picture or stack in a TIFF.

    Attributes:
        axes: One letter per grid axis, as in `Stored`.
        shape: Stored number of samples per axis.
        dtype: Type of the stored numbers.
        is_gray: Whether the numbers are brightness or another quantity, not colours.
        is_map: Whether the metadata identify a map or measurements.
        scales: Whether the file contains a scale of the values.
    """

    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype
    is_gray: bool
    is_map: bool
    scales: bool


def tiff_outline(path: Path) -> Outline:
    """Read the header of a TIFF.

    Raises:
        InputError: If the file is damaged, or its axes are not supported.
    """
    location = str(path)
    with _opened(path) as (_, series):
        page, axes = series.keyframe, _axes(series, location)
        return Outline(
            "".join(a for a in axes if a not in _CHANNELS),
            tuple(int(n) for a, n in zip(axes, series.shape, strict=True) if a not in _CHANNELS),
            np.dtype("V1") if series.dtype is None else series.dtype,
            int(page.photometric) <= 1,
            is_map(page),
            scaling(page, max(1, int(page.samplesperpixel))).scales,
        )


def read_tiff(path: Path) -> Stored:
    """Read the first picture or stack of a TIFF, without thumbnails, pyramids and masks.

    Args:
        path: An existing TIFF.

    Raises:
        InputError: If the file is damaged or too large, has missing samples, or has an unsupported
            compression, colour space or axes.
    """
    location = str(path)
    with _opened(path) as (tif, series):
        page, axes = series.keyframe, _axes(series, location)
        notes = _other_pictures_note(tif, series, location) + missing_notes(series)
        samples = _apply_orientation(decode_tiff(series, path), axes, page)
        if not any(axis in "S" for axis in axes):
            samples, axes = samples[..., None], axes + "S"
        at = axes.index("S")
        # TIFF stores the samples of a pixel interleaved or in planes; later steps expect them last.
        samples = np.moveaxis(samples, at, -1)
        axes = axes.replace("S", "") + "S"
        check_gaps(samples, page, location)
        bands = colours(samples, page, location)
        white = _stated_white(tif, bands, samples)
        samples, axes, names = _bands_last(bands, axes, tif, location)
        orientation = int(page.tags.valueof(_ORIENTATION, 1))
        spacing = distances(tif, page)
        # Orientations 5 to 8 exchange rows and columns, so their distances are exchanged too.
        if orientation >= 5:
            spacing = {{"X": "Y", "Y": "X"}.get(axis, axis): value for axis, value in spacing.items()}
        notes += ("orientation applied",) * (2 <= orientation <= 8)
        if unit_is_missing(page):
            notes += ("pixel size ignored, since its unit is not stored",)
        return Stored(
            samples,
            axes,
            bands.coverage,
            white,
            names,
            spacing,
            scaling(page, samples.shape[-1]),
            is_map(page),
            notes + bands.notes,
        )


@contextmanager
def _opened(path: Path) -> Iterator[tuple[tifffile.TiffFile, tifffile.TiffPageSeries]]:
    with decoding_errors(path, "a TIFF picture"), silenced_logger("tifffile"), tifffile.TiffFile(path) as tif:
        yield tif, _main(tif, str(path))


def _main(tif: tifffile.TiffFile, location: str) -> tifffile.TiffPageSeries:
    """Return the first series that is neither a reduced copy nor a mask."""
    for series in tif.series:
        if len(series.shape) >= 2 and not _is_auxiliary(series.keyframe):
            return series
    raise InputError("a TIFF with a picture", "none but thumbnails or masks", "export it again", location)


def _is_auxiliary(page: tifffile.TiffPage) -> bool:
    return bool(int(page.subfiletype) & 5) or int(page.tags.valueof(255, 1)) == 2


def _other_pictures_note(
    tif: tifffile.TiffFile, main: tifffile.TiffPageSeries, location: str
) -> tuple[str, ...]:
    """Return a note on other pictures in the file.

    Raises:
        InputError: If a mask marks samples of the picture as missing.
    """
    others = [series for series in tif.series if series is not main]
    pictures = 1 + sum(1 for series in others if not _is_auxiliary(series.keyframe))
    for series in others:
        page = series.keyframe
        if int(page.subfiletype) & 4 and not int(page.subfiletype) & 1:
            valid = decode_tiff(series, Path(location)) != 0
            if not valid.all():
                raise InputError(
                    "a picture without gaps",
                    f"a mask in the file that marks {int((~valid).sum())} of {valid.size} samples as missing",
                    "fill them in and save it without the mask, or cut out a part without them",
                    location,
                )
    return (f"first of {pictures} pictures of different kinds in the file",) * (pictures > 1)


def _axes(series: tifffile.TiffPageSeries, location: str) -> str:
    axes = str(series.axes)
    known = _SPACE + _TIME + _PAGES + _CHANNELS
    odd = [axis for axis in axes if axis not in known]
    if odd or len(set(axes) - set(_PAGES)) < len([a for a in axes if a not in _PAGES]) or "X" not in axes:
        shape = " x ".join(map(str, series.shape))
        raise InputError(
            "a TIFF whose axes are slices, times, channels, rows and columns",
            f"the axes {axes} ({shape})",
            "save one picture, stack or time series of it",
            location,
        )
    return axes


def _apply_orientation(samples: np.ndarray, axes: str, page: tifffile.TiffPage) -> np.ndarray:
    """Apply the orientation to rows and columns, at any position of the two axes."""
    orientation = int(page.tags.valueof(_ORIENTATION, 1))
    places = axes.index("Y"), axes.index("X")
    first = np.moveaxis(samples, places, (0, 1))
    return np.moveaxis(upright(first, orientation), (0, 1), places)


def _bands_last(
    bands: Colours, axes: str, tif: tifffile.TiffFile, location: str
) -> tuple[np.ndarray, str, tuple[str, ...] | None]:
    """Merge all axes of channels into the last one."""
    apart = [i for i, axis in enumerate(axes[:-1]) if axis in _CHANNELS]
    grid = "".join(axis for axis in axes[:-1] if axis not in _CHANNELS)
    if not apart:
        return bands.samples, grid, bands.names
    if bands.coverage is not Coverage.NONE:
        raise InputError(
            "channels without transparency",
            f"an alpha channel for each channel (axes {axes})",
            "save them without alpha",
            location,
        )
    samples = np.moveaxis(bands.samples, apart, range(-1 - len(apart), -1))
    samples = samples.reshape(*samples.shape[: len(grid)], -1)
    return samples, grid, _channel_names(tif, samples.shape[-1])


def _stated_white(tif: tifffile.TiffFile, bands: Colours, samples: np.ndarray) -> float | None:
    """Return the white level of OME's significant bits, if it is below that of the type and not exceeded."""
    if not tif.ome_metadata or bands.white is None or samples.dtype.kind != "u":
        return bands.white
    bits = str(ome_pixels(tifffile.xml2dict(tif.ome_metadata)).get("SignificantBits", ""))
    # Cameras of 12 or 14 bits store 16 bits; OME contains the number of significant bits.
    white = float(2 ** int(bits) - 1) if bits.isdigit() and 1 < int(bits) < 16 else bands.white
    return white if white < bands.white and samples.max() <= white else bands.white


def _channel_names(tif: tifffile.TiffFile, count: int) -> tuple[str, ...] | None:
    """Return the channel names of OME if they are distinct, else numbered names."""
    numbers = tuple(f"channel {c + 1}" for c in range(count)) if count > 1 else None
    if not tif.ome_metadata:
        return numbers
    listed = ome_pixels(tifffile.xml2dict(tif.ome_metadata)).get("Channel", [])
    listed = listed if isinstance(listed, list) else [listed]
    names = [str(channel.get("Name", "")) for channel in listed if isinstance(channel, dict)]
    return tuple(names) if len(names) == len(set(names)) == count and all(names) else numbers
