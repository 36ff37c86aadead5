"""Metrics over all frequencies: PSNR, the best step and the network that a run handed back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from overtone.errors import InputError
from overtone.records._attributes import peak
from overtone.records._attributes import peak as peak_of
from overtone.records.metrics._bands import one_run

if TYPE_CHECKING:
    import xarray


Errors = TypeVar("Errors", float, NDArray[np.float64])

_ERRORS = {"train": "train_error", "held_out": "held_out_error", "held_out_clean": "clean_error"}


def psnr(record: xarray.Dataset) -> xarray.Dataset:
    """Return 10 log10(peak^2 / mean square error), with the record's attribute `peak`.

    Args:
        record: From `load` or `concat`.

    Returns:
        `train`, `held_out` and `held_out_clean` (step), in dB; infinite for a perfect prediction, NaN where unknown.

    Raises:
        InputError: If the record has no positive `peak`.

    Example:
        >>> from overtone.records import Header, metrics
        >>> header = Header([0, 1], [1, 2], ["grey"], {"target_power": [[0], [1]]}, {"peak": 1.0})
        >>> errors = {"train_error": [0.1, 0.01, 0.001], "held_out_error": [0.1, 0.02, 0.03], "time": [0, 5, 50]}
        >>> record = header.record([0, 10, 100], {"residual_power": [[[0], [1]]] * 3} | errors)
        >>> metrics.psnr(record).train.values.round(1).tolist()
        [10.0, 20.0, 30.0]
    """
    import xarray

    peak = peak_of(record.attrs)
    if not peak:
        got = f"peak {record.attrs.get('peak')!r}"
        raise InputError(
            "a record with a positive peak", got[:80], "annotate the record with its peak", "psnr"
        )
    with np.errstate(divide="ignore"):
        # Logarithms are subtracted because peak^2 may overflow where the quotient does not.
        values = {
            name: (2 * np.log10(peak) - np.log10(record[error])) * 10 for name, error in _ERRORS.items()
        }
    return xarray.Dataset({name: value.assign_attrs(units="dB") for name, value in values.items()})


SMOOTHING = 0.25
"""Width of the smoothing kernel in ln(1 + step): held-out errors are averaged over steps some 25 % apart."""


class Evidence(Enum):
    """Error that decides on the best step; the value is its variable in the record."""

    CLEAN = "clean_error"
    HELD_OUT = "held_out_error"
    NONE = "none"


@dataclass(frozen=True)
class Stop:
    """Recorded step at which the expected error on clean data is lowest.

    Attributes:
        step: The step.
        evidence: What decided.
        error: Mean square error that decided, at `step` (smoothed for held-out errors), in squared value units; NaN
            without evidence.
        last_error: The same at `last_step`.
        last_step: The last recorded step with such an error; without evidence the last one at all.
        rows: Number of recorded steps with such an error; 0 without evidence.
    """

    step: int
    evidence: Evidence
    error: float
    last_error: float
    last_step: int
    rows: int


def stop(record: xarray.Dataset) -> Stop:
    """Return the best step to stop at, by the best evidence in the record.

    That is the least `clean_error` if it is known, else the least smoothed `held_out_error`, else the last step.
    Held-out errors are smoothed first: a Gaussian kernel of width 0.25 in ln(1 + step) averages their logarithms, so
    that one lucky row does not decide. Where the run was stopped with the noise's variance (attribute
    `stopping_noise`), `noise_aware_error` takes the place of the held-out error in the choice of the step. Rows whose
    error is not finite are left out.

    Args:
        record: Of one run, with at least one row.

    Returns:
        The stop and what it rests on.

    Raises:
        InputError: If the record holds several runs or no row.

    Example:
        >>> from overtone.records import Header, metrics
        >>> header = Header([0, 1], [1, 2], ["grey"], {"target_power": [[0], [1]]}, {"peak": 1.0})
        >>> errors = {"train_error": [0.1, 0.01, 0.001], "held_out_error": [0.1, 0.02, 0.03], "time": [0, 5, 50]}
        >>> record = header.record([0, 10, 100], {"residual_power": [[[0], [1]]] * 3} | errors)
        >>> stop = metrics.stop(record)
        >>> stop.step, stop.evidence.value
        (10, 'held_out_error')
    """
    run = one_run(record, "stop")
    steps = run.step.values
    for evidence in (Evidence.CLEAN, Evidence.HELD_OUT):
        error = run[evidence.value].values
        known = np.isfinite(error)
        if not known.any():
            continue
        at, curve = steps[known], error[known]
        best = int(np.argmin(curve))
        # Held-out samples are few and noisy, so that a lucky row could decide; the clean error is exact.
        if evidence is Evidence.HELD_OUT:
            noise = float(run.attrs.get("stopping_noise") or 0.0)
            deciding = noise_aware_error(curve, run.train_error.values[known], noise) if noise else curve
            curve = smooth(at, curve)
            best = int(np.argmin(smooth(at, deciding)))
        return Stop(
            int(at[best]), evidence, float(curve[best]), float(curve[-1]), int(at[-1]), int(known.sum())
        )
    return Stop(int(steps[-1]), Evidence.NONE, np.nan, np.nan, int(steps[-1]), 0)


def noise_aware_error(held_out: Errors, train: Errors, noise: float) -> Errors:
    """Return held-out error + |training error - noise| / 2, the quantity of `early_stopping.HeldOutAndNoise`.

    Args:
        held_out: Mean square error on held-out samples, in squared value units.
        train: Mean square error on training samples.
        noise: Variance of the noise, in squared value units.
    """
    return held_out + abs(train - noise) / 2


def smooth(steps: NDArray[np.int64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth positive errors by a geometric kernel average over ln(1 + step); monotone curves stay monotone.

    Args:
        steps: (S,) ascending.
        error: (S,) mean square errors; zeros count as the least positive float.
    """
    x, y = np.log1p(steps.astype(float)), np.log(np.maximum(error, np.finfo(float).tiny))
    # Beyond four widths weights are below 4e-4; leaving them out makes the cost linear in the rows.
    starts = np.searchsorted(x, x - 4 * SMOOTHING)
    ends = np.searchsorted(x, x + 4 * SMOOTHING, side="right")
    smoothed = np.empty_like(y)
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        weights = np.exp(-0.5 * ((x[start:end] - x[i]) / SMOOTHING) ** 2)
        smoothed[i] = weights @ y[start:end] / weights.sum()
    return np.exp(smoothed)


