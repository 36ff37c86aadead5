"""Inputs of estimators: real arrays of any kind, converted to floating tensors with channels last."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone._utils.missing_values import entire
from overtone._utils.tensors import dense, ordinary, valued
from overtone.errors import InputError

_EXACT_IN_FLOAT32 = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.float16, torch.bfloat16)


def channels_last(values: Tensor | ArrayLike, channel_axis: int | None, argument: str = "values") -> Tensor:
    """A real array as a float32 or float64 tensor (*shape, C), on its own device.

    Integers become float64, or float32 if that holds them exactly; half precision becomes float32.

    Args:
        values: Tensor, NumPy array or nested numbers.
        channel_axis: The axis of the channels, or None if there is only one channel and no axis for it.
        argument: Name of the argument, for errors.

    Raises:
        InputError: If the values are complex, not numbers, empty, or have no such axis.
    """
    values = entire(values, argument)
    tensor = (
        dense(values, argument) if isinstance(values, Tensor) else _from_array(np.asarray(values), argument)
    )
    if tensor.is_complex():
        raise InputError(
            "real values", f"{tensor.dtype}", "pass real and imaginary parts as two channels", argument
        )
    if tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.to(torch.float32 if tensor.dtype in _EXACT_IN_FLOAT32 else torch.float64)
    if tensor.numel() == 0:
        raise InputError(
            "values to analyse", f"an empty array of shape {tuple(tensor.shape)}", "pass samples", argument
        )
    if tensor.ndim == 0:
        raise InputError(
            "an array of 1 to 3 axes", "a single number", "pass one picture, recording or volume", argument
        )
    if channel_axis is None:
        return tensor.unsqueeze(-1)
    if not -tensor.ndim <= channel_axis < tensor.ndim:
        raise InputError(
            f"a channel axis below {tensor.ndim}",
            f"{channel_axis}",
            "pass the axis of the channels",
            "channel_axis",
        )
    return tensor.movedim(channel_axis, -1)


def _from_array(array: np.ndarray, argument: str) -> Tensor:
    if array.dtype.kind not in "biufc":
        raise InputError(
            "an array of numbers", f"dtype {array.dtype}", "convert it to a float array", argument
        )
    # Torch takes neither foreign byte order nor memory it may not write to.
    native = array.astype(array.dtype.newbyteorder("="), copy=not array.flags.writeable)
    # float32 holds integers exactly up to 2^24: 16 bits fit, 32 do not.
    if native.dtype.kind in "iu" and native.itemsize > 2:
        native = native.astype(np.float64)
    elif native.dtype.kind == "u" and native.itemsize == 2:
        native = native.astype(np.float32)
    elif native.dtype.kind == "f" and native.itemsize > 8:
        native = native.astype(np.float64)
    return torch.from_numpy(np.ascontiguousarray(native).reshape(array.shape))


def centred(field: Tensor, channel: int, scratch: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """One channel without its mean, contiguous, and that mean, both in the field's precision.

    Args:
        field: Values of one channel; left as they are.
        channel: Its number, for errors.
        scratch: Memory of the field's shape and type to write to; fresh memory if None or if a gradient is
            wanted.

    Raises:
        InputError: If a value is not finite.
    """
    if field.requires_grad:
        mean = finite_mean(field, channel)
        return field - mean, mean
    if scratch is None:
        scratch = torch.empty_like(field, memory_format=torch.contiguous_format)
    scratch.copy_(field)
    mean = finite_mean(scratch, channel)
    return scratch.sub_(mean), mean


def finite_mean(field: Tensor, channel: int) -> Tensor:
    """Mean of one channel, a scalar in the field's precision.

    Args:
        field: Values of one channel.
        channel: Its number, for errors.

    Raises:
        InputError: If a value is not finite; says where the first one is.
    """
    mean = valued(field, "values").mean()
    if bool(mean.isfinite()):
        return mean
    # Only now, since a mask of the whole field costs more than its mean.
    bad = ~field.isfinite()
    if not bool(bad.any()):
        raise InputError(
            f"values whose sum {field.dtype} can hold",
            "an overflow",
            "pass float64, or scale them down",
            "values",
        )
    first = tuple(int(i) for i in torch.unravel_index(bad.flatten().byte().argmax(), bad.shape))
    raise InputError(
        "finite values",
        f"{field[first].item()} at index {first} of channel {channel} ({int(bad.sum())} such in it)",
        "mask or fill them first",
        "values",
    )


def rows(values: Tensor | ArrayLike, argument: str, count: int | None = None) -> Tensor:
    """A table as `numeric_table` reads it, in float64."""
    return numeric_table(values, argument, count).double()


def numeric_table(values: Tensor | ArrayLike, argument: str, count: int | None = None) -> Tensor:
    """A table (N, columns), or a single column (N,), as a tensor (N, columns) on its own device.

    Args:
        values: Tensor, array, data frame or nested numbers.
        argument: Name of the argument, for errors.
        count: How many rows there have to be, or None for any.

    Returns:
        The numbers in float32 or float64, as they came, without their gradient.

    Raises:
        InputError: If an entry is text, complex, NaN or infinite, or the shape is wrong.
    """
    values = entire(values, argument)
    entries = (
        ordinary(values, argument) if isinstance(values, Tensor) else numeric(np.asarray(values), argument)
    )
    if entries.ndim not in (1, 2):
        raise InputError(
            "one row a sample and one column a quantity",
            f"an array of shape {tuple(entries.shape)}",
            "reshape it to (samples, columns)",
            argument,
        )
    numbers = channels_last(entries, None if entries.ndim == 1 else -1, argument).detach()
    if count is not None and len(numbers) != count:
        raise InputError(f"{count} rows, one a sample", f"{len(numbers)}", "pass the same samples", argument)
    if not bool(numbers.isfinite().all()):
        broken = (~numbers.isfinite()).any(1)
        first = int(broken.byte().argmax())
        raise InputError(
            "finite numbers in every row",
            f"NaN or infinity in {int(broken.sum())} of {len(numbers)} rows, first in row {first}",
            "drop or fill these rows",
            argument,
        )
    return numbers


def numeric(array: np.ndarray, argument: str) -> np.ndarray:
    """The array itself, or in float64 if it holds objects that are numbers, as a data frame of several kinds does.

    Args:
        array: With the samples along the first axis.
        argument: Name of the argument, for errors.

    Raises:
        InputError: If there is text, with its column, or an object that is no number.
    """
    if array.dtype.kind not in "OUS":
        return array
    columns = array.reshape(len(array), -1) if array.ndim else array.reshape(1, 1)
    for number, column in enumerate(columns.T):
        if any(isinstance(entry, (str, bytes)) for entry in column):
            raise InputError(
                "columns of numbers",
                f"text in column {number} ({str(column[0])!r} in its first row)",
                "encode it, for instance as one column of zeros and ones for each category",
                argument,
            )
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as wrong:
        raise InputError(
            "columns of numbers", f"objects that are none ({wrong})", "convert them to floats", argument
        ) from wrong
