"""Sentences about studies and their results, for the command line and the page."""

from __future__ import annotations

from collections.abc import Sequence

from overtone.studies._criteria import Verdict
from overtone.studies._result import StudyResult
from overtone.studies._study import Study, StudySize

SMOKE_CAVEAT = "A smoke run shows that a study runs; its verdict means nothing."


def verdict_reason(study: Study, result: StudyResult) -> str:
    """Return why a study has its verdict: one sentence, with the measured numbers."""
    judgement, criterion = result.judgement, study.criterion
    # Without a failing control the intervals of the conditions mean nothing, and are not named.
    if not judgement.control_failed:
        return (
            f"The control, in which the claim must fail, does not miss the criterion ({criterion}); "
            f"it has {result.control}."
        )
    values = "; ".join(f"{name}: {interval}" for name, interval in result.intervals.items())
    values = f"Measured: {values}; control: {result.control}."
    if judgement.verdict is Verdict.SUPPORTED:
        return f"Every condition meets the criterion, {criterion}. {values}"
    if judgement.verdict is Verdict.REFUTED:
        return f"No condition meets the criterion, {criterion}. {values}"
    if judgement.verdict is Verdict.UNDECIDED:
        return f"The seeds leave {_quoted(judgement.open)} undecided; the criterion is {criterion}. {values}"
    undecided = f"; the seeds leave {_quoted(judgement.open)} undecided" if judgement.open else ""
    return (
        f"The verdict depends on {study.factor}. The criterion, {criterion}, is met by {_quoted(judgement.met)}, "
        f"not by {_quoted(judgement.missed)}{undecided}. {values}"
    )


def caveat_of(study: Study, size: StudySize) -> str:
    """Return what a result of that size does not show; a study's own caveat is about its quick run."""
    if size is StudySize.SMOKE:
        return SMOKE_CAVEAT
    if size is StudySize.QUICK or not study.caveat:
        return study.caveat
    return f"About the quick run: {study.caveat}"


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
