"""Forecasts: the same network and signal as `fit`, windows, and what follows from noise."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from overtone._training import Optimizer
from overtone.fitting import fit
from overtone.fitting._predict import OUTPUTS, predict, window
from overtone.signals import Signal, array


def wave(noise: float = 0.0, samples: int = 64) -> Signal:
    t = np.arange(samples) / samples
    clean = np.sin(2 * np.pi * t) + 0.5 * np.sin(2 * np.pi * 5 * t)
    dirty = clean + noise * np.random.default_rng(0).standard_normal(samples)
    signal = array(dirty.astype(np.float32), periodic=True)
    return signal.with_clean(torch.from_numpy(clean.astype(np.float32))[:, None]) if noise else signal


FLAGS = {"steps": 100, "width": 24, "depth": 2, "features": 16, "device": "cpu"}


def test_it_begins_with_the_network_that_fit_trains() -> None:
    flags = FLAGS | {"optimizer": Optimizer.SGD, "lr": 0.02}
    found = predict(wave(), pilot=20, **flags)
    measured = fit(wave(), **flags).record
    for step in (0, 9, 19):
        ours, theirs = found.record.sel(step=step), measured.sel(step=step)
        # The pilot and the loop add up the same float32 gradients in the same order, but for the path they take.
        np.testing.assert_allclose(ours.held_out_error, theirs.held_out_error, rtol=1e-3)
        np.testing.assert_allclose(ours.residual_power.sum(), theirs.residual_power.sum(), rtol=1e-3)


def test_noise_gives_an_irreducible_part_and_a_stop() -> None:
    found = predict(wave(0.3), **FLAGS)
    noise = float(found.record.noise_power.sum())
    assert found.irreducible is not None
    assert 0 < found.irreducible < noise
    assert 0 <= found.stop.step <= 100
    assert found.width is not None
    assert found.width >= 1


def test_a_large_signal_is_predicted_on_a_window_in_its_middle() -> None:
    signal = array(np.random.default_rng(0).standard_normal((60, 80, 2)).astype(np.float32), channel_axis=-1)
    part = window(signal, OUTPUTS)
    assert part.values.numel() <= OUTPUTS
    rows, columns = part.geometry.shape
    top, left = (60 - rows) // 2, (80 - columns) // 2
    expected = signal.grid_values[top : top + rows, left : left + columns]
    assert torch.equal(part.grid_values, expected)
    assert part.geometry.spacing == signal.geometry.spacing
    whole = signal.coords.reshape(60, 80, 2)[top, left]
    torch.testing.assert_close(part.coords[0], whole, rtol=0, atol=1e-12)
    assert part.normalisation is signal.normalisation
    assert window(wave(), OUTPUTS).values.shape == (64, 1)


def test_a_window_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overtone.fitting._predict.OUTPUTS", 48)
    found = predict(wave(), **FLAGS)
    assert found.part.geometry.shape == (48,)
    assert any("on a window of 48 of the 64 samples" in sentence for sentence in found.sentences)


def test_every_band_has_its_learning_step_or_none() -> None:
    rows = predict(wave(), **FLAGS).learning_steps
    assert rows[0]["low"] == 0
    assert all(a["high"] == b["low"] for a, b in itertools.pairwise(rows))
    known = [row for row in rows if row["earliest"] and row["latest"]]
    assert known
    assert all(row["earliest"] <= row["latest"] for row in known)
