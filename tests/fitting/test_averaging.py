"""Minibatch fits judge an average of the weights beside the weights themselves, and hand back the better one."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import overtone as ot
from overtone._training import Checkpoint, WeightAverage
from overtone.errors import InputError
from overtone.fitting import _stopping

SETTINGS = {"width": 16, "depth": 2, "features": 16, "lr": 1e-2, "bandwidth": 12.0, "held_out": 0.3}


def noisy():
    clean = ot.signals.synthetic.harmonics([1, 2, 5], samples=128, seed=3)
    return ot.signals.synthetic.add_noise(clean, 0.3, seed=4)


def state(run):
    return torch.cat([p.detach().flatten() for p in run.network.parameters()])


@pytest.mark.parametrize("steps", [1, 2, 17])
def test_the_average_is_the_sum_of_weights_times_powers_of_their_step(steps):
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 2)
    average, history = WeightAverage(network), []
    for step in range(1, steps + 1):
        with torch.no_grad():
            network.weight.add_(torch.randn_like(network.weight))
        history.append(network.weight.detach().double().clone())
        average.update(step)
    # Shares (1 - 1/s)^6 multiply up to weights (s^6 - (s - 1)^6) / t^6, about 6 s^5 / t^6.
    weights = [(s**6 - (s - 1) ** 6) / steps**6 for s in range(1, steps + 1)]
    expected = sum(w * value for w, value in zip(weights, history, strict=True))
    largest = max(float(value.abs().max()) for value in history)
    tolerance = 4 * steps * torch.finfo(torch.float32).eps * largest
    torch.testing.assert_close(average.network.weight.double(), expected, atol=tolerance, rtol=0)
    assert torch.equal(network.weight.double(), history[-1])


def test_buffers_of_the_average_are_those_of_the_network():
    network = torch.nn.BatchNorm1d(2)
    average = WeightAverage(network)
    network(torch.randn(8, 2, generator=torch.Generator().manual_seed(0)))
    average.update(1)
    assert int(average.network.num_batches_tracked) == 1
    assert torch.equal(average.network.running_mean, network.running_mean)


def test_a_noisy_minibatch_run_hands_back_the_average(tmp_path):
    options = SETTINGS | {"steps": 400, "batch": 16}
    gains = []
    for seed in range(4):
        run = ot.fit(noisy(), tmp_path / f"run{seed}", seed=seed, **options)
        plain = ot.fit(noisy(), tmp_path / f"plain{seed}", seed=seed, average=False, **options)
        gains.append(run.psnr["held_out_clean"] - plain.psnr["held_out_clean"])
    assert sum(gains) / len(gains) > 0.3
    assert run.record.attrs["averaged"] is True
    assert plain.record.attrs["averaged"] is False
    assert "averaged weights were restored" in run.verdict[0]
    # The training itself is the same, and so are its rows.
    common = slice(0, min(run.outcome.step, plain.outcome.step))
    one, other = (r.record.sel(step=common).train_error.values[:-1] for r in (run, plain))
    assert (one == other).all()


def test_the_last_picture_is_that_of_the_average_that_is_handed_back(tmp_path):
    # A whole grid and a short run: the restored step is the last one, at which the weights had a picture as well.
    signal = ot.signals.synthetic.power_law((24, 24), 2.0, seed=1)
    signal = ot.signals.synthetic.add_noise(signal, 0.5, seed=2)
    for steps in (37, 200):
        run = ot.fit(signal, tmp_path / f"{steps}", steps=steps, batch=32, **SETTINGS)
        assert run.record.attrs["averaged"] is True
        last = run.outcome.step
        after = f" after {last} steps" if run.network_step < last else ""
        assert f"whose averaged weights were restored{after}, it has" in run.verdict[0]
        snapshots = ot.records.snapshots(run.directory.record)
        picture = snapshots.get("prediction", run.network_step)
        np.testing.assert_allclose(picture.reshape(-1), run.predict()[:, 0].numpy(), rtol=1e-5, atol=1e-6)
        page = run.report().read_text(encoding="utf-8")
        assert "the returned network has their moving average" in " ".join(page.split())
        assert "that network has averaged weights" in " ".join(page.split())


def test_weights_that_are_clearly_better_are_handed_back(tmp_path, monkeypatch):
    monkeypatch.setattr(_stopping, "RAW_GAIN", -1e9)
    run = ot.fit(noisy(), tmp_path / "run", steps=60, batch=8, **SETTINGS)
    assert run.record.attrs["averaged"] is False
    row = run.record.sel(step=run.network_step)
    assert run.record.attrs["final_errors"]["held_out"] == pytest.approx(float(row.held_out_error), rel=1e-4)


def test_full_batches_are_not_averaged(tmp_path):
    run = ot.fit(noisy(), tmp_path / "run", steps=20, **SETTINGS)
    assert run.record.attrs["averaged"] is False
    assert not (tmp_path / "run" / "averaged").exists()
    assert Checkpoint.load(tmp_path / "run" / "checkpoint.safetensors").average is None


def test_interrupted_and_resumed_the_average_is_the_same(tmp_path):
    whole = ot.fit(noisy(), tmp_path / "whole", steps=230, batch=8, **SETTINGS)
    ot.fit(noisy(), tmp_path / "parts", steps=101, batch=8, **SETTINGS)
    parts = ot.fit(noisy(), tmp_path / "parts", steps=230, batch=8, resume=True, **SETTINGS)
    assert (parts.network_step, parts.outcome.step) == (whole.network_step, whole.outcome.step)
    assert torch.equal(state(parts), state(whole))
    again = ot.fit(noisy(), tmp_path / "parts", resume=True, **SETTINGS)
    assert torch.equal(state(again), state(whole))


def test_a_run_without_its_average_cannot_go_on(tmp_path):
    folder = tmp_path / "run"
    ot.fit(noisy(), folder, steps=40, batch=8, average=False, **SETTINGS)
    settings = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(settings | {"average": True}))
    with pytest.raises(InputError, match="no averaged weights"):
        ot.fit(noisy(), folder, steps=80, batch=8, resume=True)


def test_runs_of_old_versions_go_on_without_an_average(tmp_path):
    folder = tmp_path / "run"
    ot.fit(noisy(), folder, steps=40, batch=8, average=False, **SETTINGS)
    settings = json.loads((folder / "run.json").read_text())
    del settings["average"], settings["stopping_noise"]
    (folder / "run.json").write_text(json.dumps(settings))
    assert ot.fit(noisy(), folder, steps=80, batch=8, resume=True).outcome.step == 80


def test_overwriting_removes_stored_averages(tmp_path):
    ot.fit(noisy(), tmp_path / "run", steps=30, batch=8, **SETTINGS)
    assert len(list((tmp_path / "run" / "averaged").iterdir())) > 2
    ot.fit(noisy(), tmp_path / "run", steps=1, overwrite=True, stop=False, **SETTINGS)
    assert not (tmp_path / "run" / "averaged").exists()


def test_certain_noise_decides_with_the_held_out_error(tmp_path):
    clean = ot.signals.synthetic.harmonics([2, 7], samples=1024, seed=1)
    signal = ot.signals.synthetic.add_noise(clean, 0.1, seed=5)
    run = ot.fit(signal, tmp_path / "run", steps=120, width=16, features=16)
    stored = json.loads((tmp_path / "run" / "run.json").read_text())
    floor = ot.planning.measure_noise(signal)
    assert floor.verdict is ot.spectra.NoiseVerdict.NOISE
    assert stored["stopping_noise"] == pytest.approx(float(floor.std.square().mean()))
    assert run.record.attrs["stopping_noise"] == stored["stopping_noise"]
    assert any("the training error from the noise" in reason for reason in stored["reasons"])
    # The page's best step and the restored one follow the same rule.
    assert (
        ot.records.metrics.stop(
            run.record.drop_vars("clean_error", errors="ignore").assign(
                clean_error=run.record.held_out_error * float("nan")
            )
        ).step
        == run.network_step
    )


def test_signals_without_certain_noise_are_stopped_by_held_out_samples_alone(tmp_path):
    clean = ot.signals.synthetic.harmonics([2, 3], samples=256, seed=1)
    ot.fit(clean, tmp_path / "run", steps=3, width=16, features=16, bandwidth=20.0)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["stopping_noise"] == 0
