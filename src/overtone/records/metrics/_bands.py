"""Metrics per band: content, relative error, learning step, highest learned frequency, noise."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from overtone.errors import InputError
from overtone.records._schema import NOT_FINITE, OLD_NOT_FINITE, PER_STEP, STATIC

if TYPE_CHECKING:
    import xarray


NOTHING = 1e-10
"""A band with less than this share of the target's power outside the mean holds nothing to learn."""

ROUNDING = 1e-26
"""A band with less than this share of the whole power holds nothing but rounding: (100 eps)^2 in float64, roughly."""


def mean_bands(record: xarray.Dataset) -> xarray.DataArray:
    """Return which band starts at frequency 0 and holds the mean: bool (band)."""
    return record.band_low == 0


def corner_bands(record: xarray.Dataset) -> xarray.DataArray:
    """Return which bands lie beyond the radial Nyquist frequency, the largest in `attrs["nyquist"]`: bool (band)."""
    nyquist = record.attrs.get("nyquist")
    limit = np.inf if nyquist is None or np.size(nyquist) == 0 else float(np.max(nyquist))
    return record.band_low >= limit * (1 - 1e-9)


def has_content(record: xarray.Dataset) -> xarray.DataArray:
    """Return which bands hold something to learn: bool, of the dimensions of `target_power`.

    A band counts if its target power exceeds 1e-10 of the channel's power outside the mean, and rounding (1e-26 of the
    channel's whole power).
    """
    power = record.target_power
    # The mean is left out because a large offset would hide weak bands; it still leaks rounding into all of them.
    floor = NOTHING * power.where(~mean_bands(record), 0.0).sum("band")
    rounding = ROUNDING * power.sum("band")
    return power > np.maximum(floor, rounding)


