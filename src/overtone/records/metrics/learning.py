"""When each band was learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overtone.records.metrics.content import recorded
from overtone.records.metrics.ratios import relative_error

if TYPE_CHECKING:
    import xarray

THRESHOLD = 0.5
"""Relative error below which a band counts as learned, unless said otherwise."""


def learning_step(record: xarray.Dataset, threshold: float = THRESHOLD) -> xarray.DataArray:
    """The first recorded step from which on a band's relative error is below `threshold` at every recorded step.

    Args:
        record: From `load` or `concat`; channels are put together by `combine_channels`.
        threshold: Relative error, dimensionless.

    Returns:
        (band, channel), in steps; NaN where the band never was learned, was not learned at the end, or holds nothing.
    """
    steps = record.step.where(_from_here_on(record, threshold))
    return _least(steps).rename("learning_step").assign_attrs(units="steps")


def time_to_threshold(record: xarray.Dataset, threshold: float = THRESHOLD) -> xarray.DataArray:
    """The time at the learning step of each band.

    Args:
        record: From `load` or `concat`.
        threshold: Relative error, dimensionless.

    Returns:
        (band, channel), in seconds since the start of training; NaN where `learning_step` is.
    """
    times = record.time.where(_from_here_on(record, threshold))
    return _least(times).rename("time_to_threshold").assign_attrs(units="s")


def stays(true: xarray.DataArray, rows: xarray.DataArray) -> xarray.DataArray:
    """Bool: recorded rows at which `true` holds, and at every later recorded row too.

    Args:
        true: Bool (step, ...).
        rows: Bool (step, ...), which rows were recorded; the others are passed over.
    """
    backwards = (true | ~rows).isel(step=slice(None, None, -1)).astype("int8")
    return backwards.cumprod("step").isel(step=slice(None, None, -1)).astype(bool) & true & rows


def _from_here_on(record: xarray.Dataset, threshold: float) -> xarray.DataArray:
    return stays(relative_error(record) < threshold, recorded(record))


def _least(values: xarray.DataArray) -> xarray.DataArray:
    if values.sizes["step"] == 0:
        return values.sum("step", min_count=1)
    return values.min("step")
