"""Directories by default: a second run gets one of its own."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from overtone._sweeps import Local, workers
from overtone.cli._numbered import newest, numbered, reserved
from tests.cli.calling import TINY, ask

SHORT = [*TINY, "--bandwidth", 2, "--steps", 2]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, no_page):
    monkeypatch.chdir(tmp_path)
    np.save("waves.npy", np.cos(np.arange(64) / 3))
    np.save("other.npy", np.sin(np.arange(64) / 2))
    return tmp_path


def test_runs_without_a_name_get_the_next_number_and_resume_goes_on_with_the_newest():
    names = [json.loads(ask("fit", "waves.npy", *SHORT, "--json").out)["run"] for _ in range(3)]
    assert names == ["run", "run-002", "run-003"]
    assert all(Path(name, "record.sqlite").is_file() for name in names)
    answer = json.loads(ask("fit", "--resume", "--steps", 4, "--json").out)
    assert answer["run"] == "run-003"
    taken = ask("fit", "waves.npy", *SHORT, "--out", "run")
    assert taken.code == 2
    assert "--overwrite" in taken.err
    assert json.loads(ask("fit", "waves.npy", *SHORT, "--overwrite", "--json").out)["run"] == "run"
    assert not Path("run-004").exists()


def test_refused_input_leaves_no_directory():
    assert ask("fit", "absent.npy", *SHORT).code == 2
    assert ask("fit", "waves.npy", "--steps", "0").code == 2
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["other.npy", "waves.npy"]


def test_directories_reserved_at_once_differ():
    def take(_: int) -> str:
        with reserved("run") as path:
            Path(path, "file").touch()
            return path

    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(take, range(40)))
    assert len(set(names)) == 40
    assert newest("run") == "run-040"
    assert newest("none") == "none"
    assert next(numbered("a")) == "a"


def test_comparisons_of_other_samples_get_a_directory_of_their_own(monkeypatch):
    # No worker has to start, and networks are small: the folders are what is tested.
    monkeypatch.setattr(Local, "run", lambda _, tasks: map(workers.run_task, tasks))
    words = ["--candidates", "linear", "--steps", 50, "--seeds", 1, "--processes", 1, "--parameters", 3000]
    folders = [ask("compare", source, *words).code for source in ("waves.npy", "other.npy", "waves.npy")]
    assert folders == [0, 0, 0]
    assert sorted(path.name for path in Path.cwd().iterdir() if path.is_dir()) == [
        "comparison",
        "comparison-002",
    ]
    assert ask("compare", "other.npy", *words, "--out", "comparison").code == 2
