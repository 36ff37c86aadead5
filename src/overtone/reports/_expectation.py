"""Comparison of the reached quality with that expected before training."""

from __future__ import annotations

import math
from collections.abc import Mapping

import xarray as xr

from overtone._utils.text import count, decibels, number
from overtone.records import metrics
from overtone.reports._findings import STILL_FALLING, TOO_FREE, Findings


def expectation_sentence(findings: Findings, record: xr.Dataset) -> str:
    """Return a sentence on a run that ended outside of the interval that its plan had expected, with the cause.

    Empty where it ended inside, or nothing was expected, or the run has not ended.

    Args:
        findings: Of the record.
        record: Of one run.
    """
    expected = record.attrs.get("expected")
    if not isinstance(expected, Mapping) or record.attrs.get("complete") is not True:
        return ""
    reached = next((level.psnr for level in metrics.levels(record) if level.name == "held_out"), math.nan)
    low, high = float(expected["low"]), float(expected["high"])
    if not math.isfinite(reached) or low <= reached <= high:
        return ""
    side = "below" if reached < low else "above"
    text = f"It ended at {decibels(reached)} on held-out samples, {side} the {low:.1f} to {high:.1f} expected before"
    cause = _below(findings) if reached < low else "training found features that short runs do not show"
    return f"{text}: {cause}."


def _below(f: Findings) -> str:
    """Why a run ended below its expectation, as far as the record shows."""
    if f.step == f.last and f.trend < STILL_FALLING:
        return "its error was still falling at the last step, so that more steps would bring it closer"
    if f.gap > TOO_FREE:
        return (
            f"its error there is {number(f.gap, 2)} times that on training samples, which the comparison before "
            "training did not predict"
        )
    if f.step < f.last:
        return f"its error there was lowest at step {count(f.step)} and has not fallen since"
    return "training lowered the error less than the comparison before training predicted"
