"""What a prediction will cost is told before it is paid."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from overtone.theory.dynamics import predict
from overtone.theory.dynamics._findings import Cost, CostMeter
from overtone.theory.dynamics._relinearisation import Relinearisation
from tests.theory_dynamics.models import field, tones


@pytest.mark.parametrize(("training", "warned"), [(None, False), (2.0, False), (0.5, True)])
def test_training_that_is_cheaper_is_said_to_be(training: float | None, warned: bool) -> None:
    cost = Cost(1.0, training)
    assert (cost.warning is not None) == warned
    assert ("surer answer" in cost.outlook) == warned
    if cost.warning is not None:
        assert cost.warning.startswith("Predicting took 1 s; training itself would take about 0.5 s")
        assert cost.outlook.startswith(
            "Predicting will take about 1 s; training itself would take about 0.5 s"
        )


def test_a_kernel_for_each_leap_and_half_a_pilot_lie_ahead() -> None:
    told: list[str] = []
    meter = CostMeter(told.append, pilot=1000, steps=20000)
    meter.at_look(0.1, 10.0, 0.15)
    leaps = math.ceil(math.log(20) / math.log(1.15))
    assert told == [
        f"Predicting will take about {50 + 10 * (1 + leaps)} s; training itself would take about 2000 s."
    ]
    meter.at_leap(0.1, 20.0, 1000, 1150)
    assert len(told) == 1
    meter.at_leap(0.1, 20.0, 1000, 1010)
    short = math.ceil(math.log(20000 / 1010) / math.log(1.01))
    assert told[1:] == [
        f"Predicting will take about {20 * short} s; training itself would take about 2000 s, and is the surer answer."
    ]
    single: list[str] = []
    CostMeter(single.append, pilot=1000, steps=20000).at_look(0.1, 10.0, math.inf)
    assert single == ["Predicting will take about 60 s; training itself would take about 2000 s."]


def test_it_is_told_before_the_first_leap(monkeypatch: pytest.MonkeyPatch) -> None:
    course: list[str] = []
    run = Relinearisation.run

    def watched(self: Relinearisation, *words: Any) -> Iterator[Any]:
        course.append("leaps")
        return run(self, *words)

    monkeypatch.setattr(Relinearisation, "run", watched)
    signal = tones()
    network = field(signal, 32)
    found = predict(
        signal, network, torch.optim.SGD(network.parameters(), 0.01), 200, pilot=10, tell=course.append
    )
    assert course.index("leaps") == 1
    assert course[0].startswith("Predicting will take about")
    assert found.record.attrs["continued"] == "leaps"
