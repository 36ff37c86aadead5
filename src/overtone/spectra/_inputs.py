"""Conversion of real arrays of any kind to floating-point tensors with channels last."""

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
    """Convert a real array to a float32 or float64 tensor (*shape, C) on the same device.

    Integers become float32 if it represents their type exactly, else float64; half precision becomes float32.

    Args:
        values: Tensor, NumPy array or nested numbers.
        channel_axis: The channel axis, or None for a single channel without an axis.
        argument: Name of the argument in error messages.

    Raises:
        InputError: If the values are complex, not numeric or empty, or the channel axis does not exist.
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
            "pass the index of the channel axis",
            "channel_axis",
        )
    return tensor.movedim(channel_axis, -1)


def _from_array(array: np.ndarray, argument: str) -> Tensor:
    if array.dtype.kind not in "biufc":
        raise InputError(
            "an array of numbers", f"dtype {array.dtype}", "convert it to a float array", argument
        )
    # PyTorch supports neither non-native byte order nor read-only memory.
    native = array.astype(array.dtype.newbyteorder("="), copy=not array.flags.writeable)
    # float32 represents integers exactly up to 2^24: 16 bits fit, 32 bits do not.
    if native.dtype.kind in "iu" and native.itemsize > 2:
        native = native.astype(np.float64)
    elif native.dtype.kind == "u" and native.itemsize == 2:
        native = native.astype(np.float32)
    elif native.dtype.kind == "f" and native.itemsize > 8:
        native = native.astype(np.float64)
    return torch.from_numpy(np.ascontiguousarray(native).reshape(array.shape))


def centred(field: Tensor, channel: int, scratch: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Subtract the mean of one channel; return the contiguous result and the mean, in the field's precision.

    Args:
        field: Values of one channel; not modified.
        channel: Index of the channel in error messages.
        scratch: Output buffer of the field's shape and type; None allocates one. Unused if the field requires
            a gradient.

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


def finite_means(fields: Tensor) -> Tensor:
    """Return the (C,) means of (..., C) fields.

    Args:
        fields: Values, channels last.

    Raises:
        InputError: If a value is not finite; the message contains the index of the first such value.
    """
    return torch.stack([finite_mean(fields[..., c], c) for c in range(fields.shape[-1])])


def finite_mean(field: Tensor, channel: int) -> Tensor:
    """Return the mean of one channel, a scalar in the field's precision.

    Args:
        field: Values of one channel.
        channel: Index of the channel in error messages.

    Raises:
        InputError: If a value is not finite; the message contains the index of the first such value.
    """
    mean = valued(field, "values").mean()
    if bool(mean.isfinite()):
        return mean
    # The mask is built only on failure: for a whole field it costs more than the mean.
    non_finite = ~field.isfinite()
    if not bool(non_finite.any()):
        raise InputError(
            f"values whose sum is representable in {field.dtype}",
            "an overflow",
            "pass float64, or scale the values down",
            "values",
        )
    first = tuple(int(i) for i in torch.unravel_index(non_finite.flatten().byte().argmax(), non_finite.shape))
    raise InputError(
        "finite values",
        f"{field[first].item()} at index {first} of channel {channel} ({int(non_finite.sum())} non-finite values)",
        "mask or fill them first",
        "values",
    )


def rows(values: Tensor | ArrayLike, argument: str, count: int | None = None) -> Tensor:
    """Convert a table as `numeric_table` does, to float64."""
    return numeric_table(values, argument, count).double()


def numeric_table(values: Tensor | ArrayLike, argument: str, count: int | None = None) -> Tensor:
    """Convert a table (N, columns), or one column (N,), to a tensor (N, columns) on the same device.

    Args:
        values: Tensor, array, data frame or nested numbers.
        argument: Name of the argument in error messages.
        count: Required number of rows, or None for any number.

    Returns:
        The numbers in float32 or float64, detached from gradients.

    Raises:
        InputError: If an entry is text, complex, NaN or infinite, or the shape is wrong.
    """
    values = entire(values, argument)
    entries = (
        ordinary(values, argument) if isinstance(values, Tensor) else numeric(np.asarray(values), argument)
    )
    if entries.ndim not in (1, 2):
        raise InputError(
            "one row per sample and one column per quantity",
            f"an array of shape {tuple(entries.shape)}",
            "reshape it to (samples, columns)",
            argument,
        )
    numbers = channels_last(entries, None if entries.ndim == 1 else -1, argument).detach()
    if count is not None and len(numbers) != count:
        raise InputError(
            f"{count} rows, one per sample", f"{len(numbers)}", "pass the same samples", argument
        )
    if not bool(numbers.isfinite().all()):
        invalid_rows = (~numbers.isfinite()).any(1)
        first = int(invalid_rows.byte().argmax())
        raise InputError(
            "finite numbers in every row",
            f"NaN or infinity in {int(invalid_rows.sum())} of {len(numbers)} rows, first in row {first}",
            "drop or fill these rows",
            argument,
        )
    return numbers


def numeric(array: np.ndarray, argument: str) -> np.ndarray:
    """Convert an object array of numbers, as from a mixed data frame, to float64; return others unchanged.

    Args:
        array: Array with the samples along the first axis.
        argument: Name of the argument in error messages.

    Raises:
        InputError: If an entry is text (the message contains its column) or not a number.
    """
    if array.dtype.kind not in "OUS":
        return array
    columns = array.reshape(len(array), -1) if array.ndim else array.reshape(1, 1)
    for number, column in enumerate(columns.T):
        if any(isinstance(entry, (str, bytes)) for entry in column):
            raise InputError(
                "columns of numbers",
                f"text in column {number} ({str(column[0])!r} in its first row)",
                "encode it, for instance as one column of zeros and ones per category",
                argument,
            )
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            "columns of numbers",
            f"objects that are not numbers ({error})",
            "convert them to floats",
            argument,
        ) from error
