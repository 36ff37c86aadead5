"""Ctrl-C at the beginning of each part of every verb: one line, exit code 130, and results that can be read."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import overtone.cli
from overtone import records
from overtone._sweeps import Local, workers
from tests.cli.calling import TINY, ask, waves

PARTS = (
    "overtone.cli._fit:read_samples",
    "overtone.fitting._prepare:resolve_run_size",
    "overtone.fitting._prepare:plan_model",
    "overtone.fitting._fit:seconds_after_training",
    "overtone.fitting._fit:make_view",
    "overtone.fitting._observed:train",
    "overtone.fitting._fit:record_snapshot",
    "overtone.fitting._fit:final_errors",
    "overtone.reports:report",
)


def interrupted(monkeypatch, capsys, words, part: str) -> tuple[str, str]:
    """Run a command, press Ctrl-C when it calls a function, and return what it printed."""
    place, name = part.split(":")
    owner = importlib.import_module(place)
    *outer, name = name.split(".")
    for attribute in outer:
        owner = getattr(owner, attribute)
    function, entered = getattr(owner, name), []

    def pressed(*arguments: Any, **named: Any) -> Any:
        if not entered:
            entered.append(part)
            signal.raise_signal(signal.SIGINT)
        return function(*arguments, **named)

    monkeypatch.setattr(owner, name, pressed)
    with pytest.raises(SystemExit) as ended:
        overtone.cli.main([str(word) for word in words])
    captured = capsys.readouterr()
    assert (ended.value.code, entered) == (130, [part]), captured.err
    assert captured.err.splitlines()[-1] == "overtone: interrupted."
    assert "Traceback" not in captured.err
    return captured.out, captured.err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    np.save("waves.npy", waves())
    np.save("series.npy", waves()[:, 0])
    np.save("fields.npy", np.stack([waves((32, 32))] * 3)[:, None])
    return tmp_path


@pytest.mark.parametrize("part", PARTS)
def test_ctrl_c_in_each_part(folder, monkeypatch, capsys, part: str) -> None:
    interrupted(monkeypatch, capsys, ["fit", "waves.npy", *TINY, "--steps", "5", "--time", "60"], part)
    if Path("run/record.sqlite").exists():
        assert "band_low" in records.load("run").coords


COMPARE = (
    "compare",
    "waves.npy",
    "--candidates",
    "gaussian",
    "--steps",
    "50",
    "--seeds",
    "1",
    "--parameters",
    "6000",
)
STUDY = ("study", "run", "hat-conditioning", "--size", "smoke")
OTHER_VERBS = (
    (("scan", "waves.npy"), "overtone.cli._scan:read_source"),
    (("scan", "waves.npy"), "overtone.planning:scan"),
    (("scan", "waves.npy", "--time", "5"), "overtone.planning:plan"),
    (("scan", "waves.npy"), "overtone.cli._scan:_document"),
    (("predict", "waves.npy"), "overtone.cli._predict:read_source"),
    (("predict", "waves.npy"), "overtone.fitting._predict:prepare"),
    (("predict", "waves.npy", *TINY, "--steps", "20"), "overtone.fitting._predict:predict_training"),
    (("predict", "waves.npy", *TINY, "--steps", "20"), "overtone.cli._predict:_document"),
    (("predict", "waves.npy", *TINY, "--steps", "20", "--out", "page.html"), "overtone.cli._predict:_draw"),
    (COMPARE, "overtone.cli._compare:read_source"),
    (COMPARE, "overtone.comparing._task:ComparisonTask.choose_bandwidth"),
    (COMPARE, "overtone._sweeps.workers:run_task"),
    (COMPARE, "overtone.comparing._compare:_evaluate"),
    (COMPARE, "overtone.comparing._page:write_html"),
    (COMPARE, "overtone.cli._compare:_document"),
    (STUDY, "overtone.studies:run_studies"),
    (STUDY, "overtone._sweeps.workers:run_task"),
    (STUDY, "overtone.cli._study:_document"),
    (("study", "list"), "overtone.cli._study:_load"),
    (("study", "show", "hat-conditioning"), "overtone.cli._study:_document"),
    (("study", "report"), "overtone.studies._page:_page"),
    (("report", "run"), "overtone.cli._report:_check_apart"),
    (("report", "run"), "overtone.records:load"),
    (("report", "run"), "overtone.reports:report"),
    (("verify", "fields.npy", "fields.npy"), "overtone.verification._files:read_fields"),
    (("verify", "fields.npy", "fields.npy"), "overtone.verification:verify"),
    (("verify", "fields.npy", "fields.npy", "--out", "page"), "overtone.cli._verify:_write"),
    (("lint", "waves.npy", "--library", "tancik", "--value", "10"), "overtone.cli._lint:read_source"),
    (("lint", "waves.npy", "--library", "tancik", "--value", "10"), "overtone.planning:lint"),
    (("convert", "10", "--from", "deepxde", "--to", "tancik"), "overtone.units:convert"),
    (("schema", "scan"), "overtone.cli._schema:answer_schemas"),
    (("lab", "--out", "lab.html", "--signal", "series.npy"), "overtone.cli._source:read_source"),
    (("lab", "--out", "lab.html"), "overtone.lab:write"),
)


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import overtone as ot

    path = tmp_path_factory.mktemp("run") / "run"
    ot.fit(ot.signals.array(waves()), path, steps=3, width=8, features=8)
    return path


@pytest.mark.parametrize(
    ("words", "part"), OTHER_VERBS, ids=lambda value: value if isinstance(value, str) else value[0]
)
def test_ctrl_c_in_other_verbs(
    folder, small_run, monkeypatch, capsys, words: tuple[str, ...], part: str
) -> None:
    # Tasks run in this process, where they can be interrupted at a known place.
    monkeypatch.setattr(Local, "run", lambda _, tasks: map(workers.run_task, tasks))
    Path("run").symlink_to(small_run)
    as_json = () if words[0] in ("schema", "lab") else ("--json",)
    out, _ = interrupted(monkeypatch, capsys, [*words, *as_json], part)
    assert out == ""
    # What was written is whole: results of finished tasks, no half of a page, the run as it was.
    for result in folder.glob("*/results/*.json"):
        json.loads(result.read_text(encoding="utf-8"))
    for page in folder.rglob("*.html"):
        assert page.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert "band_low" in records.load("run").coords


AT_WORK = (
    ((*COMPARE[:-4], "--processes", "2", "--steps", "1000000"), "kernel-twin", "comparison/results"),
    (("study", "run", "hat-conditioning", "mlp-low-first", "--out", "kept"), "Running 2 studies", "kept"),
)


@pytest.mark.parametrize(("words", "line", "results"), AT_WORK, ids=["compare", "study run"])
def test_ctrl_c_while_worker_processes_start_and_compute(
    folder, monkeypatch, words, line: str, results: str
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "overtone.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert any(line in text for text in child.stderr)
    # A terminal sends the signal to all processes; also to workers that are still starting.
    os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=120)
    assert (child.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "overtone: interrupted."
    assert "Traceback" not in err
    for result in Path(results).glob("*.json"):
        json.loads(result.read_text(encoding="utf-8"))
    if words[0] == "compare":
        # Without processes of its own: what is continued is the same.
        monkeypatch.setattr(Local, "run", lambda _, tasks: map(workers.run_task, tasks))
        again = ask(*COMPARE, "--json")
        assert (again.code, "linear: " in again.err, "from an earlier run" in again.err) == (0, True, True)
