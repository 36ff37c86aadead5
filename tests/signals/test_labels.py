"""Columns of a table that hold labels are refused, and every way out that the refusal names is one."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import overtone as ot
from overtone import signals
from overtone.errors import InputError

GENERATOR = np.random.default_rng(0)
ROWS = 120
COLUMNS = {
    "zero or one": (GENERATOR.integers(0, 2, ROWS), True),
    "minus or plus one": (2 * GENERATOR.integers(0, 2, ROWS) - 1, True),
    "two measured values": (np.where(GENERATOR.random(ROWS) < 0.1, 3.7, 12.1), True),
    "one in sixty": ((np.arange(ROWS) % 60 == 0).astype(int), True),
    "five stars": (GENERATOR.integers(1, 6, ROWS), True),
    "codes far apart": (GENERATOR.choice([10, 200, 3000], ROWS), True),
    "whole numbers up to 40": (GENERATOR.integers(0, 40, ROWS), False),
    "twelve values in few rows": (GENERATOR.integers(0, 12, ROWS), False),
    "rounded to halves": (GENERATOR.integers(0, 6, ROWS) / 2, False),
    "measured": (GENERATOR.random(ROWS), False),
}


def written(path: Path, column: np.ndarray) -> Path:
    places = GENERATOR.random(len(column))
    lines = [f"{x},{10 * x},{y}" for x, y in zip(places, column, strict=True)]
    path.write_text("\n".join(["a,price,target", *lines]) + "\n")
    return path


@pytest.mark.parametrize("kind", COLUMNS)
def test_labels_are_told_from_quantities(kind: str, tmp_path: Path) -> None:
    column, labels = COLUMNS[kind]
    path = written(tmp_path / "t.csv", column)
    if not labels:
        assert signals.table(path, ["a"], ["target"]).values.shape == (ROWS, 1)
        return
    with pytest.raises(InputError, match=rf"{len(set(column.tolist()))} values alone in column 'target'"):
        signals.table(path, ["a"])


def test_a_few_rows_are_too_few_to_call_a_column_one_of_labels(tmp_path: Path) -> None:
    assert signals.table(written(tmp_path / "t.csv", np.array([0, 1] * 9)), ["a"]).values.shape == (18, 2)
    with pytest.raises(InputError, match="which look like labels"):
        signals.table(written(tmp_path / "t.csv", np.array([0, 1] * 10)), ["a"])


def test_every_way_out_is_one(tmp_path: Path) -> None:
    column, _ = COLUMNS["zero or one"]
    path = written(tmp_path / "t.csv", column)
    with pytest.raises(InputError) as refused:
        signals.read(path, inputs=["a"])
    advice = refused.value.do
    assert "name the columns to learn without it" in advice
    assert signals.read(path, inputs=["a"], columns=["price"]).channels == ("price",)
    assert "pass quantities=True" in advice
    assert signals.read(path, inputs=["a"], quantities=True).channels == ("price", "target")
    assert "Probe.of(inputs, labels, network)" in advice
    inputs = torch.from_numpy(np.loadtxt(path, delimiter=",", skiprows=1)[:, :1]).float()
    network = torch.nn.Linear(1, 2)
    with ot.Probe.of(inputs, torch.from_numpy(column), network, tmp_path / "run") as probe:
        probe(0)
    assert probe.record.sizes["channel"] == 2


def test_the_command_line_names_its_flag_and_takes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from overtone.cli._main import run

    monkeypatch.chdir(tmp_path)
    # The flag is tested, not the page.
    monkeypatch.setattr("overtone.reports.report", lambda _, out: Path(out))
    written(tmp_path / "t.csv", COLUMNS["zero or one"][0])
    words = ["fit", "t.csv", "--inputs", "a", "--columns", "target", "--steps", "2", "--width", "8"]
    words += ["--features", "4", "--bandwidth", "1", "--device", "cpu"]
    assert run(words) == 2
    assert re.search(r"pass --quantities to learn it as a number by squared error", capsys.readouterr().err)
    assert run([*words, "--quantities"]) == 0
    assert run(["fit", "--resume", "--out", "run", "--steps", "3"]) == 0
