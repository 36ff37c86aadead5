"""A mean and how well it is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from overtone._utils.statistics import student_half_width
from overtone.errors import InputError

CONFIDENCE = 0.9
"""Probability with which an interval holds the mean, were the values normal."""


@final
@dataclass(frozen=True)
class Interval:
    """A mean over seeds with Student's interval of 90 %.

    mean +- t(0.95, n - 1) s / sqrt(n), with s the standard deviation of n values. A single value, of something that no
    seed enters, is its own interval.

    Attributes:
        mean: The mean.
        low: Lower end.
        high: Upper end.
    """

    mean: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> Interval:
        """The interval of values, one a seed.

        Raises:
            InputError: If there are none.
        """
        if not values:
            raise InputError("at least one value", "none", "run the study", "interval")
        array = np.asarray(values, dtype=np.float64)
        mean = float(array.mean())
        if array.size == 1 or not math.isfinite(mean):
            return Interval(mean, mean, mean)
        half = student_half_width(array, CONFIDENCE)
        return Interval(mean, mean - half, mean + half)

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.mean:.3g}"
        return f"{self.mean:.3g} ({self.low:.3g} to {self.high:.3g})"
