"""From values to a verdict."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from overtone.errors import InputError
from overtone.studies import StudyResult, StudySize
from overtone.studies._criteria import AtLeast, AtMost, Between, Judgement, MeanInterval, Verdict, judge
from overtone.studies._study import Condition
from overtone.studies._wording import verdict_reason
from tests.studies import toy

numbers = st.floats(-1e6, 1e6)
HIGH, LOW, ACROSS = MeanInterval(2, 1.5, 2.5), MeanInterval(0, -0.5, 0.5), MeanInterval(1, 0.5, 1.5)


def verdict(*intervals: MeanInterval, control: MeanInterval = LOW) -> Verdict:
    named = {f"c{i}": interval for i, interval in enumerate(intervals)}
    return judge(named, control, AtLeast(1.0)).verdict


def test_every_verdict():
    assert verdict(HIGH, HIGH) is Verdict.SUPPORTED
    assert verdict(LOW, LOW) is Verdict.REFUTED
    assert verdict(HIGH, LOW) is Verdict.DEPENDS
    assert verdict(HIGH, ACROSS) is Verdict.UNDECIDED
    assert verdict(LOW, ACROSS) is Verdict.UNDECIDED
    assert verdict(HIGH, LOW, ACROSS) is Verdict.DEPENDS


@pytest.mark.parametrize("control", [HIGH, ACROSS])
def test_a_control_that_does_not_fail_leaves_everything_undecided(control):
    assert verdict(HIGH, control=control) is Verdict.UNDECIDED
    assert verdict(LOW, control=control) is Verdict.UNDECIDED


def result_of(intervals: dict[str, MeanInterval], control: MeanInterval = LOW) -> StudyResult:
    judgement = judge(intervals, control, toy.STUDY.criterion)
    return StudyResult("toy", StudySize.SMOKE, judgement, intervals, control, {}, 0.0, 1, "", {}, "")


def test_a_judgement_has_the_facts_that_it_follows_from():
    facts = judge({"a": HIGH, "b": LOW, "c": ACROSS, "d": ACROSS}, LOW, AtLeast(1.0))
    assert facts == Judgement(Verdict.DEPENDS, ("a",), ("b",), ("c", "d"), control_failed=True)
    assert judge({"a": HIGH}, HIGH, AtLeast(1.0)) == Judgement(
        Verdict.UNDECIDED, ("a",), (), (), control_failed=False
    )


@pytest.mark.parametrize(
    ("intervals", "reason"),
    [
        (
            {"a": HIGH},
            "Every condition meets the criterion, at least 1. Measured: a: 2 (1.5 to 2.5); control: 0 (-0.5 to 0.5).",
        ),
        (
            {"b": LOW},
            "No condition meets the criterion, at least 1. Measured: b: 0 (-0.5 to 0.5); control: 0 (-0.5 to 0.5).",
        ),
        (
            {"a": HIGH, "b": LOW},
            "The verdict depends on the weather. The criterion, at least 1, is met by 'a', not by 'b'. Measured: a: 2",
        ),
        (
            {"a": HIGH, "b": LOW, "c": ACROSS},
            "The verdict depends on the weather. The criterion, at least 1, is met by 'a', not by 'b'; "
            "the seeds leave 'c' undecided. Measured: a: 2",
        ),
        (
            {"a": HIGH, "L-BFGS": ACROSS, "d": ACROSS},
            "The seeds leave 'L-BFGS', 'd' undecided; the criterion is at least 1. Measured: a: 2",
        ),
    ],
)
def test_the_reason_names_the_conditions_and_their_numbers(intervals, reason):
    assert verdict_reason(toy.STUDY, result_of(intervals)).startswith(reason)


def test_the_reason_says_when_the_control_does_not_fail():
    assert verdict_reason(toy.STUDY, result_of({"a": HIGH}, control=ACROSS)) == (
        "The control, in which the claim must fail, does not miss the criterion (at least 1); "
        "it has 1 (0.5 to 1.5)."
    )


@given(numbers, st.floats(0, 10), st.floats(0, 10), numbers)
def test_no_interval_both_meets_and_misses_a_criterion(mean, below, above, edge):
    interval = MeanInterval(mean, mean - below, mean + above)
    for criterion in (AtLeast(edge), AtMost(edge), Between(edge, edge + 1)):
        assert not (criterion.met_by(interval) and criterion.missed_by(interval))


def test_nan_counts_against_the_claim():
    missing = MeanInterval.from_values([math.nan, 1.0])
    for criterion in (AtLeast(0.0), AtMost(0.0), Between(0.0, 1.0)):
        assert criterion.missed_by(missing)
        assert not criterion.met_by(missing)


def test_the_interval_contains_the_mean_nine_times_in_ten():
    draws = np.random.default_rng(0).normal(3.0, 2.0, (4000, 4))
    inside = [i.low <= 3.0 <= i.high for i in map(MeanInterval.from_values, draws.tolist())]
    share = scipy.stats.binomtest(sum(inside), len(inside)).proportion_ci(0.999)
    assert share.low <= 0.9 <= share.high


def test_one_value_is_its_own_interval_and_none_is_refused():
    assert MeanInterval.from_values([2.0]) == MeanInterval(2.0, 2.0, 2.0)
    with pytest.raises(InputError, match="expected at least one value, got none"):
        MeanInterval.from_values([])


def test_studies_are_checked():
    with pytest.raises(
        InputError, match="toy: expected settings for every size, got none for smoke, quick, full"
    ):
        replace(toy.STUDY, sizes={})
    with pytest.raises(InputError, match="expected conditions of different names"):
        replace(toy.STUDY, control=Condition("first"))
