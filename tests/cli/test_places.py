"""Places that cannot be written to, and disks that fill up."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from overtone import records
from overtone.records import _writer as writer
from tests.cli.calling import TINY, listing

Usage = namedtuple("Usage", "total used free")
FIT = (*TINY, "--steps", 2)


@pytest.mark.parametrize(
    ("out", "text"),
    [
        ("waves.npy", "waves.npy: expected a directory to write to, got a file; choose another --out"),
        ("waves.npy/run", "expected a directory that can be written to, got Not a directory"),
        ("other", "other: expected an empty directory or an earlier run, got other files in it"),
        ("x" * 300, "expected a directory that can be written to, got File name too long"),
    ],
)
def test_no_place_for_a_run(call, tmp_path, source, out, text):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("years of work")
    before = listing(tmp_path)
    for more in ([], ["--overwrite"]):
        answer = call("fit", source, *FIT, "--out", out, *more)
        assert answer.code == 2
        assert text in answer.sentence
    assert listing(tmp_path) == before


def test_no_permission(call, tmp_path, source, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    answer = call("fit", source, *FIT, "--out", "a/run")
    assert answer.code == 2
    assert "a/run: expected a directory that can be written to, got Permission denied" in answer.sentence
    assert listing(tmp_path) == ["waves.npy"]


def test_no_permission_within_an_empty_directory(call, tmp_path, source, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_text", refuse)
    answer = call("fit", source, *FIT, "--out", "a/run")
    assert answer.code == 2
    assert "got Read-only file system" in answer.sentence
    assert listing(tmp_path) == ["waves.npy"]


@pytest.mark.usefixtures("no_page")
def test_no_space_left_is_said_before_anything_is_written_or_lost(call, tmp_path, source, monkeypatch):
    with monkeypatch.context() as small:
        small.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 5000))
        answer = call("fit", source, *FIT)
        assert answer.code == 2
        assert "run: expected room for a run of about 8" in answer.sentence
        assert (
            "got 5000 bytes that may be written; free some space or choose another --out" in answer.sentence
        )
        assert listing(tmp_path) == ["waves.npy"]
    assert call("fit", source, *FIT).code == 0
    kept = Path("run/record.sqlite").read_bytes()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 0))
    assert call("fit", source, *FIT, "--overwrite").code == 2
    assert Path("run/record.sqlite").read_bytes() == kept


def test_a_limit_on_file_sizes_counts_as_room(call, tmp_path, source):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        answer = call("fit", source, *FIT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert answer.code == 2
    assert "expected room for a run" in answer.sentence
    assert listing(tmp_path) == ["waves.npy"]


def test_a_disk_that_fills_up_later_keeps_the_record(call, source, monkeypatch):
    connect = writer._connect

    def on_a_small_disk(path):
        connection = connect(path)
        connection.execute("PRAGMA max_page_count=13")
        return connection

    monkeypatch.setattr(writer, "_connect", on_a_small_disk)
    answer = call("fit", source, *TINY, "--steps", 500)
    assert answer.code == 1
    assert "expected room for the record, got a full disk" in answer.sentence
    record = records.load("run")
    assert record.sizes["step"] > 1
    assert np.isfinite(record.residual_power).all()


def test_a_run_in_progress_is_not_replaced(call, source, monkeypatch):
    monkeypatch.setattr("overtone.reports.report", lambda paths, out: Path(out))
    call("fit", source, *FIT)
    with records.Writer.resume("run/record.sqlite", last_step=2):
        answer = call("fit", source, *FIT, "--overwrite")
        assert answer.code == 1
        assert "expected one writer, got a second one" in answer.sentence
    assert records.load("run").sizes["step"] == 3


def test_a_stdout_that_takes_nothing_is_no_traceback():
    with open("/dev/full" if os.path.exists("/dev/full") else os.devnull, "w") as full:
        child = subprocess.run(
            [sys.executable, "-m", "overtone.cli", "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    if full.name == "/dev/full":
        assert child.returncode == 1
        assert child.stderr == "overtone: could not write the output: No space left on device.\n"


def test_diverging_is_a_failed_run_with_a_record(call, source):
    answer = call(
        "fit", source, "--lr", 1e9, "--optimizer", "sgd", "--width", 16, "--depth", 2, "--steps", 300
    )
    assert answer.code == 1
    assert "training: expected a finite loss, got" in answer.sentence
    assert answer.out == ""
    assert records.load("run").sizes["step"] >= 1
    assert call("report", "run", "--json").code == 0
