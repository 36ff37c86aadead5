"""`overtone predict`, in process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from overtone.cli.main import run as overtone

SMALL = ["--steps", "120", "--width", "24", "--depth", "2", "--features", "16", "--device", "cpu"]


@pytest.fixture
def wave(tmp_path: Path) -> str:
    """Two tones on 64 samples."""
    t = np.arange(64) / 64
    path = tmp_path / "wave.npy"
    np.save(path, (np.sin(2 * np.pi * t) + 0.5 * np.sin(2 * np.pi * 5 * t)).astype(np.float32))
    return str(path)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def call(*words: str) -> str:
        assert overtone(["predict", *words]) == 0
        return capsys.readouterr().out

    return call


def test_the_document_has_the_keys_of_the_design(wave: str, said: Callable[..., str]) -> None:
    found = json.loads(said(wave, *SMALL, "--periodic", "--json"))
    assert {"bands", "stop", "irreducible", "width", "holds_until"} <= set(found)
    assert all({"low", "high", "learning_step"} <= set(band) for band in found["bands"])
    assert any(band["learning_step"] is not None for band in found["bands"])
    assert found["pilot"] == 6
    assert found["window"] == [64]


def test_the_text_lists_learning_steps_and_what_to_know(wave: str, said: Callable[..., str]) -> None:
    text = said(wave, *SMALL, "--periodic")
    assert "Predicted learning steps, bands in cycles per array" in text
    assert "Stop " in text
    assert max(map(len, text.splitlines())) <= 80


def test_it_is_laid_over_a_measured_run(wave: str, said: Callable[..., str], tmp_path: Path) -> None:
    run, page = str(tmp_path / "run"), tmp_path / "predicted.html"
    flags = [*SMALL, "--periodic", "--optimizer", "sgd", "--lr", "0.05", "--held-out", "0"]
    assert overtone(["fit", wave, *flags, "--out", run]) == 0
    found = json.loads(said(wave, *flags, "--run", run, "--out", str(page), "--json").splitlines()[-1])
    assert {"median_factor", "rank_correlation", "told"} <= set(found["agreement"])
    assert found["agreement"]["median_factor"] < 2
    assert any("The theory holds until" in sentence for sentence in found["sentences"])
    assert "plotly" in page.read_text(encoding="utf-8")


def test_wrong_flags_are_one_sentence(wave: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words, text in (
        (["--pilot", "-1"], "--pilot: expected a whole number of at least 0"),
        (["--pilot", "0"], "expected Adam's second moments"),
        (["--pilot", "500", "--steps", "120"], "expected a pilot of 0 to 119 steps, got 500"),
        (["--run", "nowhere"], "nowhere"),
    ):
        assert overtone(["predict", wave, "--device", "cpu", *words]) == 2
        error = capsys.readouterr().err
        assert text in error
        assert error.count("\n") == 1
