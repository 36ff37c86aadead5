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
from overtone.studies._criteria import (
    MOST_JUDGINGS,
    AtLeast,
    AtMost,
    Average,
    Between,
    Judgement,
    SeedInterval,
    Verdict,
    confidence_of,
    judge,
)
from overtone.studies._study import Condition
from overtone.studies._wording import verdict_reason
from tests.studies import toy

numbers = st.floats(-1e6, 1e6)
HIGH, LOW, ACROSS = SeedInterval(2, 1.5, 2.5), SeedInterval(0, -0.5, 0.5), SeedInterval(1, 0.5, 1.5)


def verdict(*intervals: SeedInterval, control: SeedInterval = LOW) -> Verdict:
    named = {f"c{i}": interval for i, interval in enumerate(intervals)}
    return judge(named, control, AtLeast(1.0)).verdict


def test_every_verdict():
    assert verdict(HIGH, HIGH) is Verdict.SUPPORTED
    assert verdict(LOW, LOW) is Verdict.UNDECIDED
    assert verdict(HIGH, LOW) is Verdict.DEPENDS
    assert verdict(HIGH, ACROSS) is Verdict.UNDECIDED
    assert verdict(LOW, ACROSS) is Verdict.UNDECIDED
    assert verdict(HIGH, LOW, ACROSS) is Verdict.DEPENDS


@pytest.mark.parametrize("control", [HIGH, ACROSS])
def test_a_control_that_does_not_fail_leaves_everything_undecided(control):
    assert verdict(HIGH, control=control) is Verdict.UNDECIDED
    assert verdict(LOW, control=control) is Verdict.UNDECIDED


def test_a_claim_is_refuted_only_where_the_test_can_be_passed_and_at_the_size_of_its_source():
    for own_size, expected in ((False, Verdict.NOT_REPRODUCED), (True, Verdict.REFUTED)):
        judged = judge({"a": LOW}, LOW, AtLeast(1.0), HIGH, own_size=own_size)
        assert judged.verdict is expected
        assert judged.positive_passed
    for positive in (LOW, ACROSS):
        judged = judge({"a": LOW}, LOW, AtLeast(1.0), positive, own_size=True)
        assert judged.verdict is Verdict.UNDECIDED
        assert judged.positive_passed is False
        assert judge({"a": HIGH}, LOW, AtLeast(1.0), positive).verdict is Verdict.UNDECIDED
    assert judge({"a": HIGH}, LOW, AtLeast(1.0), HIGH, decidable=False).verdict is Verdict.UNDECIDED


