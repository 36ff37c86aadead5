"""What a record says in numbers, gathered once for the sentences and the tiles of a report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from overtone.plots import bands
from overtone.records import derived

THRESHOLD = 0.5
_BLOWN_UP = 10.0


@dataclass(frozen=True)
class Findings:
    """The state of a run at its last recorded step, channels taken together.

    Attributes:
        step: The last recorded step.
        rows: How many rows there are.
        unit: Of frequencies.
        low: (B,) lower edges of the bands that hold something to learn, without the mean, in `unit`.
        high: (B,) their upper edges.
        error: (B,) their relative errors.
        share: (B,) their shares of the target's power outside the mean.
        explained: 1 - residual / target power outside the mean; NaN if unknown.
        reach: Frequency up to which everything is learned, in `unit`; 0 if nothing is.
        nyquist: In `unit`, or None.
        noise_from: Frequency above which noise exceeds signal, or None.
        onset: Step from which on noise is fitted, or None.
        stop: The best step and what it rests on.
        diverged: Whether the last errors or the last known loss are not finite, or the errors ten times those of the
            start.
        trend: Change since half the last step of the error that `stop` rests on (else of the training error, else of
            the residual): -0.2 is a fall by a fifth.
        since: The step `trend` refers to; `step` itself if there is none earlier.
        bandwidth: The largest of the network's bandwidths over the axes, in `unit`, or None.
        gap: Error on held-out samples over that on training samples, at the last step; NaN if either is unknown.
    """

    step: int
    rows: int
    unit: str
    low: np.ndarray
    high: np.ndarray
    error: np.ndarray
    share: np.ndarray
    explained: float
    reach: float
    nyquist: float | None
    noise_from: float | None
    onset: int | None
    stop: derived.Stop
    diverged: bool
    trend: float
    since: int
    bandwidth: float | None
    gap: float

    @property
    def learned(self) -> np.ndarray:
        """(B,) whether the relative error is below one half."""
        return self.error < THRESHOLD


def gather(record: xr.Dataset) -> Findings:
    """Compute the findings.

    Args:
        record: Of one run, with at least one row.

    Raises:
        InputError: If it holds several runs or no row.
    """
    bands.require_rows(record, "report")
    together = derived.combine_channels(record)
    told = np.asarray(derived.has_content(together) & ~derived.mean_bands(together))
    target = np.asarray(together.target_power, float)[told]
    residual = np.asarray(together.residual_power.isel(step=-1), float)[told]
    whole = float(target.sum())
    stop = derived.stop(record)
    trend, since = _trend(together, stop.evidence)
    return Findings(
        step=int(record.step[-1]),
        rows=record.sizes["step"],
        unit=bands.unit(record),
        low=np.asarray(record.band_low, float)[told],
        high=np.asarray(record.band_high, float)[told],
        error=np.asarray(derived.relative_error(together).isel(step=-1), float)[told],
        share=target / whole if whole > 0 else np.zeros_like(target),
        explained=1 - float(residual.sum()) / whole if whole > 0 else float("nan"),
        reach=float(derived.highest_learned(record)),
        nyquist=bands.nyquist(record),
        noise_from=bands.noise_crossing(record),
        onset=derived.noise_onset(record),
        stop=stop,
        diverged=_diverged(together),
        trend=trend,
        since=since,
        bandwidth=_bandwidth(record),
        gap=_gap(together),
    )


def _diverged(together: xr.Dataset) -> bool:
    residual = np.asarray(together.residual_power.sum("band", skipna=False), float)
    loss = np.asarray(together.loss, float)
    known = loss[~np.isnan(loss)]
    if not np.isfinite(residual[-1]) or (known.size and np.isinf(known[-1])):
        return True
    scale = max(float(residual[0]), float(together.target_power.sum()))
    return bool(residual[-1] > _BLOWN_UP * scale)


def _bandwidth(record: xr.Dataset) -> float | None:
    reach = record.attrs.get("bandwidth")
    if reach is None or bands.bandwidth_unit(record) != bands.unit(record):
        return None
    return float(np.max(np.asarray(reach, float)))


def _gap(together: xr.Dataset) -> float:
    trained, held_out = float(together.train_error[-1]), float(together.held_out_error[-1])
    return held_out / trained if trained > 0 else float("nan")


def _trend(together: xr.Dataset, evidence: derived.Evidence) -> tuple[float, int]:
    name = "train_error" if evidence is derived.Evidence.NONE else evidence.value
    error = np.asarray(together[name], float)
    if not np.isfinite(error).all():
        error = np.asarray(together.residual_power.sum("band", skipna=False), float)
    steps = together.step.values
    half = int(np.searchsorted(steps, steps[-1] / 2, side="right")) - 1
    if half < 0 or half == steps.size - 1 or not error[half] > 0:
        return float("nan"), int(steps[-1])
    return float(error[-1] / error[half]) - 1, int(steps[half])
