"""Intervals of ratios and coherences over samples that depend on each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from overtone._utils.pair_power import cross_power
from overtone._utils.statistics import student_quantile

Array = NDArray[np.float64]

SMALLEST = 10
"""Effective samples below which no interval is stated: none was honest there."""

_ROUNDING = 1e-12
"""Influence of a block on a ratio, relative to the ratio, that is within the rounding of the sums."""

_GROUPS_AT_LEAST, _GROUPS_AT_MOST = 5, 64


@final
@dataclass(frozen=True)
class Interval:
    """Ends of intervals, NaN where there are too few effective samples.

    Attributes:
        low: Lower ends.
        high: Upper ends.
        effective: Effective number of independent samples.
    """

    low: Array
    high: Array
    effective: Array


def error_ratio_interval(blocks: Array, level: float) -> Interval:
    """Return the interval of residual power over target power, on the scale of its logarithm.

    Args:
        blocks: (block, 3, ...) means of target, prediction and residual power.
        level: Coverage probability, in (0, 1).
    """
    return _ratio(blocks[:, 2], blocks[:, 0], level)


def power_ratio_interval(blocks: Array, level: float) -> Interval:
    """Return the interval of prediction power over target power; arguments as of `error_ratio_interval`."""
    return _ratio(blocks[:, 1], blocks[:, 0], level)


def coherence_interval(blocks: Array, level: float) -> Interval:
    """Return the interval of the coherence, on Fisher's scale; arguments as of `error_ratio_interval`."""
    target, prediction, residual = blocks[:, 0], blocks[:, 1], blocks[:, 2]
    cross = (target + prediction - residual) / 2
    with np.errstate(all="ignore"):
        estimate = cross.mean(0) / np.sqrt(target.mean(0) * prediction.mean(0))
        coherence = np.clip(estimate, -1 + 1e-15, 1 - 1e-15)
        influence = coherence * (
            cross / cross.mean(0) - target / (2 * target.mean(0)) - prediction / (2 * prediction.mean(0))
        )
        half, effective = _half_width(_solid(influence) / (1 - coherence**2), level)
        centre = np.arctanh(coherence)
        # Estimates under masks may exceed 1, where Fisher's scale ends.
        linear, _ = _half_width(_solid(influence), level)
        low = np.where(estimate > 1 + _ROUNDING, np.maximum(1 - linear, -1), np.tanh(centre - half))
        return Interval(low, np.tanh(centre + half), effective)


def slope_interval(blocks: Array, level: float) -> Interval:
    """Return the interval of the cross power over the prediction power; NaN unless positive.

    Arguments as of `error_ratio_interval`.
    """
    target, prediction, residual = blocks[:, 0], blocks[:, 1], blocks[:, 2]
    return _ratio(cross_power(target, prediction, residual), prediction, level)


def ratio_interval(upper: Array, lower: Array, level: float) -> Interval:
    """Return the interval of the ratio of two positive means, on the scale of its logarithm.

    Args:
        upper: (block, ...) means of the numerator.
        lower: (block, ...) means of the denominator.
        level: Coverage probability, in (0, 1).
    """
    return _ratio(upper, lower, level)


def difference_interval(first: Array, second: Array, scale: Array, level: float) -> Interval:
    """Return the interval of (mean(first) - mean(second)) / mean(scale), from paired differences.

    Args:
        first: (block, ...) means of the first quantity.
        second: (block, ...) means of the second one, over the same samples.
        scale: (block, ...) means of a positive quantity.
        level: Coverage probability, in (0, 1).
    """
    with np.errstate(all="ignore"):
        bottom = scale.mean(0)
        # What is within the rounding of the sums is no difference.
        difference = _solid((first - second).mean(0) / bottom)
        influence = (first - second - difference * scale) / bottom
        half, effective = _half_width(_solid(influence), level)
        return Interval(difference - half, difference + half, effective)


def _ratio(upper: Array, lower: Array, level: float) -> Interval:
    with np.errstate(all="ignore"):
        top, bottom = upper.mean(0), lower.mean(0)
        half, effective = _half_width(_solid(np.nan_to_num(upper / top) - lower / bottom), level)
        # A power that is zero in every sample has no spread, and no logarithm.
        half = np.where((top == 0) & (effective >= SMALLEST), 0.0, half)
        return Interval(top / bottom * np.exp(-half), top / bottom * np.exp(half), effective)


def _solid(influence: Array) -> Array:
    """Return influences with those that are rounding set to 0; their correlation would be arbitrary."""
    return np.where(np.abs(influence) < _ROUNDING, 0.0, influence)


def _half_width(influence: Array, level: float) -> tuple[Array, Array]:
    """Return Student's half width of the mean of a dependent series, and its effective length.

    The effective length is n (1 - rho) / (1 + rho), rho the lag-one correlation corrected for its bias (Marriott, Pope
    1954, Biometrika 41). The series is cut into half as many groups of neighbours, so that a group is about two
    correlation times long, and the means of the groups are taken as independent.
    """
    n = len(influence)
    shape = influence.shape[1:]
    if n < SMALLEST:
        return np.full(shape, np.nan), np.full(shape, float(n))
    centred = influence - influence.mean(0)
    correlation = (centred[1:] * centred[:-1]).sum(0) / (centred**2).sum(0)
    rho = np.clip(np.nan_to_num((correlation * n + 1) / (n - 4)), 0, 0.999)
    effective = n * (1 - rho) / (1 + rho)
    groups = np.clip(effective / 2, _GROUPS_AT_LEAST, _GROUPS_AT_MOST).astype(int)
    half = np.full(shape, np.nan)
    for count in np.unique(groups):
        # The remainder is dropped at the beginning; all groups have equal length.
        length = n // count
        means = influence[n - count * length :].reshape(count, length, *shape).mean(1)
        width = student_quantile(level, count - 1) * means.std(0, ddof=1) / np.sqrt(count)
        half = np.where(groups == count, width, half)
    return np.where(effective >= SMALLEST, half, np.nan), effective
