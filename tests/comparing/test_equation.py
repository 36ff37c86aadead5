"""Comparisons on an equation: the same points for all, judged by the solution or by points held out."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import overtone as ot
from overtone.comparing._equation import KERNEL, SPECTRAL, EquationTask
from overtone.comparing._measured import networks_of
from overtone.comparing._statistics import MEAN
from overtone.comparing._truth import FieldErrors, true_errors
from overtone.comparing._wording import truth_sentence
from overtone.errors import InputError
from overtone.fitting._fit import with_known_solution
from overtone.operators._kernel import FREQUENCIES, zero_field
from overtone.planning import Budget
from overtone.reports._measured_page import reconstruction_block
from tests.operators.problems import TAU, helmholtz

WAVES = 2.2


@pytest.fixture(autouse=True)
def few_bandwidths(monkeypatch):
    monkeypatch.setattr("overtone.operators._balance.CYCLES", (3.0,))
    monkeypatch.setitem(FREQUENCIES, 1, 50)


def truth(x):
    return torch.cos(TAU * WAVES * x)


def colours(figure):
    return {line.name: line.line.color for line in figure.data}


def test_the_kernel_solution_wins_on_a_wave(tmp_path):
    problem, options = helmholtz(WAVES, points=60), {"candidates": (), "budget": Budget(steps=50), "seeds": 1}
    result = ot.compare(problem, tmp_path / "all", reference=truth, **options)
    assert result.winner in (KERNEL, SPECTRAL)
    assert {score.name for score in result.scores} == {MEAN, KERNEL, SPECTRAL, "mlp"}
    assert min(score.mean for score in result.scores[:2]) > 100
    assert result.judged == "the solution"
    assert "No network is recommended" in result.verdict[2]
    page = result.report().read_text(encoding="utf-8")
    assert "points for training" in page
    assert "The solution of each candidate" in page
    best, *_, last = result.truth.candidates
    assert {one.name for one in result.truth.candidates} == {score.name for score in result.scores}
    assert best.error < 1e-5
    assert best.regret == 1
    assert last.error >= 0.9
    # Amplitudes of the error of the zero field are those of the solution.
    zero = next(one for one in result.truth.candidates if one.name == MEAN)
    assert zero.bands == pytest.approx(result.truth.solution)
    assert float(np.square(zero.bands).sum()) == pytest.approx(1)
    assert result.verdict[3].startswith("The ")
    assert "Do residuals rank as true errors do?" in page
    assert "Held-out residual" in page
    assert result.errors_plot().describe().startswith("Error by frequency")
    # A candidate has one colour in the figures of the page, whichever of them are shown.
    names = [one.name for one in result.truth.candidates]
    curves = [("Reference", "", np.zeros((8, 1))), *((name, "", np.zeros((8, 1))) for name in names)]
    fields = colours(reconstruction_block(curves, 1.0, 0.0, "m", "Fields").figure)
    errors = colours(result.errors_plot([names[0], names[2]]).plotly())
    assert {name: errors[name] for name in (names[0], names[2])} == {
        name: fields[name] for name in (names[0], names[2])
    }
    assert len({fields[name] for name in names}) == len(names)


def test_candidates_that_residuals_put_in_the_wrong_order_are_named():
    fields = {
        "a": [FieldErrors(0.01, 0.4, (0.4, 0.0)), FieldErrors(0.01, 0.1, (0.1, 0.0))],
        "b": [FieldErrors(0.02, 0.05, (0.05, 0.0))],
        "exact": [FieldErrors(1e-9, 1e-12, (0.0, 0.0))],
        "as exact": [FieldErrors(1e-10, 1e-9, (0.0, 0.0))],
    }
    truths = true_errors({name: fields[name] for name in ("a", "b")}, (0.0, 1.0, 2.0), (1.0, 0.0), "Hz")
    assert truths.reversals == (("a", "b"),)
    assert truths.by_residual.regret == pytest.approx(4)
    assert truths.candidates[1].bands[0] == pytest.approx(((0.4**2 + 0.1**2) / 2) ** 0.5)
    sentence = truth_sentence(truths)
    assert sentence.startswith(
        "The candidate of the least residual, a, has an error of 0.2, 4 times that of b."
    )
    assert sentence.endswith("a before b.")
    solved = true_errors(
        {name: fields[name] for name in ("exact", "as exact")}, (0.0, 1.0, 2.0), (1.0, 0.0), "Hz"
    )
    assert solved.reversals == ()
    assert truth_sentence(solved).startswith(
        "The candidate of the least residual, as exact, has about the least"
    )
    del fields["a"]
    assert truth_sentence(true_errors({"b": fields["b"]}, (0.0, 1.0), (1.0,), "Hz")).startswith(
        "The least residual"
    )


def test_a_solution_known_at_points_judges_there():
    x = torch.linspace(0, 1, 40, dtype=torch.float64)[:, None]
    problem = with_known_solution(helmholtz(WAVES, points=60), (x, truth(x)))
    task = EquationTask.of(problem, 0.2, 0)
    result = task.result(lambda at: truth(at) + 0.1, 0.0)
    np.testing.assert_allclose(result.squares, 0.01)
    assert len(task.cells()) == 40
    assert len(set(task.cells().tolist())) == 40
    assert task.known_field is None
    assert task.peak == pytest.approx(float(truth(x).max() - truth(x).min()))
    (only,) = task.true_errors({"shifted": [result]}).candidates
    assert only.error == pytest.approx(0.1 * 40**0.5 / float(truth(x).norm()))
    # A constant has the lowest band alone.
    assert only.bands[0] > 10 * max(only.bands[2:])


def test_only_equations_have_a_reference_of_their_own():
    signal = ot.signals.synthetic.harmonics([3.0], samples=64)
    with pytest.raises(InputError, match="reference= only with an equation, got samples"):
        ot.compare(signal, reference=truth)
    with pytest.raises(TypeError, match="compare\\(\\) got an unexpected keyword argument 'referenz'"):
        ot.compare(signal, referenz=truth)


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
