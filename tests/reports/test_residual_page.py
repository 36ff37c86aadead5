import re

import numpy as np
import pytest

from overtone import records, reports

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
    assert "Equation: 0.01% of what the zero field" in text
    assert "Equation: settled up to 2 cycles per m, missing from 2 to 4 cycles per m." in text
    assert "Ends: settled in all 2 bands" in text
    assert "Ends: 30% of it is left, 3,000 times as much as of equation." in text
    assert "Raise the weight of ends" in text


@pytest.mark.parametrize(
    ("solution", "expected"),
    [((0.1, 0.1), "Keep it: the solution is settled"), ((0.1, 0.9), "Do not go by the residuals")],
)
def test_the_solution_decides_where_it_is_known(tmp_path, solution, expected):
    write(tmp_path / "record.sqlite", 1e-4)
    write(tmp_path / "solution.sqlite", 1e-4, "field", solution, kind="solution")
    assert expected in words(tmp_path)


def test_a_damaged_neighbour_and_other_files_are_left_out(tmp_path):
    write(tmp_path / "record.sqlite", 1e-4)
    (tmp_path / "other.sqlite").write_bytes(b"nothing")
    assert "There is one term alone." in words(tmp_path)