def result_of(
    intervals: dict[str, SeedInterval], control: SeedInterval = LOW, positive: SeedInterval = HIGH
) -> StudyResult:
    judgement = judge(intervals, control, toy.STUDY.criterion, positive)
    return StudyResult(
        "toy", StudySize.QUICK, judgement, intervals, control, positive, {}, 0.0, 1, "", {}, ""
    )


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
            "Every condition meets the criterion, at least 1, at this size. Measured: a: 2 (1.5 to 2.5); "
            "control: 0 (-0.5 to 0.5); positive control: 2 (1.5 to 2.5).",
        ),
        (
            {"b": LOW},
            "No condition meets the criterion, at least 1, in a run smaller than the source's. Measured: b: 0 (-0.5 to "
            "0.5); control: 0 (-0.5 to 0.5); positive control: 2 (1.5 to 2.5).",
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


def test_the_reason_says_what_else_leaves_a_claim_undecided():
    bare = replace(toy.STUDY, positive="Nothing is certain.")
    judged = replace(result_of({"a": LOW}), positive=None, judgement=judge({"a": LOW}, LOW, AtLeast(1.0)))
    assert "no positive control to show that this test can be passed: Nothing is certain." in verdict_reason(
        bare, judged
    )
    assert verdict_reason(toy.STUDY, result_of({"a": LOW}, positive=ACROSS)) == (
        "The positive control, which must meet the criterion (at least 1), does not; it has 1 (0.5 to 1.5)."
    )
    short = replace(toy.STUDY, undecidable="the run is too short.")
    assert (
        verdict_reason(short, judged) == "A run of this size cannot decide the claim: the run is too short."
    )


@given(numbers, st.floats(0, 10), st.floats(0, 10), numbers)
def test_no_interval_both_meets_and_misses_a_criterion(mean, below, above, edge):
    interval = SeedInterval(mean, mean - below, mean + above)
    for criterion in (AtLeast(edge), AtMost(edge), Between(edge, edge + 1)):
        assert not (criterion.met_by(interval) and criterion.missed_by(interval))


def test_nan_counts_against_the_claim():
    missing = SeedInterval.from_values([math.nan, 1.0])
    for criterion in (AtLeast(0.0), AtMost(0.0), Between(0.0, 1.0)):
        assert criterion.missed_by(missing)
        assert not criterion.met_by(missing)


def test_the_interval_contains_the_mean_nine_times_in_ten():
    draws = np.random.default_rng(0).normal(3.0, 2.0, (4000, 4))
    inside = [i.low <= 3.0 <= i.high for i in map(SeedInterval.from_values, draws.tolist())]
    share = scipy.stats.binomtest(sum(inside), len(inside)).proportion_ci(0.999)
    assert share.low <= 0.9 <= share.high


@given(
    st.lists(st.floats(-1, 1), min_size=2, max_size=20),
    st.sampled_from(Average),
    st.sampled_from([0.9, 0.95, 1 - 0.1 / 3]),
)
def test_an_interval_never_leaves_the_limits_and_contains_the_average(values, average, confidence):
    interval = SeedInterval.from_values(values, average, (-1.0, 1.0), confidence)
    assert -1 <= interval.low <= interval.centre + 1e-12
    assert interval.centre - 1e-12 <= interval.high <= 1


def test_the_sign_test_contains_the_median_nine_times_in_ten_whatever_the_distribution():
    draws = np.random.default_rng(0).exponential(1.0, (4000, 8))
    intervals = [SeedInterval.from_values(d, Average.MEDIAN) for d in draws.tolist()]
    inside = sum(i.low <= math.log(2) <= i.high for i in intervals)
    # Eight values between the second and the seventh: 1 - 2 (1 + 8) / 256.
    share = scipy.stats.binomtest(inside, len(intervals)).proportion_ci(0.999)
    assert share.low <= 1 - 18 / 256 <= share.high
    assert SeedInterval.from_values([0.5] * 4, Average.MEDIAN, (-1.0, 1.0)) == SeedInterval(0.5, -1.0, 1.0)
    assert SeedInterval.from_values([0.1, 0.2, 0.3, 0.4, 0.5], Average.MEDIAN) == SeedInterval(0.3, 0.1, 0.5)


def test_intervals_widen_with_every_judging_so_that_all_together_err_in_less_than_a_tenth():
    assert [round(confidence_of(k), 4) for k in (1, 2, 3)] == [0.9, 0.95, 0.9667]
    assert sum((1 - confidence_of(k)) / 2 for k in range(1, MOST_JUDGINGS + 1)) < 0.1
    widths = [
        np.ptp([i.low, i.high])
        for k in (1, 2, 3)
        for i in [replace(toy.STUDY, judgings=k).interval([1.0, 2.0, 4.0])]
    ]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]


def test_one_value_is_its_own_interval_and_none_is_refused():
    assert SeedInterval.from_values([2.0]) == SeedInterval(2.0, 2.0, 2.0)
    with pytest.raises(InputError, match="expected at least one value, got none"):
        SeedInterval.from_values([])


def test_studies_are_checked():
    with pytest.raises(
        InputError, match="toy: expected settings for every size, got none for smoke, quick, full"
    ):
        replace(toy.STUDY, sizes={})
    with pytest.raises(InputError, match="expected conditions of different names"):
        replace(toy.STUDY, control=Condition("first"))
    with pytest.raises(
        InputError, match="toy: expected a criterion that some possible value fails, got at least 1"
    ):
        replace(toy.STUDY, limits=(1.5, math.inf))
    with pytest.raises(InputError, match="expected a positive control or a reason, got neither"):
        replace(toy.STUDY, positive="")
    with pytest.raises(InputError, match="expected 1 to 3 evaluations of the criterion, got 4"):
        replace(toy.STUDY, judgings=4)
