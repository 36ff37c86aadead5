"""What a prediction costs beside the training that it foretells."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

AGAIN = 2.0
"""Growth of an estimate from which it is told again."""


@final
@dataclass(frozen=True)
class Cost:
    """Wall-clock times.

    Attributes:
        predicting: Seconds that the prediction took, or will take.
        training: Seconds that all steps would take, by the pilot's; None without a pilot.
    """

    predicting: float
    training: float | None

    @property
    def warning(self) -> str | None:
        """A sentence if training was the cheaper answer."""
        if self.training is None or self.predicting <= self.training:
            return None
        return (
            f"Predicting took {_rounded(self.predicting)} s; training itself would take about "
            f"{_rounded(self.training)} s, and is the surer answer."
        )

    @property
    def outlook(self) -> str:
        """The same in advance, whichever is cheaper."""
        sentence = f"Predicting will take about {_rounded(self.predicting)} s"
        if self.training is None:
            return f"{sentence}."
        surer = ", and is the surer answer" if self.predicting > self.training else ""
        return f"{sentence}; training itself would take about {_rounded(self.training)} s{surer}."


@final
class Meter:
    """Tells what a prediction will cost as soon as that can be estimated, and again if it turns out to be twice that.

    Args:
        tell: Takes a sentence.
        pilot: Steps of the pilot.
        steps: Steps that are predicted.
    """

    def __init__(self, tell: Callable[[str], None], pilot: int, steps: int) -> None:
        self._tell, self._pilot, self._steps = tell, pilot, steps
        self._began, self._told = time.perf_counter(), 0.0

    def at_look(self, step: float, view: float, share: float) -> None:
        """Half way of the pilot, after the first kernel.

        Args:
            step: Seconds of a step.
            view: Seconds of the kernel and its eigenvectors.
            share: Length of the leaps to come, as a share of the steps taken; infinite if one kernel follows alone.
        """
        kernels = 1 + _leaps(self._pilot, self._steps, share)
        self._say(step * self._pilot / 2 + view * kernels, step)

    def at_leap(self, step: float, seconds: float, start: int, stop: int) -> None:
        """After a leap.

        Args:
            step: Seconds of a step of training.
            seconds: Those of the leap.
            start: Where it began, at least 1.
            stop: Where it ended.
        """
        self._say(seconds * _leaps(stop, self._steps, stop / start - 1), step)

    def _say(self, ahead: float, step: float) -> None:
        cost = Cost(time.perf_counter() - self._began + ahead, step * self._steps)
        if cost.predicting > AGAIN * self._told:
            self._told = cost.predicting
            self._tell(cost.outlook)


def _leaps(start: int, stop: int, share: float) -> int:
    """How many leaps lead from one step to another if each is a share of the steps taken."""
    return 0 if math.isinf(share) else math.ceil(math.log(max(stop / start, 1.0)) / math.log1p(share))


def _rounded(seconds: float) -> str:
    return f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}"
