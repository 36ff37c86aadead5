"""Conversion of arrays and tensors to floating-point samples without silent loss of precision."""

from __future__ import annotations

import numbers
from enum import Enum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overtone._utils.missing_values import entire
from overtone._utils.tensors import ordinary
from overtone.errors import InputError

_EXACT = 2**53
_NARROW = (
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.uint16),
    *(torch.float16, torch.bfloat16, torch.float32),
)


class ConversionFault(Enum):
    """Reason why values cannot be converted to floating-point samples."""

    COMPLEX = "complex"
    RAGGED = "ragged"
    NOT_NUMERIC = "not numeric"


class ConversionError(InputError):
    """Error for values that cannot be converted to samples; `fault` is the reason."""

    def __init__(self, fault: ConversionFault, expected: str, got: str, do: str, location: str) -> None:
        self.fault = fault
        super().__init__(expected, got, do, location)

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        """Return the arguments of the constructor, so that the error can be pickled."""
        return type(self), (self.fault, self.expected, self.got, self.do, self.source)


def check_numeric(dtype: np.dtype, location: str) -> None:
    """Raise an error for types other than real numbers: objects, complex numbers, text, dates and records.

    Raises:
        InputError: If the dtype is not boolean, integer or real.
    """
    if dtype.kind == "O":
        raise InputError(
            "numbers", "an object array, which requires pickle", "save it as plain numbers", location
        )
    if dtype.kind == "c":
        raise ConversionError(
            ConversionFault.COMPLEX,
            "real numbers",
            f"complex numbers ({dtype})",
            "pass the real and imaginary parts as two channels",
            location,
        )
    if dtype.names:
        raise ConversionError(
            ConversionFault.NOT_NUMERIC,
            "numbers",
            f"an array of {dtype}",
            f"pass one of its fields ({', '.join(dtype.names)})",
            location,
        )
    if dtype.kind not in "biuf":
        fault = ConversionFault.NOT_NUMERIC
        raise ConversionError(
            fault, "numbers", f"an array of {dtype}", "convert it to a floating-point array", location
        )


def require_real(values: np.ndarray, location: str) -> np.ndarray:
    """Return the array as float64 if it is wider than 32-bit floats or 16-bit integers, else as float32.

    Args:
        values: Any array.
        location: File or argument in error messages.

    Returns:
        The array, or a converted copy.

    Raises:
        InputError: If the values are not real numbers, some are masked, or they exceed the range of float64.
    """
    values = entire(values, location)
    check_numeric(values.dtype, location)
    # float32 represents every 16-bit integer exactly; wider types need float64.
    wide = values.dtype.itemsize > (4 if values.dtype.kind == "f" else 2)
    with np.errstate(over="ignore"):
        converted = np.asarray(values, dtype=np.float64 if wide else np.float32, order="C")
    if (
        values.dtype.kind == "f"
        and values.dtype.itemsize > 8  # long doubles alone exceed the range of float64
        and (np.isinf(converted) & np.isfinite(values)).any()
    ):
        raise InputError(
            "values within the range of float64",
            f"values up to {np.abs(values[np.isfinite(values)]).max():.3g}",
            "express them in a larger unit",
            location,
        )
    return converted


def tensor(values: object, location: str) -> Tensor:
    """Copy an array, nested lists or a tensor to a contiguous float32 or float64 tensor.

    The device of a tensor does not change; the precision is that of `require_real`.

    Raises:
        InputError: If the values are not real numbers, or some are masked.
    """
    return to_tensor_with_notes(values, location)[0]


PILLOW_MODES = ("1", "L", "LA", "RGB", "RGBA", "I", "I;16", "F")
"""Modes of Pillow whose numbers are brightness or colour, not places in a palette or inks."""


def pillow_numbers(values: object, location: str) -> object:
    """Return the numbers of a picture of Pillow, and everything else as it is.

    Args:
        values: Any object.
        location: Name of the argument in error messages.

    Raises:
        InputError: If the numbers of the picture mean something else than brightness or colour.
    """
    if not type(values).__module__.startswith("PIL.") or not hasattr(values, "__array_interface__"):
        return values
    mode = getattr(values, "mode", "")
    if mode not in PILLOW_MODES:
        raise InputError(
            "a Pillow picture of gray or red, green and blue",
            f"one of mode {mode}",
            'pass picture.convert("RGB"), or the name of its file',
            location,
        )
    return np.asarray(values)


