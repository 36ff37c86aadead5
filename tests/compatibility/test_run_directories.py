"""Run directories written by an earlier version open, report, stay what they are, and go on.

`runs/*.zip` and the answers in `runs/expected.json` were written by version 0.1.0 before its release (record schema 1):
a picture watched whole, a series (sine, momentum, falling rate), a table, a run under the controller, and a recording
longer than the watching budget, whose rows come from its central window.

`later/` was written by a later state of that version (kept networks with their steps, rows from samples spread over the
whole): a grid, scattered rows, and a run of 90 steps that Ctrl-C stopped half way, whose `resumed` is the answer of a
run that went through; a comparison folder and the records of a probe with four views.
The source's path is filled in by the test.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from overtone import records
from tests.cli.calling import ask

RUNS = Path(__file__).parent / "runs"
LATER = Path(__file__).parent / "later"
FOLDERS = {
    name: folder for folder in (RUNS, LATER) for name in json.loads((folder / "expected.json").read_text())
}
EXPECTED = {
    name: json.loads((folder / "expected.json").read_text())[name] for name, folder in FOLDERS.items()
}
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
    with zipfile.ZipFile(FOLDERS[name] / f"{name}.zip") as archive:
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


def left_to_do(name):
    return json.loads((FOLDERS[name] / "expected.json").read_text())[name]["steps"] < begun_with(name)


def begun_with(name):
    with zipfile.ZipFile(FOLDERS[name] / f"{name}.zip") as archive:
        return json.loads(archive.read("run.json"))["training"]["steps"]


@pytest.mark.parametrize("name", [name for name in EXPECTED if not left_to_do(name)])
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


@pytest.fixture
def views(tmp_path):
    """The run directory of a probe with four views."""
    with zipfile.ZipFile(LATER / "views.zip") as archive:
        archive.extractall(tmp_path / "views")
    return tmp_path / "views"


def test_every_record_of_several_views_opens(views):
    expected = json.loads((LATER / "views.json").read_text())
    assert sorted(path.name for path in views.glob("*.sqlite")) == sorted(expected)
    for name, facts in expected.items():
        record = records.load(views / name)
        assert (record.sizes["band"], record.sizes["step"]) == (facts["bands"], facts["rows"])
        assert [str(channel) for channel in record.channel.values] == facts["channels"]
        assert record.attrs["frequency_unit"] == facts["unit"]
        assert float(record.loss[-1]) == facts["last_loss"]
        assert np.nansum(record.residual_power.values[-1]) == pytest.approx(
            facts["residual_power"], rel=1e-12
        )
        assert np.nansum(record.target_power.values) == pytest.approx(facts["target_power"], rel=1e-12)


def test_several_views_are_reported(views):
    answer = ask("report", views, "--out", views.parent / "page.html")
    assert answer.code == 0, answer.err


@pytest.fixture
def comparison(tmp_path):
    """A comparison folder beside its source, as if it had been made here.

    A part that was done is found by a hash of the function and the settings of its task, one of which is the folder.
    """
    folder = tmp_path / "comparison"
    with zipfile.ZipFile(LATER / "comparison.zip") as archive:
        archive.extractall(folder)
    shutil.copy(RUNS / "field.npy", tmp_path)
    for path in (folder / "results").iterdir():
        part = json.loads(path.read_text())
        part["settings"]["folder"] = str(folder.resolve())
        text = json.dumps([part["function"], part["settings"]], sort_keys=True)
        part["key"] = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        path.unlink()
        path.with_stem(part["key"]).write_text(json.dumps(part))
    return folder


COMPARED = ("--candidates", "gaussian", "--steps", 50, "--seeds", 1, "--parameters", 5000, "--processes", 1)


def contents(folder):
    return {
        path.name: path.read_bytes()
        for part in ("results", "predictions")
        for path in (folder / part).iterdir()
    }


def test_a_comparison_goes_on_with_what_was_done(comparison, monkeypatch):
    monkeypatch.chdir(comparison.parent)
    before = contents(comparison)
    answer = ask("compare", "field.npy", *COMPARED, "--out", "comparison", "--json")
    assert answer.code == 0, answer.err
    assert contents(comparison) == before, "parts that were done were done again"
    expected = json.loads((LATER / "comparison.json").read_text())
    assert answer.json["winner"] == expected["winner"]
    psnr = {candidate["name"]: candidate["psnr_held_out"] for candidate in answer.json["candidates"]}
    assert psnr == pytest.approx(expected["candidates"], abs=1e-6)
