"""How far up in frequency a network has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overtone.records.metrics.content import combine_channels, has_content, recorded
from overtone.records.metrics.learning import THRESHOLD
from overtone.records.metrics.ratios import relative_error

if TYPE_CHECKING:
    import xarray

LAST = -1
"""Stands for the last recorded step."""


def highest_learned(
    record: xarray.Dataset, step: int = LAST, threshold: float = THRESHOLD
) -> xarray.DataArray:
    """The frequency up to which everything is learned: upper edge of the last band before the first unlearned one.

    Bands with nothing to learn are passed over. Channels are combined.

    Args:
        record: From `load` or `concat`.
        step: The recorded step at or before which to look; -1 for the last.
        threshold: Relative error below which a band is learned.

    Returns:
        A single number (one per run for joined records), in the record's frequency unit; 0 if not even the lowest band
        is learned, NaN if nothing was recorded by then.
    """
    learned, content = _learned(record, step, threshold)
    unbroken = (learned | ~content).astype("int8").cumprod("band").astype(bool)
    return _upper(record, learned & unbroken, step).rename("highest_learned")


def highest_learned_band(
    record: xarray.Dataset, step: int = LAST, threshold: float = THRESHOLD
) -> xarray.DataArray:
    """Upper edge of the highest learned band, whether or not all below it are learned.

    Arguments, unit and special values are those of `highest_learned`.
    """
    learned, _ = _learned(record, step, threshold)
    return _upper(record, learned, step).rename("highest_learned_band")


def _learned(
    record: xarray.Dataset, step: int, threshold: float
) -> tuple[xarray.DataArray, xarray.DataArray]:
    together = combine_channels(record)
    rows = _seen(record, step)
    latest = rows & (rows.astype("int64").isel(step=slice(None, None, -1)).cumsum("step") == 1)
    error = relative_error(together)
    return ((error < threshold) & latest).any("step"), has_content(together)


def _seen(record: xarray.Dataset, step: int) -> xarray.DataArray:
    rows = recorded(record)
    return rows if step == LAST else rows & (record.step <= step)


def _upper(record: xarray.Dataset, chosen: xarray.DataArray, step: int) -> xarray.DataArray:
    edge = record.band_high.where(chosen).max("band").fillna(0.0)
    units = str(record.attrs.get("frequency_unit") or "")
    return edge.where(_seen(record, step).any("step")).assign_attrs(units=units)
