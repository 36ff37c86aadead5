import re

import numpy as np
import pytest

from overtone import records, reports
from overtone.reports._equation_verdict import (
    equation_advice,
    kernel_is_better,
    kernel_sentences,
    residual_answers,
)
from overtone.reports._findings import gather

STEPS = np.array([0, 1, 2, 5, 10, 20, 50, 100])


def write(path, last, term="equation", errors=(0.1, 0.1), **attrs):
    """A record of a term whose mean square falls from 1 to `last`, and whose bands have these relative errors."""
    known = {"term": term, "frequency_unit": "cycles per m"} | attrs
    header = records.Header([0, 1, 2], [1, 2, 4], [term], {"target_power": [[0.0], [0.5], [0.5]]}, known)
    with records.Writer.create(path, header) as writer:
        for step, error in zip(STEPS, np.geomspace(1, last, len(STEPS)), strict=True):
            residual = [0.0, *(0.5 * np.square(errors) if step == 100 else (0.5, 0.5))]
            writer.append(step, {"residual_power": np.array(residual)[:, None], "train_error": error})


def words(folder):
    page = reports.report(folder, folder / "report.html").read_text(encoding="utf-8")
    return re.sub(r"<[^>]+>", " ", page[: page.index("application/json")])


def test_terms_are_one_page(tmp_path):
    write(tmp_path / "record.sqlite", 1e-4, errors=(0.1, 0.9))
    write(tmp_path / "ends.sqlite", 0.3, "ends")
    text = words(tmp_path)
    assert "Equation: 0.01% of the residual of the zero field" in text
    assert "Equation: settled up to 2 cycles per m, missing from 2 to 4 cycles per m." in text
    assert "Ends: settled in all 2 bands" in text
    assert "Ends: 30% of its residual is left, 3,000 times the fraction of equation." in text
    assert "Raise the weight of ends" in text


@pytest.mark.parametrize(
    ("solution", "expected"),
    [((0.1, 0.1), "Keep it: the solution is settled"), ((0.1, 0.9), "Do not rely on the residuals")],
)
def test_the_solution_decides_where_it_is_known(tmp_path, solution, expected):
    write(tmp_path / "record.sqlite", 1e-4)
    write(tmp_path / "solution.sqlite", 1e-4, "field", solution, kind="solution")
    assert expected in words(tmp_path)


def test_a_damaged_neighbour_and_other_files_are_left_out(tmp_path):
    write(tmp_path / "record.sqlite", 1e-4)
    (tmp_path / "other.sqlite").write_bytes(b"nothing")
    assert "There is only one term." in words(tmp_path)


KERNEL = {
    "trusted": True,
    "residual": 1e-9,
    "undetermined": 0,
    "resolved": 40,
    "converged": True,
    "train": 1e-9,
    "held_out": 2e-9,
    "error": None,
}
NETWORK = {"train": 0.01, "held_out": 0.02, "error": None}


def facts(kernel=(), network=(), **others):
    known = {"bistable": False, "linear": True, "compared": None}
    return known | {"kernel": KERNEL | dict(kernel), "network": NETWORK | dict(network)} | others


@pytest.mark.parametrize(
    ("described", "better", "words"),
    [
        (facts(), True, "Yes: held-out residual 2.0·10⁻⁹ against the network's held-out residual 0.02."),
        (facts({"trusted": False, "held_out": 0.3, "residual": 0.3}), False, "No: held-out residual 0.3"),
        (facts({"trusted": False, "held_out": 0.005, "residual": 0.005}), None, "is not reliable"),
        (facts({"undetermined": 2}), None, "leave 2 of 40 fields undetermined"),
        (facts(bistable=True), None, "several stable states"),
        # With a reference the errors decide, not the residuals.
        (facts({"error": 0.9}, {"error": 0.1}, compared="reference", bistable=True), False, "error 0.9"),
        (facts(network={"held_out": None}), True, "residual 0.01"),
    ],
)
def test_the_kernel_solution_is_called_better_only_where_its_figures_say_so(described, better, words):
    assert kernel_is_better(described) is better
    assert words in " ".join(kernel_sentences(described))


def test_a_run_of_an_equation_is_advised_by_what_the_equation_allows(tmp_path):
    write(tmp_path / "record.sqlite", 1e-4)
    findings = gather(records.load(tmp_path))
    assert "run.kernel" in equation_advice(facts(), findings)
    assert equation_advice(facts({"residual": 0.4}), findings).startswith("Check the conditions")
    assert equation_advice(facts({"undetermined": 1}), findings).startswith("Add conditions")
    assert equation_advice(facts(bistable=True), findings).startswith("Do not rely")
    assert equation_advice(facts({"trusted": False, "held_out": 0.3}), findings) is None


def test_a_fit_with_balanced_weights_is_told_to_train_longer_before_weights_are_changed(tmp_path):
    write(tmp_path / "record.sqlite", 1e-4)
    write(tmp_path / "ends.sqlite", 0.3, "ends")
    both = {
        name: records.load(tmp_path / file)
        for name, file in (("equation", "record.sqlite"), ("ends", "ends.sqlite"))
    }
    described = facts({"trusted": False, "held_out": 0.3}) | {"terms": [{"name": "ends", "weight": 7.0}]}
    described |= {"functionals": {}, "lattice": {}}
    first = both["equation"].assign_attrs(equation=described)
    assert residual_answers(both | {"equation": first})[-1][1].startswith("Train longer")
    settled = {
        name: record.assign(train_error=record.train_error[-1] + 0 * record.train_error)
        for name, record in both.items()
    }
    settled["equation"] = settled["equation"].assign_attrs(equation=described)
    left = residual_answers(settled)[-1][1]
    assert left.startswith("Raise the weight of ends above 7:")
