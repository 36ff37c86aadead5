"""Criteria, intervals over seeds, and the verdict that follows from both."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import final

import numpy as np
from numpy.typing import NDArray

from overtone._utils.statistics import student_half_width
from overtone.errors import InputError

_CONFIDENCE = 0.9
"""Probability that the interval of a claim judged once contains the true value."""

MOST_JUDGINGS = 3
"""Largest number of evaluations of a claim, each on new seeds."""

Limits = tuple[float, float]
"""Smallest and largest value that a statistic can have."""


class Average(Enum):
    """Average over seeds, and its interval.

    Attributes:
        MEAN: The mean with Student's interval, m +- t s / sqrt(n), which assumes that values are nearly normal.
        MEDIAN: The median with the interval of the sign test: the k-th smallest to the k-th largest value, which
            assumes nothing. For correlations, many of which are at their limit of 1.
    """

    MEAN = "mean"
    MEDIAN = "median"


def confidence_of(judgings: int) -> float:
    """Return the confidence of intervals in the k-th judging of a claim on fresh seeds: 1 - 0.1 / k (Bonferroni).

    An interval lies wholly on the wrong side of an edge with half of the rest, 0.05 / k. Over three judgings that is
    0.05 (1 + 1/2 + 1/3) = 0.092, still less than a tenth.

    Args:
        judgings: How often the claim was judged, this time included.
    """
    return 1 - (1 - _CONFIDENCE) / judgings


@final
@dataclass(frozen=True)
class SeedInterval:
    """Average over seeds and its interval.

    A single value, of a measurement that does not depend on the seed, is its own interval.

    Attributes:
        centre: The average.
        low: Lower end.
        high: Upper end.
    """

    centre: float
    low: float
    high: float

    @staticmethod
    def from_values(
        values: Sequence[float],
        average: Average = Average.MEAN,
        limits: Limits = (-math.inf, math.inf),
        confidence: float = _CONFIDENCE,
    ) -> SeedInterval:
        """Return the interval of values, one per seed.

        Args:
            values: (n,) values.
            average: Which average.
            limits: Values that the statistic can have; the interval ends there.
            confidence: Probability that the interval contains the true average.

        Raises:
            InputError: If there are none.
        """
        if not values:
            raise InputError("at least one value", "none", "run the study", "interval")
        array = np.asarray(values, dtype=np.float64)
        centre = float(array.mean() if average is Average.MEAN else np.median(array))
        # A NaN stays one: it fails every criterion and so counts against the claim.
        if array.size == 1 or not math.isfinite(centre):
            return SeedInterval(centre, centre, centre)
        if average is Average.MEDIAN:
            return SeedInterval(centre, *_sign_test_ends(np.sort(array), limits, confidence))
        half = student_half_width(array, confidence)
        return SeedInterval(centre, max(centre - half, limits[0]), min(centre + half, limits[1]))

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.centre:.3g}"
        return f"{self.centre:.3g} ({self.low:.3g} to {self.high:.3g})"


def _sign_test_ends(ordered: NDArray[np.float64], limits: Limits, confidence: float) -> Limits:
    """Return the ends of the sign test's interval of the median, from (n,) ordered values."""
    from scipy.special import bdtr

    # With probability 2 P(B <= k), B binomial with 1/2, the median lies beyond k + 1 of n ordered values.
    outside = [
        k for k in range(len(ordered) // 2) if 2 * bdtr(k, len(ordered), 0.5) <= 1 - confidence + 1e-12
    ]
    # Too few values say nothing about the median: at 90 % there must be five.
    return (float(ordered[outside[-1]]), float(ordered[-1 - outside[-1]])) if outside else limits


class Criterion(ABC):
    """Set of values of a statistic, fixed before it is measured."""

    @abstractmethod
    def met_by(self, interval: SeedInterval) -> bool:
        """Return whether the whole interval lies in the set."""

    @abstractmethod
    def missed_by(self, interval: SeedInterval) -> bool:
        """Return whether no part of the interval lies in the set; true of NaN."""

    @abstractmethod
    def __str__(self) -> str:
        """The criterion in words."""


@final
@dataclass(frozen=True)
class AtLeast(Criterion):
    """The statistic is at least `value`."""

    value: float

    def met_by(self, interval: SeedInterval) -> bool:
        """Return whether the whole interval lies at or above the value."""
        return interval.low >= self.value

    def missed_by(self, interval: SeedInterval) -> bool:
        """Return whether the whole interval lies below the value."""
        return interval.high < self.value or math.isnan(interval.centre)

    def __str__(self) -> str:
        return f"at least {self.value:g}"


@final
@dataclass(frozen=True)
class AtMost(Criterion):
    """The statistic is at most `value`."""

    value: float

    def met_by(self, interval: SeedInterval) -> bool:
        """Return whether the whole interval lies at or below the value."""
        return interval.high <= self.value

    def missed_by(self, interval: SeedInterval) -> bool:
        """Return whether the whole interval lies above the value."""
        return interval.low > self.value or math.isnan(interval.centre)

    def __str__(self) -> str:
        return f"at most {self.value:g}"


@final
@dataclass(frozen=True)
class Between(Criterion):
    """The statistic lies from `low` to `high`."""

    low: float
    high: float

    def met_by(self, interval: SeedInterval) -> bool:
        """Return whether the whole interval lies within the limits."""
        return self.low <= interval.low and interval.high <= self.high

    def missed_by(self, interval: SeedInterval) -> bool:
        """Return whether the whole interval lies outside the limits."""
        return interval.high < self.low or interval.low > self.high or math.isnan(interval.centre)

    def __str__(self) -> str:
        return f"from {self.low:g} to {self.high:g}"


class Verdict(Enum):
    """Conclusion from the evidence about a claim, at the size of the run.

    Attributes:
        SUPPORTED: Every condition meets the criterion.
        REFUTED: None does, at the source's own dimensions.
        NOT_REPRODUCED: None does, in a smaller run than the source's.
        DEPENDS: Some do and others do not.
        UNDECIDED: The evidence does not decide.
    """

    SUPPORTED = "supported"
    REFUTED = "refuted"
    NOT_REPRODUCED = "not reproduced"
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
        positive_passed: Whether the positive control meets the criterion, as it must; None if there is none.
    """

    verdict: Verdict
    met: tuple[str, ...]
    missed: tuple[str, ...]
    open: tuple[str, ...]
    control_failed: bool
    positive_passed: bool | None = None


def judge(
    intervals: Mapping[str, SeedInterval],
    control: SeedInterval,
    criterion: Criterion,
    positive: SeedInterval | None = None,
    *,
    own_size: bool = False,
    decidable: bool = True,
) -> Judgement:
    """Judge a claim by its intervals.

    *Undecided* if the control does not fail or the positive control does not pass, because such a test would pass
    anything or nothing. Otherwise *supported* if every condition meets the criterion with its whole interval, *depends*
    if some conditions meet it and others miss it, and *undecided* where intervals cross its edge. If no part of any
    interval meets it the claim is *refuted* at the source's own dimensions and *not reproduced* in a smaller run;
    without a positive control it stays *undecided*, because nothing shows that the test could have been passed.

    Args:
        intervals: The statistic per condition.
        control: The statistic of the control.
        criterion: The criterion.
        positive: The statistic of the positive control; None if there is none.
        own_size: Whether the run had the source's own dimensions.
        decidable: Whether a run of that size can decide the claim.
    """
    met = tuple(name for name, interval in intervals.items() if criterion.met_by(interval))
    missed = tuple(name for name, interval in intervals.items() if criterion.missed_by(interval))
    crossing = tuple(name for name in intervals if name not in met and name not in missed)
    control_failed = criterion.missed_by(control)
    positive_passed = None if positive is None else criterion.met_by(positive)
    # The controls come first: where one does not do what it must, the conditions can do what they do for its reason.
    if not decidable or not control_failed or positive_passed is False:
        verdict = Verdict.UNDECIDED
    elif len(met) == len(intervals):
        verdict = Verdict.SUPPORTED
    elif len(missed) == len(intervals) and positive_passed:
        verdict = Verdict.REFUTED if own_size else Verdict.NOT_REPRODUCED
    else:
        verdict = Verdict.DEPENDS if met and missed else Verdict.UNDECIDED
    return Judgement(verdict, met, missed, crossing, control_failed, positive_passed)
