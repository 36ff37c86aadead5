"""Fits of scattered samples and tables, through Python and the command line."""

import json

import numpy as np
import pytest
import torch

import overtone as ot
from overtone import signals
from overtone.nn.encodings import Identity

SMALL = {"width": 32, "depth": 2, "features": 32, "lr": 1e-2}


def striped(samples=300):
    x = np.random.default_rng(0).random((samples, 2))
    return signals.points(x, np.cos(2 * np.pi * 3 * x[:, 0]))


def parameters(run):
    return torch.cat([p.detach().flatten() for p in run.network.parameters()])


def test_points_are_fitted_watched_and_reported(tmp_path):
    run = ot.fit(striped(), tmp_path / "run", steps=150, **SMALL)
    assert run.psnr["held_out"] > 15
    assert run.record.attrs["frequency_unit"] == "cycles per coordinate"
    assert run.record.attrs["kind"] == "points"
    assert any("kernel twins" in reason for reason in run.record.attrs["reasons"])
    error = (run.predict().double() - run.signal.values).square()[run.signal.held_out_index].mean()
    assert run.psnr["held_out"] == pytest.approx(10 * np.log10(run.signal.peak**2 / float(error)), abs=1e-3)
    assert "Plan: bandwidth" in run.report().read_text(encoding="utf-8")


def test_resuming_is_bit_identical(tmp_path):
    options = {**SMALL, "bandwidth": 3.0, "stop": False}
    whole = ot.fit(striped(), tmp_path / "whole", steps=30, **options)
    ot.fit(striped(), tmp_path / "parts", steps=13, **options)
    parts = ot.fit(striped(), tmp_path / "parts", steps=30, resume=True)
    assert torch.equal(parameters(whole), parameters(parts))


def test_a_table_with_repeated_rows_goes_through_the_graph(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, (150, 4)).astype(float) + 1e-3 * rng.random((150, 4))
    table = signals.points(x, x.sum(1), units=list("abcd"), kind="table")
    run = ot.fit(table, tmp_path / "run", steps=60, **SMALL)
    assert run.record.attrs["estimator"].startswith("graph")
    again = ot.fit(table, tmp_path / "run", steps=80, resume=True)
    assert type(again.network.encoding) is type(run.network.encoding)


def test_the_encoding_that_was_chosen_is_trained_and_resumed(tmp_path):
    x = np.random.default_rng(0).random((200, 2))
    run = ot.fit(signals.points(x, x[:, 0] + 2 * x[:, 1]), tmp_path / "run", steps=20, **SMALL)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["network"]["encoding"] == "none"
    again = ot.fit(run.signal, tmp_path / "run", steps=25, resume=True)
    assert isinstance(run.network.encoding, Identity)
    assert isinstance(again.network.encoding, Identity)
