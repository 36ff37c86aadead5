"""What every rule for stopping offers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from overtone.errors import InputError
from overtone.records.metrics._errors import SMOOTHING, smooth

if TYPE_CHECKING:
    import xarray


Row = Mapping[str, Any]
"""A row as a probe measures it: `held_out_error`, `train_error`, `residual_power` (band, channel) and so on."""


class StoppingMonitor(ABC):
    """Follows one run.

    Attributes:
        best_step: The step to go back to, of those seen; None before any could be judged.
        keep: The steps whose networks may still turn out to be the ones to go back to.
    """

    @property
    @abstractmethod
    def best_step(self) -> int | None:
        """The step to go back to, of those seen; None before any could be judged."""

    @property
    @abstractmethod
    def keep(self) -> frozenset[int]:
        """The steps whose networks may still turn out to be the ones to go back to."""

    @abstractmethod
    def update(self, step: int, row: Row) -> bool:
        """Take note of a row.

        Args:
            step: Optimizer steps so far, above all steps before.
            row: What was measured.

        Returns:
            Whether to end the run.

        Raises:
            InputError: If the steps do not ascend, or the row lacks what the rule looks at.
        """


PER_ROW = ("residual_power", "cross_power", "loss", "train_error", "held_out_error")


@final
@dataclass(frozen=True)
class StopDecision:
    """What a rule makes of a finished run.

    Attributes:
        step: The step to take, knowing all rows; None if no row could be judged.
        ended: The step at which the rule would have ended the run; None if it would not have.
        kept: The step that it would have gone back to then; `step` if it would not have ended the run.
    """

    step: int | None
    ended: int | None
    kept: int | None


class StoppingRule(ABC):
    """A rule for stopping."""

    @abstractmethod
    def watch(self) -> StoppingMonitor:
        """A fresh watch for one run."""

    def judge(self, record: xarray.Dataset) -> StopDecision:
        """Look at a finished run.

        Args:
            record: Of one run.

        Returns:
            The step to take, and what the rule would have done while the run went on.

        Raises:
            InputError: If the record is of several runs or lacks what the rule looks at.
        """
        watch, ended, kept = self.watch(), None, None
        for step, row in record_rows(record):
            if watch.update(step, row) and ended is None:
                ended, kept = step, watch.best_step
        return StopDecision(watch.best_step, ended, watch.best_step if ended is None else kept)


def record_rows(record: xarray.Dataset) -> list[tuple[int, Row]]:
    """The rows of a record as a probe measured them.

    Args:
        record: Of one run.

    Raises:
        InputError: If it is of several runs.
    """
    extra = [d for d in record.dims if d not in ("step", "band", "channel")]
    if extra:
        raise InputError("the record of one run", f"several along {extra[0]}", "select one with isel", "stop")
    columns = {name: record[name].transpose("step", ...).values for name in PER_ROW if name in record}
    return [
        (int(step), {name: values[i] for name, values in columns.items()})
        for i, step in enumerate(record.step.values)
    ]


REACH = 4 * SMOOTHING
"""How far a row reaches in ln(1 + step); older rows no longer change."""

MIN_BEST_STEP = 50
"""Steps that count as the best at the least, because the first steps of an optimizer tell nothing."""


@final
class SmoothedMinimum(StoppingMonitor):
    """Ends a run when the smoothed estimate has been above its least value for long enough.

    The logarithms of the estimates are averaged over steps some 25 % apart (a Gaussian kernel of width 0.25 in ln(1 +
    step)), because with few held-out samples the raw least value is one of chance. The run ends at step s when s >=
    patience * max(best, 50) and the estimate there exceeds the least one by `margin`.

    Args:
        estimate: From a row to a positive estimate of the error; NaN where it cannot tell.
        patience: Factor between the best step and the end, above 1.
        margin: Relative excess, 0 or more.

    Raises:
        InputError: If a number is out of range.
    """

    def __init__(self, estimate: Callable[[Row], float], patience: float = 2.0, margin: float = 0.02) -> None:
        if not (patience > 1 and math.isfinite(patience) and margin >= 0 and math.isfinite(margin)):
            raise InputError(
                "a patience above 1 and a margin of 0 or more",
                f"{patience} and {margin}",
                "leave them at 2 and 0.02",
            )
        self._estimate, self._patience, self._margin = estimate, patience, margin
        self._steps: list[int] = []
        self._errors: list[float] = []
        self._open = 0
        self._settled: tuple[float, int] | None = None
        self._best: int | None = None

    @property
    def best_step(self) -> int | None:
        """The step of the least smoothed estimate."""
        return self._best

    @property
    def keep(self) -> frozenset[int]:
        """The best of the steps that no later row reaches, and all others."""
        settled = () if self._settled is None else (self._settled[1],)
        return frozenset((*self._steps[self._open :], *settled))

    def update(self, step: int, row: Row) -> bool:
        """Take note of a row; True once the least estimate lies well behind."""
        if self._steps and step <= self._steps[-1]:
            raise InputError(f"a step above {self._steps[-1]}", f"{step}", "call it once a step", "stop")
        error = self._estimate(row)
        if not math.isfinite(error):
            return False
        self._steps.append(step)
        self._errors.append(error)
        curve = smooth(np.asarray(self._steps), np.asarray(self._errors)).tolist()
        pairs = list(zip(curve, self._steps, strict=True))[self._open :]
        lowest, self._best = min(pairs if self._settled is None else [self._settled, *pairs])
        self._settle(pairs)
        return (
            step >= self._patience * max(self._best, MIN_BEST_STEP)
            and curve[-1] > (1 + self._margin) * lowest
        )

    def _settle(self, pairs: list[tuple[float, int]]) -> None:
        """Close the rows that no later row reaches, and forget those that reach no open one."""
        now = math.log1p(self._steps[-1])
        closed = [pair for pair in pairs if math.log1p(pair[1]) < now - REACH]
        if closed:
            self._settled = min(closed if self._settled is None else [self._settled, *closed])
        self._open += len(closed)
        oldest = math.log1p(self._steps[self._open]) - REACH
        gone = sum(math.log1p(step) < oldest for step in self._steps)
        del self._steps[:gone], self._errors[:gone]
        self._open -= gone
