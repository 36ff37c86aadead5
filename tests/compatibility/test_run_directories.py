"""Run directories written by an earlier version open, report, stay what they are, and go on.

`runs/*.zip` and the answers in `runs/expected.json` were written by version 0.1.0 before its release (record schema 1):
a picture watched whole, a series (sine, momentum, falling rate), a table, a run under the controller, and a recording
longer than the watching budget, whose rows come from its central window. The source's path is filled in by the test.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from overtone import records
from tests.cli.calling import ask

RUNS = Path(__file__).parent / "runs"
EXPECTED = json.loads((RUNS / "expected.json").read_text())
EACH = pytest.mark.parametrize("name", EXPECTED)


def source(name: str, folder: Path) -> Path:
    """The data of a run, in `folder`."""
    path = folder / EXPECTED[name]["source"]
    if path.name == "large.npy":
        np.save(path, ((np.sin(np.arange(12000) / 90.0) > 0) * 3.0).astype(np.float32))
    else:
        shutil.copy(RUNS / path.name, path)
    return path


@pytest.fixture
def run(name: str, tmp_path: Path) -> Path:
    """A run directory as it was left, its source beside it."""
    folder = tmp_path / "run"
    with zipfile.ZipFile(RUNS / f"{name}.zip") as archive:
        archive.extractall(folder)
    settings = folder / "run.json"
    held = json.loads(settings.read_text())
    held["source"]["path"] = str(source(name, tmp_path))
    settings.write_text(json.dumps(held, indent=1))
    return folder


@EACH
def test_its_record_holds_what_it_held(name, run):
    record, expected = records.load(run), EXPECTED[name]
    assert record.sizes["step"] == expected["rows"]
    assert record.sizes["band"] == expected["bands"]
    assert int(record.step[-1]) == expected["last_step"]
    assert record.attrs["frequency_unit"] == expected["unit"]
    assert float(record.loss[-1]) == expected["last_loss"]
    np.testing.assert_allclose(record.residual_power.values[-1].sum(), expected["residual_power"], rtol=1e-12)
    np.testing.assert_allclose(record.target_power.values.sum(), expected["target_power"], rtol=1e-12)


@EACH
def test_it_is_reported(name, run):
    page = run.parent / "page.html"
    answer = ask("report", run, "--out", page)
    assert answer.code == 0, answer.err
    assert page.stat().st_size > 10_000


def psnr_agrees(got, expected, decibels):
    for key in ("train", "held_out"):
        assert got[key] == pytest.approx(expected[key], abs=decibels), key
    assert got["held_out_clean"] is None


@EACH
def test_resumed_with_nothing_left_to_do_it_answers_as_before(name, run):
    answer = ask("fit", "--resume", "--out", run, "--json")
    assert answer.code == 0, answer.err
    document, expected = answer.json, EXPECTED[name]
    assert document["steps"] == expected["steps"]
    assert document["parameters"] == expected["parameters"]
    assert document["unit"] == expected["unit"]
    assert document["bandwidth"] == pytest.approx(expected["bandwidth"])
    psnr_agrees(document["psnr"], expected["psnr"], 1e-3)  # a float32 network evaluated once more


@pytest.mark.parametrize("name", [name for name, run in EXPECTED.items() if "resumed" in run])
def test_it_goes_on_to_where_it_would_have_gone(name, run):
    answer = ask("fit", "--resume", "--out", run, "--steps", "90", "--json")
    assert answer.code == 0, answer.err
    document, expected = answer.json, EXPECTED[name]["resumed"]
    assert document["steps"] == expected["steps"]
    # float32 training of up to 87 steps on another processor
    psnr_agrees(document["psnr"], expected["psnr"], 0.05)
