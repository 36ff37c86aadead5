"""The step from which a network demonstrably fits noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overtone.records.metrics.content import one_run, recorded
from overtone.records.metrics.learning import stays

if TYPE_CHECKING:
    import xarray

DOMINATED = 0.5
"""A band is noise if at least this share of its target power is."""

FITTED = 0.1
"""Learned fraction of the noise bands above which noise is being fitted."""


def noise_onset(record: xarray.Dataset) -> int | None:
    """The first recorded step from which on the network holds more than a tenth of what is noise.

    Over all bands and channels whose noise power is at least half of their target power, the learned fraction is taken
    together, sum of cross power / sum of target power. The onset is the first recorded step from which it stays above
    0.1.

    Args:
        record: Of one run, with at least one row.

    Returns:
        The step; None if it was not reached, no band is dominated by noise, the noise is unknown, or the attribute
        `noise_verdict` says anything but "noise".

    Raises:
        InputError: If the record holds several runs or no row.
    """
    rows = recorded(one_run(record, "noise_onset"))
    if str(record.attrs.get("noise_verdict") or "noise").lower() != "noise":
        return None
    noisy = (record.noise_power >= DOMINATED * record.target_power) & (record.target_power > 0)
    axes = list(noisy.dims)
    total = float(record.target_power.where(noisy).sum(axes))
    if not total > 0:
        return None
    fitted = record.cross_power.where(noisy, 0.0).sum(axes, skipna=False) / total
    steps = record.step.values[stays(fitted > FITTED, rows).values]
    return int(steps[0]) if steps.size else None
