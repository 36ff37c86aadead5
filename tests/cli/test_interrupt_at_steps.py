"""Ctrl-C at the beginning of each part of a fit: one line, exit code 130, and a record that can be read."""

from __future__ import annotations

import importlib
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import overtone.cli
from overtone import records
from tests.cli.calling import TINY, waves

PARTS = (
    "overtone.cli._fit:read_samples",
    "overtone.fitting._prepare:resolve_run_size",
    "overtone.fitting._prepare:make_plan",
    "overtone.fitting._fit:seconds_after_training",
    "overtone.fitting._fit:make_view",
    "overtone.fitting._fit:train",
    "overtone.fitting._fit:record_snapshot",
    "overtone.fitting._fit:final_errors",
    "overtone.reports:report",
)


@pytest.mark.parametrize("part", PARTS)
def test_ctrl_c_in_each_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], part: str
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("waves.npy", waves())
    module, name = part.split(":")
    function = getattr(importlib.import_module(module), name)
    entered = []

    def pressed(*arguments: Any, **named: Any) -> Any:
        if not entered:
            entered.append(part)
            signal.raise_signal(signal.SIGINT)
        return function(*arguments, **named)

    monkeypatch.setattr(f"{module}.{name}", pressed)
    with pytest.raises(SystemExit) as ended:
        overtone.cli.main(["fit", "waves.npy", *TINY, "--steps", "5", "--time", "60"])
    assert (ended.value.code, entered) == (130, [part])
    error = capsys.readouterr().err
    assert error.splitlines()[-1] == "overtone: interrupted."
    assert "Traceback" not in error
    if Path("run/record.sqlite").exists():
        assert "band_low" in records.load("run").coords


OTHER_VERBS = (
    (("scan", "waves.npy"), "overtone.cli._scan:read_source"),
    (("scan", "waves.npy"), "overtone.cli._scan:_document"),
    (("predict", "waves.npy"), "overtone.cli._predict:read_source"),
    (("compare", "waves.npy"), "overtone.cli._compare:read_source"),
    (("report", "run"), "overtone.cli._report:_check_apart"),
)


@pytest.mark.parametrize(("words", "part"), OTHER_VERBS)
def test_ctrl_c_in_other_verbs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    part: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("waves.npy", waves())
    entered = []

    def pressed(*_arguments: Any, **_named: Any) -> None:
        entered.append(part)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(part.replace(":", "."), pressed)
    with pytest.raises(SystemExit) as ended:
        overtone.cli.main([*words, "--json"])
    assert (ended.value.code, entered) == (130, [part])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1] == "overtone: interrupted."
    assert "Traceback" not in captured.err
