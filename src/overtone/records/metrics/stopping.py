"""The step at which to stop."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from overtone._utils.text import higher
from overtone.records.metrics.content import one_run

if TYPE_CHECKING:
    import xarray

SMOOTHING = 0.25
"""Width of the smoothing kernel in ln(1 + step): held-out errors are averaged over steps some 25 % apart."""


class Evidence(Enum):
    """What a stop rests on: the variable of the record whose least value decides."""

    CLEAN = "clean_error"
    HELD_OUT = "held_out_error"
    NONE = "none"


@dataclass(frozen=True)
class Stop:
    """The recorded step at which the expected error on clean data is least.

    Attributes:
        step: The step.
        reason: One sentence for people.
        evidence: What decided.
        error: Mean square error that decided, at `step` (smoothed for held-out errors), in squared value units; NaN
            without evidence.
        last_error: The same at the last recorded step.
    """

    step: int
    reason: str
    evidence: Evidence
    error: float
    last_error: float


def stop(record: xarray.Dataset) -> Stop:
    """Where training should have stopped, by the best evidence that the record holds.

    That is the least `clean_error` if it is known, else the least smoothed `held_out_error`, else the last step.
    Held-out errors are smoothed first: a Gaussian kernel of width 0.25 in ln(1 + step) averages their logarithms, so
    that one lucky row does not decide. Rows whose error is not finite are left out.

    Args:
        record: Of one run, with at least one row.

    Returns:
        The stop and what it rests on.

    Raises:
        InputError: If the record holds several runs or no row.
    """
    run = one_run(record, "stop")
    steps = run.step.values
    for evidence, name in ((Evidence.CLEAN, "error on clean data"), (Evidence.HELD_OUT, "held-out error")):
        error = run[evidence.value].values
        known = np.isfinite(error)
        if not known.any():
            continue
        at, curve = steps[known], error[known]
        if evidence is Evidence.HELD_OUT:
            curve = smooth(at, curve)
        best = int(np.argmin(curve))
        reason = _reason(name, at, curve, best)
        return Stop(int(at[best]), reason, evidence, float(curve[best]), float(curve[-1]))
    reason = f"neither held-out samples nor a clean reference: the last step, {steps[-1]}"
    return Stop(int(steps[-1]), reason, Evidence.NONE, np.nan, np.nan)


def smooth(steps: NDArray[np.int64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Geometric kernel average of positive errors over ln(1 + step); monotone curves stay monotone.

    Args:
        steps: (S,) ascending.
        error: (S,) mean square errors; zeros count as the least positive float.
    """
    x, y = np.log1p(steps.astype(float)), np.log(np.maximum(error, np.finfo(float).tiny))
    starts = np.searchsorted(x, x - 4 * SMOOTHING)
    ends = np.searchsorted(x, x + 4 * SMOOTHING, side="right")
    smoothed = np.empty_like(y)
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        weights = np.exp(-0.5 * ((x[start:end] - x[i]) / SMOOTHING) ** 2)
        smoothed[i] = weights @ y[start:end] / weights.sum()
    return np.exp(smoothed)


def _reason(name: str, steps: NDArray[np.int64], curve: NDArray[np.float64], best: int) -> str:
    if len(steps) == 1:
        return f"the {name} is known at step {steps[best]} alone"
    if best == len(steps) - 1:
        return f"the {name} still falls at the last step, {steps[best]}; more steps may help"
    rise = higher(float(curve[-1] / curve[best]) if curve[best] > 0 else np.inf)
    return f"the {name} is least at step {steps[best]} and {rise} at the last step, {steps[-1]}"
