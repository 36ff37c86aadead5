"""From any NumPy array or tensor to floating-point samples, without a needless copy or a loss of digits."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from overtone.errors import InputError


def check_numeric(dtype: np.dtype, where: str) -> None:
    """Refuse what has no order or no arithmetic: objects, complex numbers, text, dates and records.

    Raises:
        InputError: If the dtype is not boolean, integer or real.
    """
    if dtype.kind == "O":
        raise InputError(
            "numbers", "an object array, which only a pickle can hold", "save it as plain numbers", where
        )
    if dtype.kind == "c":
        raise InputError(
            "real numbers",
            f"complex numbers ({dtype})",
            "pass the real and imaginary parts as two channels",
            where,
        )
    if dtype.kind not in "biuf":
        raise InputError("numbers", f"an array of {dtype}", "convert it to a floating-point array", where)


def real(values: np.ndarray, where: str) -> np.ndarray:
    """The array as float64 if it is wider than 32-bit floats or 16-bit integers, else as float32.

    Args:
        values: Any array.
        where: The file or argument, for messages.

    Returns:
        A new or the same array.

    Raises:
        InputError: If the values are not real numbers.
    """
    check_numeric(values.dtype, where)
    wide = values.dtype.itemsize > (4 if values.dtype.kind == "f" else 2)
    return np.asarray(values, dtype=np.float64 if wide else np.float32, order="C")


def tensor(values: object, where: str) -> Tensor:
    """A contiguous float32 or float64 tensor of its own memory from an array, nested lists or a tensor.

    A tensor keeps its device. Precision follows `real`.

    Raises:
        InputError: If the values are not real numbers.
    """
    if isinstance(values, Tensor):
        if values.is_complex():
            check_numeric(np.dtype("complex64"), where)
        kept = (torch.float64, torch.int32, torch.int64)
        return (
            values.detach()
            .to(torch.float64 if values.dtype in kept else torch.float32, copy=True)
            .contiguous()
        )
    try:
        given = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise InputError(
            "an array of numbers", "rows of unequal length", "pass a regular array", where
        ) from error
    converted = real(given, where)
    return torch.from_numpy(converted.copy() if np.shares_memory(converted, given) else converted)
