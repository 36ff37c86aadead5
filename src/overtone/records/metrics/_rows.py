"""Metrics of one row as plain arrays, during recording: the same definitions as for whole records."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from overtone.records.metrics._bands import NOTHING, ROUNDING, THRESHOLD

if TYPE_CHECKING:
    from overtone.records import Header


def highest_learned_of_row(
    header: Header, residual_power: NDArray[np.float64], threshold: float = THRESHOLD
) -> float:
    """Return the upper edge of the bands learned without a gap, see `highest_learned`; channels are combined.

    Args:
        header: Bands and target power of the record.
        residual_power: (band, channel) of the row.
        threshold: Relative error below which a band is learned.

    Returns:
        A frequency in the record's unit, NaN if not even the lowest band is learned.
    """
    target, content = _target(header)
    learned = content & (residual_power.sum(1) < threshold**2 * target)
    # Bands without content are passed over: they neither count as learned nor interrupt those that are.
    unbroken = np.logical_and.accumulate(learned | ~content)
    bands = np.flatnonzero(learned & unbroken)
    return float(header.band_high[bands[-1]]) if bands.size else math.nan


def relative_error_of_row(header: Header, residual_power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sqrt(residual power / target power) per band, channels combined; NaN in bands with nothing to learn."""
    target, content = _target(header)
    return np.sqrt(np.divide(residual_power.sum(1), target, out=np.full_like(target, np.nan), where=content))


def _target(header: Header) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Target power per band, and the bands that hold something to learn, see `has_content`."""
    power = header.static["target_power"].sum(1)
    outside_mean = power[np.asarray(header.band_low) != 0].sum()
    return power, power > max(NOTHING * outside_mean, ROUNDING * power.sum())
