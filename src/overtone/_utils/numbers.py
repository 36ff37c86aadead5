"""Validation of numbers that users pass."""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any

from overtone.errors import InputError

LARGEST = (1 << 53) - 1
"""The largest whole number that float64 holds with all smaller ones."""


def whole(value: Any, name: str, minimum: int = 1, maximum: int = LARGEST) -> int:
    """Return `value` as an int.

    Args:
        value: An int, of Python or NumPy.
        name: The argument, for the error.
        minimum: Smallest value allowed.
        maximum: Largest value allowed.

    Returns:
        The number.

    Raises:
        InputError: If it is anything else.

    Example:
        >>> whole(3, "width")
        3
    """
    try:
        # Python counts True and False as integers; as an argument they are a mistake.
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < minimum:
        raise InputError(f"a whole number of at least {minimum}", short(value), f"pass another {name}", name)
    if number > maximum:
        raise InputError(
            f"a whole number of at most {maximum}", short(number), f"pass a smaller {name}", name
        )
    return number


def real(value: Any, name: str) -> float:
    """Return `value` as a finite float.

    Args:
        value: A real number, of Python or NumPy.
        name: The argument, for the error.

    Returns:
        The number.

    Raises:
        InputError: If it is anything else.

    Example:
        >>> real(3, "lr")
        3.0
    """
    number = as_float(value)
    if not math.isfinite(number):
        raise InputError("a finite number", short(value), f"pass another {name}", name)
    return number


def as_float(value: Any) -> float:
    """Return `value` as a float; NaN if it is not a real number or too large for a float."""
    try:
        known = isinstance(value, numbers.Real) and not isinstance(value, bool)
        return float(value) if known else math.nan
    except OverflowError:
        return math.nan


def short(value: Any) -> str:
    """Return a value as text for an error, truncated if it is long.

    Example:
        >>> short(10**50), short("a")
        ('a number of more than 40 digits', "'a'")
    """
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**40:
        return "a number of more than 40 digits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
