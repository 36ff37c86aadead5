import json
import os
import signal as system_signals
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

import overtone as ot
from overtone import records, signals
from overtone._config import EncodingKind
from overtone._training import Checkpoint
from overtone.errors import InputError, RunError
from overtone.records import metrics

SMALL = {"width": 16, "depth": 2, "features": 8, "lr": 1e-2}


def tones(samples=64):
    return signals.synthetic.harmonics([1, 3], samples=samples, seed=0)


def picture(n=24, noise=0.0):
    rows, columns = np.mgrid[0:n, 0:n] / n
    values = 0.5 + 0.2 * np.cos(2 * np.pi * rows) + 0.1 * np.sin(2 * np.pi * 4 * columns)
    values = values + noise * np.random.default_rng(0).standard_normal(values.shape)
    return signals.array(values)


def parameters(run):
    return torch.cat([p.detach().flatten() for p in run.network.parameters()])


def without_time(record):
    return record.drop_vars("time").drop_attrs()


def test_a_fit_records_learns_and_reports(tmp_path):
    run = ot.fit(picture(), tmp_path / "run", steps=200, **SMALL)
    record = run.record
    assert record.attrs["origin"] == "measured"
    assert list(record.step.values[[0, -1]]) == [0, 200]
    strongest = int(record.target_power[1:, 0].argmax("band")) + 1
    error = metrics.relative_error(record).isel(band=strongest, channel=0)
    assert error[-1] < 0.3 < error[0]
    assert run.psnr["train"] > 20
    assert run.psnr["held_out_clean"] is None
    assert run.report().read_text(encoding="utf-8").startswith("<!doctype html>")
    assert all(sentence.endswith((".", "?", "!")) for sentence in run.verdict)


def test_psnr_is_that_of_the_predictions(tmp_path):
    run = ot.fit(picture(), tmp_path / "run", steps=30, **SMALL)
    error = (run.predict().double() - run.signal.values.double()).square().mean(1)
    for name, index in (("train", run.signal.train_index), ("held_out", run.signal.held_out_index)):
        expected = 10 * np.log10(run.signal.peak**2 / float(error[index].mean()))
        assert run.psnr[name] == pytest.approx(expected, abs=1e-3)


def test_ten_percent_are_held_out_unless_said(tmp_path):
    run = ot.fit(picture(), tmp_path / "a", steps=2, **SMALL)
    assert run.signal.held_out_index.numel() == round(0.1 * 24 * 24)
    run = ot.fit(picture(), tmp_path / "b", steps=2, held_out=0, **SMALL)
    assert run.signal.held_out_index.numel() == 0
    assert run.psnr["held_out"] is None


def test_same_seed_same_run_and_another_seed_another(tmp_path):
    one = ot.fit(tones(), tmp_path / "a", steps=20, seed=1, **SMALL)
    two = ot.fit(tones(), tmp_path / "b", steps=20, seed=1, **SMALL)
    three = ot.fit(tones(), tmp_path / "c", steps=20, seed=2, **SMALL)
    assert torch.equal(parameters(one), parameters(two))
    assert without_time(one.record).identical(without_time(two.record))
    assert not torch.equal(parameters(one), parameters(three))


@pytest.mark.parametrize("extra", [{}, {"batch": 16}, {"optimizer": "sgd", "momentum": 0.9}])
def test_a_longer_budget_on_resume_is_bit_identical_to_one_long_run(tmp_path, extra):
    whole = ot.fit(tones(), tmp_path / "whole", steps=40, **SMALL, **extra)
    ot.fit(tones(), tmp_path / "parts", steps=17, **SMALL, **extra)
    parts = ot.fit(tones(), tmp_path / "parts", steps=40, resume=True, **SMALL, **extra)
    assert torch.equal(parameters(whole), parameters(parts))
    assert without_time(whole.record).identical(without_time(parts.record))


def test_bandwidth_is_chosen_with_a_reason_or_taken_as_given(tmp_path):
    chosen = ot.fit(picture(), tmp_path / "a", steps=2, **SMALL)
    assert chosen.record.attrs["bandwidth"] == pytest.approx(chosen.network.bandwidth)
    assert any("90 % of the signal's power" in reason for reason in chosen.record.attrs["reasons"])
    given = ot.fit(picture(), tmp_path / "b", steps=2, bandwidth=(3.0, 6.0), **SMALL)
    assert given.network.bandwidth == pytest.approx((3.0, 6.0))
    above = ot.fit(picture(), tmp_path / "c", steps=2, bandwidth=50.0, **SMALL)
    assert "50 on axis 0 has the same samples as 2 (Nyquist 12)" in above.record.attrs["reasons"][1]


def test_no_more_frequencies_than_samples_unless_asked_for(tmp_path):
    open_ = {k: v for k, v in SMALL.items() if k != "features"}
    run = ot.fit(tones(40), tmp_path / "a", steps=2, bandwidth=3.0, **open_)
    assert run.network.encoding.frequencies.shape == (36, 1)
    assert "36 frequencies, as many as there are samples to train on." in run.record.attrs["reasons"]
    run = ot.fit(tones(40), tmp_path / "b", steps=2, bandwidth=3.0, features=37, **open_)
    assert any("37 frequencies are more than the 36 samples" in r for r in run.record.attrs["reasons"])