def to_tensor_with_notes(values: object, location: str) -> tuple[Tensor, tuple[str, ...]]:
    """Convert as `tensor` does, with a note on lost precision of integers above 2^53.

    Raises:
        InputError: See `tensor`; also if distinct integers become equal.
    """
    values = pillow_numbers(entire(values, location), location)
    if isinstance(values, Tensor):
        return _from_tensor(values, location)
    try:
        array = np.asarray(values).squeeze() if isinstance(values, np.matrix) else np.asarray(values)
    except (ValueError, TypeError) as error:
        raise ConversionError(
            ConversionFault.RAGGED,
            "an array of numbers",
            "rows of unequal length",
            "pass a regular array",
            location,
        ) from error
    if array.dtype.kind == "O":
        array = _from_objects(array, location)
    converted = require_real(array, location)
    notes = _rounding_note(array, converted, location)
    return torch.from_numpy(converted.copy() if np.shares_memory(converted, array) else converted), notes


def _from_tensor(values: Tensor, location: str) -> tuple[Tensor, tuple[str, ...]]:
    if values.is_complex():
        check_numeric(np.dtype("complex64"), location)
    plain = ordinary(values, location)
    narrow = plain.dtype in _NARROW or plain.dtype.itemsize == 1
    converted = plain.to(torch.float32 if narrow else torch.float64, copy=True).contiguous()
    if plain.dtype in (torch.int64, torch.uint64):
        return converted, _rounding_note(plain.cpu().numpy(), converted.cpu().numpy(), location)
    return converted, ()


def _from_objects(array: np.ndarray, location: str) -> np.ndarray:
    """Convert an object array of numbers, as from a mixed data frame, to float64."""
    for place, entry in np.ndenumerate(array):
        if isinstance(entry, numbers.Real | np.bool_) or type(entry).__name__ == "Decimal":
            continue
        index = place[0] if len(place) == 1 else place
        missing = entry is None or type(entry).__name__ in ("NAType", "NaTType")
        raise InputError(
            "numbers",
            f"an object array with {'the gap ' if missing else ''}{str(entry)[:40]!r} at index {index}",
            "fill or remove the gap" if missing else "convert it to numbers",
            location,
        )
    return array.astype(np.float64)


def _rounding_note(exact: np.ndarray, converted: np.ndarray, location: str) -> tuple[str, ...]:
    """Return a note on integers rounded to float64; raise an error if they became equal."""
    if exact.dtype.kind not in "iu" or exact.dtype.itemsize < 8 or not exact.size:
        return ()
    low, high = int(exact.min()), int(exact.max())
    if max(high, -low) <= _EXACT:
        return ()
    # Distinct integers that round to one number would become a constant signal.
    if low < high and float(converted.min()) == float(converted.max()):
        raise InputError(
            "integers that remain distinct in float64",
            f"integers from {low} to {high}",
            "subtract the smallest one first",
            location,
        )
    return ("integers beyond 2^53 were rounded to the nearest number of float64",)


ROUNDING = 1e-9
"""Imaginary part, relative to the largest number, that is rounding."""


def measurements(values: object, location: str, *, complex_values: bool = False) -> NDArray[Any]:
    """Return measurements as float64, or as complex128 if they are complex and may be.

    Args:
        values: An array, nested lists or a tensor.
        location: Name of the argument in error messages.
        complex_values: Whether they may be complex.

    Raises:
        InputError: If they are no numbers, some are masked, or complex ones have an imaginary part that would be lost.
    """
    values = entire(values, location)
    if isinstance(values, Tensor) and values.is_complex():
        values = ordinary(values, location).cpu().numpy()
    if getattr(getattr(values, "dtype", None), "kind", "") != "c":
        return tensor(values, location).cpu().double().numpy()
    array = np.asarray(values, dtype=np.complex128)
    if complex_values:
        return array
    if array.size and not np.abs(array.imag).max() <= ROUNDING * np.abs(array).max():
        raise InputError(
            "real numbers", "complex numbers whose imaginary part is not 0", "pass their real part", location
        )
    return array.real.copy()
