"""Comparisons on an equation: the same points for all, judged by the solution or by points held out."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import overtone as ot
from overtone.comparing._equation import KERNEL, SPECTRAL, EquationTask
from overtone.comparing._measured import networks_of
from overtone.comparing._statistics import MEAN
from overtone.errors import InputError
from overtone.operators._kernel import FREQUENCIES, zero_field
from overtone.planning import Budget
from tests.operators.problems import TAU, helmholtz

WAVES = 2.2


@pytest.fixture(autouse=True)
def few_bandwidths(monkeypatch):
    monkeypatch.setattr("overtone.operators._balance.CYCLES", (3.0,))
    monkeypatch.setitem(FREQUENCIES, 1, 50)


def truth(x):
    return torch.cos(TAU * WAVES * x)


def test_the_kernel_solution_wins_on_a_wave(tmp_path):
    problem = replace(helmholtz(WAVES, points=60), reference=truth)
    result = ot.compare(problem, tmp_path / "all", candidates=(), budget=Budget(steps=50), seeds=1)
    assert result.winner in (KERNEL, SPECTRAL)
    assert {score.name for score in result.scores} == {MEAN, KERNEL, SPECTRAL, "mlp"}
    assert min(score.mean for score in result.scores[:2]) > 100
    assert result.judged == "the solution"
    assert "No network is recommended" in result.verdict[2]
    page = result.report().read_text(encoding="utf-8")
    assert "points for training" in page
    assert "The solution of each candidate" in page


def test_bandwidths_are_chosen_from_the_points_that_candidates_get_with_units_that_have_derivatives(
    monkeypatch,
):
    calls = []

    def choose(problem, model, **options):
        calls.append((problem, model))
        return SimpleNamespace(bandwidth=(4.0,))

    monkeypatch.setattr("overtone.comparing._measured.choose_bandwidth", choose)
    monkeypatch.setattr("overtone.comparing._measured.choice_reasons", lambda choice: ["because"])
    task = EquationTask.of(helmholtz(WAVES, points=60), 0.2, 0)
    chosen = task.with_bandwidths(networks_of(("gaussian",)), Budget(steps=50), 0)
    assert chosen.bandwidths == {"gaussian": (4.0,)}
    assert [str(reason) for reason in chosen.reasons] == ["because"]
    assert calls[0][0] is task.fitted
    assert calls[0][1].activation[0].value == "tanh"


def test_without_a_reference_held_out_points_judge(tmp_path):
    task = EquationTask.of(helmholtz(WAVES, points=60), 0.2, 0)
    assert task.sizes == (50, 12)
    assert task.judged == "held-out points"
    for field in (truth, zero_field(task.signal)):
        result = task.result(field, 0.0)
        loss = float(task.held_out.loss(field).detach())
        assert float(result.squares.mean()) == pytest.approx(loss, rel=1e-9, abs=1e-20)
    assert task.peak**2 == pytest.approx(loss)
    assert len(task.cells()) == len(result.squares)
    task.save(tmp_path / "points.npz")
    assert np.load(tmp_path / "points.npz")["points_0"].shape == (60, 1)
    with pytest.raises(InputError, match="at least 8 points"):
        EquationTask.of(helmholtz(WAVES, points=5), 0.2, 0)