def test_a_run_that_is_short_of_seconds_keeps_what_it_chose(tmp_path):
    run = ot.fit(tones(), tmp_path / "run", seconds=0.5, bandwidth=3.0)
    told = next(r for r in run.record.attrs["reasons"] if r.startswith("0.5 s are about"))
    chosen = json.loads((tmp_path / "run" / "run.json").read_text())
    assert f"{chosen['network']['width']} units a layer" in told
    assert f"{chosen['training']['batch']} samples a step" in told
    given = ot.fit(tones(), tmp_path / "given", seconds=0.5, bandwidth=3.0, **SMALL)
    assert not any("s are about" in r for r in given.record.attrs["reasons"])


def test_white_noise_is_warned_of(tmp_path, capfd):
    values = np.random.default_rng(0).standard_normal((20, 20))
    run = ot.fit(signals.array(values), tmp_path / "run", steps=200, progress=True, **SMALL)
    assert "warning: Nothing was learned that carries over" in capfd.readouterr().err
    assert sum("not recommended" in r for r in run.record.attrs["reasons"]) == 1
    assert run.verdict[3].startswith("Do not rely on it")
    ot.fit(picture(), tmp_path / "other", steps=200, progress=True, **SMALL)
    assert "warning" not in capfd.readouterr().err


@pytest.mark.parametrize("encoding", [e.value for e in EncodingKind if e.value not in ("auto", "triplane")])
def test_every_encoding_trains(tmp_path, encoding):
    run = ot.fit(picture(), tmp_path / "run", steps=60, encoding=encoding, **SMALL)
    assert run.record.loss[-1] < 0.7 * run.record.loss[1]


def test_sine_needs_no_encoding_and_takes_the_bandwidth(tmp_path):
    run = ot.fit(picture(), tmp_path / "run", steps=2, activation="sine", bandwidth=4.0, **SMALL)
    assert run.network.describe().startswith("Identity")
    assert run.network.bandwidth == pytest.approx((4.0, 4.0))


def test_one_activation_per_layer(tmp_path):
    run = ot.fit(picture(), tmp_path / "run", steps=2, activation=["tanh", "relu"], **SMALL)
    assert "Tanh" in run.network.describe()
    assert "ReLU" in run.network.describe()


def test_clean_reference_gives_the_clean_error(tmp_path):
    noisy = signals.synthetic.add_noise(picture(), std=0.1, seed=0)
    run = ot.fit(noisy, tmp_path / "run", steps=50, **SMALL)
    assert run.psnr["held_out_clean"] > run.psnr["held_out"]
    assert np.isfinite(run.record.clean_error).all()


def test_snapshots_at_five_moments_and_the_end(tmp_path):
    run = ot.fit(picture(), tmp_path / "run", steps=400, **SMALL)
    kept = records.snapshots(run.directory.record)
    assert len(kept.steps("prediction")) >= 5
    np.testing.assert_allclose(
        kept.get("prediction", 400).reshape(-1), run.predict().float().numpy().reshape(-1), atol=1e-6
    )


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (
            {"encoding": "fourier"},
            "encoding: expected one of auto, none, basic, positional, gaussian, power-law, learned, periodic, "
            "hash-grid, dense-grid, triplane, got 'fourier'",
        ),
        ({"optimizer": "lion"}, "optimizer: expected one of adam, sgd, got 'lion'"),
        ({"activation": "relus"}, "activation: expected one of relu"),
        ({"bandwidth": (1.0, 2.0, 3.0)}, r"bandwidth: expected one bandwidth or one per axis \(2\), got 3"),
        ({"bandwidth": -1.0}, "bandwidth"),
        (
            {"encoding": "basic", "bandwidth": 3.0},
            "expected an encoding that has a bandwidth, got --encoding basic",
        ),
        ({"held_out": 1.5}, "held_out: expected a fraction from 0 to below 1, got 1.5"),
        ({"device": "abacus"}, "device: expected a device that is there, got 'abacus'"),
        ({"width": 0}, "width"),
        ({"lr": -1.0}, "lr: expected a positive finite number, got -1.0"),
    ],
)
def test_wrong_arguments_leave_nothing_behind(tmp_path, wrong, text):
    with pytest.raises(InputError, match=text):
        ot.fit(picture(), tmp_path / "run", **({"steps": 2} | SMALL | wrong))
    assert not (tmp_path / "run").exists()


def test_an_existing_run_is_neither_mixed_nor_lost(tmp_path):
    run = ot.fit(tones(), tmp_path / "run", steps=2, **SMALL)
    before = run.directory.record.read_bytes()
    with pytest.raises(
        InputError,
        match="expected a directory without a run, got an earlier run in it; go on with it by --resume",
    ):
        ot.fit(tones(), tmp_path / "run", steps=2, **SMALL)
    assert run.directory.record.read_bytes() == before
    again = ot.fit(tones(), tmp_path / "run", steps=3, overwrite=True, **SMALL)
    assert int(again.record.step[-1]) == 3


