"""At which steps a prediction is written down."""

from __future__ import annotations

from overtone.errors import InputError


def log_steps(last: int, ratio: float = 1.15) -> tuple[int, ...]:
    """Steps evenly spaced in their logarithm: 0, the distinct round(ratio^n) up to `last`, and `last`.

    Args:
        last: The last step, at least 1.
        ratio: Growth from one to the next, above 1. The default is that of the measured records.

    Raises:
        InputError: If `last` is below 1 or the ratio not above 1.
    """
    if last < 1:
        raise InputError("at least one step", f"{last}", "predict further", "steps")
    if not ratio > 1:
        raise InputError("a ratio above 1", f"{ratio}", "pass for instance 1.15", "ratio")
    found, power = {0, last}, 1.0
    while (step := round(power)) < last:
        found.add(step)
        power *= ratio
    return tuple(sorted(found))
