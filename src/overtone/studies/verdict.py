"""From intervals and a criterion to a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import final

from overtone.studies.criterion import Criterion
from overtone.studies.interval import Interval


class Verdict(Enum):
    """What the evidence says about a claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    DEPENDS = "depends"
    UNDECIDED = "undecided"


@final
@dataclass(frozen=True)
class Judgement:
    """A verdict and why.

    Attributes:
        verdict: The verdict.
        reason: One sentence with figures.
    """

    verdict: Verdict
    reason: str


def judge(
    intervals: Mapping[str, Interval], control: Interval, criterion: Criterion, depends: str
) -> Judgement:
    """Judge a claim.

    *Undecided* if the control does not fail, for then the test would pass anything. Otherwise *supported* if the whole
    interval of every condition meets the criterion, *refuted* if no part of any does, *depends* if some conditions meet
    it and others fail it, and *undecided* where intervals lie across its edge.

    Args:
        intervals: The statistic per condition.
        control: The statistic of the control.
        criterion: The criterion.
        depends: What the conditions differ in.
    """
    if not criterion.fails(control):
        return Judgement(
            Verdict.UNDECIDED,
            f"The control, where the claim must fail, has {control}; it was to miss {criterion}.",
        )
    held = [name for name, interval in intervals.items() if criterion.holds(interval)]
    failed = [name for name, interval in intervals.items() if criterion.fails(interval)]
    told = "; ".join(f"{name}: {interval}" for name, interval in intervals.items())
    figures = f"asked: {criterion}; found: {told}; control: {control}."
    if len(held) == len(intervals):
        return Judgement(Verdict.SUPPORTED, f"It holds, {figures}")
    if len(failed) == len(intervals):
        return Judgement(Verdict.REFUTED, f"It does not hold, {figures}")
    undecided = [name for name in intervals if name not in held and name not in failed]
    if held and failed:
        apart = f"it holds for {_listed(held)}, not for {_listed(failed)}"
        if undecided:
            apart += f", and the seeds disagree about {_listed(undecided)}"
        return Judgement(Verdict.DEPENDS, f"It depends on {depends}: {apart}; {figures}")
    return Judgement(Verdict.UNDECIDED, f"The seeds disagree about {_listed(undecided)}; {figures}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
