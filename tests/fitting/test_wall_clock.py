"""A limit of the wall clock bounds the whole command; with a clock that the test sets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import overtone as ot
from overtone._config import FitConfig
from overtone.fitting._fit import _prepare_on_clock, fit_on_clock
from overtone.fitting._prepare import PreparedFit
from overtone.fitting._wall_clock import WallClock
from overtone.planning import ReasonCode
from overtone.planning._reasons import Reason, sentences
from tests.cli.calling import ask, waves

SMALL = {"width": 16, "features": 8, "depth": 2, "steps": 5}


class FakeTime:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_parts_add_up_to_what_has_elapsed() -> None:
    now = FakeTime()
    clock = WallClock(10.0, now=now)
    for part, seconds in (("reading", 2.0), ("choosing", 3.0), ("reading", 1.0)):
        now.seconds += seconds
        clock.end(part)
    assert clock.parts == {"reading": 3.0, "choosing": 3.0}
    assert clock.elapsed == 6.0
    assert clock.training_seconds(reserve=1.5) == 2.5
    # Whatever is left, training gets a tenth.
    assert clock.training_seconds(reserve=100.0) == 1.0
    assert WallClock(None, now=now).training_seconds(1.0) is None


def test_training_gets_what_reading_choosing_and_the_report_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = FakeTime()
    clock = WallClock(60.0, now=now)
    now.seconds += 4.0
    clock.end("reading")
    prepare = ot.fitting._fit.prepare

    def slow(*arguments: object) -> object:
        now.seconds += 7.0
        return prepare(*arguments)

    monkeypatch.setattr("overtone.fitting._fit.prepare", slow)
    monkeypatch.setattr("overtone.fitting._fit.seconds_after_training", lambda _: 5.0)
    signal = ot.signals.synthetic.harmonics([3.0], samples=64)
    run = fit_on_clock(signal, tmp_path / "run", FitConfig().replace(seconds=60.0, **SMALL), clock)
    stored = json.loads((tmp_path / "run" / "run.json").read_text())
    assert stored["training"]["seconds"] == 60.0 - 4.0 - 7.0 - 5.0
    assert clock.parts == {"reading": 4.0, "choosing": 7.0, "training": 0.0, "measuring": 0.0}
    assert run.outcome.step == 5


def test_the_plan_states_the_seconds_that_training_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    now = FakeTime()
    clock = WallClock(60.0, now=now)
    prepare = ot.fitting._fit.prepare

    def slow(*arguments: object) -> object:
        now.seconds += 11.0
        return prepare(*arguments)

    monkeypatch.setattr("overtone.fitting._fit.prepare", slow)
    monkeypatch.setattr("overtone.fitting._fit.seconds_after_training", lambda _: 5.0)
    # The steps are those of this network within these seconds, not those that the size was chosen from.
    monkeypatch.setattr(PreparedFit, "expected_steps", lambda fit: round(100 * fit.config.training.seconds))
    signal = ot.signals.synthetic.harmonics([3.0], samples=64)
    prepared = _prepare_on_clock(signal, FitConfig().replace(seconds=60.0, bandwidth=(3.0,)), clock)
    (budget,) = (reason for reason in prepared.reasons if reason.code is ReasonCode.TIME_BUDGET)
    assert (budget.values["seconds"], budget.values["steps"]) == (44.0, 4400)
    assert str(budget).startswith("44 s are about 4,400 steps with ")


def test_the_answer_says_what_the_time_was_used_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", waves())
    words = ("fit", "a.npy", "--width", "16", "--features", "8", "--steps", "3", "--time", "1m", "--json")
    answer = ask(*words)
    clock = answer.json["clock"]
    assert list(clock) == ["reading", "choosing", "training", "measuring", "page", "total"]
    assert 0 < sum(clock.values()) - clock["total"] <= clock["total"]
    assert "s of training within 60 s -> run" in answer.err
    assert json.loads(Path("run/run.json").read_text())["training"]["seconds"] < 60


def test_a_run_stores_its_reasons_as_sentences_and_as_data(tmp_path: Path) -> None:
    signal, out = ot.signals.synthetic.harmonics([3.0], samples=64), tmp_path / "run"
    ot.fit(signal, out, steps=3, width=8, features=8)
    file = out / "run.json"
    stored = json.loads(file.read_text())
    reasons = [Reason.from_json(plain) for plain in stored["reason_data"]]
    assert len(reasons) > 1
    assert sentences(reasons) == stored["reasons"]
    # Runs of old versions have the sentences alone.
    del stored["reason_data"]
    file.write_text(json.dumps(stored))
    assert ot.fit(signal, out, resume=True, steps=5).outcome.step == 5
    assert json.loads(file.read_text())["reasons"] == stored["reasons"]
    file.write_text(json.dumps(stored | {"reason_data": ["noise"]}))
    with pytest.raises(ot.InputError, match="a list of objects"):
        ot.fit(signal, out, resume=True, steps=7)
