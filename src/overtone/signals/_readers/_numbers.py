"""From any NumPy array or tensor to floating-point samples, without a needless copy or a loss of digits."""

from __future__ import annotations

import numbers

import numpy as np
import torch
from torch import Tensor

from overtone._utils.missing_values import entire
from overtone._utils.tensors import ordinary
from overtone.errors import InputError

_EXACT = 2**53
_NARROW = (
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.uint16),
    *(torch.float16, torch.bfloat16, torch.float32),
)


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
    if dtype.names:
        raise InputError(
            "numbers", f"an array of {dtype}", f"pass one of its fields ({', '.join(dtype.names)})", where
        )
    if dtype.kind not in "biuf":
        raise InputError("numbers", f"an array of {dtype}", "convert it to a floating-point array", where)


def require_real(values: np.ndarray, where: str) -> np.ndarray:
    """The array as float64 if it is wider than 32-bit floats or 16-bit integers, else as float32.

    Args:
        values: Any array.
        where: The file or argument, for messages.

    Returns:
        A new or the same array.

    Raises:
        InputError: If the values are not real numbers, some are masked, or float64 cannot hold them.
    """
    values = entire(values, where)
    check_numeric(values.dtype, where)
    wide = values.dtype.itemsize > (4 if values.dtype.kind == "f" else 2)
    with np.errstate(over="ignore"):
        found = np.asarray(values, dtype=np.float64 if wide else np.float32, order="C")
    if (
        values.dtype.kind == "f"
        and values.dtype.itemsize > 8
        and (np.isinf(found) & np.isfinite(values)).any()
    ):
        raise InputError(
            "values within the range of float64",
            f"values up to {np.abs(values[np.isfinite(values)]).max():.3g}",
            "express them in a larger unit",
            where,
        )
    return found


def tensor(values: object, where: str) -> Tensor:
    """A contiguous float32 or float64 tensor of its own memory from an array, nested lists or a tensor.

    A tensor keeps its device. Precision follows `real`.

    Raises:
        InputError: If the values are not real numbers, or some are masked.
    """
    return with_notes(values, where)[0]


def with_notes(values: object, where: str) -> tuple[Tensor, tuple[str, ...]]:
    """As `tensor`, and a note if digits were lost: float64 holds every integer up to 2^53.

    Raises:
        InputError: As `tensor`; or if different integers become one.
    """
    values = entire(values, where)
    if isinstance(values, Tensor):
        return _from_tensor(values, where)
    try:
        given = np.asarray(values).squeeze() if isinstance(values, np.matrix) else np.asarray(values)
    except (ValueError, TypeError) as error:
        raise InputError(
            "an array of numbers", "rows of unequal length", "pass a regular array", where
        ) from error
    if given.dtype.kind == "O":
        given = _from_objects(given, where)
    converted = require_real(given, where)
    notes = _lost(given, converted, where)
    return torch.from_numpy(converted.copy() if np.shares_memory(converted, given) else converted), notes


def _from_tensor(values: Tensor, where: str) -> tuple[Tensor, tuple[str, ...]]:
    if values.is_complex():
        check_numeric(np.dtype("complex64"), where)
    plain = ordinary(values, where)
    narrow = plain.dtype in _NARROW or plain.dtype.itemsize == 1
    found = plain.to(torch.float32 if narrow else torch.float64, copy=True).contiguous()
    if plain.dtype in (torch.int64, torch.uint64):
        return found, _lost(plain.cpu().numpy(), found.cpu().numpy(), where)
    return found, ()


def _from_objects(given: np.ndarray, where: str) -> np.ndarray:
    """Numbers of several kinds, as a data frame holds them, in float64."""
    for place, entry in np.ndenumerate(given):
        if isinstance(entry, numbers.Real | np.bool_) or type(entry).__name__ == "Decimal":
            continue
        index = place[0] if len(place) == 1 else place
        missing = entry is None or type(entry).__name__ in ("NAType", "NaTType")
        raise InputError(
            "numbers",
            f"an object array with {'the gap ' if missing else ''}{str(entry)[:40]!r} at index {index}",
            "fill the gap or cut it out" if missing else "convert it to numbers",
            where,
        )
    return given.astype(np.float64)


def _lost(given: np.ndarray, found: np.ndarray, where: str) -> tuple[str, ...]:
    """What rounding to float64 took from wide integers."""
    if given.dtype.kind not in "iu" or given.dtype.itemsize < 8 or not given.size:
        return ()
    low, high = int(given.min()), int(given.max())
    if max(high, -low) <= _EXACT:
        return ()
    if low < high and float(found.min()) == float(found.max()):
        raise InputError(
            "numbers that float64 can tell apart",
            f"integers from {low} to {high}",
            "subtract the least of them first",
            where,
        )
    return ("integers beyond 2^53 were rounded to the nearest number of float64",)
