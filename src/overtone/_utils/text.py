"""Numbers in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def format_per_axis(values: Iterable[float]) -> str:
    """Format numbers per axis with three digits, "12.6 x 19.1"; one number if all are equal.

    Example:
        >>> format_per_axis([12.6, 19.1]), format_per_axis([8, 8])
        ('12.6 x 19.1', '8')
    """
    return by_axis((number(value) for value in values), " x ")


def by_axis(words: Iterable[str], times: str) -> str:
    """Join one word per axis with `times` between them; return one word if all are equal."""
    each = list(words)
    return times.join(each[:1] if len(set(each)) == 1 else each)


def number(value: float, digits: int = 3) -> str:
    """Format a number with `digits` significant digits and thousands separators; very large or small ones as powers.

    Args:
        value: Any float; a non-finite one reads "unknown".
        digits: Significant digits.

    Returns:
        For instance "0.0123", "12.3", "12,300", "1.20·10⁻⁶".

    Example:
        >>> number(12345.6), number(0.01234), number(1.2e-6)
        ('12,300', '0.0123', '1.20·10⁻⁶')
    """
    if not math.isfinite(value):
        return "unknown"
    if value == 0:
        return "0"
    # `round` counts decimals, significant digits count from the leading one: large numbers get negative decimals.
    exponent = math.floor(math.log10(abs(value)))
    rounded = round(value, digits - 1 - exponent)
    if -4 <= exponent < 9:
        decimals = max(0, digits - 1 - exponent)
        text = f"{rounded:,.{decimals}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, power = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa}·10{str(int(power)).translate(_RAISED)}"


def count(value: float) -> str:
    """Format a whole number with thousands separators: "12,345"."""
    return f"{round(value):,}" if math.isfinite(value) else "unknown"


def plural(n: int, noun: str) -> str:
    """Format a count with its noun: "1 band", "2 bands".

    Example:
        >>> plural(1, "band"), plural(1200, "band")
        ('1 band', '1,200 bands')
    """
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def decibels(value: float) -> str:
    """Format a level with one decimal: "26.0 dB"; "infinite" for a perfect prediction.

    Example:
        >>> decibels(26.04), decibels(float("inf"))
        ('26.0 dB', 'infinite')
    """
    return "unknown" if math.isnan(value) else f"{value:.1f} dB" if math.isfinite(value) else "infinite"


def difference(value: float) -> str:
    """Format a difference of two levels: "3.1 dB", "0.24 dB", "under 0.01 dB".

    Example:
        >>> difference(3.14), difference(0.236), difference(0.001)
        ('3.1 dB', '0.24 dB', 'under 0.01 dB')
    """
    if not math.isfinite(value):
        return "an unknown number of dB"
    size = abs(value)
    return (
        f"{size:.1f} dB"
        if size >= 0.995
        else f"{size:.2f} dB"
        if size >= 0.01 or size == 0
        else "under 0.01 dB"
    )


def higher(ratio: float) -> str:
    """Format a ratio above 1 as a rise: "71.6% higher", "12 times as large".

    Example:
        >>> higher(1.716), higher(12)
        ('71.6% higher', '12 times as large')
    """
    if not math.isfinite(ratio):
        return "far higher"
    return f"{percent(ratio - 1)} higher" if ratio < 11 else f"{number(ratio, 2)} times as large"


def percent(fraction: float) -> str:
    """Format a fraction as a percentage that is 0% or 100% only if it is exact: "0.02%", "99.97%".

    Example:
        >>> percent(0.0002), percent(0.99974), percent(1)
        ('0.02%', '99.97%', '100%')
    """
    if not math.isfinite(fraction):
        return "an unknown share"
    if fraction in (0.0, 1.0):
        return f"{fraction * 100:.0f}%"
    shown = 100 * fraction
    if 0 < abs(shown) < 0.01:
        return "under 0.01%" if shown > 0 else "just below 0%"
    # Cut instead of rounded: 99.996% must not read 100%.
    if 99 < shown < 100:
        return f"{math.floor(shown * 100) / 100:g}%" if shown < 99.99 else "over 99.99%"
    return f"{number(shown, 2 if shown < 10 else 3)}%"
