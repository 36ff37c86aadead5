"""The step that a row belongs to: a whole number, however a training loop holds it."""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import Any

import numpy as np
from torch import Tensor

from overtone.errors import InputError

_BEYOND = 1 << 63


def whole_step(step: Any) -> int:
    """A step as an int: from an integer of Python, NumPy or torch, or a floating-point number without a fraction.

    Args:
        step: Optimizer steps taken so far, 0 or more.

    Raises:
        InputError: If it is no such number.
    """
    number = _integer(step)
    if number is None or not 0 <= number < _BEYOND:
        shown = f"{type(step).__name__} of shape {tuple(step.shape)}" if _many(step) else repr(step)
        raise InputError(
            "a whole number of steps, 0 or more", shown[:80], "count optimizer steps from 0", "step"
        )
    return number


def _integer(step: Any) -> int | None:
    if _many(step):
        return None
    try:
        plain: Any = step.item() if isinstance(step, Tensor | np.ndarray) else step
    except RuntimeError:  # a tensor without values, on the device "meta"
        return None
    if isinstance(plain, bool | np.bool_):
        return None
    try:
        return operator.index(plain)
    except TypeError:
        value = float(plain) if isinstance(plain, Real) else math.nan
    return int(value) if math.isfinite(value) and value.is_integer() else None


def _many(step: Any) -> bool:
    return (
        isinstance(step, Tensor | np.ndarray)
        and (step.numel() if isinstance(step, Tensor) else step.size) != 1
    )
