"""The documented exit codes, from real processes: one for each kind of verb."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cli.calling import TINY, waves

DIVERGES = ("--optimizer", "sgd", "--lr", "1e30", "--bandwidth", "2", "--steps", "50")
CODES = (
    # Arithmetic, schemas and the lab, which need no torch.
    (0, ("convert", "10", "--from", "deepxde", "--to", "tancik"), "Setting"),
    (2, ("convert", "10", "--from", "nothing", "--to", "tancik"), "nothing"),
    (0, ("schema", "scan"), "json-schema.org"),
    (2, ("schema", "nothing"), "a verb with --json"),
    (0, ("lab", "--out", "lab.html"), "lab.html"),
    (2, ("lab", "--out", "."), "a file name for the page"),
    # Measuring.
    (0, ("scan", "waves.npy"), "Bandwidth"),
    (2, ("scan", "waves.npy", "--time", "soon"), "a length of time"),
    (0, ("verify", "fields.npy", "fields.npy"), "3 samples of 32 x 32 values"),
    (1, ("lint", "waves.npy", "--library", "tancik", "--value", "1000", "--strict"), "Error: The bandwidth"),
    # Training.
    (0, ("fit", "waves.npy", *TINY, "--bandwidth", "2", "--steps", "3"), "Report"),
    (1, ("fit", "waves.npy", *TINY, *DIVERGES), "lower the learning rate"),
    (2, ("compare", "waves.npy", "--noise", "0.1", "--clean", "waves.npy"), "--clean or --noise"),
    # Pages and results.
    (0, ("study", "list"), "hat-conditioning"),
    (2, ("report", "none"), "none: expected"),
)
"""Exit code, words, and a part of what is printed: on stdout if it is 0 or a finding, otherwise on stderr."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("waves.npy", waves())
    np.save("fields.npy", np.stack([waves((32, 32))] * 3)[:, None])


def start(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "overtone.cli", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("code", "words", "part"), CODES, ids=[f"{c} {' '.join(w[:2])}" for c, w, _ in CODES]
)
def test_the_exit_code_of_each_kind_of_verb(code: int, words: tuple[str, ...], part: str) -> None:
    child = start(*words)
    out, err = child.communicate(timeout=300)
    assert child.returncode == code, err
    found = out if code == 0 or "--strict" in words else err
    assert part in found, found
    assert "Traceback" not in err
    if code == 2:
        assert out == ""
        assert err.splitlines()[-1].startswith("overtone: ")


@pytest.mark.parametrize(
    "words", [("scan", "large.npy"), ("verify", "many.npy", "many.npy")], ids=lambda w: w[0]
)
def test_ctrl_c_is_130_from_the_first_line_on(words: tuple[str, ...]) -> None:
    # Enough work that the signal arrives before its end, on a busy machine too.
    np.save("large.npy", np.random.default_rng(0).random((2000, 2000)))
    np.save("many.npy", np.random.default_rng(0).random((600, 1, 64, 64)))
    child = start(*words)
    assert child.stderr is not None
    assert child.stderr.readline().startswith(("Reading", "Comparing"))
    os.kill(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=300)
    assert (child.returncode, out, err.strip()) == (130, "", "overtone: interrupted.")
