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
from overtone.studies import AtLeast, AtMost, Between, Condition, Interval, Verdict
from overtone.studies.verdict import judge
from tests.studies import toy

numbers = st.floats(-1e6, 1e6)
HIGH, LOW, ACROSS = Interval(2, 1.5, 2.5), Interval(0, -0.5, 0.5), Interval(1, 0.5, 1.5)


def verdict(*intervals: Interval, control: Interval = LOW) -> Verdict:
    named = {f"c{i}": interval for i, interval in enumerate(intervals)}
    return judge(named, control, AtLeast(1.0), "the condition").verdict


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


def test_the_reason_names_conditions_and_figures():
    told = judge({"a": HIGH, "b": LOW}, LOW, AtLeast(1.0), "the weather")
    assert told.reason.startswith(
        "It depends on the weather: it holds for 'a', not for 'b'; asked: at least 1;"
    )
    assert "a: 2 (1.5 to 2.5)" in told.reason


def test_the_reason_names_conditions_that_stay_open():
    told = judge({"a": HIGH, "b": LOW, "c": ACROSS}, LOW, AtLeast(1.0), "the weather")
    assert "not for 'b', and the seeds disagree about 'c'; asked" in told.reason
    told = judge({"a": HIGH, "c": ACROSS, "d": ACROSS}, LOW, AtLeast(1.0), "the weather")
    assert told.reason.startswith("The seeds disagree about 'c', 'd'; asked: at least 1;")


@given(numbers, st.floats(0, 10), st.floats(0, 10), numbers)
def test_no_interval_both_holds_and_fails(mean, below, above, edge):
    interval = Interval(mean, mean - below, mean + above)
    for criterion in (AtLeast(edge), AtMost(edge), Between(edge, edge + 1)):
        assert not (criterion.holds(interval) and criterion.fails(interval))


def test_what_is_no_number_counts_against_the_claim():
    lost = Interval.of([math.nan, 1.0])
    for criterion in (AtLeast(0.0), AtMost(0.0), Between(0.0, 1.0)):
        assert criterion.fails(lost)
        assert not criterion.holds(lost)


def test_the_interval_holds_the_mean_nine_times_in_ten():
    draws = np.random.default_rng(0).normal(3.0, 2.0, (4000, 4))
    inside = [i.low <= 3.0 <= i.high for i in map(Interval.of, draws.tolist())]
    share = scipy.stats.binomtest(sum(inside), len(inside)).proportion_ci(0.999)
    assert share.low <= 0.9 <= share.high


def test_one_value_is_its_own_interval_and_none_is_refused():
    assert Interval.of([2.0]) == Interval(2.0, 2.0, 2.0)
    with pytest.raises(InputError, match="expected at least one value, got none"):
        Interval.of([])


def test_studies_are_checked():
    with pytest.raises(
        InputError, match="toy: expected an effort for every size, got none for smoke, quick, full"
    ):
        replace(toy.STUDY, efforts={})
    with pytest.raises(InputError, match="expected conditions of different names"):
        replace(toy.STUDY, control=Condition("first"))