SAMPLES = ("train", "held_out", "held_out_clean")
"""Names of the quality levels."""

PROBABILITY = "probability"
"""Unit of the values of a record whose targets are labels."""


@dataclass(frozen=True)
class Level:
    """PSNR of a run's network on some of the samples.

    Attributes:
        name: "train", "held_out" or "held_out_clean", which is against the clean reference.
        psnr: Peak signal-to-noise ratio in dB; infinite for a perfect prediction.
        whole: Whether it was taken over all such samples; else over those that rows are measured on.
        at_held_out: Whether it was taken at held-out samples alone.
    """

    name: str
    psnr: float
    whole: bool
    at_held_out: bool


def network_step(record: xarray.Dataset) -> int:
    """Return the step of the network that the run handed back: the restored one, else the last one recorded.

    Args:
        record: Of one run, with at least one row. What a run noted when it ended counts as long as no row has been
            added since.

    Example:
        >>> from overtone.records import Header, metrics
        >>> header = Header([0, 1], [1, 2], ["grey"], {"target_power": [[0], [1]]}, {"peak": 1.0})
        >>> errors = {"train_error": [0.1, 0.01, 0.001], "held_out_error": [0.1, 0.02, 0.03], "time": [0, 5, 50]}
        >>> record = header.record([0, 10, 100], {"residual_power": [[[0], [1]]] * 3} | errors)
        >>> metrics.network_step(record), metrics.network_step(record.assign_attrs(kept=10, steps=100))
        (100, 10)
    """
    restored = record.attrs.get("kept")
    steps = record.step.values
    # Rows added after the run's end belong to a resumed run, of which the note says nothing.
    known = (
        _ended(record) and isinstance(restored, int) and not isinstance(restored, bool) and restored in steps
    )
    return int(restored) if known and restored is not None else int(steps[-1])


