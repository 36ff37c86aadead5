"""Cycles and radians, and the highest frequency that samples can hold."""

from __future__ import annotations

import math

from overtone.errors import InputError


def positive(value: float, name: str) -> float:
    """`value` as a float, or an error that names it.

    Args:
        value: What should be a positive finite number.
        name: The argument's name, for the error.

    Returns:
        The number.

    Raises:
        InputError: If it is not a positive finite number.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise InputError("a positive finite number", repr(value), f"pass a {name} above zero", name)
    return number


def cycles_to_radians(frequency: float) -> float:
    """Angular frequency 2 pi f.

    Args:
        frequency: In cycles per unit.

    Returns:
        In radians per unit.
    """
    return 2 * math.pi * frequency


def radians_to_cycles(frequency: float) -> float:
    """Frequency w / (2 pi).

    Args:
        frequency: In radians per unit.

    Returns:
        In cycles per unit.
    """
    return frequency / (2 * math.pi)


def nyquist(spacing: float) -> float:
    """The highest frequency that samples `spacing` apart can hold, 1 / (2 spacing).

    Args:
        spacing: Distance of neighbouring samples, in units of the coordinate.

    Returns:
        In cycles per unit.

    Raises:
        InputError: If the spacing is not a positive finite number.
    """
    return 0.5 / positive(spacing, "spacing")
