"""Sentences about studies and their results, for the command line and the page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from overtone.studies._criteria import Average, Verdict
from overtone.studies._result import StudyResult
from overtone.studies._study import Study, StudySize

SMOKE_CAVEAT = "A smoke run shows that a study runs; its verdict means nothing."


def verdict_reason(study: Study, result: StudyResult) -> str:
    """Return why a study has its verdict: one sentence, with the measured numbers."""
    judgement, criterion = result.judgement, study.criterion
    if study.undecidable and result.size is not StudySize.FULL:
        return f"A run of this size cannot decide the claim: {study.undecidable}"
    # Where a control does not do what it must the intervals of the conditions mean nothing, and are not named.
    if not judgement.control_failed:
        return (
            f"The control, in which the claim must fail, does not miss the criterion ({criterion}); "
            f"it has {result.control}."
        )
    if judgement.positive_passed is False:
        return f"The positive control, which must meet the criterion ({criterion}), does not; it has {result.positive}."
    values = "; ".join(f"{name}: {interval}" for name, interval in result.intervals.items())
    positive = "" if result.positive is None else f"; positive control: {result.positive}"
    values = f"Measured: {values}; control: {result.control}{positive}."
    if judgement.verdict is Verdict.SUPPORTED:
        limits = "" if result.size is StudySize.FULL else ", at this size"
        return f"Every condition meets the criterion, {criterion}{limits}. {values}"
    if judgement.verdict in (Verdict.REFUTED, Verdict.NOT_REPRODUCED):
        smaller = "" if judgement.verdict is Verdict.REFUTED else ", in a run smaller than the source's"
        return f"No condition meets the criterion, {criterion}{smaller}. {values}"
    if judgement.verdict is Verdict.UNDECIDED and not judgement.open:
        return (
            f"No condition meets the criterion, {criterion}, and there is no positive control to show that this test "
            f"can be passed: {positive_reason(study)} {values}"
        )
    if judgement.verdict is Verdict.UNDECIDED:
        return f"The seeds leave {_quoted(judgement.open)} undecided; the criterion is {criterion}. {values}"
    undecided = f"; the seeds leave {_quoted(judgement.open)} undecided" if judgement.open else ""
    return (
        f"The verdict depends on {study.factor}. The criterion, {criterion}, is met by {_quoted(judgement.met)}, "
        f"not by {_quoted(judgement.missed)}{undecided}. {values}"
    )


def positive_reason(study: Study) -> str:
    """Return why a study has no positive control, or that its result has none yet."""
    return study.positive if isinstance(study.positive, str) else "it was not measured."


def interval_wording(study: Study) -> str:
    """Return which interval a study has, in a few words."""
    share = f"{100 * study.confidence:.3g} %"
    if study.average is Average.MEDIAN:
        return f"{share}, median, sign test"
    limited = ", clipped to its limits" if any(map(math.isfinite, study.limits)) else ""
    return f"{share}, mean, Student's{limited}"


def caveat_of(study: Study, size: StudySize) -> str:
    """Return what a result of that size does not show; a study's own caveat is about its quick run."""
    if size is StudySize.SMOKE:
        return SMOKE_CAVEAT
    if size is StudySize.QUICK or not study.caveat:
        return study.caveat
    return f"About the quick run: {study.caveat}"


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
