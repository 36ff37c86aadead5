"""Stored pixels of a picture: orientation, and conversion to fractions of the full range in blocks of rows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch

from overtone.errors import InputError
from overtone.signals._construction import sentinel_notes
from overtone.signals._readers._numbers import check_numeric

_BLOCK = 1 << 20
_FULL_RANGE = {"bool": (0.0, 1.0), "uint8": (0.0, 255.0), "uint16": (0.0, 65535.0)}
_NAMES = {1: ("gray",), 3: ("red", "green", "blue")}


class Alpha(Enum):
    """Treatment of a picture's transparency."""

    COMPOSITE = "composite"
    """Composite the picture over a background."""
    DROP = "drop"
    """Use the stored colours, also for transparent pixels."""


class Coverage(Enum):
    """Role of the last channel of stored pixels."""

    NONE = "none"
    """The last channel is a colour."""
    STRAIGHT = "straight"
    """The last channel is alpha."""
    PREMULTIPLIED = "premultiplied"
    """The last channel is alpha, and the colours are premultiplied by it."""


@dataclass(frozen=True)
class Pixels:
    """Stored pixels of a picture.

    Attributes:
        stored: (H, W, C) of any numeric dtype.
        coverage: Whether the last channel is alpha.
        pixel_size: (row, column) distance of pixels, or None if unknown.
        unit: Unit of `pixel_size`.
        white: The stored number of white if it is not the maximum of the type, or None.
        colour_names: Names of the channels without alpha, if the file contains them.
        notes: Notes on how the file was read.
    """

    stored: np.ndarray
    coverage: Coverage = Coverage.NONE
    pixel_size: tuple[float, float] | None = None
    unit: str = "mm"
    white: float | None = None
    colour_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def colours(self) -> int:
        """Number of channels without alpha."""
        return self.stored.shape[2] - (self.coverage is not Coverage.NONE)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the channels without alpha."""
        if self.colour_names is not None:
            return self.colour_names
        return _NAMES.get(self.colours) or tuple(f"channel {c + 1}" for c in range(self.colours))


def full_range_of(dtype: np.dtype, location: str) -> tuple[float, float]:
    """Return the stored values of black and white.

    Args:
        dtype: Type of the stored pixels.
        location: File or argument in error messages.

    Returns:
        (0, 255) for 8-bit, (0, 65535) for 16-bit, (0, 1) for boolean and floating-point pixels.

    Raises:
        InputError: If the type has no conventional range.
    """
    check_numeric(dtype, location)
    if dtype.kind == "f":
        return 0.0, 1.0
    known = _FULL_RANGE.get(dtype.name)
    if known is None:
        raise InputError(
            "uint8, uint16 or floating-point pixels",
            dtype.name,
            "pass full_range=(black, white) (--full-range on the command line), or read it with signals.array",
            location,
        )
    return known


def fractions(
    pixels: Pixels, black: float, white: float, alpha: Alpha = Alpha.COMPOSITE, background: float = 1.0
) -> np.ndarray:
    """Convert the colours to fractions of the full range.

    value = (stored - black) / (white - black); composited over the background, value * a + background * (1 -
    a), in the space of the stored values (no linearisation).

    Args:
        pixels: The stored picture.
        black: Stored value that becomes 0.
        white: Stored value that becomes 1.
        alpha: Treatment of an alpha channel.
        background: Gray level under a transparent picture, 0 black to 1 white.

    Returns:
        (H, W, colours) float32.
    """
    height, width, channels = pixels.stored.shape
    opaque = _opaque(pixels)
    result = np.empty((height, width, pixels.colours), np.float32)
    # Blocks bound the float64 copy to 8 MiB for pictures of any size.
    rows = max(1, _BLOCK // (width * channels))
    for start in range(0, height, rows):
        stored = pixels.stored[start : start + rows]
        with np.errstate(invalid="ignore"):
            block = np.subtract(stored, black, dtype=np.float64)
        block /= white - black
        colour = block[..., : pixels.colours]
        if pixels.coverage is not Coverage.NONE and alpha is Alpha.COMPOSITE:
            opacity = block[..., -1:] if opaque is None else stored[..., -1:] / opaque
            premultiplied = colour if pixels.coverage is Coverage.PREMULTIPLIED else colour * opacity
            colour = premultiplied + background * (1.0 - opacity)
        result[start : start + rows] = colour
    return result


def _opaque(pixels: Pixels) -> float | None:
    """Return the stored alpha of opaque pixels, which does not depend on the range of the colours."""
    known = pixels.white or _FULL_RANGE.get(pixels.stored.dtype.name, (0.0, None))[1]
    return 1.0 if pixels.stored.dtype.kind == "f" else known


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """Apply the orientation to the rows and columns of a picture.

    Args:
        stored: (H, W, ...) as stored.
        orientation: Orientation of TIFF and EXIF, 1 for upright; numbers other than 1 to 8 count as 1.

    Returns:
        A view: (H, W, ...), or (W, H, ...) for 5 to 8.
    """
    if not 2 <= orientation <= 8:
        return stored
    # EXIF orientations 5 to 8 transpose; then 3, 4, 7, 8 reverse rows and 2, 3, 6, 7 reverse columns.
    turned = stored.swapaxes(0, 1) if orientation >= 5 else stored
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return turned


def stored_marks(stored: np.ndarray, names: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """Apply `sentinel_notes` to stored numbers, before scaling hides the sentinels.

    Args:
        stored: (..., C) numbers; 8-bit numbers have no sentinels.
        names: Names of the channels; by default "value" or numbers.
    """
    if stored.dtype.kind not in "iuf" or stored.dtype.itemsize < 2 or not stored.size:
        return ()
    flat = stored.reshape(-1, stored.shape[-1])
    low, high = flat.min(axis=0), flat.max(axis=0)
    if flat.dtype.kind == "u" and flat.dtype.itemsize == 2 and high.max() < 999:
        return ()
    count = flat.shape[1]
    channel_names = names or (("value",) if count == 1 else tuple(f"channel {c + 1}" for c in range(count)))
    with np.errstate(invalid="ignore"):
        low_values, high_values, all_values = (
            torch.from_numpy(n.astype(np.float64)) for n in (low, high, flat)
        )
    return sentinel_notes(all_values, low_values, high_values, channel_names)
