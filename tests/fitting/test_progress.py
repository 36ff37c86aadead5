"""What progress says of how far a run has come."""

from __future__ import annotations

import math

import pytest

from overtone.fitting._progress import FitProgress


def test_what_was_learned_and_lost_again_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with FitProgress(True, "Hz") as shown:
        for seventh, learned in enumerate((math.nan, 20.1, 68.6, 29.0, math.nan, 68.6, 80.0)):
            shown.update(seventh / 7, 10 * seventh, 0.5, learned)
    told = [line.partition("learned ")[2] for line in capsys.readouterr().err.splitlines()]
    assert told == [
        *("nothing yet", "to 20.1 Hz", "to 68.6 Hz", "to 29 Hz (before: to 68.6)"),
        *("nothing any more (before: to 68.6)", "to 68.6 Hz", "to 80 Hz"),
    ]


@pytest.mark.parametrize(
    ("first", "seconds", "left"), [(0.0, 10.0, ", 30 s left"), (0.5, 100.0, ", 2 min left"), (0.0, 0.1, "")]
)
def test_the_time_that_remains_follows_from_this_session(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    first: float,
    seconds: float,
    left: str,
) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with FitProgress(True, "Hz") as shown:
        shown.update(first, 0, math.nan, math.nan)
        now[0] += seconds
        shown.update(0.75 if first else 0.25, 10, 0.5, 20.0)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("learned nothing yet")
    assert lines[1].endswith("to 20 Hz" + left)
