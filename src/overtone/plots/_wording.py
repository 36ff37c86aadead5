"""Facts of records and snapshots in words, for descriptions of figures, pages and the command line."""

from __future__ import annotations

import math

from overtone._utils.text import count, higher
from overtone.plots._snapshots import SampleSelection, Selection
from overtone.records.metrics._errors import Evidence, Level, Stop

_STOP_ERRORS = {Evidence.CLEAN: "error on clean data", Evidence.HELD_OUT: "held-out error"}


def stop_reason(stop: Stop) -> str:
    """Return the reason for a best step, as a clause without a full stop.

    Args:
        stop: From `metrics.stop`.
    """
    if stop.evidence is Evidence.NONE:
        return f"neither held-out samples nor a clean reference: the last step, {stop.step}"
    name = _STOP_ERRORS[stop.evidence]
    if stop.rows == 1:
        return f"the {name} is known at step {stop.step} alone"
    if stop.step == stop.last_step:
        return f"the {name} still falls at the last step, {stop.step}; more steps may help"
    rise = higher(stop.last_error / stop.error if stop.error > 0 else math.inf)
    return f"the {name} is lowest at step {stop.step} and {rise} at the last step, {stop.last_step}"


def level_samples(level: Level) -> str:
    """Return the samples of a PSNR in words, such as "held-out samples".

    Args:
        level: From `metrics.levels`.
    """
    if level.name == "train":
        return "training samples"
    if level.name == "held_out":
        return "held-out samples"
    return f"the clean reference at {'held-out' if level.at_held_out else 'all'} samples"


def snapshot_samples(samples: SampleSelection) -> str:
    """Return the samples that snapshots hold in words that follow "over".

    Args:
        samples: Attribute `samples` of `snapshot_data` and of the plots made from it.
    """
    match samples.selection:
        case Selection.ALL:
            return "all samples"
        case Selection.EVERY_NTH:
            return f"one of every {samples.step} samples along each axis"
        case Selection.UNKNOWN:
            return "the samples shown"
    ranges = " and ".join(
        f"{count(first)} to {count(first + n - 1)} of {count(total)}"
        for first, n, total in zip(samples.start, samples.shape, samples.whole, strict=True)
        if total > 1
    )
    return f"one block of the samples, numbers {ranges}"
