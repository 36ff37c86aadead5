"""Facts about a prediction: its method, limits and cost. `_wording` converts them to sentences."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from overtone.records import metrics
from overtone.records.metrics._bands import has_content
from overtone.theory.dynamics._stability import EDGE, RECOVERS, Stability

if TYPE_CHECKING:
    import xarray

SHARE = 0.05
"""Largest pilot, as a share of the predicted steps, for which accuracy is stated."""

VISIBLE = 1e-9
"""Relative size of negative eigenvalues above which they are reported."""


class Continuation(enum.Enum):
    """Method used after the pilot; the value is stored in the record's `continued`.

    Attributes:
        KERNEL: The initial network's kernel, without a pilot.
        RELINEARISED: Relinearisation, then growth of the kernel.
        WINDOW: Growth only. Samples outside a window change the features too, so that relinearisation along the
            window's gradient would diverge from the training.
    """

    KERNEL = "kernel"
    RELINEARISED = "leaps"
    WINDOW = "growth, for a window"

    @staticmethod
    def of(pilot: int, window: bool) -> Continuation:
        """Return the method for a number of pilot steps, on a window of the signal or all of it."""
        if not pilot:
            return Continuation.KERNEL
        return Continuation.WINDOW if window else Continuation.RELINEARISED


class FindingCode(enum.Enum):
    """Kind of a finding; each line lists the names of its values.

    Attributes:
        RATE_ABOVE_LIMIT: `rate`, `largest`: unstable by the kernel, but the pilot did not diverge.
        PILOT_DIVERGED: `rate`, `largest`, `step`.
        DIVERGENCE_PREDICTED: `rate`, `largest`, `step`, `may_recover`: by the initial kernel, without a pilot.
        BANDS_UNDETERMINED: `count`, `low`, `unit`: bands without a predicted learning step.
        BANDS_NOT_LEARNED: `count`, `low`, `unit`, `steps`: bands that are not learned within four times the steps, even
            if the kernel continues to grow.
        BANDS_LATER: `count`, `low`, `unit`, `steps`, `first`, `last`: bands predicted to be learned after the last
            step, between `first` and `last`.
        WINDOW: `start`, `shape`, `whole`: first sample and shape of the window, shape of the signal.
        NO_PILOT: No values.
        LONG_PILOT: `pilot`, `steps`: accuracy is stated for shorter pilots.
        RELINEARISED: `until`, `steps`.
        COST_LIMIT: `until`, `max_cost`: relinearisation ended at step `until` because of the limit on cost.
        WINDOW_NOT_RELINEARISED: No values.
        MINIBATCH_SCATTER: `error`: largest relative error of a band by minibatches.
        NEGATIVE_EIGENVALUES: `share`: size relative to the largest eigenvalue.
        TRAINING_CHEAPER: `predicting`, `training`: seconds.
    """

    RATE_ABOVE_LIMIT = "rate above limit"
    PILOT_DIVERGED = "pilot diverged"
    DIVERGENCE_PREDICTED = "divergence predicted"
    BANDS_UNDETERMINED = "bands undetermined"
    BANDS_NOT_LEARNED = "bands not learned"
    BANDS_LATER = "bands learned later"
    WINDOW = "window"
    NO_PILOT = "no pilot"
    LONG_PILOT = "long pilot"
    RELINEARISED = "relinearised"
    COST_LIMIT = "cost limit"
    WINDOW_NOT_RELINEARISED = "window not relinearised"
    MINIBATCH_SCATTER = "minibatch scatter"
    NEGATIVE_EIGENVALUES = "negative eigenvalues"
    TRAINING_CHEAPER = "training cheaper"


@final
@dataclass(frozen=True)
class Finding:
    """One fact about a prediction.

    Attributes:
        code: Kind of the finding.
        values: Numbers and texts by name, as listed in `FindingCode`.
    """

    code: FindingCode
    values: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the finding as an entry of a record's attribute `findings`."""
        return {"code": self.code.value, **self.values}


