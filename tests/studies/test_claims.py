"""What every study of the catalogue has to have, so that its verdict says no more than it shows."""

from __future__ import annotations

import json
import math
from functools import cache

import numpy as np
import pytest
from tools.judge_studies import PAGE, page

from overtone.studies import StudyResult, StudySize, catalogue, find_study
from overtone.studies._criteria import (
    AtLeast,
    AtMost,
    Average,
    Between,
    Criterion,
    SeedInterval,
    Verdict,
    judge,
)
from overtone.studies._result import evidence_folder
from overtone.studies._study import MET_BY_A_CONDITION

NAMES = list(catalogue())


@cache
def packaged(name: str) -> StudyResult:
    result = StudyResult.load(find_study(name), StudySize.QUICK)
    assert result is not None
    return result


def contradicting(criterion: Criterion, limits: tuple[float, float]) -> float:
    """Return a possible value of the statistic far on the wrong side of the criterion."""
    if isinstance(criterion, AtLeast):
        return limits[0] if math.isfinite(limits[0]) else criterion.value - 1 - abs(criterion.value)
    edge = criterion.value if isinstance(criterion, AtMost) else criterion.high
    return limits[1] if math.isfinite(limits[1]) else edge + 1 + abs(edge)


def agreeing(criterion: Criterion, limits: tuple[float, float]) -> float:
    """Return a possible value of the statistic on the right side of the criterion."""
    if isinstance(criterion, Between):
        return (criterion.low + criterion.high) / 2
    if isinstance(criterion, AtLeast):
        return limits[1] if math.isfinite(limits[1]) else criterion.value + 1
    return limits[0] if math.isfinite(limits[0]) else criterion.value - 1


@pytest.mark.parametrize("name", NAMES)
def test_data_that_contradict_a_claim_never_support_it_and_data_that_agree_meet_it(name):
    study = find_study(name)
    seeds = max(5, len(study.seeds(StudySize.QUICK)))
    spread = 1e-3 * np.linspace(-1, 1, seeds)
    for value, met in (
        (contradicting(study.criterion, study.limits), False),
        (agreeing(study.criterion, study.limits), True),
    ):
        interval = study.interval(np.clip(value + spread, *study.limits).tolist())
        assert study.criterion.met_by(interval) is met
        assert study.criterion.missed_by(interval) is not met
    against = study.interval([contradicting(study.criterion, study.limits)] * seeds)
    judged = judge({c.name: against for c in study.conditions}, against, study.criterion)
    assert judged.verdict is not Verdict.SUPPORTED
    assert not judged.met


@pytest.mark.parametrize("name", NAMES)
def test_every_study_has_controls_that_did_what_they_must_or_is_undecided(name):
    study, judgement = find_study(name), packaged(name).judgement
    settled = judgement.verdict is not Verdict.UNDECIDED
    assert judgement.control_failed or not settled
    if study.positive_control is not None:
        assert judgement.positive_passed is not None, "the positive control was not measured"
        assert judgement.positive_passed or not settled
    elif study.positive == MET_BY_A_CONDITION:
        # A reason that has to be true: without a condition that meets the criterion it would be none.
        assert judgement.met
    else:
        assert study.positive
        assert judgement.verdict not in (Verdict.REFUTED, Verdict.NOT_REPRODUCED)


@pytest.mark.parametrize("name", NAMES)
def test_no_verdict_is_stronger_than_its_run(name):
    study, result = find_study(name), packaged(name)
    assert result.judgement.verdict is not Verdict.REFUTED
    if study.undecidable:
        assert result.judgement.verdict is Verdict.UNDECIDED
    # A claim that is judged again has seeds of its own, and intervals that widen with it.
    assert (study.judgings > 1) == (study.first_seed > 100 and name != "fourier-features-nerf")
    assert study.judgings == 1 or "Judged on seeds" in study.caveat


@pytest.mark.parametrize("name", NAMES)
def test_the_interval_suits_the_statistic(name):
    study, result = find_study(name), packaged(name)
    correlation = "correlation" in study.statistic
    assert (study.average is Average.MEDIAN) == correlation
    if correlation:
        assert study.limits == (-1.0, 1.0)
        assert len(study.seeds(StudySize.QUICK)) >= 5
    every = [*result.intervals.values(), result.control, *([result.positive] if result.positive else [])]
    for interval in every:
        assert study.limits[0] - 1e-9 <= interval.low <= interval.high <= study.limits[1] + 1e-9


# Arithmetic gives exactly nothing here: a network without activations, and a kernel of equal eigenvalues.
NOTHING_BY_ARITHMETIC = {"layers-low-to-high", "flat-along-low"}


@pytest.mark.parametrize("name", [n for n in NAMES if len(find_study(n).seeds(StudySize.QUICK)) > 1])
def test_no_control_is_its_own_reference(name):
    """A network compared with itself differs by exactly nothing on every seed, which tests nothing."""
    rows = packaged(name).measurements[find_study(name).control.name]
    assert {row["value"] for row in rows} not in ({0.0}, {1.0}) or name in NOTHING_BY_ARITHMETIC


@pytest.mark.parametrize(
    ("criterion", "limits"),
    [(AtLeast(0.45), (0.5, math.inf)), (AtMost(2.0), (0.0, 1.0)), (Between(-2.0, 2.0), (-1.0, 1.0))],
)
def test_a_criterion_that_cannot_fail_is_found(criterion, limits):
    assert not any(criterion.missed_by(SeedInterval(end, end, end)) for end in limits)


def test_the_page_of_claims_is_that_of_the_declarations_and_results():
    folder = evidence_folder()
    assert folder is not None
    before = json.loads((folder / "first_verdicts.json").read_text())
    assert set(before) <= set(NAMES)
    results = {name: packaged(name) for name in NAMES}
    assert PAGE.read_text(encoding="utf-8") == page(catalogue(), results, before), (
        "run: python tools/judge_studies.py"
    )
