"""What a plan says of the bandwidths it compared never contradicts itself."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.planning._grid_plan import ladder_reasons
from overtone.planning._held_out import ExpectedPSNR
from overtone.planning._plan import hope_sentence, worth_sentence
from overtone.planning._run_size import RunSize

LEVELS = st.floats(-30.0, 30.0).map(lambda x: round(x, 3))


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from([0.15, 0.206, 0.344, 1.0]))
def test_the_worst_and_the_tolerance_agree(data: st.DataObject, near: float) -> None:
    best = data.draw(LEVELS)
    above = data.draw(
        st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.24, 0.4, 3.0]) | st.floats(0, 40), min_size=1, max_size=7)
    )
    db = [best + a for a in above]
    low = min(range(len(db)), key=lambda i: db[i])
    high = max(i for i in range(len(db)) if db[i] <= db[low] + near)
    low, high = min(low, high), max(low, high)
    rungs = tuple((2.0 ** (i + 1),) for i in range(len(db)))
    (reason,) = ladder_reasons(rungs, low, high, near, db, False, 500, "Hz", "the middle is taken")
    worst = max(db) - min(db)
    loses = re.search(r"loses (\S+) dB", reason)
    assert (loses is not None) == (worst > near)
    assert loses is None or float(loses[1]) >= round(near, 2)
    assert ("all are" in reason or "it is within" in reason) == (worst <= near)
    assert "1 bandwidths" not in reason


@pytest.mark.parametrize("gain", [0.02, 0.5, 0.9949, 0.996, 0.99999, 1.0])
def test_no_share_is_rounded_to_all(gain: float) -> None:
    assert ("100%" in worth_sentence(gain, True)) == (gain == 1.0)


@pytest.mark.parametrize(
    ("steps", "width", "holds"), [(2000, 256, True), (500, 128, True), (60, 256, False), (2000, 16, False)]
)
def test_what_to_expect_is_told_of_the_networks_it_was_seen_on(steps: int, width: int, holds: bool) -> None:
    extent = RunSize(width, 3, width, steps, None, 1e-3, (), ())
    said = hope_sentence(ExpectedPSNR(30.0, 28.0, 33.0), extent)
    assert said.startswith("To expect on held-out samples: 30.0 dB (28.0 to 33.0)")
    assert ("may stay below" in said) != holds
