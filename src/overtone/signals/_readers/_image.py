"""Reader of pictures: fractions of the full range over coordinates in picture heights."""

from __future__ import annotations

import math
import os

import numpy as np
import torch
from torch import Tensor

from overtone._utils.enums import parse_enum
from overtone._utils.missing_values import entire
from overtone.errors import InputError
from overtone.signals._construction import check_shape, make_signal
from overtone.signals._geometry import Grid
from overtone.signals._readers._described import refuse_described
from overtone.signals._readers._files import PathLike, existing_file
from overtone.signals._readers._numbers import pillow_numbers, tensor
from overtone.signals._readers._picture_files import read_picture
from overtone.signals._readers._pixels import Alpha, Coverage, Pixels, fractions, full_range_of, stored_marks
from overtone.signals._signal import Signal

_COLOURS = (1, 3, 4)
_MOST_COLOURS, _LEAST_SIDE = 4, 8


def pixels_of_array(source: object, channel_axis: int | None) -> Pixels:
    """Convert an array to pixels: (H, W), (H, W, C) or (C, H, W).

    Args:
        source: Array, tensor or nested lists.
        channel_axis: The channel axis; None to infer it from the shape.

    Returns:
        The pixels (H, W, C) in the stored numeric type, with a note if the shape is ambiguous.

    Raises:
        InputError: If it is not a picture, or the channel axis cannot be inferred from the shape.
    """
    stored = _array(source)
    if stored.ndim == 2 and channel_axis is None:
        return Pixels(stored[..., None])
    if stored.ndim != 3 or not stored.size:
        raise InputError("an array (H, W) or (H, W, C)", f"shape {stored.shape}", "pass one picture", "array")
    axis = _axis(stored.shape, isinstance(source, Tensor)) if channel_axis is None else channel_axis
    if not -3 <= axis < 3:
        raise InputError("a channel axis within the 3 axes", f"{axis}", "pass 0 or 2", "channel_axis")
    doubtful = channel_axis is None and (axis == 0 or stored.shape[0] <= _MOST_COLOURS)
    note = (f"axis {axis} of the shape {stored.shape} was read as the channels",) if doubtful else ()
    pixels = np.moveaxis(stored, axis, -1)
    coverage = Coverage.STRAIGHT if pixels.shape[2] in (2, 4) else Coverage.NONE
    return Pixels(pixels, coverage, notes=note)


def _array(source: object) -> np.ndarray:
    """Return the numbers in their stored type, or in floating point if NumPy lacks the tensor's type."""
    refuse_described(source, "array")
    source = pillow_numbers(entire(source, "array"), "array")
    if isinstance(source, np.ndarray):
        return source
    if not isinstance(source, Tensor):
        return np.asarray(tensor(source, "array"))
    plain = source.layout is torch.strided and not source.is_quantized and source.device.type != "meta"
    if not plain or source.dtype is torch.bfloat16 or source.is_complex():
        return np.asarray(tensor(source, "array").numpy(force=True))
    return np.asarray(source.numpy(force=True))


def _axis(shape: tuple[int, ...], torch_like: bool) -> int:
    """Return the axis of the channels, 0 or 2: few channels and two longer sides, last by NumPy's custom."""
    # By convention, channels are last in NumPy and first in PyTorch; only few channels with two longer sides
    # are unambiguous.
    first, last = shape[0], shape[2]
    if torch_like:
        if last <= _MOST_COLOURS < first:
            return 2
        if first in _COLOURS and last > _MOST_COLOURS:
            return 0
        raise _ambiguous_shape(shape)
    if last <= _MOST_COLOURS:
        return 2
    if first in _COLOURS and min(shape[1:]) >= _LEAST_SIDE:
        return 0
    if last < min(shape[:2]) or last < _LEAST_SIDE:
        return 2
    raise _ambiguous_shape(shape)


def _ambiguous_shape(shape: tuple[int, ...]) -> InputError:
    return InputError(
        "a picture whose shape identifies the axis of its channels",
        f"{tuple(shape)}, which may be (channels, rows, columns) or (rows, columns, channels)",
        "pass channel_axis=0 or channel_axis=2",
        "array",
    )


_PLAUSIBLE = (-1.0, 2.0)


