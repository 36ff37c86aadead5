"""Schedules: the optimizer steps at which a probe records a row. A schedule is stateless."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

from overtone._utils.steps import LOG_RATIO, check_ratio, is_power, next_power, powers
from overtone.errors import InputError


class Schedule(ABC):
    """Choice of the optimizer steps at which a row is recorded."""

    @abstractmethod
    def due(self, step: int) -> bool:
        """Return whether the state after `step` optimizer steps is recorded."""

    def count(self, steps: int) -> int:
        """Return the number of rows recorded over steps 0 to `steps`, both included."""
        return sum(self.due(step) for step in range(steps + 1))


@final
@dataclass(frozen=True)
class EveryN(Schedule):
    """Every `interval`-th step.

    Attributes:
        interval: Steps between rows.

    Example:
        >>> [step for step in range(25) if EveryN(10).due(step)]
        [0, 10, 20]
    """

    interval: int = 1

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise InputError(
                "an interval of at least 1 step", str(self.interval), "pass a positive number", "interval"
            )

    def due(self, step: int) -> bool:
        """Return whether `step` is a multiple of the interval."""
        return step % self.interval == 0


@final
@dataclass(frozen=True)
class LogSchedule(Schedule):
    """Steps evenly spaced in log(step): 0, 1, 2, ..., then growing by `ratio`.

    Learning steps spread over orders of magnitude, so this schedule records equally many rows in each octave of
    training. The n-th row after the first is at round(ratio^n); the choice does not depend on the length of the run.

    Attributes:
        ratio: Growth from one row to the next, above 1. The default 1.15 gives about 45 rows over 2,000 steps.

    Example:
        >>> schedule = LogSchedule(2)
        >>> [step for step in range(20) if schedule.due(step)], schedule.next_due(20)
        ([0, 1, 2, 4, 8, 16], 32)
    """

    ratio: float = LOG_RATIO

    def __post_init__(self) -> None:
        check_ratio(self.ratio)

    def due(self, step: int) -> bool:
        """Return whether `step` is 0 or the nearest integer to a power of the ratio."""
        return is_power(step, self.ratio)

    def next_due(self, step: int) -> int:
        """Return the first due step at or after `step`, in O(1)."""
        return next_power(step, self.ratio)

    def count(self, steps: int) -> int:
        """Return the number of rows over steps 0 to `steps`, in O(log steps)."""
        return len(set(powers(steps, self.ratio)))
