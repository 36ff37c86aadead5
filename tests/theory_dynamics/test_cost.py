"""The cost of a prediction is reported before it is paid."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from overtone.theory.dynamics import predict
from overtone.theory.dynamics._findings import Cost, CostMeter, Finding, FindingCode
from overtone.theory.dynamics._relinearisation import Relinearisation
from overtone.theory.dynamics._wording import finding_sentence, outlook
from tests.theory_dynamics.models import field, tones

SLACK = 0.5
"""Seconds that the meter itself may take between its start and its report, on a busy machine."""


@pytest.mark.parametrize(("training", "cheaper"), [(None, False), (2.0, False), (0.5, True)])
def test_training_that_is_cheaper_is_said_to_be(training: float | None, cheaper: bool) -> None:
    cost = Cost(1.0, training)
    assert cost.training_is_cheaper == cheaper
    assert ("is more reliable" in outlook(cost)) == cheaper
    if cheaper:
        finding = Finding(FindingCode.TRAINING_CHEAPER, {"predicting": 1.0, "training": training})
        assert finding_sentence(finding).startswith(
            "Predicting took 1 s; training itself would take about 0.5 s"
        )
        assert outlook(cost).startswith(
            "Predicting will take about 1 s; training itself would take about 0.5 s"
        )


def test_a_kernel_for_each_expansion_and_half_a_pilot_lie_ahead() -> None:
    reported: list[Cost] = []
    meter = CostMeter(reported.append, pilot=1000, steps=20000)
    meter.after_half_pilot(0.1, 10.0, 0.15)
    expansions = math.ceil(math.log(20) / math.log(1.15))
    (first,) = reported
    assert first.predicting == pytest.approx(50 + 10 * (1 + expansions), abs=SLACK)
    assert first.training == 2000
    assert outlook(first) == (
        f"Predicting will take about {50 + 10 * (1 + expansions)} s; training itself would take about 2000 s."
    )
    meter.after_expansion(0.1, 20.0, 1000, 1150)
    assert len(reported) == 1
    meter.after_expansion(0.1, 20.0, 1000, 1010)
    short = math.ceil(math.log(20000 / 1010) / math.log(1.01))
    assert len(reported) == 2
    assert reported[1].predicting == pytest.approx(20 * short, abs=SLACK)
    assert reported[1].training_is_cheaper
    single: list[Cost] = []
    CostMeter(single.append, pilot=1000, steps=20000).after_half_pilot(0.1, 10.0, math.inf)
    assert single[0].predicting == pytest.approx(60, abs=SLACK)


def test_it_is_reported_before_the_first_expansion(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Any] = []
    run = Relinearisation.run

    def watched(self: Relinearisation, *words: Any) -> Iterator[Any]:
        events.append("relinearise")
        return run(self, *words)

    monkeypatch.setattr(Relinearisation, "run", watched)
    signal = tones()
    network = field(signal, 32)
    found = predict(
        signal, network, torch.optim.SGD(network.parameters(), 0.01), 200, pilot=10, callback=events.append
    )
    assert events.index("relinearise") == 1
    assert isinstance(events[0], Cost)
    assert events[0].training > 0
    assert found.record.attrs["continued"] == "leaps"
