"""Cycles and radians, and the Nyquist frequency."""

from __future__ import annotations

import math

from overtone.errors import InputError


def positive(value: float, name: str) -> float:
    """Return `value` as a positive finite float.

    Args:
        value: The number to check.
        name: The argument's name, for the error.

    Raises:
        InputError: If it is not a positive finite number.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise InputError("a positive finite number", repr(value), "pass a value above zero", name)
    return number


def cycles_to_radians(frequency: float) -> float:
    """Return the angular frequency 2 pi f.

    Args:
        frequency: Frequency f in cycles per unit.

    Returns:
        The angular frequency in radians per unit.

    Example:
        >>> from overtone import units
        >>> round(units.cycles_to_radians(1.0), 4)
        6.2832
    """
    return 2 * math.pi * frequency


def radians_to_cycles(frequency: float) -> float:
    """Return the frequency w / (2 pi).

    Args:
        frequency: Angular frequency w in radians per unit.

    Returns:
        The frequency in cycles per unit.

    Example:
        >>> from overtone import units
        >>> round(units.radians_to_cycles(6.2832), 4)
        1.0
    """
    return frequency / (2 * math.pi)


def nyquist(spacing: float) -> float:
    """Return the Nyquist frequency 1 / (2 spacing), the highest frequency that samples represent.

    Args:
        spacing: Distance of neighbouring samples, in units of the coordinate.

    Returns:
        The Nyquist frequency in cycles per unit.

    Raises:
        InputError: If the spacing is not a positive finite number.

    Example:
        >>> from overtone import units
        >>> units.nyquist(1 / 44_100)
        22050.0
    """
    return 0.5 / positive(spacing, "spacing")
