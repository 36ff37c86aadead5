"""Steps evenly spaced in their logarithm, at which records and predictions have rows: 0 and the distinct round(r^n)."""

from __future__ import annotations

import math
from collections.abc import Iterator

from overtone.errors import InputError

LOG_RATIO = 1.15
"""Growth from one row to the next: about 45 rows over 2,000 steps."""


def log_steps(last: int, ratio: float = LOG_RATIO) -> tuple[int, ...]:
    """Return steps evenly spaced in their logarithm: 0, the distinct round(ratio^n) up to `last`, and `last`.

    Args:
        last: The last step, at least 1.
        ratio: Growth from one to the next, above 1. The default is that of the measured records.

    Raises:
        InputError: If `last` is below 1 or the ratio not above 1.

    Example:
        >>> log_steps(10, 1.5)
        (0, 1, 2, 3, 5, 8, 10)
    """
    if last < 1:
        raise InputError("at least one step", f"{last}", "pass more steps", "steps")
    check_ratio(ratio)
    return tuple(sorted({*powers(last, ratio), last}))


def powers(last: int, ratio: float) -> Iterator[int]:
    """Yield 0 and round(ratio^n) up to `last`, in order; small steps repeat."""
    yield 0
    n = 0
    while (step := round(ratio**n)) <= last:
        yield step
        n += 1


def is_power(step: int, ratio: float) -> bool:
    """Return whether `step` is 0 or the nearest integer to a power of the ratio, in O(1)."""
    if step < 1:
        return step == 0
    exponent = math.log(step) / math.log(ratio)
    return any(round(ratio**n) == step for n in (math.floor(exponent), math.ceil(exponent)))


def next_power(step: int, ratio: float) -> int:
    """Return the first of these steps from `step` on, in O(1)."""
    if step < 1:
        return 0
    # One exponent lower than the logarithm says: its rounding may exceed the exact value.
    n = max(0, math.floor(math.log(step) / math.log(ratio)) - 1)
    while (power := round(ratio**n)) < step:
        n += 1
    return power


def check_ratio(ratio: float) -> None:
    """Refuse ratios that do not grow.

    Raises:
        InputError: If the ratio is not a finite number above 1.
    """
    if not (math.isfinite(ratio) and ratio > 1):
        raise InputError("a ratio above 1", f"{ratio}", "pass for instance 1.15", "ratio")
