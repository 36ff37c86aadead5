"""Figures of a record, computed once for the sentences and the tiles of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from overtone.plots import _bands as bands
from overtone.records import metrics
from overtone.records.metrics._bands import has_content, mean_bands
from overtone.records.metrics._errors import Evidence, Stop, smooth

Answer = str | Sequence[str]
"""A text, or sentences that stand as a list."""

THRESHOLD = 0.5
STILL_FALLING = -0.05
"""Trend below which an error counts as still falling."""

TOO_FREE = 4.0
"""Error on held-out samples over that on training samples above which a network is too free for its samples."""

_BLOWN_UP = 10.0


@dataclass(frozen=True)
class Findings:
    """State of the network that a run handed back, channels combined, and the course of its training.

    Attributes:
        step: The step of that network: the one put back, else the last one recorded.
        last: The last recorded step.
        rows: How many rows there are.
        unit: Of frequencies.
        low: (B,) lower edges of the bands that hold something to learn, without the mean, in `unit`.
        high: (B,) their upper edges.
        error: (B,) their relative errors.
        share: (B,) their shares of the target's power outside the mean.
        mean_error: Relative error of the band that holds the mean; NaN if there is none, or nothing in it.
        lost: (B,) whether a band was learned at an earlier row and is not at `step`.
        highest_learned: Frequency up to which every band is learned, in `unit`; 0 if only the mean is, or nothing.
        max_highest_learned: Maximum of that frequency over the rows up to `step`.
        step_of_max: Step of that maximum.
        nyquist: In `unit`, or None.
        noise_from: Frequency above which noise exceeds signal, or None.
        onset: Step from which on noise is fitted, or None.
        stop: The best step and what it rests on.
        diverged: Whether the last errors or the last known loss are not finite, or the errors ten times those of the
            start.
        trend: Change since half the last step of the error that `stop` rests on (else of the training error, else of
            the residual): -0.2 is a fall by a fifth.
        since: The step `trend` refers to; `last` itself if there is none earlier.
        rising: Of a restored network, the error on held-out samples at the last row over that at `step`,
            smoothed as the rule for stopping smooths it; NaN if unknown.
        is_minimum: Whether that error has its minimum at `step`.
        bandwidth: The largest of the network's bandwidths over the axes, in `unit`, or None.
        gap: Error on held-out samples over that on training samples, at `step`; NaN if either is unknown.
        carried: Share of the variance of held-out samples that is explained at `step`, roughly: the variance is that of
            all samples; NaN if unknown.
        averaged: Whether that network has averaged weights; the rows are those of the weights themselves.
    """

    step: int
    last: int
    rows: int
    unit: str
    low: np.ndarray
    high: np.ndarray
    error: np.ndarray
    share: np.ndarray
    mean_error: float
    lost: np.ndarray
    highest_learned: float
    max_highest_learned: float
    step_of_max: int
    nyquist: float | None
    noise_from: float | None
    onset: int | None
    stop: Stop
    diverged: bool
    trend: float
    since: int
    rising: float
    is_minimum: bool
    bandwidth: float | None
    gap: float
    carried: float
    averaged: bool

    @property
    def learned(self) -> np.ndarray:
        """Whether the relative error is below one half: (B,) bool."""
        return self.error < THRESHOLD

    @property
    def learned_share(self) -> float:
        """Share of the target's power outside the mean that lies in learned bands."""
        if self.learned.all():
            return 1.0 if self.learned.size else 0.0
        return float(self.share[self.learned].sum())

    @property
    def missed_share(self) -> float:
        """Share of the target's power outside the mean that lies in the other bands."""
        return 1.0 if self.learned.size and not self.learned.any() else float(self.share[~self.learned].sum())


