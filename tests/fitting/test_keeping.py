"""A fit ends when what is left is noise, and hands back the network that was best on held-out samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import overtone as ot
from overtone._training import Ending
from overtone.early_stopping import BestWeights, HeldOut
from overtone.errors import InputError

SETTINGS = {"width": 16, "depth": 2, "features": 16, "lr": 2e-2, "bandwidth": 12.0, "held_out": 0.3}


def noisy():
    clean = ot.signals.synthetic.harmonics([1, 2], samples=64, seed=3)
    return ot.signals.synthetic.add_noise(clean, 0.5, seed=4)


def state(run):
    return torch.cat([p.detach().flatten() for p in run.network.parameters()])


def test_it_ends_early_and_hands_back_the_best_network(tmp_path):
    run = ot.fit(noisy(), tmp_path / "run", steps=1000, **SETTINGS)
    assert run.outcome.ending is Ending.OBSERVER
    assert run.network_step < run.outcome.step < 1000
    errors = run.record.held_out_error
    at_end, at_kept = float(errors[-1]), float(errors.sel(step=run.network_step))
    assert at_kept < at_end
    assert run.record.attrs["final_errors"]["held_out"] == pytest.approx(at_kept, rel=1e-4)
    assert (
        f"the network of step {run.network_step}, which has the lowest error on held-out samples"
        in run.verdict[3]
    )
    going_on = ot.fit(noisy(), tmp_path / "all", steps=run.outcome.step, stop=False, **SETTINGS)
    assert going_on.outcome.ending is Ending.STEPS
    assert going_on.network_step == run.outcome.step
    assert not torch.equal(state(run), state(going_on))
    assert not (tmp_path / "all" / "kept").exists()


def test_interrupted_and_resumed_it_keeps_the_same_network(tmp_path, monkeypatch):
    whole = ot.fit(noisy(), tmp_path / "whole", steps=250, **SETTINGS)
    ot.fit(noisy(), tmp_path / "parts", steps=100, **SETTINGS)
    parts = ot.fit(noisy(), tmp_path / "parts", steps=250, resume=True, **SETTINGS)
    assert parts.outcome.step == whole.outcome.step
    assert parts.network_step == whole.network_step
    assert torch.equal(state(parts), state(whole))
    np.testing.assert_array_equal(parts.record.held_out_error, whole.record.held_out_error)


def test_overwriting_drops_what_was_kept(tmp_path):
    ot.fit(noisy(), tmp_path / "run", steps=30, **SETTINGS)
    assert len(list((tmp_path / "run" / "kept").iterdir())) > 2
    ot.fit(noisy(), tmp_path / "run", steps=1, overwrite=True, stop=False, **SETTINGS)
    assert not (tmp_path / "run" / "kept").exists()


def test_a_damaged_file_says_so(tmp_path):
    network = torch.nn.Linear(1, 1)
    weights = BestWeights(HeldOut().monitor(), network, tmp_path / "kept")
    assert weights.restore() is None
    weights.update(1, {"held_out_error": 1.0})
    (file,) = (tmp_path / "kept").iterdir()
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(
        InputError, match=r"expected the network that was best, got .*; fit again with --overwrite"
    ):
        weights.restore()