def until_network(record: xarray.Dataset) -> xarray.Dataset:
    """Return the record up to the network that was handed back: its last row is that network's.

    Example:
        >>> from overtone.records import Header, metrics
        >>> header = Header([0, 1], [1, 2], ["grey"], {"target_power": [[0], [1]]}, {"peak": 1.0})
        >>> errors = {"train_error": [0.1, 0.01, 0.001], "held_out_error": [0.1, 0.02, 0.03], "time": [0, 5, 50]}
        >>> record = header.record([0, 10, 100], {"residual_power": [[[0], [1]]] * 3} | errors)
        >>> metrics.until_network(record.assign_attrs(kept=10, steps=100)).step.values.tolist()
        [0, 10]
    """
    return record.sel(step=slice(None, network_step(record)))


def levels(record: xarray.Dataset) -> list[Level]:
    """Return the PSNR of the network that was handed back, in the order of `SAMPLES`, without unknown ones.

    Over all samples where the run noted that when it ended, else by the network's row. None without a positive `peak`,
    and of labels, which have none (`has_psnr`).

    Args:
        record: Of one run, with at least one row.

    Example:
        >>> from overtone.records import Header, metrics
        >>> header = Header([0, 1], [1, 2], ["grey"], {"target_power": [[0], [1]]}, {"peak": 1.0})
        >>> errors = {"train_error": [0.1, 0.01, 0.001], "held_out_error": [0.1, 0.02, 0.03], "time": [0, 5, 50]}
        >>> record = header.record([0, 10, 100], {"residual_power": [[[0], [1]]] * 3} | errors)
        >>> [(level.name, round(level.psnr, 1)) for level in metrics.levels(record)]
        [('train', 30.0), ('held_out', 15.2)]
    """
    if not has_psnr(record):
        return []
    largest = peak(record.attrs)
    noted = record.attrs.get("final_errors") if _ended(record) else None
    if isinstance(noted, dict):
        errors = {name: float(noted[name]) for name in SAMPLES if _is_error(noted.get(name))}
        known = {name: _decibels(largest, error) for name, error in errors.items()}
    else:
        row = psnr(until_network(record)).isel(step=-1)
        known = {name: value for name in SAMPLES if not math.isnan(value := float(row[name]))}
    whole = isinstance(noted, dict)
    # What a run notes when it ends compares with the clean reference where samples were held out; its rows compare
    # with it at every sample.
    at_held_out = {"held_out"} | ({"held_out_clean"} if whole and "held_out" in known else set())
    return [Level(name, value, whole, name in at_held_out) for name, value in known.items()]


def has_psnr(record: xarray.Dataset) -> bool:
    """Return whether a PSNR is defined: a positive `peak` is known, and the values are not class probabilities."""
    return peak(record.attrs) > 0 and record.attrs.get("value_unit") != PROBABILITY


def training_seconds(record: xarray.Dataset) -> float:
    """Return the wall-clock seconds of the training, with its evaluations; NaN if unknown.

    Args:
        record: Of one run, with at least one row.

    Example:
        >>> from overtone.records import Header, metrics
        >>> header = Header([0, 1], [1, 2], ["grey"], {"target_power": [[0], [1]]}, {"peak": 1.0})
        >>> errors = {"train_error": [0.1, 0.01, 0.001], "held_out_error": [0.1, 0.02, 0.03], "time": [0, 5, 50]}
        >>> record = header.record([0, 10, 100], {"residual_power": [[[0], [1]]] * 3} | errors)
        >>> metrics.training_seconds(record)
        50.0
    """
    noted = record.attrs.get("seconds") if _ended(record) else None
    return float(noted) if isinstance(noted, int | float) and _is_error(noted) else float(record.time[-1])


def _ended(record: xarray.Dataset) -> bool:
    """Return whether the notes of the run's end are current: no row was added since."""
    steps = record.attrs.get("steps")
    return steps is None or bool(steps == record.step.values[-1])


def _is_error(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _decibels(peak: float, error: float) -> float:
    return 10 * float(np.log10(peak) * 2 - np.log10(error)) if error > 0 else math.inf
