"""When a probe records a row: a schedule answers for one step at a time and keeps no state."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from overtone.errors import InputError


class Schedule(ABC):
    """Decides at which optimizer steps a row is recorded."""

    @abstractmethod
    def due(self, step: int) -> bool:
        """Whether the state after `step` optimizer steps is recorded."""

    def count(self, steps: int) -> int:
        """Number of rows recorded over steps 0 to `steps`, both included."""
        return sum(self.due(step) for step in range(steps + 1))


@dataclass(frozen=True)
class EveryN(Schedule):
    """Every `interval`-th step.

    Attributes:
        interval: Steps between rows.
    """

    interval: int = 1

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise InputError(
                "an interval of at least 1 step", str(self.interval), "pass a positive number", "interval"
            )

    def due(self, step: int) -> bool:
        """Whether `step` is a multiple of the interval."""
        return step % self.interval == 0


@dataclass(frozen=True)
class LogSchedule(Schedule):
    """Steps evenly spaced in log(step): 0, 1, 2, ..., then growing by `ratio`.

    Learning steps spread over orders of magnitude, so this gives each octave of training the same number of rows. The
    n-th row beyond the first lies at round(ratio^n); which steps are due does not depend on how long a run will be.

    Attributes:
        ratio: Growth from one row to the next, above 1. The default 1.15 gives about 45 rows over 2,000 steps.
    """

    ratio: float = 1.15

    def __post_init__(self) -> None:
        if not (math.isfinite(self.ratio) and self.ratio > 1):
            raise InputError("a ratio above 1", f"{self.ratio}", "pass for instance 1.15", "ratio")

    def due(self, step: int) -> bool:
        """Whether `step` is 0 or the nearest integer to a power of the ratio."""
        if step < 1:
            return step == 0
        exponent = math.log(step) / math.log(self.ratio)
        return any(round(self.ratio**n) == step for n in (math.floor(exponent), math.ceil(exponent)))

    def next_due(self, step: int) -> int:
        """The first step from `step` on that is due, in O(1)."""
        if step < 1:
            return 0
        n = max(0, math.floor(math.log(step) / math.log(self.ratio)) - 1)
        while (due := round(self.ratio**n)) < step:
            n += 1
        return due

    def count(self, steps: int) -> int:
        """Number of rows over steps 0 to `steps`, in O(log steps)."""
        rows = {0}
        n = 0
        while (step := round(self.ratio**n)) <= steps:
            rows.add(step)
            n += 1
        return len(rows)