def stability_findings(stability: Stability) -> list[Finding]:
    """Return the finding on the learning rate, if there is one.

    Args:
        stability: Stability of the training.
    """
    rates = {"rate": stability.rate, "largest": stability.largest}
    if stability.diverges_at is None:
        above = stability.rate > EDGE * stability.largest
        return [Finding(FindingCode.RATE_ABOVE_LIMIT, rates)] if above else []
    values: dict[str, Any] = rates | {"step": stability.diverges_at}
    if stability.measured:
        return [Finding(FindingCode.PILOT_DIVERGED, values)]
    may_recover = stability.rate <= RECOVERS * stability.largest
    return [Finding(FindingCode.DIVERGENCE_PREDICTED, values | {"may_recover": may_recover})]


def band_findings(
    record: xarray.Dataset,
    undetermined: NDArray[np.bool_],
    earliest: NDArray[np.float64],
    latest: NDArray[np.float64],
    steps: int,
) -> list[Finding]:
    """Return the findings on bands that are learned late or never, or are undetermined.

    Args:
        record: The predicted record.
        undetermined: (band,) bands without a predicted learning step.
        earliest: (band,) earliest learning steps; NaN if beyond four times the steps.
        latest: (band,) latest learning steps, likewise.
        steps: Last step predicted.
    """
    together = metrics.combine_channels(record)
    content = has_content(together).values
    learned = np.isfinite(metrics.learning_step(together).values)
    low, unit = record.band_low.values, record.attrs["frequency_unit"]
    findings = []
    late = content & ~learned & ~undetermined
    if undetermined.any():
        lowest = float(low[undetermined].min())
        above = low >= lowest
        # Unlearned bands above the first undetermined one are counted with it: features that still change may learn
        # them too.
        count = int((undetermined | (late & above)).sum())
        findings.append(
            Finding(FindingCode.BANDS_UNDETERMINED, {"count": count, "low": lowest, "unit": unit})
        )
        late &= ~above
    # Predicted learning steps err by up to a factor of two: a step beyond the last one excludes nothing.
    never, later = late & ~np.isfinite(earliest), late & np.isfinite(earliest)
    for code, bands in ((FindingCode.BANDS_LATER, later), (FindingCode.BANDS_NOT_LEARNED, never)):
        if bands.any():
            values = {"count": int(bands.sum()), "low": float(low[bands].min()), "unit": unit, "steps": steps}
            if code is FindingCode.BANDS_LATER:
                ends = np.concatenate([earliest[bands], latest[bands][np.isfinite(latest[bands])]])
                values |= {"first": int(ends.min()), "last": int(ends.max())}
            findings.append(Finding(code, values))
    return findings


def method_findings(
    pilot: int, until: int, steps: int, continuation: Continuation, max_cost: float | None = None
) -> list[Finding]:
    """Return the findings on the method of a prediction.

    Args:
        pilot: Steps of the pilot.
        until: Step up to which the network was relinearised.
        steps: Last step predicted.
        continuation: Method used after the pilot.
        max_cost: The limit on cost that ended relinearisation, as a share of the training's; None if it did not.
    """
    findings = []
    if pilot == 0:
        findings.append(Finding(FindingCode.NO_PILOT))
    elif pilot > SHARE * steps:
        findings.append(Finding(FindingCode.LONG_PILOT, {"pilot": pilot, "steps": steps}))
    if max_cost is not None:
        findings.append(Finding(FindingCode.COST_LIMIT, {"until": until, "max_cost": max_cost}))
    elif until > pilot:
        findings.append(Finding(FindingCode.RELINEARISED, {"until": until, "steps": steps}))
    if continuation is Continuation.WINDOW:
        findings.append(Finding(FindingCode.WINDOW_NOT_RELINEARISED))
    return findings
