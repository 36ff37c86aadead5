"""The one budget that every network gets."""

from __future__ import annotations

from overtone.errors import InputError
from overtone.planning import Budget

LEAST_STEPS = 50
"""Steps below which no network has learned anything worth comparing."""

WIDTH = 256
"""Units per hidden layer where parameters are not limited."""

USUAL_BUDGET = Budget(steps=1000)
"""Where none is given."""


def within(steps: int | None, seconds: float | None, parameters: int | None) -> Budget:
    """The budget of each network and seed, with 1,000 steps where neither steps nor seconds are given.

    Raises:
        InputError: If a number is not positive, or the steps are too few to learn anything.
    """
    if steps is None and seconds is None:
        steps = USUAL_BUDGET.steps
    budget = Budget(steps, seconds, parameters)
    if steps is not None and steps < LEAST_STEPS:
        raise InputError(
            f"at least {LEAST_STEPS} steps, in which a network can learn something",
            f"{steps}",
            f"pass for instance {USUAL_BUDGET.steps}",
            "steps",
        )
    return budget


def described(budget: Budget) -> str:
    """A budget in words, "1,000 steps or 60 s"."""
    parts = [f"{budget.steps:,} steps"] if budget.steps else []
    parts += [f"{budget.seconds:g} s"] if budget.seconds else []
    text = " or ".join(parts)
    return text if budget.parameters is None else f"{text}, at most {budget.parameters:,} parameters"
