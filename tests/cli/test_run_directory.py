"""A run directory stays what it is: when it is resumed with nothing to do, killed at any moment, or full of links."""

from __future__ import annotations

import builtins
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from overtone import records
from overtone.records import Writer
from overtone.reports._page import write_html
from tests.cli.calling import TINY, ask, waves
from tests.damage import some
from tests.records.toy import toy_header

FIT = ("fit", "waves.npy", *TINY, "--bandwidth", "3")


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A run of seven steps."""
    folder = tmp_path_factory.mktemp("begun")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("overtone.reports.report", lambda paths, out: write_html(Path(out), "page"))
        np.save("waves.npy", waves((12, 10)))
        assert ask(*FIT, "--steps", 7, "--out", "run").code == 0
    return folder


@pytest.fixture(autouse=True)
def here(begun, tmp_path, monkeypatch):
    """A folder with the samples and the run, where pages are written in no time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("overtone.reports.report", lambda paths, out: write_html(Path(out), "page"))
    shutil.copytree(begun, ".", dirs_exist_ok=True)


def content(folder):
    """Every file under a folder, with what it holds, what it links to and when it changed."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        state = path.lstat()
        held = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path)] = (held, state.st_mtime_ns, state.st_ino)
    return found


NOISY = ("--held-out", "0.3", "--lr", "0.05")


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        ((*FIT, "--steps", 7), ()),
        ((*FIT, "--steps", 10), ("--steps", 10)),
        ((*FIT, "--steps", 7), ("--steps", 3)),
        ((*FIT, "--steps", 9, "--no-stop", "--decay", "cosine"), ()),
        ((*FIT, "--time", "0.2", "--batch", "16"), ()),
        ((*FIT, "--steps", 30, *NOISY, "--controller"), ()),
        (("fit", "noise.npy", *TINY, "--bandwidth", "9", "--steps", 900, *NOISY), ("--steps", 5000)),
    ],
)
def test_a_finished_run_stays_what_it_was(begin, again):
    np.save("noise.npy", np.random.default_rng(0).standard_normal((12, 10)))
    first = ask(*begin, "--out", "run", "--overwrite", "--json")
    assert first.code == 0
    before = content("run")
    second = ask("fit", "--resume", "--out", "run", "--json", *again)
    assert second.code == 0
    assert second.json | {"clock": None} == first.json | {"clock": None}
    assert "nothing left to do" in second.err
    assert content("run") == before


def test_a_run_that_ended_before_its_last_word_is_finished_on_resume():
    whole = records.load("run").attrs
    with Writer.resume("run/record.sqlite", last_step=7) as writer:
        writer.annotate(complete=False, kept=None, final_errors=None)
    answer = ask("fit", "--resume", "--out", "run", "--json")
    assert answer.code == 0
    assert records.load("run").step.values[-1] == 7
    for name in ("kept", "final_errors", "complete", "ending"):
        assert records.load("run").attrs[name] == whole[name]


def test_less_than_an_interrupted_run_has_had_is_refused():
    settings = json.loads(Path("run/run.json").read_text())
    settings["training"]["steps"] = 50
    Path("run/run.json").write_text(json.dumps(settings))
    with Writer.resume("run/record.sqlite", last_step=7) as writer:
        writer.annotate(complete=False)
    before = content("run")
    answer = ask("fit", "--resume", "--out", "run", "--steps", 5)
    assert answer.code == 2
    assert "expected a budget beyond step 7" in answer.sentence
    assert "leave it out to go on to 50 steps" in answer.sentence
    assert content("run") == before
    assert ask("fit", "--resume", "--out", "run", "--json").json["steps"] == 50


AGAIN = ("--resume", "--overwrite")
IN_PLACE = ("record.sqlite", "record.sqlite-wal", "record.sqlite-shm", "record.sqlite-journal")
EVERY = (
    *IN_PLACE,
    "checkpoint.safetensors",
    "run.json",
    "report.html",
    "record.sqlite.lock",
    "record.sqlite.part",
)
EVERY = (*EVERY, "run.json.partial", "checkpoint.partial", "kept", "kept/000000009.safetensors")
EVERY = (*EVERY, "kept/000000009.partial")


LINKS = [(name, link, again) for name in EVERY for link in ("soft", "hard", "dangling") for again in AGAIN]


@pytest.mark.parametrize(("name", "link", "again"), some(LINKS, 24))
def test_nothing_is_changed_through_a_link(name, link, again):
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("years of work")
    place, theirs = Path("run") / name, Path("mine/theirs")
    if place.is_dir():
        shutil.copytree(place, theirs)
        shutil.rmtree(place)
    else:
        shutil.copy(place if place.exists() else "mine/thesis.txt", theirs)
        place.unlink(missing_ok=True)
    if link == "dangling":
        place.symlink_to(Path("mine/none").absolute())
    elif link == "hard" and theirs.is_file():
        os.link(theirs, place)
    else:
        place.symlink_to(theirs.absolute())
    before = held("mine")
    answer = ask(*FIT, "--steps", 12, "--out", "run", again)
    assert held("mine") == before
    assert answer.code in (0, 2)
    if answer.code == 2:
        assert answer.sentence
        assert again == "--resume"
        shutil.copytree("run", "copy") if link != "dangling" else None
        if link != "dangling" and name in ("record.sqlite", "kept"):
            assert "cp -rL" in answer.sentence
            assert ask("fit", "waves.npy", "--steps", 12, "--out", "copy", "--resume").code == 0


def held(folder):
    return {name: what[0] for name, what in content(folder).items()}


def test_a_directory_that_is_itself_a_link_is_fine():
    Path("disk").mkdir()
    shutil.rmtree("run")
    Path("run").symlink_to(Path("disk").absolute())
    assert ask(*FIT, "--steps", 3, "--out", "run").code == 0
    assert ask("fit", "--resume", "--steps", 6, "--out", "run").code == 0
    assert ask(*FIT, "--steps", 3, "--out", "run", "--overwrite").code == 0
    assert Path("run").is_symlink()


UNABLE = (str, bytes, int, float, list, dict, set, tuple, np.ndarray, torch.Tensor, type)
"""Owners of methods, and a few functions, that cannot change a folder, and are called most often."""
HARMLESS = frozenset(
    (len, isinstance, issubclass, getattr, hasattr, setattr, iter, next, min, max, sum, abs, hash, id)
)


class Moments:
    """Copies of a folder as it was between any two calls of C functions that changed it."""

    def __init__(self, folder):
        self.folder, self.copies, self._seen = Path(folder), [], set()
        Path("states").mkdir()

    def __call__(self, frame, event, function):
        # Python alone changes no file: the folder before a call is the folder after the one before.
        if event not in ("c_return", "c_exception") or isinstance(
            getattr(function, "__self__", None), UNABLE
        ):
            return
        if getattr(function, "__self__", None) is builtins and function in HARMLESS:
            return
        sys.setprofile(None)
        try:
            self._note()
        finally:
            sys.setprofile(self)

    def _note(self):
        if not os.path.isdir(self.folder):
            return
        files = sorted(entry.path for entry in os.scandir(self.folder))
        state = tuple((path, os.lstat(path).st_size, os.lstat(path).st_mtime_ns) for path in files)
        if state in self._seen:
            return
        self._seen.add(state)
        copy = Path("states") / str(len(self.copies))
        shutil.copytree(self.folder, copy)
        self.copies.append(copy)


def states(*words):
    moments = Moments("run")
    sys.setprofile(moments)
    try:
        assert ask(*words, "--out", "run").code == 0
    finally:
        sys.setprofile(None)
    assert len(moments.copies) > 15
    return moments.copies


@pytest.mark.parametrize("overwrite", [False, True])
def test_killed_at_any_moment_it_leaves_a_folder_that_can_be_used(overwrite):
    if not overwrite:
        shutil.rmtree("run")
    for copy in some(states(*FIT, "--steps", 3, *(["--overwrite"] if overwrite else [])), 6):
        listed = sorted(path.name for path in copy.iterdir())
        resumed = shutil.copytree(copy, "resumed")
        first = ask("fit", "waves.npy", "--resume", "--steps", 5, "--out", resumed)
        assert first.code == 0 or first.sentence, listed
        if (copy / "checkpoint.safetensors").exists() and (copy / "record.sqlite").exists():
            assert first.code == 0, (listed, first.err)
            assert records.load("resumed").step.values[-1] in (5, 7)
        shutil.rmtree("resumed")
        plain = ask(*FIT, "--steps", 2, "--out", copy)
        again = ask(*FIT, "--steps", 2, "--out", copy, "--overwrite")
        assert again.code == 0, (listed, plain.err, again.err)
        assert records.load(copy).step.values.tolist() == [0, 1, 2]


def test_a_journal_that_names_another_file_is_not_played_back():
    Writer.create("record.sqlite", toy_header()).close()
    Path("mine.txt").write_text("years of work")
    magic = bytes.fromhex("d9d505f920a163d7")
    name = str(Path("mine.txt").absolute()).encode()
    named = (1).to_bytes(4, "big") + name + len(name).to_bytes(4, "big")
    named += (sum(name) & 0xFFFFFFFF).to_bytes(4, "big") + magic
    head = magic + (0).to_bytes(4, "big") + bytes(8) + (512).to_bytes(4, "big") + (4096).to_bytes(4, "big")
    Path("record.sqlite-journal").write_bytes(head.ljust(512, b"\0") + named)
    whole = hashlib.sha256(Path("record.sqlite").read_bytes()).digest()
    for use in (records.load, lambda path: Writer.resume(path, 0)):
        with pytest.raises(Exception, match="expected an intact overtone record, got a damaged file"):
            use("record.sqlite")
    assert Path("mine.txt").read_text() == "years of work"
    assert hashlib.sha256(Path("record.sqlite").read_bytes()).digest() == whole
