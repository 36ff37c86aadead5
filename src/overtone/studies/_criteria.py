"""Criteria, intervals over seeds, and the verdict that follows from both."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import final

import numpy as np

from overtone._utils.statistics import student_half_width
from overtone.errors import InputError

_CONFIDENCE = 0.9
"""Probability that an interval contains the mean, if values are normal."""


@final
@dataclass(frozen=True)
class MeanInterval:
    """Mean over seeds with Student's interval of 90 %.

    mean +- t(0.95, n - 1) s / sqrt(n), with s the standard deviation of n values. A single value, of a measurement that
    does not depend on the seed, is its own interval.

    Attributes:
        mean: The mean.
        low: Lower end.
        high: Upper end.
    """

    mean: float
    low: float
    high: float

    @staticmethod
    def from_values(values: Sequence[float]) -> MeanInterval:
        """Return the interval of values, one per seed.

        Raises:
            InputError: If there are none.
        """
        if not values:
            raise InputError("at least one value", "none", "run the study", "interval")
        array = np.asarray(values, dtype=np.float64)
        mean = float(array.mean())
        # A NaN stays one: it fails every criterion and so counts against the claim.
        if array.size == 1 or not math.isfinite(mean):
            return MeanInterval(mean, mean, mean)
        half = student_half_width(array, _CONFIDENCE)
        return MeanInterval(mean, mean - half, mean + half)

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.mean:.3g}"
        return f"{self.mean:.3g} ({self.low:.3g} to {self.high:.3g})"


class Criterion(ABC):
    """Set of values of a statistic, fixed before it is measured."""

    @abstractmethod
    def met_by(self, interval: MeanInterval) -> bool:
        """Return whether the whole interval lies in the set."""

    @abstractmethod
    def missed_by(self, interval: MeanInterval) -> bool:
        """Return whether no part of the interval lies in the set; true of NaN."""

    @abstractmethod
    def __str__(self) -> str:
        """The criterion in words."""


@final
@dataclass(frozen=True)
class AtLeast(Criterion):
    """The statistic is at least `value`."""

    value: float

    def met_by(self, interval: MeanInterval) -> bool:
        """Return whether the whole interval lies at or above the value."""
        return interval.low >= self.value

    def missed_by(self, interval: MeanInterval) -> bool:
        """Return whether the whole interval lies below the value."""
        return interval.high < self.value or math.isnan(interval.mean)

    def __str__(self) -> str:
        return f"at least {self.value:g}"


@final
@dataclass(frozen=True)
class AtMost(Criterion):
    """The statistic is at most `value`."""

    value: float

    def met_by(self, interval: MeanInterval) -> bool:
        """Return whether the whole interval lies at or below the value."""
        return interval.high <= self.value

    def missed_by(self, interval: MeanInterval) -> bool:
        """Return whether the whole interval lies above the value."""
        return interval.low > self.value or math.isnan(interval.mean)

    def __str__(self) -> str:
        return f"at most {self.value:g}"


@final
@dataclass(frozen=True)
class Between(Criterion):
    """The statistic lies from `low` to `high`."""

    low: float
    high: float

    def met_by(self, interval: MeanInterval) -> bool:
        """Return whether the whole interval lies within the limits."""
        return self.low <= interval.low and interval.high <= self.high

    def missed_by(self, interval: MeanInterval) -> bool:
        """Return whether the whole interval lies outside the limits."""
        return interval.high < self.low or interval.low > self.high or math.isnan(interval.mean)

    def __str__(self) -> str:
        return f"from {self.low:g} to {self.high:g}"


class Verdict(Enum):
    """Conclusion from the evidence about a claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    DEPENDS = "depends"
    UNDECIDED = "undecided"


@final
@dataclass(frozen=True)
class Judgement:
    """A verdict and the facts that it follows from.

    Attributes:
        verdict: The verdict.
        met: Names of the conditions whose whole interval meets the criterion.
        missed: Names of the conditions whose whole interval misses it.
        open: Names of the conditions whose interval crosses the edge of the criterion.
        control_failed: Whether the control misses the criterion, as it must.
    """

    verdict: Verdict
    met: tuple[str, ...]
    missed: tuple[str, ...]
    open: tuple[str, ...]
    control_failed: bool


def judge(intervals: Mapping[str, MeanInterval], control: MeanInterval, criterion: Criterion) -> Judgement:
    """Judge a claim by its intervals.

    *Undecided* if the control does not fail, because such a test would pass anything. Otherwise *supported* if every
    condition meets the criterion with its whole interval, *refuted* if no part of any interval meets it, *depends* if
    some conditions meet it and others miss it, and *undecided* where intervals cross its edge.

    Args:
        intervals: The statistic per condition.
        control: The statistic of the control.
        criterion: The criterion.
    """
    met = tuple(name for name, interval in intervals.items() if criterion.met_by(interval))
    missed = tuple(name for name, interval in intervals.items() if criterion.missed_by(interval))
    crossing = tuple(name for name in intervals if name not in met and name not in missed)
    control_failed = criterion.missed_by(control)
    # The control comes first: where it passes, the conditions could pass for its reason.
    if not control_failed:
        verdict = Verdict.UNDECIDED
    elif len(met) == len(intervals):
        verdict = Verdict.SUPPORTED
    elif len(missed) == len(intervals):
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.DEPENDS if met and missed else Verdict.UNDECIDED
    return Judgement(verdict, met, missed, crossing, control_failed)
