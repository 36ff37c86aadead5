"""What a statistic has to reach for a claim to hold, fixed before it is measured."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

from overtone.studies.interval import Interval


class Criterion(ABC):
    """A set of values of a statistic."""

    @abstractmethod
    def holds(self, interval: Interval) -> bool:
        """Whether the whole interval meets the criterion."""

    @abstractmethod
    def fails(self, interval: Interval) -> bool:
        """Whether no part of the interval meets the criterion; always so for a statistic that is not a number."""

    @abstractmethod
    def __str__(self) -> str:
        """The criterion in words."""


@final
@dataclass(frozen=True)
class AtLeast(Criterion):
    """The statistic is at least `value`."""

    value: float

    def holds(self, interval: Interval) -> bool:
        """Whether the whole interval lies at or above the value."""
        return interval.low >= self.value

    def fails(self, interval: Interval) -> bool:
        """Whether the whole interval lies below the value."""
        return interval.high < self.value or math.isnan(interval.mean)

    def __str__(self) -> str:
        return f"at least {self.value:g}"


@final
@dataclass(frozen=True)
class AtMost(Criterion):
    """The statistic is at most `value`."""

    value: float

    def holds(self, interval: Interval) -> bool:
        """Whether the whole interval lies at or below the value."""
        return interval.high <= self.value

    def fails(self, interval: Interval) -> bool:
        """Whether the whole interval lies above the value."""
        return interval.low > self.value or math.isnan(interval.mean)

    def __str__(self) -> str:
        return f"at most {self.value:g}"


@final
@dataclass(frozen=True)
class Between(Criterion):
    """The statistic lies from `low` to `high`."""

    low: float
    high: float

    def holds(self, interval: Interval) -> bool:
        """Whether the whole interval lies within."""
        return self.low <= interval.low and interval.high <= self.high

    def fails(self, interval: Interval) -> bool:
        """Whether the whole interval lies outside."""
        return interval.high < self.low or interval.low > self.high or math.isnan(interval.mean)

    def __str__(self) -> str:
        return f"from {self.low:g} to {self.high:g}"
