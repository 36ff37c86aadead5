"""What the numbers of a TIFF's pixels stand for: gray, colours, palettes, inks, alpha and further bands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tifffile

from overtone.errors import InputError
from overtone.signals.readers.pixels import Coverage
from overtone.signals.readers.tiff_codecs import colours_are_converted

_GRAY, _RGB, _PALETTE, _INKS = 1, 2, 3, 5
_WHITE_IS_ZERO, _YCBCR, _CIELAB = 0, 6, 8
_PREMULTIPLIED, _STRAIGHT = 1, 2
_COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class Colours:
    """Samples whose last axis holds colours or bands.

    Attributes:
        samples: (..., bands); an alpha channel stands last.
        coverage: Whether the last band is alpha.
        white: The stored number that means white, or None if the type has no full range.
        names: Names of the bands without alpha, or None for a number each.
        notes: What was done to them.
    """

    samples: np.ndarray
    coverage: Coverage
    white: float | None
    names: tuple[str, ...] | None
    notes: tuple[str, ...]


def colours(samples: np.ndarray, page: tifffile.TiffPage, where: str) -> Colours:
    """Samples as gray, red, green and blue, or bands.

    Args:
        samples: (..., bands) as stored.
        page: Their page.
        where: The file, for messages.

    Raises:
        InputError: If the colour space is none of gray, RGB, palette, CMYK and YCbCr.
    """
    kind, white = int(page.photometric), _white(page, samples.dtype)
    if kind == _PALETTE and page.colormap is not None:
        return _looked_up(samples, page)
    if kind == _WHITE_IS_ZERO:
        return _inverted(samples, page, white)
    if kind == _INKS and int(page.tags.valueof(332, 1)) == 1 and samples.shape[-1] >= 4 and white:
        return _from_inks(samples, page, white)
    if kind == _YCBCR and samples.shape[-1] == 3 and not colours_are_converted(page):
        return _from_differences(samples, page, white, where)
    if kind in (_RGB, _YCBCR):
        return _with_extras(samples, page, white, 3, ())
    if kind in (_GRAY, _INKS, _PALETTE):
        return _with_extras(samples, page, white, 1, ())
    raise _unknown_space(page, where)


def _unknown_space(page: tifffile.TiffPage, where: str) -> InputError:
    try:
        name = tifffile.PHOTOMETRIC(page.photometric).name
    except ValueError:
        name = f"PhotometricInterpretation {int(page.photometric)}"
    return InputError("gray or RGB pixels", f"{name} pixels", "convert the picture to RGB", where)


def _white(page: tifffile.TiffPage, dtype: np.dtype) -> float | None:
    if dtype.kind == "u":
        bits = page.bitspersample if page.bitspersample < 8 * dtype.itemsize else 8 * dtype.itemsize
        return float(2**bits - 1) if bits <= 16 else None
    return 1.0 if dtype.kind in "bf" else None


def _with_extras(
    samples: np.ndarray, page: tifffile.TiffPage, white: float | None, plain: int, notes: tuple[str, ...]
) -> Colours:
    """Put the alpha channel among the extra samples last and name the bands."""
    bands = samples.shape[-1]
    extras = [int(e) for e in page.extrasamples][-bands:]
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


def _looked_up(samples: np.ndarray, page: tifffile.TiffPage) -> Colours:
    table = np.asarray(page.colormap).T
    if table.max() <= 255:
        table = table * 257
    elif not (table & 255).any():
        table = (table >> 8) * 257
    table = table.astype(np.uint16)
    found = table[np.minimum(samples[..., 0], len(table) - 1)]
    rest = samples[..., 1:]
    notes: tuple[str, ...] = ("palette looked up",)
    if rest.shape[-1]:
        notes = (*notes, "bands beside the palette's left out")
    return Colours(found, Coverage.NONE, 65535.0, _COLOURS, notes)


def _inverted(samples: np.ndarray, page: tifffile.TiffPage, white: float | None) -> Colours:
    found = _with_extras(samples, page, white, 1, ())
    if white is None:
        kept = "stored numbers kept, although the least one means white"
        return Colours(found.samples, found.coverage, None, None, (*found.notes, kept))
    last = None if found.coverage is Coverage.NONE else -1
    turned = found.samples.copy()
    gray = turned[..., :last]
    if found.coverage is Coverage.PREMULTIPLIED:
        gray[...] = turned[..., -1:] - gray
    else:
        gray[...] = ~gray if gray.dtype.kind == "b" else gray.dtype.type(white) - gray
    notes = (*found.notes, "inverted, since the least number means white")
    return Colours(turned, found.coverage, white, found.names, notes)


def _from_inks(samples: np.ndarray, page: tifffile.TiffPage, white: float) -> Colours:
    """Red = (1 - cyan)(1 - black) of the full range, and so on, without a colour profile."""
    extras = [int(e) for e in page.extrasamples]
    amount = samples[..., :4].astype(np.float64) / white
    rgb = (1.0 - amount[..., :3]) * (1.0 - amount[..., 3:])
    notes = ["converted from CMYK to RGB"]
    if extras[:1] == [_STRAIGHT]:
        rgb = np.concatenate([rgb, samples[..., 4:5] / white], -1)
        return Colours(rgb.astype(np.float32), Coverage.STRAIGHT, 1.0, _COLOURS, tuple(notes))
    notes += ["bands beside the inks left out"] * (samples.shape[-1] > 4)
    return Colours(rgb.astype(np.float32), Coverage.NONE, 1.0, _COLOURS, tuple(notes))


def _from_differences(
    samples: np.ndarray, page: tifffile.TiffPage, white: float | None, where: str
) -> Colours:
    """Luminance and colour differences to red, green and blue, with the file's own weights of the colours."""
    weights = _rationals(page, 529, (0.299, 0.587, 0.114))
    levels = _rationals(page, 532, (0.0, 255.0, 128.0, 255.0, 128.0, 255.0))
    if samples.dtype != np.uint8 or white is None or not all(weights):
        raise _unknown_space(page, where)
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