def test_overwrite_never_touches_a_directory_that_is_no_run(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(
        InputError, match="expected an empty directory or an earlier run, got other files in it"
    ):
        ot.fit(tones(), tmp_path, steps=2, overwrite=True, **SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_resume_without_a_run_or_with_a_damaged_one(tmp_path):
    with pytest.raises(InputError, match="expected a run to resume, got none"):
        ot.fit(tones(), tmp_path / "none", resume=True)
    run = ot.fit(tones(), tmp_path / "run", steps=2, **SMALL)
    (run.directory.path / "run.json").write_text("{")
    with pytest.raises(InputError, match=r"expected readable settings of a run, got a damaged run\.json"):
        ot.fit(tones(), tmp_path / "run", resume=True)


def test_resume_refuses_another_budget_under_a_decaying_rate(tmp_path):
    ot.fit(tones(), tmp_path / "run", steps=4, decay="cosine", **SMALL)
    with pytest.raises(InputError, match="expected the budget the run began with"):
        ot.fit(tones(), tmp_path / "run", steps=8, resume=True)


def test_divergence_keeps_the_record_up_to_it(tmp_path):
    with pytest.raises(RunError, match="expected a finite loss"):
        ot.fit(tones(), tmp_path / "run", steps=300, optimizer="sgd", width=16, depth=2, features=8, lr=1e9)
    record = records.load(tmp_path / "run")
    assert record.sizes["step"] >= 1
    assert np.isfinite(record.residual_power.isel(step=0)).all()


CHILD = """
import overtone as ot
signal = ot.signals.synthetic.harmonics([1, 3], samples=64, seed=0)
ot.fit(signal, {out!r}, steps=10**7, bandwidth=3.0, width=16, depth=2, features=8, lr=1e-2)
"""


def start(out):
    child = subprocess.Popen([sys.executable, "-c", CHILD.format(out=str(out))], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if records.load(out).sizes["step"] > 20:
                return child
        except (InputError, OSError):
            pass
        time.sleep(0.05)
    child.kill()
    raise AssertionError("the run never got going: " + child.communicate()[1].decode())


def test_killed_runs_leave_a_readable_record(tmp_path):
    child = start(tmp_path / "run")
    child.kill()
    child.wait()
    record = records.load(tmp_path / "run")
    assert record.sizes["step"] > 20
    assert np.isfinite(record.residual_power).all()
    # However early it was killed, there is a checkpoint to go on from: that of step 0 to begin with.
    steps = Checkpoint.load(tmp_path / "run" / "checkpoint.safetensors").step + 15
    resumed = ot.fit(tones(), tmp_path / "run", steps=steps, resume=True)
    whole = ot.fit(tones(), tmp_path / "whole", steps=steps, bandwidth=3.0, **SMALL)
    assert torch.equal(parameters(resumed), parameters(whole))
    assert without_time(resumed.record).identical(without_time(whole.record))


def test_interrupted_runs_resume_to_the_uninterrupted_result(tmp_path):
    child = start(tmp_path / "run")
    os.kill(child.pid, system_signals.SIGINT)
    assert child.wait(60) == 0
    settings = json.loads((tmp_path / "run" / "run.json").read_text())
    assert settings["training"]["steps"] == 10**7
    stopped = records.load(tmp_path / "run")
    assert not stopped.attrs["complete"]
    steps = int(stopped.step[-1]) + 15
    resumed = ot.fit(tones(), tmp_path / "run", steps=steps, resume=True)
    whole = ot.fit(tones(), tmp_path / "whole", steps=steps, bandwidth=3.0, **SMALL)
    assert torch.equal(parameters(resumed), parameters(whole))
    assert without_time(resumed.record).identical(without_time(whole.record))


@pytest.mark.parametrize("scale", [1e30, 1e-30])
def test_the_scale_of_float32_values_does_not_matter(tmp_path, scale):
    values = tones().values[:, 0].float()
    one, other = (
        ot.fit(signals.array(values * s), steps=5, bandwidth=3.0, seed=0, **SMALL) for s in (1.0, scale)
    )
    # Squares are taken in float64. What is left differs by the rounding of the scaled values and of five steps.
    assert other.psnr["held_out"] == pytest.approx(one.psnr["held_out"], abs=1e-3)
    assert float(other.record.train_error[-1]) == pytest.approx(
        scale**2 * float(one.record.train_error[-1]), rel=1e-3
    )


def test_a_run_records_the_quality_that_its_plan_expected(tmp_path):
    run = ot.fit(tones(), tmp_path / "run", steps=40, **SMALL)
    expected = run.record.attrs["expected"]
    assert expected["low"] < expected["psnr"] < expected["high"]
    assert "expected" not in ot.fit(tones(), tmp_path / "other", steps=2, bandwidth=4.0, **SMALL).record.attrs
