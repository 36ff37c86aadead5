"""Which bands of a record hold anything to learn, and which rows were recorded."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

from overtone.errors import InputError
from overtone.records.schema import PER_STEP, STATIC

if TYPE_CHECKING:
    import xarray

NOTHING = 1e-10
"""A band with less than this share of the target's power outside the mean holds nothing to learn."""

ROUNDING = 1e-26
"""A band with less than this share of the whole power holds nothing but rounding: (100 eps)^2 in float64, roughly."""


def mean_bands(record: xarray.Dataset) -> xarray.DataArray:
    """Bool (band): the band that starts at frequency 0 and holds the mean."""
    return record.band_low == 0


def corner_bands(record: xarray.Dataset) -> xarray.DataArray:
    """Bool (band): bands beyond the radial Nyquist frequency, the largest in `attrs["nyquist"]`; none without it."""
    nyquist = record.attrs.get("nyquist")
    limit = np.inf if nyquist is None or np.size(nyquist) == 0 else float(np.max(nyquist))
    return record.band_low >= limit * (1 - 1e-9)


def has_content(record: xarray.Dataset) -> xarray.DataArray:
    """Bool, of the dimensions of `target_power`: bands that hold something to learn.

    A band counts if its target power exceeds 1e-10 of the channel's power outside the mean, and rounding (1e-26 of the
    channel's whole power).
    """
    power = record.target_power
    floor = NOTHING * power.where(~mean_bands(record), 0.0).sum("band")
    rounding = ROUNDING * power.sum("band")
    return power > np.maximum(floor, rounding)


def combine_channels(record: xarray.Dataset) -> xarray.Dataset:
    """The record with the powers of all channels added up and no `channel` dimension.

    Meaningful where channels share a unit. A band's power is NaN where that of any channel is.
    """
    if "channel" not in record.dims:
        return record
    powers = [
        name
        for name, variable in (STATIC | PER_STEP).items()
        if "channel" in variable.dims and name in record
    ]
    summed = {name: record[name].sum("channel", skipna=False, keep_attrs=True) for name in powers}
    return record.drop_vars([*powers, "channel"]).assign(summed)


def recorded(record: xarray.Dataset) -> xarray.DataArray:
    """Bool (step, ...): rows that were recorded, in contrast to those that `concat` filled with NaN."""
    axes = [d for d in ("band", "channel") if d in record.dims]
    return record.residual_power.notnull().any(axes) | record.loss.notnull() | record.time.notnull()


def one_run(record: xarray.Dataset, what: str) -> xarray.Dataset:
    """`record` with its channels combined, if it is of one run.

    Raises:
        InputError: If it holds several runs, or no row.
    """
    extra: list[Hashable] = [d for d in record.dims if d not in ("step", "band", "channel")]
    if extra:
        raise InputError("the record of one run", f"several along {extra[0]}", "select one with isel", what)
    if record.sizes["step"] == 0:
        raise InputError("a record with rows", "an empty one", "train first", what)
    return combine_channels(record)
