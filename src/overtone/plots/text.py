"""Numbers as people read them: three significant digits, no `1e+03`, units beside them."""

from __future__ import annotations

import html
import math

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def number(value: float, digits: int = 3) -> str:
    """`value` with `digits` significant digits, thousands separated, scientific only where zeros would pile up.

    Args:
        value: Any float; a non-finite one reads "unknown".
        digits: Significant digits.

    Returns:
        For instance "0.0123", "12.3", "12,300", "1.20·10⁻⁶".
    """
    if not math.isfinite(value):
        return "unknown"
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    rounded = round(value, digits - 1 - exponent)
    if -4 <= exponent < 9:
        decimals = max(0, digits - 1 - exponent)
        text = f"{rounded:,.{decimals}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, power = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa}·10{str(int(power)).translate(_RAISED)}"


def count(value: float) -> str:
    """A whole number with its thousands separated: "12,345"."""
    return f"{round(value):,}" if math.isfinite(value) else "unknown"


def tick(value: float) -> str:
    """A short axis label: "0.01", "500", "2k", "1M", and a power of ten where zeros would pile up."""
    for size, letter in _PREFIXES:
        if size <= abs(value) < 1e12:
            return f"{value / size:g}{letter}"
    if value == 0 or 1e-3 <= abs(value) < 1e3:
        return f"{value:g}"
    exponent = math.floor(math.log10(abs(value)) + 1e-9)
    mantissa = value / 10.0**exponent
    head = "" if math.isclose(mantissa, 1, rel_tol=1e-6) else f"{mantissa:.3g}·"
    return f"{head}10<sup>{str(exponent).replace('-', '−')}</sup>"


def plural(n: int, noun: str) -> str:
    """A count with its noun: "1 band", "2 bands"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def decibels(value: float) -> str:
    """A level with one decimal: "26.0 dB"; "infinite" for a perfect prediction."""
    return "unknown" if math.isnan(value) else f"{value:.1f} dB" if math.isfinite(value) else "infinite"


def percent(fraction: float) -> str:
    """A fraction as a percentage that never rounds to 0 or 100 unless it is: "0.02%", "99.97%", "under 0.01%"."""
    if not math.isfinite(fraction):
        return "an unknown share"
    if fraction in (0.0, 1.0):
        return f"{fraction * 100:.0f}%"
    shown = 100 * fraction
    if 0 < abs(shown) < 0.01:
        return "under 0.01%" if shown > 0 else "just below 0%"
    if 99 < shown < 100:
        return f"{math.floor(shown * 100) / 100:g}%" if shown < 99.99 else "over 99.99%"
    return f"{number(shown, 2 if shown < 10 else 3)}%"


def squared(unit: str) -> str:
    """The unit of a mean square: "Pa²"; "value²" where values have no unit."""
    return f"{unit or 'value'}²" if not any(c in unit for c in " /^") else f"({unit})²"


def escaped(label: str, longest: int = 40) -> str:
    """A name as plain text for a figure, which would otherwise read tags and `%{...}` in it.

    Long ones lose their middle.
    """
    half = longest // 2
    short = label if len(label) <= longest else f"{label[: half - 1]}…{label[-half:]}"
    return html.escape(short, quote=False).replace("%{", "%&#123;")
