"""`overtone predict`, in process."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
import xarray

from overtone.cli._main import run as overtone
from overtone.cli._predict import shade_undetermined

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
    assert (found["continued"], found["scatter"]) == ("leaps", None)
    assert found["seconds"]["predicting"] > 0 < found["seconds"]["training"]


def test_minibatches_of_gradient_descent_scatter_by_band(wave: str, said: Callable[..., str]) -> None:
    found = json.loads(
        said(wave, *SMALL, "--periodic", "--optimizer", "sgd", "--lr", "0.05", "--batch", "8", "--json")
    )
    assert found["continued"] == "leaps"
    assert len(found["scatter"]) == len(found["bands"])
    assert min(found["scatter"]) >= 0 < max(found["scatter"])
    assert any(sentence.startswith("The variance of minibatches adds") for sentence in found["sentences"])


DIVERGING = [
    ("--optimizer", "sgd", "--lr", "1000"),
    ("--optimizer", "sgd", "--lr", "1000", "--pilot", "0"),
    ("--optimizer", "sgd", "--lr", "1000", "--batch", "8"),
    ("--optimizer", "sgd", "--lr", "1000", "--batch", "8", "--pilot", "0"),
    ("--lr", "1e4"),
    ("--lr", "1e4", "--batch", "8"),
]


@pytest.mark.parametrize("words", DIVERGING, ids=" ".join)
def test_training_that_diverges_is_a_result(
    words: tuple[str, ...], wave: str, said: Callable[..., str]
) -> None:
    found = json.loads(said(wave, *SMALL, "--periodic", *words, "--json"))
    assert 0 <= found["diverges_at"] < 20
    assert 0 < found["largest_stable_rate"] < float(words[words.index("--lr") + 1])
    assert f"diverge after step {found['diverges_at']}" in found["sentences"][0].replace(
        "diverges", "diverge"
    )
    assert all(band["earliest"] is band["latest"] is None for band in found["bands"])
    text = said(wave, *SMALL, "--periodic", *words)
    assert text.startswith(
        f"Training diverges after step {found['diverges_at']}: nothing is learned for good."
    )
    assert "Stable " in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_rate_that_is_borne_is_not_said_to_diverge(wave: str, said: Callable[..., str]) -> None:
    for words in DIVERGING:
        calm = list(words)
        calm[calm.index("--lr") + 1] = "0.001"
        text = said(wave, *SMALL, "--periodic", *calm)
        assert text.startswith("Predicted learning steps")
        assert "diverges" not in text


def test_frequencies_left_open_are_shaded() -> None:
    low, high = np.array([1.0, 2.0, 4.0]), np.array([2.0, 4.0, 8.0])
    power = np.array([[[1.0], [1.0], [1.0]], [[0.1], [0.5], [np.nan]]])
    record = xarray.Dataset(
        {"residual_power": (("step", "band", "channel"), power)},
        {"band_low": ("band", low), "band_high": ("band", high)},
    )
    figure = go.Figure()
    shade_undetermined(figure, record)
    assert [(shape.x0, shape.x1) for shape in figure.layout.shapes] == [(4.0, 8.0)]
    assert figure.layout.annotations[0].text == "cannot tell"
    shade_undetermined(told := go.Figure(), record.isel(band=slice(0, 2)))
    assert not told.layout.shapes


def test_frequencies_left_open_below_those_told_are_shaded_apart_and_named_once() -> None:
    low, high = np.array([0.0, 2.0, 4.0]), np.array([2.0, 4.0, 32.0])
    power = np.array([[[1.0], [1.0], [1.0]], [[np.nan], [0.5], [np.nan]]])
    record = xarray.Dataset(
        {"residual_power": (("step", "band", "channel"), power)},
        {"band_low": ("band", low), "band_high": ("band", high)},
    )
    shade_undetermined(figure := go.Figure(), record)
    assert [(shape.x0, shape.x1) for shape in figure.layout.shapes] == [(1.0, 2.0), (4.0, 32.0)]
    assert [note.x for note in figure.layout.annotations] == [pytest.approx(math.log10(32.0))]


def test_the_cost_is_told_first_and_beside_the_answer(wave: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert overtone(["predict", wave, *SMALL, "--periodic", "--json"]) == 0
    told = capsys.readouterr()
    assert told.err.splitlines()[1].startswith("Predicting will take about ")
    assert "training itself would take about " in told.err
    assert "will take" not in told.out


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
    assert any("The prediction is valid until" in sentence for sentence in found["sentences"])
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
        assert error.removeprefix(f"Reading {wave}.\n").count("\n") == 1
