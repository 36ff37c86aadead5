"""Fits of equations: the run, its weights and stop, resumption, and what cannot be told."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import overtone as ot
from overtone.errors import InputError
from overtone.fitting._measured_split import judged_measurements, split_measured
from overtone.operators import choose_bandwidth
from overtone.operators._kernel import FREQUENCIES, zero_loss
from tests.operators.problems import TAU, helmholtz, second

SMALL = {"width": 160, "features": 32, "depth": 1}
BY_HAND = SMALL | {"bandwidth": 3.0}
WAVES = 2.2


@pytest.fixture(autouse=True)
def few_bandwidths(monkeypatch):
    """Kernel solutions and choices of few bandwidths, with few frequencies."""
    monkeypatch.setattr("overtone.operators._balance.CYCLES", (1.0, 3.0))
    monkeypatch.setattr(
        "overtone.operators._balance.choose_bandwidth",
        lambda *args, **options: choose_bandwidth(*args, cycles=(0.5, 3.0), **options),
    )
    monkeypatch.setitem(FREQUENCIES, 1, 50)


def truth(x):
    return torch.cos(TAU * WAVES * x)


def problem(**options):
    return replace(helmholtz(WAVES, points=80, **options), reference=truth)


def described(run):
    return run.record.attrs["equation"]


def places(count=101):
    return torch.linspace(0, 1, count, dtype=torch.float64)[:, None]


def test_a_fit_chooses_trains_and_says_that_the_kernel_solution_is_better(tmp_path):
    run = ot.fit(problem(), tmp_path / "run", steps=120, **SMALL)
    facts, record = described(run), run.record
    chosen = [one for one in facts["candidates"] if one["chosen"]]
    assert [one["cycles"] for one in facts["candidates"]] == [0.5, 3.0]
    assert run.record.attrs["bandwidth"] == pytest.approx([1.645 * chosen[0]["sigma"][0]], rel=1e-3)
    assert facts["terms"][0] == {
        "name": "equation",
        "points": 72,
        "held_out": 8,
        "weight": pytest.approx(1.0),
    }
    assert facts["terms"][1]["held_out"] == 0
    with pytest.raises(InputError, match="pass points"):
        run.predict()
    # Errors are those of the fields that are handed back.
    x = places()
    assert float((run.kernel(x) - truth(x)).abs().max()) < 1e-6
    error = float((run.predict(x).double() - truth(x)).norm() / truth(x).norm())
    assert facts["network"]["error"] == pytest.approx(error, rel=0.05)
    assert facts["kernel"]["error"] < 1e-8 < facts["network"]["held_out"] < 0.5
    assert set(facts["records"]) == {"boundary", "solution"}
    assert float(record.train_error[-1]) < 0.5 * float(record.train_error.max())
    verdict = " ".join(run.verdict)
    assert "Yes: held-out residual" in verdict
    assert "Use the kernel solution" in verdict
    page = run.report().read_text(encoding="utf-8")
    assert "Network and kernel solution" in page
    assert "Bandwidths that were compared" in page
    assert "Kernel solution" in run._repr_html_()
    # The record of the field is one of errors, as others are.
    solution = ot.records.load(tmp_path / "run" / "solution.sqlite")
    assert len(ot.reports.verdict(solution)) == 4


def test_units_of_the_solution_do_not_decide_how_well_a_network_is_trained(tmp_path):
    errors = []
    for size in (1e-6, 1e5):
        terms = problem().terms
        ends = replace(terms[1], operator=lambda x, u, size=size: u - size * truth(x))
        scaled = replace(problem(), terms=(terms[0], ends), reference=None)
        run = ot.fit(scaled, tmp_path / f"{size}", steps=20, **BY_HAND)
        errors.append(described(run)["network"]["train"])
        assert described(run)["size"] == pytest.approx(size / 2**0.5, rel=0.1)
    assert errors[0] == pytest.approx(errors[1], rel=1e-3)
    assert errors[0] < 1


def test_held_out_rows_are_the_weighted_loss_on_points_that_were_not_trained_on(tmp_path):
    run = ot.fit(problem(), tmp_path / "run", steps=3, stop=False, **BY_HAND)
    assert described(run)["verdict"] is None
    assert run.record.attrs["reasons"][0] == "The bandwidth was set by hand."
    weights = {term["name"]: term["weight"] for term in described(run)["terms"]}
    whole = problem(weights=weights)
    fitted, held_out = split_measured(whole, 0.1, 0)
    judged = judged_measurements(whole, held_out)
    loss = float(judged.loss(run.network).detach())
    assert float(run.record.held_out_error[-1]) == pytest.approx(loss, rel=1e-4)
    assert float(run.record.loss[-1]) > 0
    relative = (float(fitted.loss(run.network).detach()) / zero_loss(fitted)) ** 0.5
    assert described(run)["network"]["train"] == pytest.approx(relative, rel=1e-4)


def test_a_resumed_run_is_the_one_that_was_never_interrupted(tmp_path):
    options = {"steps": 30, "lr": 0.01, **BY_HAND}
    once = ot.fit(problem(), tmp_path / "once", **options)
    ot.fit(problem(), tmp_path / "twice", **(options | {"steps": 13}))
    again = ot.fit(problem(), tmp_path / "twice", resume=True, steps=30)
    assert torch.equal(once.predict(places()), again.predict(places()))
    for name in ("record", "boundary", "solution"):
        one, two = (ot.records.load(r.directory.path / f"{name}.sqlite") for r in (once, again))
        rows = [record.residual_power.sel(step=[0, 4, 30]).values for record in (one, two)]
        assert np.array_equal(*rows)
    assert described(again) == described(once)
    unchanged = ot.fit(problem(), tmp_path / "twice", resume=True)
    assert unchanged.unchanged
    assert torch.equal(unchanged.predict(places()), once.predict(places()))
    with pytest.raises(InputError, match="the samples that the run began with"):
        ot.fit(helmholtz(WAVES + 0.1, points=80), tmp_path / "twice", resume=True)


def test_a_new_run_removes_the_records_of_the_earlier_one(tmp_path):
    ot.fit(problem(), tmp_path / "run", steps=1, **BY_HAND)
    (tmp_path / "run" / "mine.sqlite").write_bytes(b"")
    line = ot.operators.equation({"start": (lambda x, u: u - x, 20)}, [(0, 1)])
    ot.fit(line, tmp_path / "run", steps=1, overwrite=True, **BY_HAND)
    files = {path.name for path in (tmp_path / "run").glob("*.sqlite")}
    assert files == {"record.sqlite", "mine.sqlite"}


def test_terms_that_differ_by_orders_are_weighted_unless_weights_were_set(tmp_path):
    def raw(x, u):
        return second(u[:, 0], x) + (TAU * WAVES) ** 2 * u[:, 0]

    terms = {"equation": (raw, 60), "boundary": (lambda x, u: u - truth(x), [[0.0], [1.0]])}
    plain = ot.operators.equation(terms, [(0, 1)])
    weights = [one["weight"] for one in described(ot.fit(plain, tmp_path / "a", steps=1, **BY_HAND))["terms"]]
    assert weights[1] / weights[0] > 1000
    by_hand = ot.operators.equation(terms, [(0, 1)], weights={"boundary": 5.0})
    run = ot.fit(by_hand, tmp_path / "b", steps=1, **BY_HAND)
    assert [one["weight"] for one in described(run)["terms"]] == [1.0, 5.0]
    # Without a reference the trusted kernel solution stands for it.
    assert described(run)["compared"] == "kernel solution"
    assert "compared with the kernel solution" in run.verdict[1]


def test_equations_of_several_stable_states_are_told(tmp_path):
    def reaction(x, u):
        return 1e-3 * second(u[:, 0], x) + u[:, 0] - u[:, 0] ** 3

    ends = lambda x, u: u - torch.sign(x - 0.5)  # noqa: E731
    states = ot.operators.equation({"equation": (reaction, 40), "ends": (ends, [[0.0], [1.0]])}, [(0, 1)])
    run = ot.fit(states, tmp_path / "run", steps=2, **BY_HAND)
    assert described(run)["bistable"]
    assert described(run)["compared"] is None
    text = " ".join(run.verdict)
    assert "several stable states" in text
    assert "Do not rely on small residuals" in text
    assert "cannot tell, because no reference was passed" in text


def test_conditions_that_contradict_are_told(tmp_path):
    values = torch.tensor([[0.0], [1.0], [0.5]], dtype=torch.float64)
    terms = {
        "equation": (lambda x, u: second(u[:, 0], x), 40),
        "ends": (lambda x, u: u - values, [[0.0], [0.0], [1.0]]),
    }
    run = ot.fit(ot.operators.equation(terms, [(0, 1)]), tmp_path / "run", steps=2, **BY_HAND)
    assert run.verdict[-1].startswith("Check the conditions")


def test_few_points_hold_nothing_out_and_say_so(tmp_path):
    few = helmholtz(1.2, points=6)
    run = ot.fit(few, tmp_path / "run", steps=5, **BY_HAND)
    assert run.outcome.step == 5
    assert described(run)["functionals"]["held_out"] == 0
    assert any(reason.startswith("No points are held out") for reason in run.record.attrs["reasons"])


def test_activations_without_a_second_derivative_are_replaced_or_refused(tmp_path):
    run = ot.fit(problem(), tmp_path / "run", steps=1, activation="relu", **BY_HAND)
    assert "Tanh" in run.network.describe()
    with pytest.raises(InputError, match="whose second derivative is zero"):
        ot.fit(problem(), tmp_path / "other", steps=1, activation="leaky-relu", **BY_HAND)
    with pytest.raises(InputError, match="linear interpolation in a grid"):
        ot.fit(problem(), tmp_path / "other", steps=1, encoding="hash-grid", bandwidth=3.0)


def test_a_reference_of_samples_gives_errors_by_band_at_its_points(tmp_path):
    x = places(60) ** 1.5
    plain = helmholtz(WAVES, points=80)
    run = ot.fit(plain, tmp_path / "run", reference=(x, truth(x)), steps=2, **BY_HAND)
    assert described(run)["compared"] == "reference"
    error = float((run.predict(x).double() - truth(x)).norm() / truth(x).norm())
    assert described(run)["network"]["error"] == pytest.approx(error, rel=1e-3)
    assert described(run)["kernel"]["error"] < 1e-6
    solution = ot.records.load(tmp_path / "run" / "solution.sqlite")
    assert solution.sizes["band"] > 5
    again = ot.fit(plain, tmp_path / "run", reference=(x, truth(x)), resume=True)
    assert again.unchanged
    with pytest.raises(InputError, match="one row per point"):
        ot.fit(plain, tmp_path / "other", reference=(x, truth(x)[:5]), steps=2)
    with pytest.raises(InputError, match="reference= only with an equation"):
        ot.fit(ot.signals.array(np.eye(8)), reference=truth, steps=2)


def test_a_plan_has_the_weights_of_the_fit(monkeypatch):
    def raw(x, u):
        return 100 * u - 100 * truth(x)

    terms = {"equation": (raw, 40), "boundary": (lambda x, u: u - truth(x), [[0.0], [1.0]])}
    choice = ot.plan(ot.operators.equation(terms, [(0, 1)]), ot.planning.Budget(steps=20))
    weights = {term.name: term.weight for term in choice.problem.terms}
    assert weights["boundary"] > 1000 * weights["equation"]
