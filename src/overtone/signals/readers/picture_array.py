"""A picture from an array or a tensor: which axis holds the colours, and the pixels in the type they came in."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from overtone._utils.missing_values import entire
from overtone.errors import InputError
from overtone.signals.readers.described import refuse_described
from overtone.signals.readers.numbers import tensor
from overtone.signals.readers.pixels import Coverage, Pixels

_COLOURS = (1, 3, 4)
_MOST_COLOURS, _LEAST_SIDE = 4, 8


def picture_of(source: object, channel_axis: int | None) -> Pixels:
    """The pixels of an array (H, W), (H, W, C) or (C, H, W).

    Args:
        source: Array, tensor or nested lists.
        channel_axis: The axis of the colours; None to find it from the shape.

    Returns:
        The pixels (H, W, C) in their own numeric type, with a note where the shape allows another reading.

    Raises:
        InputError: If it is no picture, or its shape does not tell where the colours are.
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
    note = (f"of the shape {stored.shape} axis {axis} was read as the channels",) if doubtful else ()
    pixels = np.moveaxis(stored, axis, -1)
    coverage = Coverage.STRAIGHT if pixels.shape[2] in (2, 4) else Coverage.NONE
    return Pixels(pixels, coverage, notes=note)


def _array(source: object) -> np.ndarray:
    """The numbers in their own type; a tensor that NumPy cannot hold as it is as floating-point numbers."""
    refuse_described(source, "array")
    source = entire(source, "array")
    if isinstance(source, np.ndarray):
        return source
    if not isinstance(source, Tensor):
        return np.asarray(tensor(source, "array"))
    plain = source.layout is torch.strided and not source.is_quantized and source.device.type != "meta"
    if not plain or source.dtype is torch.bfloat16 or source.is_complex():
        return np.asarray(tensor(source, "array").numpy(force=True))
    return np.asarray(source.numpy(force=True))


def _axis(shape: tuple[int, ...], torch_like: bool) -> int:
    """0 or 2: few channels beside two longer sides, last by NumPy's custom; tensors have none."""
    first, last = shape[0], shape[2]
    if torch_like:
        if last <= _MOST_COLOURS < first:
            return 2
        if first in _COLOURS and last > _MOST_COLOURS:
            return 0
        raise _ask(shape)
    if last <= _MOST_COLOURS:
        return 2
    if first in _COLOURS and min(shape[1:]) >= _LEAST_SIDE:
        return 0
    if last < min(shape[:2]) or last < _LEAST_SIDE:
        return 2
    raise _ask(shape)


def _ask(shape: tuple[int, ...]) -> InputError:
    return InputError(
        "a picture whose shape tells where its channels are",
        f"{tuple(shape)}, which may be (channels, rows, columns) or (rows, columns, channels)",
        "pass channel_axis=0 or channel_axis=2",
        "array",
    )
