"""The cost of a prediction is reported before it is paid."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from overtone.theory.dynamics import PredictionOptions, predict
from overtone.theory.dynamics._cost import (
    CALL,
    EIGENSYSTEM,
    FLOPS,
    Cost,
    CostMeter,
    WorkBudget,
    WorkCounter,
)
from overtone.theory.dynamics._findings import Finding, FindingCode
from overtone.theory.dynamics._prediction_run import SMALLEST
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


def test_work_is_counted_by_operations_and_not_by_a_clock() -> None:
    left, right, symmetric = torch.ones(8, 5), torch.ones(5, 3), torch.eye(6)
    with WorkCounter() as product:
        _ = left @ right
    assert product.seconds == pytest.approx(CALL + 2 * 8 * 5 * 3 / FLOPS, rel=1e-12)
    with WorkCounter() as eigensystem:
        torch.linalg.eigh(symmetric)
    # Within ten operations besides the eigenvalues themselves.
    arithmetic = EIGENSYSTEM * 6**3 / FLOPS
    assert CALL + arithmetic <= eigensystem.seconds <= 10 * CALL + arithmetic


def test_a_budget_counts_the_first_task_of_a_kind_for_all() -> None:
    ones = torch.ones(4)
    budget = WorkBudget(3.5 * CALL)
    assert budget.allows("sum")
    for _ in range(3):
        assert float(budget.spend("sum", ones.sum)) == 4
    assert not budget.exhausted
    assert not budget.allows("sum")
    assert budget.exhausted
    unlimited = WorkBudget(math.inf)
    assert float(unlimited.spend("sum", ones.sum)) == 4
    assert unlimited.allows("sum")


def test_a_limit_on_cost_ends_relinearisation_and_is_said() -> None:
    signal = tones((1, 2, 5))

    def run(max_cost: float) -> tuple[Any, list[Cost]]:
        network, costs = field(signal, 32, depth=2), []
        adam = torch.optim.Adam(network.parameters(), 1e-3)
        options = PredictionOptions(max_cost=max_cost)
        return predict(signal, network, adam, 400, pilot=20, options=options, callback=costs.append), costs

    limited, costs = run(3.5)
    again, _ = run(3.5)
    unlimited, _ = run(math.inf)
    assert limited.record.drop_attrs().identical(again.record.drop_attrs())

    def values(prediction: Any, code: FindingCode) -> list[dict[str, Any]]:
        return [finding.values for finding in prediction.findings if finding.code is code]

    (limit,) = values(limited, FindingCode.COST_LIMIT)
    (whole,) = values(unlimited, FindingCode.RELINEARISED)
    assert not values(unlimited, FindingCode.COST_LIMIT)
    assert not values(limited, FindingCode.RELINEARISED)
    assert 20 <= limit["until"] < whole["until"]
    assert f"up to step {limit['until']} only" in " ".join(limited.sentences)
    assert costs[0].limit
    assert outlook(costs[0]).startswith("Predicting will take at most about ")


def test_a_cost_above_its_limit_is_told_before_the_pilot() -> None:
    events: list[Any] = []
    signal = tones()
    network = field(signal, 32)
    adam = torch.optim.Adam(network.parameters(), 1e-3)
    options = PredictionOptions(max_cost=0.5)
    meter = CostMeter(events.append, pilot=10, steps=200, max_cost=0.5)
    meter.before_pilot(0.01, 3.0)
    meter.before_pilot(0.01)
    assert events == [Cost(3.0, 2.0), Cost(1.0, 2.0, limit=True)]
    events.clear()
    predict(signal, network, adam, 200, pilot=10, options=options, callback=events.append)
    # A training of a small network costs less than the two kernels of its prediction: no limit is promised.
    assert not events[0].limit
    assert events[0].predicting > SMALLEST
