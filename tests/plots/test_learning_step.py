"""Runs that were joined, as `records.concat` leaves them."""

from overtone.plots import LearningStep
from overtone.records import concat
from tests.records.toy import toy_record


def test_joined_runs_are_taken_apart() -> None:
    runs = [toy_record(seed=s) for s in range(2)]
    apart, joined = LearningStep(runs).data, LearningStep(concat(runs)).data
    assert joined.learning_step.equals(apart.learning_step)
    assert joined.attrs["exponent"] == apart.attrs["exponent"]
