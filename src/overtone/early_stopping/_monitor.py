"""Stopping rules and the monitors that apply them to one run, row by row."""

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

PER_ROW = ("residual_power", "cross_power", "loss", "train_error", "held_out_error")

SUPPORT = 4 * SMOOTHING
"""Distance in ln(1 + step) up to which rows influence each other; older ones no longer change."""

MIN_BEST_STEP = 50
"""Lower bound on the best step in the patience test, so that a run cannot end within its first steps."""

Row = Mapping[str, Any]
"""A row as a probe measures it: `held_out_error`, `train_error`, `residual_power` (band, channel) and so on."""


class StoppingMonitor(ABC):
    """Follows one run and says when to end it.

    Attributes:
        best_step: The best step so far; None before any row could be judged.
        candidates: The steps whose networks may still turn out to be the best.
    """

    @property
    @abstractmethod
    def best_step(self) -> int | None:
        """The best step so far; None before any row could be judged."""

    @property
    @abstractmethod
    def candidates(self) -> frozenset[int]:
        """The steps whose networks may still turn out to be the best."""

    @abstractmethod
    def update(self, step: int, row: Row) -> bool:
        """Judge a row.

        Args:
            step: Optimizer steps so far, above all steps before.
            row: The row measured at this step.

        Returns:
            Whether to end the run.

        Raises:
            InputError: If the steps do not ascend, or the row lacks a value that the rule needs.
        """


@final
@dataclass(frozen=True)
class StopDecision:
    """Decision of a rule on a finished run.

    Attributes:
        step: The best step, knowing all rows; None if no row could be judged.
        ended: The step at which the rule would have ended the run; None if it would not have.
        restored: The step that it would have gone back to then; `step` if it would not have ended the run.
    """

    step: int | None
    ended: int | None
    restored: int | None


class StoppingRule(ABC):
    """When to stop a run.

    Example:
        >>> from overtone.early_stopping import HeldOut, StoppingRule
        >>> isinstance(HeldOut(), StoppingRule)
        True
    """

    @abstractmethod
    def monitor(self) -> StoppingMonitor:
        """A new monitor for one run."""

    def evaluate(self, record: xarray.Dataset) -> StopDecision:
        """Apply the rule to a finished run.

        Args:
            record: Record of one run.

        Returns:
            The best step, and what the rule would have done during the run.

        Raises:
            InputError: If the record is of several runs or lacks a value that the rule needs.
        """
        monitor, ended, stopped_at_best = self.monitor(), None, None
        for step, row in record_rows(record):
            if monitor.update(step, row) and ended is None:
                ended, stopped_at_best = step, monitor.best_step
        best = monitor.best_step
        return StopDecision(best, ended, best if ended is None else stopped_at_best)


def record_rows(record: xarray.Dataset) -> list[tuple[int, Row]]:
    """Return the rows of a record as a probe measured them.

    Args:
        record: Record of one run.

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


@final
class LowestError(StoppingMonitor):
    """Remembers the step of the lowest held-out error and never ends a run."""

    def __init__(self) -> None:
        self._lowest, self._best = math.inf, -1

    @property
    def best_step(self) -> int | None:
        """The step of the lowest error."""
        return None if self._best < 0 else self._best

    @property
    def candidates(self) -> frozenset[int]:
        """That step alone."""
        return frozenset() if self._best < 0 else frozenset({self._best})

    def update(self, step: int, row: Row) -> bool:
        """Compare a row with the lowest error so far."""
        error = float(row["held_out_error"])
        if error < self._lowest:
            self._lowest, self._best = error, step
        return False


@final
class SmoothedMinimum(StoppingMonitor):
    """Ends a run when the smoothed estimate has been above its minimum for long enough.

    The logarithms of the estimates are averaged over steps some 25 % apart (a Gaussian kernel of width 0.25 in ln(1 +
    step)), because with few held-out samples the raw minimum is one of chance. The run ends at step s when s >=
    patience * max(best, 50) and the estimate there exceeds the minimum by `margin`.

    Args:
        estimate: Function from a row to a positive estimate of the error; NaN where there is none.
        patience: Factor between the best step and the end, above 1.
        margin: Relative excess, 0 or more.
        below: The run goes on until the smoothed estimate has been below this.

    Raises:
        InputError: If a number is out of range.
    """

    def __init__(
        self,
        estimate: Callable[[Row], float],
        patience: float = 2.0,
        margin: float = 0.02,
        below: float = math.inf,
    ) -> None:
        if not (patience > 1 and math.isfinite(patience) and margin >= 0 and math.isfinite(margin)):
            raise InputError(
                "a patience above 1 and a margin of 0 or more",
                f"{patience} and {margin}",
                "pass for instance 2 and 0.02",
            )
        self._estimate, self._patience, self._margin, self._below = estimate, patience, margin, below
        self._steps: list[int] = []
        self._errors: list[float] = []
        # Rows before this index no longer change: no later row lies within the kernel's support.
        self._open = 0
        self._settled: tuple[float, int] | None = None
        self._best: int | None = None
        self._lowest = math.inf

    @property
    def best_step(self) -> int | None:
        """The step of the smallest smoothed estimate."""
        return self._best

    @property
    def candidates(self) -> frozenset[int]:
        """The best of the steps that no later row changes, and all others."""
        settled = () if self._settled is None else (self._settled[1],)
        return frozenset((*self._steps[self._open :], *settled))

    @property
    def lowest(self) -> float:
        """The smallest smoothed estimate; infinite before any row could be judged."""
        return self._lowest

    def update(self, step: int, row: Row) -> bool:
        """Judge a row; True once the minimum lies well behind."""
        if self._steps and step <= self._steps[-1]:
            raise InputError(f"a step above {self._steps[-1]}", f"{step}", "call it once a step", "stop")
        error = self._estimate(row)
        if not math.isfinite(error):
            return False
        self._steps.append(step)
        self._errors.append(error)
        # The curve is smoothed anew with every row, over the few rows that can still change.
        curve = smooth(np.asarray(self._steps), np.asarray(self._errors)).tolist()
        pairs = list(zip(curve, self._steps, strict=True))[self._open :]
        self._lowest, self._best = min(pairs if self._settled is None else [self._settled, *pairs])
        self._settle(pairs)
        return (
            self._lowest < self._below
            and step >= self._patience * max(self._best, MIN_BEST_STEP)
            and curve[-1] > (1 + self._margin) * self._lowest
        )

    def _settle(self, pairs: list[tuple[float, int]]) -> None:
        """Close the rows that no later row changes, and drop those that influence no open one."""
        now = math.log1p(self._steps[-1])
        closed = [pair for pair in pairs if math.log1p(pair[1]) < now - SUPPORT]
        if closed:
            self._settled = min(closed if self._settled is None else [self._settled, *closed])
        self._open += len(closed)
        # A closed row is still needed while an open one lies within its support; memory stays bounded either way.
        oldest = math.log1p(self._steps[self._open]) - SUPPORT
        dropped = sum(math.log1p(step) < oldest for step in self._steps)
        del self._steps[:dropped], self._errors[:dropped]
        self._open -= dropped
