"""Lengths of time on the command line: plain seconds, or numbers with units as in 1h30m."""

from __future__ import annotations

import re
from typing import Any

import click

UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)"
_PARTS = re.compile(rf"(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?")


class Duration(click.ParamType):
    """Seconds, as a plain number or with units: 90, 90s, 1m, 0.5h, 1h30m."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse a length of time into seconds; whether it is positive and not too long is checked later."""
        seconds = parse_duration(str(value))
        if seconds is None:
            self.fail(
                f"expected a length of time, got {str(value)!r}; write 90, 90s, 1m or 1h30m", param, ctx
            )
        return seconds


def parse_duration(text: str) -> float | None:
    """Return the seconds that a text states; None if it states no length of time.

    Args:
        text: A number of seconds, or hours, minutes and seconds in this order, each with its unit.
    """
    plain = text.strip().lower()
    try:
        return float(plain)
    except ValueError:
        pass
    parts = _PARTS.fullmatch(plain)
    if not plain or parts is None:
        return None
    return sum(float(n) * unit for n, unit in zip(parts.groups(), UNITS.values(), strict=True) if n)


def in_words(seconds: float) -> str:
    """Return an estimate in words that promise no more than it holds, like "about 10 s" or "about 3 minutes".

    Args:
        seconds: The estimate.
    """
    if seconds < 1:
        return "about a second"
    if seconds < 90:
        # Two steps a decade: an estimate is right within a factor of about two.
        rounded = min((1, 2, 3, 5, 7, 10, 15, 20, 30, 45, 60, 90), key=lambda n: abs(n / seconds - 1))
        return f"about {rounded} s"
    if seconds < 5400:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.1f} hours"
