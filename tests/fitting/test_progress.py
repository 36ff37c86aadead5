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
