"""Completion of values, asked for as a shell asks."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from click.shell_completion import ShellComplete

from overtone.cli._main import FAILED, INTERRUPTED, WRONG, cli
from tests.cli.calling import ask


def completions(*words: str) -> list[str]:
    *before, incomplete = words
    shell = ShellComplete(cli, {}, "overtone", "_OVERTONE_COMPLETE")
    return [item.value for item in shell.get_completions(before, incomplete) if item.type == "plain"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["fit", "--encoding", "hash"], ["hash-grid"]),
        (["fit", "--optimizer", ""], ["adam", "sgd"]),
        (["fit", "--activation", "sin"], ["sine", "sinc"]),
        (["fit", "--activation", "relu,si"], ["relu,sigmoid", "relu,silu", "relu,sine", "relu,sinc"]),
        (["compare", "--candidates", "gaussian,sir"], ["gaussian,siren"]),
        (["study", "show", "mlp-low"], ["mlp-low-first"]),
        (["study", "run", "mlp-low-first", "mlp-low"], []),
    ],
)
def test_values_of_a_list(words: list[str], expected: list[str]) -> None:
    assert sorted(completions(*words)) == sorted(expected)


def test_run_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("run", "runs/first", "runs/second"):
        Path(name).mkdir(parents=True)
        (Path(name) / "run.json").write_text("{}")
    Path("rubbish").mkdir()
    assert completions("report", "ru") == ["run", "runs/"]
    assert completions("report", "run", "runs/s") == ["runs/second"]
    assert completions("fit", "--resume", "--out", "r") == ["run", "runs/"]
    assert completions("predict", "--run", "x") == []


def test_arrays_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("many.npz", first=np.zeros(3), second=np.zeros(3))
    Path("broken.npz").write_text("no archive")
    assert completions("fit", "many.npz", "--key", "") == ["first", "second"]
    assert completions("scan", "many.npz", "--key", "s") == ["second"]
    assert completions("scan", "broken.npz", "--key", "") == []
    assert completions("scan", "--key", "") == []


def test_the_help_lists_the_exit_codes() -> None:
    text = ask("--help").out
    listed = re.search(r"Exit codes: (.*?)\n\n", text, re.S)
    assert listed
    assert [int(code) for code in re.findall(r"\d+", listed[1])] == [0, FAILED, WRONG, INTERRUPTED]