def combine_channels(record: xarray.Dataset) -> xarray.Dataset:
    """Sum the powers of all channels; the result has no `channel` dimension.

    Meaningful where channels share a unit. A band's power is NaN where that of any channel is.

    Example:
        >>> from overtone.records import Header, metrics
        >>> header = Header([0, 1], [1, 2], ["red", "green"], {"target_power": [[0, 0], [1, 2]]})
        >>> record = header.record([0], {"residual_power": [[[0, 0], [1, 1]]]})
        >>> metrics.combine_channels(record).target_power.values.tolist()
        [0.0, 3.0]
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
    """Return which rows were recorded, in contrast to those that `concat` filled with NaN: bool (step, ...)."""
    axes = [d for d in ("band", "channel") if d in record.dims]
    return record.residual_power.notnull().any(axes) | record.loss.notnull() | record.time.notnull()


def one_run(record: xarray.Dataset, what: str) -> xarray.Dataset:
    """Return a record with its channels combined, if it is of one run.

    Raises:
        InputError: If it holds several runs, or no row.
    """
    extra: list[Hashable] = [d for d in record.dims if d not in ("step", "band", "channel")]
    if extra:
        raise InputError("the record of one run", f"several along {extra[0]}", "select one with isel", what)
    if record.sizes["step"] == 0:
        raise InputError("a record with rows", "an empty one", "record at least one step", what)
    return combine_channels(record)


def relative_error(record: xarray.Dataset) -> xarray.DataArray:
    """Return sqrt(residual power / target power) per step, band and channel: 1 for a prediction of zero, 0 if perfect.

    The usual quantity of the frequency-principle literature (Xu et al. 2020, "Frequency Principle: Fourier Analysis
    Sheds Light on Deep Neural Networks"). For all channels together pass `combine_channels(record)`.

    Args:
        record: From `load` or `concat`.

    Returns:
        (step, band, channel), dimensionless; NaN in bands with nothing to learn (see `has_content`).

    Example:
        >>> import numpy as np
        >>> from overtone.records import Header, metrics
        >>> header = Header([0, 1, 2], [1, 2, 4], ["grey"], {"target_power": [[0], [1], [1]]}, {"frequency_unit": "Hz"})
        >>> residual = np.exp(-np.outer([0, 10, 100], [1, 0.2, 0.02]))
        >>> record = header.record([0, 10, 100], {"residual_power": residual[..., None]})
        >>> metrics.relative_error(record).sel(step=100).values.ravel().round(2).tolist()
        [nan, 0.0, 0.37]
    """
    power = record.target_power.where(has_content(record))
    return ((record.residual_power / power) ** 0.5).rename("relative_error").assign_attrs(units="1")


def learned_fraction(record: xarray.Dataset) -> xarray.DataArray:
    """Return Re<prediction, target> / <target, target> per step, band and channel: 1 learned, above 1 overshoot.

    Args:
        record: From `load` or `concat`; channels are put together by `combine_channels`.

    Returns:
        (step, band, channel), dimensionless; NaN in bands with nothing to learn (see `has_content`).

    Example:
        >>> from overtone.records import Header, metrics
        >>> header = Header([0, 1], [1, 2], ["grey"], {"target_power": [[0], [1]]})
        >>> rows = {"residual_power": [[[0], [1]], [[0], [0.04]]], "cross_power": [[[0], [0]], [[0], [0.8]]]}
        >>> metrics.learned_fraction(header.record([0, 10], rows)).sel(step=10).values.ravel().tolist()
        [nan, 0.8]
    """
    power = record.target_power.where(has_content(record))
    return (record.cross_power / power).rename("learned_fraction").assign_attrs(units="1")


THRESHOLD = 0.5
"""Relative error below which a band counts as learned, unless said otherwise."""


def learning_step(record: xarray.Dataset, threshold: float = THRESHOLD) -> xarray.DataArray:
    """Return the first recorded step from which on a band's relative error stays below `threshold`.

    Args:
        record: From `load` or `concat`; channels are put together by `combine_channels`.
        threshold: Relative error, dimensionless.

    Returns:
        (band, channel), in steps; NaN where the band never was learned, was not learned at the end, or holds nothing.

    Example:
        >>> import numpy as np
        >>> from overtone.records import Header, metrics
        >>> header = Header([0, 1, 2], [1, 2, 4], ["grey"], {"target_power": [[0], [1], [1]]}, {"frequency_unit": "Hz"})
        >>> residual = np.exp(-np.outer([0, 10, 100], [1, 0.2, 0.02]))
        >>> record = header.record([0, 10, 100], {"residual_power": residual[..., None]})
        >>> metrics.learning_step(record).values.ravel().tolist()
        [nan, 10.0, 100.0]
    """
    steps = record.step.where(_from_here_on(record, threshold))
    return _minimum(steps).rename("learning_step").assign_attrs(units="steps")


def time_to_threshold(record: xarray.Dataset, threshold: float = THRESHOLD) -> xarray.DataArray:
    """Return the time at the learning step of each band.

    Args:
        record: From `load` or `concat`.
        threshold: Relative error, dimensionless.

    Returns:
        (band, channel), in seconds since the start of training; NaN where `learning_step` is.

    Example:
        >>> import numpy as np
        >>> from overtone.records import Header, metrics
        >>> header = Header([0, 1, 2], [1, 2, 4], ["grey"], {"target_power": [[0], [1], [1]]}, {"frequency_unit": "Hz"})
        >>> residual = np.exp(-np.outer([0, 10, 100], [1, 0.2, 0.02]))
        >>> record = header.record([0, 10, 100], {"residual_power": residual[..., None], "time": [0.0, 0.5, 5.0]})
        >>> metrics.time_to_threshold(record).values.ravel().tolist()
        [nan, 0.5, 5.0]
    """
    times = record.time.where(_from_here_on(record, threshold))
    return _minimum(times).rename("time_to_threshold").assign_attrs(units="s")


def stays(true: xarray.DataArray, rows: xarray.DataArray) -> xarray.DataArray:
    """Return at which recorded rows `true` holds, and at all later recorded rows too: bool (step, ...).

    Args:
        true: Bool (step, ...).
        rows: Bool (step, ...), which rows were recorded; the others are passed over.
    """
    # Read backwards, the product is 1 for as long as the condition has held up to the end.
    backwards = (true | ~rows).isel(step=slice(None, None, -1)).astype("int8")
    return backwards.cumprod("step").isel(step=slice(None, None, -1)).astype(bool) & true & rows


def _from_here_on(record: xarray.Dataset, threshold: float) -> xarray.DataArray:
    return stays(relative_error(record) < threshold, recorded(record))


def _minimum(values: xarray.DataArray) -> xarray.DataArray:
    if values.sizes["step"] == 0:
        return values.sum("step", min_count=1)
    return values.min("step")


LAST = -1
"""Stands for the last recorded step."""


def highest_learned(
    record: xarray.Dataset, step: int = LAST, threshold: float = THRESHOLD
) -> xarray.DataArray:
    """Return the upper edge of the last band before the first unlearned one: up to there everything is learned.

    Bands with nothing to learn are passed over. Channels are combined.

    Args:
        record: From `load` or `concat`.
        step: The recorded step at or before which to look; -1 for the last.
        threshold: Relative error below which a band is learned.

    Returns:
        A single number (one per run for joined records), in the record's frequency unit; 0 if not even the lowest band
        is learned, NaN if nothing was recorded by then.

    Example:
        >>> import numpy as np
        >>> from overtone.records import Header, metrics
        >>> header = Header([0, 1, 2], [1, 2, 4], ["grey"], {"target_power": [[0], [1], [1]]}, {"frequency_unit": "Hz"})
        >>> residual = np.exp(-np.outer([0, 10, 100], [1, 0.2, 0.02]))
        >>> record = header.record([0, 10, 100], {"residual_power": residual[..., None]})
        >>> float(metrics.highest_learned(record, step=10)), float(metrics.highest_learned(record))
        (2.0, 4.0)
    """
    learned, content = _learned(record, step, threshold)
    # Bands without content neither count as learned nor interrupt those that are.
    unbroken = (learned | ~content).astype("int8").cumprod("band").astype(bool)
    return _upper(record, learned & unbroken, step).rename("highest_learned")


def highest_learned_band(
    record: xarray.Dataset, step: int = LAST, threshold: float = THRESHOLD
) -> xarray.DataArray:
    """Return the upper edge of the highest learned band, whether or not all below it are learned.

    Arguments, unit and special values are those of `highest_learned`.
    """
    learned, _ = _learned(record, step, threshold)
    return _upper(record, learned, step).rename("highest_learned_band")


def _learned(
    record: xarray.Dataset, step: int, threshold: float
) -> tuple[xarray.DataArray, xarray.DataArray]:
    together = combine_channels(record)
    rows = _recorded_by(record, step)
    # The latest of these rows is the first one counted from the end, for each of the joined runs.
    latest = rows & (rows.astype("int64").isel(step=slice(None, None, -1)).cumsum("step") == 1)
    error = relative_error(together)
    return ((error < threshold) & latest).any("step"), has_content(together)


def _recorded_by(record: xarray.Dataset, step: int) -> xarray.DataArray:
    rows = recorded(record)
    return rows if step == LAST else rows & (record.step <= step)


def _upper(record: xarray.Dataset, chosen: xarray.DataArray, step: int) -> xarray.DataArray:
    edge = record.band_high.where(chosen).max("band").fillna(0.0)
    units = str(record.attrs.get("frequency_unit") or "")
    return edge.where(_recorded_by(record, step).any("step")).assign_attrs(units=units)


DOMINATED = 0.5
"""A band is noise if at least this share of its target power is."""

FITTED = 0.1
"""Learned fraction of the noise bands above which noise is being fitted."""


def noise_onset(record: xarray.Dataset) -> int | None:
    """Return the first recorded step from which on the network holds more than a tenth of the noise.

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

    Example:
        >>> from overtone.records import Header, metrics
        >>> powers = {"target_power": [[1], [1]], "noise_power": [[0], [0.9]]}
        >>> header = Header([0, 1], [1, 2], ["grey"], powers)
        >>> rows = {"residual_power": [[[1], [1]]] * 3, "cross_power": [[[0], [0]], [[1], [0]], [[1], [0.3]]]}
        >>> metrics.noise_onset(header.record([0, 10, 100], rows))
        100
    """
    rows = recorded(one_run(record, "noise_onset"))
    if str(record.attrs.get("noise_verdict") or "noise").lower() != "noise":
        return None
    noisy = (record.noise_power >= DOMINATED * record.target_power) & (record.target_power > 0)
    axes = list(noisy.dims)
    total = float(record.target_power.where(noisy).sum(axes))
    if not total > 0:
        return None
    # Sums are taken before the quotient: per band it would be dominated by bands of little power.
    fitted = record.cross_power.where(noisy, 0.0).sum(axes, skipna=False) / total
    steps = record.step.values[stays(fitted > FITTED, rows).values]
    return int(steps[0]) if steps.size else None


def spectral_bias_index(record: xarray.Dataset, cutoff: float | None = None) -> xarray.DataArray:
    """Return (E_high - E_low) / (E_high + E_low): 0 without bias, 1 if only low frequencies are learned, -1 if high.

    E_low and E_high are residual power over target power below and above the cutoff, without the mean; channels are
    combined. The power of the band that the cutoff divides is shared out as if it were spread evenly within the band.
    After Kiessling and Thor 2022, "A Computable Definition of the Spectral Bias" (AAAI), who divide the target's
    variance into equal halves.

    Args:
        record: From `load` or `concat`.
        cutoff: In the record's frequency unit; by default where the target's power without the mean is halved.

    Returns:
        (step), dimensionless; NaN where one side holds nothing or nothing is left to learn.

    Example:
        >>> import numpy as np
        >>> from overtone.records import Header, metrics
        >>> header = Header([0, 1, 2], [1, 2, 4], ["grey"], {"target_power": [[0], [1], [1]]}, {"frequency_unit": "Hz"})
        >>> residual = np.exp(-np.outer([0, 10, 100], [1, 0.2, 0.02]))
        >>> record = header.record([0, 10, 100], {"residual_power": residual[..., None]})
        >>> metrics.spectral_bias_index(record).values.round(2).tolist()
        [0.0, 0.72, 1.0]
    """
    together = combine_channels(record)
    target = together.target_power.where(~mean_bands(together), 0.0)
    if cutoff is None:
        below = target.cumsum("band") - target
        # The part of each band below the cutoff: 1 below it, 0 above it, a fraction in the band that it divides.
        share = (0.5 * target.sum("band") - below) / target.where(target > 0)
    else:
        share = (cutoff - together.band_low) / (together.band_high - together.band_low)
    low = share.clip(0.0, 1.0).fillna(0.0)
    residual = together.residual_power.where(~mean_bands(together), 0.0)
    e_low = _error(residual, target, low)
    e_high = _error(residual, target, 1.0 - low)
    return ((e_high - e_low) / (e_high + e_low)).rename("spectral_bias_index").assign_attrs(units="1")


def _error(
    residual: xarray.DataArray, target: xarray.DataArray, weight: xarray.DataArray
) -> xarray.DataArray:
    power = (weight * target).sum("band")
    return (weight * residual).sum("band", skipna=False) / power.where(power > 0)


@dataclass(frozen=True)
class UnmeasuredRows:
    """Rows at the end of a record that say nothing of the network.

    Attributes:
        after: The last recorded step whose row was measured.
        until: The last recorded step.
        error: Message of the error that prevented the last measurement.
    """

    after: int
    until: int
    error: str


def without_unmeasured(record: xarray.Dataset) -> tuple[xarray.Dataset, UnmeasuredRows | None]:
    """Return the record up to its last measured row, and which rows were left out.

    A row of NaN with an entry in the attribute `faults` says nothing of the network, which could not be evaluated,
    unless that entry says that its outputs were not finite. A row whose loss is infinite stays.

    Args:
        record: Of one run.

    Returns:
        The record itself and None if its last row was measured, or none was.
    """
    axes = [d for d in ("band", "channel") if d in record.dims]
    faults = record.attrs.get("faults")
    if (
        "step" not in record.dims
        or set(record.dims) - {"step", "band", "channel"}
        or not isinstance(faults, list)
    ):
        return record, None
    errors = {f.get("step"): str(f.get("why")) for f in faults if isinstance(f, dict) and not _not_finite(f)}
    empty = np.asarray(record.residual_power.isnull().all(axes)) & ~np.isinf(np.asarray(record.loss, float))
    failed = empty & np.array([int(step) in errors for step in record.step.values], dtype=bool)
    measured = np.flatnonzero(~failed)
    if not measured.size or measured[-1] == len(failed) - 1:
        return record, None
    until = record.isel(step=slice(0, int(measured[-1]) + 1))
    last = int(record.step[-1])
    return until, UnmeasuredRows(int(until.step[-1]), last, errors[last])


def _not_finite(fault: Mapping[str, Any]) -> bool:
    # Faults of older versions have no code; this one had a fixed text.
    return fault.get("code") == NOT_FINITE or ("code" not in fault and fault.get("why") == OLD_NOT_FINITE)