def image(
    source: object | PathLike,
    *,
    alpha: Alpha | str = "composite",
    background: float = 1.0,
    spacing: float | tuple[float, float] | None = None,
    full_range: tuple[float, float] | None = None,
    channel_axis: int | None = None,
) -> Signal:
    """Read a picture from a file or an array; values are fractions of the full range, 0 black to 1 white, peak 1.

    Coordinates are in picture heights on both axes (the distance of rows and columns is 1 / height, so pixels
    are square), in mm with `spacing` or if a TIFF contains a physical pixel size (OME, ImageJ, or pixels per
    centimetre), or in the unit of a map. Pixels per inch are ignored. Orientation, palettes and transparent
    colours are applied, and CMYK is converted to RGB. Further bands are channels.

    Args:
        source: Path of a picture, or an array (H, W), (H, W, C) or (C, H, W) of 8-bit, 16-bit, boolean or
            floating-point pixels; an array's last channel of 2 or 4 is alpha.
        alpha: "composite" composites the picture over the background; "drop" uses the stored colours.
        background: Gray level under a transparent picture, 0 black to 1 white.
        spacing: Distance of pixels in mm, a single value or (row, column).
        full_range: Stored values of black and white; by default the range of the pixels' type, and 0 to 1 for
            floating-point pixels.
        channel_axis: Channel axis of an array; None to infer it from the shape: up to 4 channels with two
            longer sides. An ambiguous shape gives a note of the signal or an error.

    Returns:
        A float32 signal of kind "picture".

    Raises:
        InputError: If the source is missing, damaged, too large, not a picture, less than 2 x 2 pixels or
            constant, or the channel axis of an array cannot be inferred.

    Example:
        >>> import numpy as np
        >>> from overtone import signals
        >>> picture = signals.image(np.array([[0, 255], [51, 102]], dtype=np.uint8))
        >>> [round(v, 2) for v in picture.values[:, 0].tolist()]
        [0.0, 1.0, 0.2, 0.4]
    """
    if isinstance(source, str | os.PathLike):
        path = existing_file(source)
        if channel_axis is not None:
            raise InputError(
                "a channel axis only for arrays",
                "a picture file, whose channels are known",
                "omit it",
                str(source),
            )
        pixels = read_picture(path)
        name, location = path.name, str(source)
    else:
        pixels, name, location = pixels_of_array(source, channel_axis), "array", "array"
    height, width = pixels.stored.shape[:2]
    check_shape((height, width), location)
    known = (0.0, pixels.white) if pixels.white else None
    black, white = full_range or known or full_range_of(pixels.stored.dtype, location)
    if not (math.isfinite(black) and math.isfinite(white) and white > black):
        raise InputError(
            "two finite numbers, white above black", f"({black}, {white})", "pass black first", "full_range"
        )
    alpha = parse_enum(Alpha, alpha, "alpha")
    values = fractions(pixels, black, white, alpha, background).reshape(height * width, pixels.colours)
    signal = make_signal(
        torch.from_numpy(values),
        _geometry(height, width, spacing, pixels),
        kind="picture",
        name=name,
        location=location,
        channels=pixels.names,
        peak=1.0,
        notes=pixels.notes
        + _on_alpha(pixels, alpha, background)
        + stored_marks(pixels.stored[..., : pixels.colours], pixels.names),
        locate=lambda sample, channel: (
            f"row {sample // width}, column {sample % width}, {pixels.names[channel]}"
        ),
    )
    if full_range is None and pixels.stored.dtype.kind == "f":
        _check_range(signal, location)
    return signal


def _geometry(height: int, width: int, spacing: float | tuple[float, float] | None, pixels: Pixels) -> Grid:
    if spacing is None and pixels.pixel_size is None:
        return Grid((height, width), (1.0 / height,) * 2, (0.0, 0.0), ("picture height",) * 2, (False, False))
    size = pixels.pixel_size if spacing is None else spacing
    mm = (float(size),) * 2 if isinstance(size, int | float) else tuple(float(s) for s in size or ())
    unit = pixels.unit if spacing is None else "mm"
    return Grid((height, width), mm, (0.0, 0.0), (unit, unit), (False, False))


def _on_alpha(pixels: Pixels, alpha: Alpha, background: float) -> tuple[str, ...]:
    if pixels.coverage is Coverage.NONE:
        return ()
    if alpha is Alpha.DROP:
        return ("alpha dropped",)
    return (f"alpha composited over {'white' if background == 1.0 else f'gray level {background:g}'}",)


def _check_range(signal: Signal, location: str) -> None:
    low, high = (float(v) for v in signal.values.aminmax())
    if low < _PLAUSIBLE[0] or high > _PLAUSIBLE[1]:
        raise InputError(
            "floating-point pixels between 0 and 1",
            f"values from {low:g} to {high:g}",
            "pass full_range=(black, white) (--full-range on the command line), or read other quantities "
            "with signals.array",
            location,
        )
