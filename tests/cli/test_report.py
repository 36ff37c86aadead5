import errno
import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from overtone import records
from overtone.records import _sqlite
from tests.cli.calling import TINY, ask, listing, waves
from tests.records.toy import toy_header


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with two runs, without their pages."""
    folder = tmp_path_factory.mktemp("runs")
    np.save(folder / "waves.npy", waves())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("overtone.reports.report", lambda paths, out: Path(out))
        for seed in (0, 1):
            assert (
                ask("fit", "waves.npy", *TINY, "--steps", 5, "--seed", seed, "--out", f"run{seed}").code == 0
            )
    return folder


def test_one_run_and_a_comparison(runs, call):
    found = call("report", runs / "run0", "--json").json
    assert found["report"] == "report.html"
    assert Path("report.html").stat().st_size > 10_000
    assert [len(run["verdict"]) for run in found["runs"]] == [4]
    answer = call("report", runs / "run0", runs / "run1" / "record.sqlite", "--out", "both.html")
    assert answer.out == f"Report: {Path('both.html').resolve().as_uri()}\n"
    assert Path("both.html").read_text(encoding="utf-8").lower().startswith("<!doctype html>")


def write_newer(path):
    with pytest.MonkeyPatch.context() as later:
        later.setattr(_sqlite, "SCHEMA", 99)
        records.Writer.create(path / "record.sqlite", toy_header()).close()


def write_foreign(path):
    path.mkdir()
    with sqlite3.connect(path / "record.sqlite") as connection:
        connection.execute("CREATE TABLE photos (name TEXT)")


def write_cut(path):
    path.mkdir()
    records.Writer.create(path / "record.sqlite", toy_header()).close()
    whole = (path / "record.sqlite").read_bytes()
    (path / "record.sqlite").write_bytes(whole[: len(whole) // 2])


def write_text(path):
    path.write_text("not a record")


def write_rowless(path):
    records.Writer.create(path / "record.sqlite", toy_header()).close()


@pytest.mark.parametrize(
    ("write", "text"),
    [
        (lambda path: None, "bad: expected a run directory, a .sqlite or a .nc file, got no such file"),
        (
            Path.mkdir,
            "bad: expected a run directory, a .sqlite or a .nc file, got a folder without record.sqlite",
        ),
        (
            write_text,
            "bad: expected an overtone record (SQLite or netCDF), got something else or a damaged file",
        ),
        (write_newer, "schema 99, written by a newer overtone; upgrade overtone to read it"),
        (write_foreign, "expected an intact overtone record, got a damaged file"),
        (write_cut, "damaged"),
        (write_rowless, "expected a record with at least one row, got a record without rows"),
    ],
)
def test_records_that_are_none(runs, call, tmp_path, write, text):
    write(tmp_path / "bad")
    before = listing(tmp_path)
    for words in (["bad"], [runs / "run0", "bad"]):
        answer = call("report", *words)
        assert answer.code == 2
        assert text in answer.sentence
        assert answer.out == ""
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("out", "text"),
    [
        (".", "expected a file name for the report, got a folder"),
        ("text/page.html", "text/page.html: expected a place the report can be written to, got"),
    ],
)
def test_no_place_for_a_page(runs, call, tmp_path, out, text):
    (tmp_path / "text").write_text("")
    answer = call("report", runs / "run0", "--out", out)
    assert answer.code == 2
    assert text in answer.sentence
    assert listing(tmp_path) == ["text"]


def test_no_space_for_a_page_leaves_the_older_one(runs, call, tmp_path, monkeypatch):
    (tmp_path / "report.html").write_text("older")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    answer = call("report", runs / "run0")
    assert answer.code == 2
    assert "got No space left on device" in answer.sentence
    assert listing(tmp_path) == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "older"


def test_a_page_never_replaces_a_record(runs, call):
    record = runs / "run0" / "record.sqlite"
    before = record.read_bytes()
    for run in (runs / "run0", record):
        answer = call("report", run, "--out", record)
        assert answer.code == 2
        assert "--out: expected a file that is not one of the records, got one of them" in answer.sentence
    assert record.read_bytes() == before


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_damaged_run_is_not_resumed(runs, call, tmp_path):
    import shutil

    for name, damage, text in (
        ("settings", lambda run: (run / "run.json").write_text("{"), "expected readable settings of a run"),
        (
            "checkpoint",
            lambda run: (run / "checkpoint.safetensors").write_bytes(b"x"),
            "expected a readable checkpoint",
        ),
        ("none", lambda run: (run / "checkpoint.safetensors").unlink(), "expected a readable checkpoint"),
        (
            "record",
            lambda run: (run / "record.sqlite").write_bytes(b"x" * 9000),
            "expected an intact overtone record",
        ),
    ):
        shutil.copytree(runs / "run0", tmp_path / name)
        damage(tmp_path / name)
        before = files(tmp_path / name)
        answer = call("fit", "--resume", "--out", name, "--steps", 9)
        assert answer.code == 2
        assert text in answer.sentence
        assert files(tmp_path / name) == before


def test_figures_for_papers_beside_the_page(runs, call):
    answer = call("report", runs / "run0", "--figures", "figures", "--json").json
    names = [Path(file).name for file in answer["figures"]]
    assert names[0] == "learning-order.pdf"
    assert {"learning-step.pdf", "spectra.pdf", "loss.pdf"} <= set(names)
    assert all(Path(file).read_bytes().startswith(b"%PDF") for file in answer["figures"])
    both = call("report", runs / "run0", runs / "run1", "--figures", "both", "--format", "svg")
    assert f"Figure: {Path('both/compared-psnr.svg')}\n" in both.out
    assert "figures" not in call("report", runs / "run0", "--json").json


def test_a_folder_for_figures_that_is_a_file_is_refused(runs, call):
    Path("taken").write_text("a file")
    refused = call("report", runs / "run0", "--figures", "taken")
    assert refused.code == 2
    assert "a folder that figures can be written to" in refused.err
