"""Checks of sizes and per-axis numbers, with one wording for all modules."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from overtone._utils import numbers as amounts
from overtone.errors import InputError

Numbers = float | Sequence[float] | Tensor
"""One number, or one per axis."""


LARGEST = (1 << 31) - 1
"""The largest size of an axis."""

DEEPEST = 4096
"""The most layers."""


def size(value: int, name: str, least: int = 1) -> int:
    """`value` as a whole number of at least `least`.

    Args:
        value: A width, a depth, a number of features.
        name: The argument's name, for the error.
        least: The smallest that makes sense.

    Returns:
        The number.

    Raises:
        InputError: If it is anything else.
    """
    return amounts.whole(value, name, least, DEEPEST if name == "depth" else LARGEST)


def per_axis(value: Numbers, axes: int, name: str) -> tuple[float, ...]:
    """One positive number per axis, from one for all or one for each.

    Args:
        value: A number, or `axes` of them.
        axes: Number of coordinates.
        name: The argument's name, for the error.

    Returns:
        `axes` numbers.

    Raises:
        InputError: If the count is wrong or a number is not positive and finite.
    """
    try:
        given = torch.as_tensor(value, dtype=torch.float64, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        raise InputError(
            f"a number or one per axis ({axes})", repr(value), f"pass {name} as numbers", name
        ) from None
    values = tuple(given.tolist()) if given.ndim == 1 else (float(given),) * axes if given.ndim == 0 else ()
    if len(values) != axes:
        raise InputError(
            f"one number or one per axis ({axes})",
            f"shape {tuple(given.shape)}",
            f"pass {axes} numbers",
            name,
        )
    if not all(math.isfinite(v) and v > 0 for v in values):
        raise InputError(
            "positive finite numbers", f"{value}", f"pass a {name} above zero on every axis", name
        )
    return values


def last_axis(tensor: Tensor, features: int, name: str) -> None:
    """Check that the last axis of `tensor` has `features` entries.

    Args:
        tensor: (..., features) input of a module.
        features: What the module was built for.
        name: What the input is, for the error.

    Raises:
        InputError: If it has another number.
    """
    if tensor.ndim == 0 or tensor.shape[-1] != features:
        raise InputError(
            f"{name} of shape (..., {features})",
            f"shape {tuple(tensor.shape)}",
            "pass what the module was built for",
        )