def gather(record: xr.Dataset) -> Findings:
    """Compute the findings of a record.

    Args:
        record: Of one run, with at least one row.

    Raises:
        InputError: If it holds several runs or no row.
    """
    bands.require_rows(record, "report")
    stop = metrics.stop(record)
    together = metrics.combine_channels(record)
    until = metrics.until_network(together)
    mean = np.asarray(mean_bands(together))
    content = np.asarray(has_content(together))
    chosen = content & ~mean
    target = np.asarray(together.target_power, float)[chosen]
    whole = float(target.sum())
    errors = np.asarray(metrics.relative_error(until).transpose("step", "band"), float)
    error = errors[-1, chosen]
    highest = _highest_learned(errors, content, np.asarray(record.band_high, float), mean)
    trend, since = _trend(together, stop.evidence)
    rising, is_minimum = _rising(together, int(until.step[-1]))
    return Findings(
        step=int(until.step[-1]),
        last=int(record.step[-1]),
        rows=record.sizes["step"],
        unit=bands.unit(record),
        low=np.asarray(record.band_low, float)[chosen],
        high=np.asarray(record.band_high, float)[chosen],
        error=error,
        share=target / whole if whole > 0 else np.zeros_like(target),
        mean_error=float(errors[-1, mean & content][0]) if (mean & content).any() else float("nan"),
        lost=(errors[:-1, chosen] < THRESHOLD).any(0) & ~(error < THRESHOLD),
        highest_learned=float(highest[-1]),
        max_highest_learned=float(highest.max()),
        step_of_max=int(until.step[int(highest.argmax())]),
        nyquist=bands.radial_nyquist(record),
        noise_from=bands.noise_crossing(record),
        onset=metrics.noise_onset(record),
        stop=stop,
        diverged=_diverged(together),
        trend=trend,
        since=since,
        rising=rising,
        is_minimum=is_minimum,
        bandwidth=_bandwidth(record),
        gap=_gap(until),
        carried=_carried(until, whole, record.sizes["channel"]),
        averaged=record.attrs.get("averaged") is True,
    )


def _highest_learned(
    errors: np.ndarray, content: np.ndarray, high: np.ndarray, mean: np.ndarray
) -> np.ndarray:
    """Return the upper edge of the last band before the first unlearned one, (step,); 0 for the mean's or none."""
    unbroken = np.cumprod((errors < THRESHOLD) | ~content, axis=1).astype(bool)
    return np.asarray(np.where(unbroken & content & ~mean, high, 0.0).max(axis=1, initial=0.0))


def _diverged(together: xr.Dataset) -> bool:
    residual = np.asarray(together.residual_power.sum("band", skipna=False), float)
    loss = np.asarray(together.loss, float)
    known = loss[~np.isnan(loss)]
    # NaN stands for an unknown loss, infinity for one that was not a number.
    if not np.isfinite(residual[-1]) or (known.size and np.isinf(known[-1])):
        return True
    scale = max(float(residual[0]), float(together.target_power.sum()))
    return bool(residual[-1] > _BLOWN_UP * scale)


def _bandwidth(record: xr.Dataset) -> float | None:
    bandwidth = record.attrs.get("bandwidth")
    # Bandwidths in units of table columns cannot be compared with the frequencies of bands.
    if bandwidth is None or bands.bandwidth_unit(record) != bands.unit(record):
        return None
    return float(np.max(np.asarray(bandwidth, float)))


def _gap(until: xr.Dataset) -> float:
    trained, held_out = float(until.train_error[-1]), float(until.held_out_error[-1])
    return held_out / trained if trained > 0 else float("nan")


def _carried(until: xr.Dataset, whole: float, channels: int) -> float:
    return 1 - float(until.held_out_error[-1]) * channels / whole if whole > 0 else float("nan")


def _rising(together: xr.Dataset, step: int) -> tuple[float, bool]:
    """Return `Findings.rising` and `Findings.is_minimum`."""
    error = np.asarray(together.held_out_error, float)
    known = np.isfinite(error)
    steps = together.step.values[known]
    if step not in steps or step == together.step.values[-1]:
        return float("nan"), False
    # The stopping rule compares smoothed errors; unsmoothed ones could contradict it here.
    curve = smooth(steps, error[known])
    there = float(curve[int(np.flatnonzero(steps == step)[0])])
    return float(curve[-1]) / there if there > 0 else float("nan"), there <= float(curve.min())


def _trend(together: xr.Dataset, evidence: Evidence) -> tuple[float, int]:
    name = "train_error" if evidence is Evidence.NONE else evidence.value
    error = np.asarray(together[name], float)
    if not np.isfinite(error).all():
        error = np.asarray(together.residual_power.sum("band", skipna=False), float)
    steps = together.step.values
    # Rows are spaced logarithmically by default: half the last step is a few rows back in runs of any length.
    half = int(np.searchsorted(steps, steps[-1] / 2, side="right")) - 1
    if half < 0 or half == steps.size - 1 or not error[half] > 0:
        return float("nan"), int(steps[-1])
    return float(error[-1] / error[half]) - 1, int(steps[half])
