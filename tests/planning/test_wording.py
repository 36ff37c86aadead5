"""Sentences of reasons never contradict their numbers."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.planning import ReasonCode
from overtone.planning._grid_plan import _select, comparison_reasons
from overtone.planning._held_out import ExpectedPSNR
from overtone.planning._plan import outcome_reasons
from overtone.planning._reasons import _WORDING, BandwidthChoice, Reason, read_reasons, sentences
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
    candidates = tuple((2.0 ** (i + 1),) for i in range(len(db)))
    tied = _select(db, candidates, len(db), near)
    (reason,) = comparison_reasons(candidates, db, tied, 500, "Hz", 2000)
    text = str(reason)
    worst = max(db) - min(db)
    assert reason.values["worst_db"] == pytest.approx(worst)
    loses = re.search(r"The worst, \S+, is (\S+) dB worse", text)
    assert (loses is not None) == (worst > near)
    assert loses is None or float(loses[1]) >= round(near, 2)
    assert ("all are" in text or "it is within" in text) == (worst <= near)
    assert "1 bandwidths" not in text


def outcome(gain: float = 0.5, steps: int = 2000, width: int = 256) -> list[Reason]:
    size = RunSize(width, 3, width, steps, None, 1e-3)
    return outcome_reasons(gain, True, ExpectedPSNR(30.0, 28.0, 33.0), size)


@pytest.mark.parametrize("gain", [0.02, 0.5, 0.9949, 0.996, 0.99999, 1.0])
def test_no_share_is_rounded_to_all(gain: float) -> None:
    assert ("100%" in str(outcome(gain)[0])) == (gain == 1.0)


@pytest.mark.parametrize(
    ("steps", "width", "holds"), [(2000, 256, True), (500, 128, True), (60, 256, False), (2000, 16, False)]
)
def test_the_expectation_is_stated_of_the_networks_it_was_confirmed_on(
    steps: int, width: int, holds: bool
) -> None:
    text = str(outcome(steps=steps, width=width)[1])
    assert text.startswith("Expected on held-out samples: 30.0 dB (28.0 to 33.0)")
    assert ("may stay below" in text) != holds


@pytest.mark.parametrize(
    ("high", "words"),
    [
        (1, "4 x 2 alone is within 0.2 dB of the best"),
        (2, "those from 4 x 2 to 8 are within 0.2 dB of the best"),
    ],
)
def test_bandwidths_as_good_as_the_best_are_one_or_a_range(high: int, words: str) -> None:
    candidates = ((2.0, 1.0), (4.0, 2.0), (8.0, 8.0))
    tied = _select([3.0, 0.0, 0.1 if high == 2 else 0.3], candidates, 3, 0.2)
    (reason,) = comparison_reasons(candidates, [3.0, 0.0, 0.1], tied, 500, "Hz", 2000)
    used = "their geometric mean is used" if high == 2 else "it is used"
    assert str(reason) == (
        f"Of 3 bandwidths from 2 x 1 to 8 Hz, {words} on held-out samples (kernel regression, 500 samples); "
        f"{used}. The worst, 2 x 1, is 3.0 dB worse."
    )


def test_every_code_has_a_wording() -> None:
    assert set(_WORDING) == set(ReasonCode)
    assert {choice.value for choice in BandwidthChoice} == {"single", "geometric mean", "highest"}


def test_reasons_cross_json_and_sentences_of_older_files_are_kept() -> None:
    reasons = tuple(outcome())
    plain = json.loads(json.dumps([reason.to_json() for reason in reasons]))
    assert read_reasons(sentences(reasons), plain) == reasons
    old = read_reasons(["An older sentence."])
    assert [str(reason) for reason in old] == ["An older sentence."]
    assert old[0].code is ReasonCode.RECORDED
