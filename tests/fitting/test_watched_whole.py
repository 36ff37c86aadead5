"""The main job on signals whose middle says nothing of the rest: it chooses, stops and speaks for the whole."""

import numpy as np
import pytest
import torch

import overtone as ot
from overtone import planning, records, signals
from overtone.fitting import MonitorConfig
from overtone.fitting import _predict as predicting
from overtone.fitting._monitor import plan_monitor

N = 96
Y, X = np.mgrid[:N, :N] / N
RIM = np.maximum(abs(X - 0.5), abs(Y - 0.5)) > 0.38
FRAME = 0.5 + 0.4 * np.sin(12 * np.pi * X) * np.sin(12 * np.pi * Y) * RIM
QUICK = {"steps": 120, "batch": 1024, "width": 32, "seed": 0}


def one_sample(shape, place):
    values = np.zeros(shape)
    values[place] = 1
    return values


def part(shape, where, values):
    field = np.zeros(shape)
    field[where] = values
    return field


DRAW = np.random.default_rng(0)
TIMES = np.arange(12_000)
FLAT = {
    "a frame": FRAME,
    "one bright sample": one_sample((110, 110), (55, 55)),
    "one bright corner": one_sample((110, 110), (0, 109)),
    "a line": part((110, 110), (slice(None), 80), 1),
    "two halves": part((110, 110), (slice(None), slice(55, None)), 1),
    "a last row": part((110, 110), (-1, slice(None)), 1),
    "noise of two values": (DRAW.random((110, 110)) < 0.5).astype(float),
    "noise in a corner": part((110, 110), (slice(0, 12), slice(98, 110)), DRAW.normal(size=(12, 12))),
    "silence in the middle": np.where(abs(TIMES - 6000) < 4000, 0, np.sin(0.05 * TIMES)),
    "a click": one_sample(12_000, 777),
    "a step": part(12_000, slice(6000, None), 1),
    "one bright voxel": one_sample((26, 26, 26), (3, 4, 25)),
    "a corner of a volume": part((26, 26, 26), np.s_[:5, :5, :5], DRAW.normal(size=(5, 5, 5))),
    "three slices": part((3, 90, 90), np.s_[0, :5], 1),
}


@pytest.mark.parametrize("name", FLAT)
def test_what_hardly_varies_is_planned_scanned_and_fitted(name):
    signal = signals.array(FLAT[name])
    plan = planning.plan(signal, planning.Budget(steps=100, parameters=3_000))
    assert all(np.isfinite(plan.bandwidth))
    assert all(0 < b <= n for b, n in zip(plan.bandwidth, signal.geometry.nyquist, strict=True))
    oscillation = ot.scan(signal).barron_summary
    assert oscillation.upper > 0
    run = ot.fit(signal, steps=2, width=16, batch=256, bandwidth=plan.bandwidth)
    assert "constant" not in " ".join(run.verdict)
    assert float(run.record.target_power[1:].sum()) > 0


def test_a_flat_middle_does_not_end_a_run():
    """Waves at the rim: the run ends where it would had the whole picture been watched, and speaks of the waves."""
    signal = signals.array(FRAME)
    grid, psnr = signal.geometry, {}
    whole = MonitorConfig(start=(0,) * grid.axes, shape=grid.shape)
    for name, monitor in (("spread", MonitorConfig(2048)), ("whole", whole)):
        run = ot.fit(signal, bandwidth=8, monitor=monitor, **QUICK)
        psnr[name] = run.psnr["held_out"]
        assert "constant" not in " ".join(run.verdict)
        assert run.outcome.step == QUICK["steps"]
    assert psnr["spread"] > psnr["whole"] - 0.5
    assert psnr["whole"] > 22


def test_a_run_that_goes_on_is_measured_as_it_began(tmp_path):
    signal = signals.array(FRAME)
    short = QUICK | {"steps": 30}
    once = ot.fit(signal, tmp_path / "once", bandwidth=8, **short)
    ot.fit(signal, tmp_path / "twice", bandwidth=8, **(short | {"steps": 15}))
    again = ot.fit(signal, tmp_path / "twice", resume=True, steps=short["steps"])
    rows = again.record.sel(step=once.record.step)
    assert once.record.attrs["geometry"]["measured_spread"]["samples"] > 1000
    for name in ("residual_power", "cross_power", "train_error", "held_out_error"):
        np.testing.assert_array_equal(rows[name], once.record[name])
    margins = again.record.attrs["margins"]
    assert {key: margins[key] for key in once.record.attrs["margins"]} == once.record.attrs["margins"]


def test_a_prediction_looks_where_the_signal_varies_and_says_where():
    signal = signals.array(FRAME)
    part_ = predicting.window(signal, 400)
    assert part_.geometry.samples <= 400
    assert float(part_.values.var()) > 0.25 * float(signal.values.var())
    middle = predicting.window(signals.array(np.random.default_rng(0).normal(size=(60, 60))), 400)
    assert middle.geometry.origin == pytest.approx((20 / 60, 20 / 60))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predicting, "OUTPUTS", 64)
        told = predicting.predict(signal, bandwidth=8, **(QUICK | {"steps": 20})).sentences
    where = next(
        s for s in told if s.startswith("Predicted on a window of 8 x 8 of the 96 x 96 samples, indices")
    )
    assert where.endswith("at full resolution; the other samples are not predicted.")


@pytest.mark.parametrize("name", ["a frame", "one bright sample"])
def test_comparing_where_hardly_anything_varies(name):
    budget = planning.Budget(steps=50, parameters=5_000)
    found = ot.compare(
        signals.array(FLAT[name]),
        candidates=("gaussian", "positional"),
        budget=budget,
        seeds=1,
        choose="quick",
    )
    assert "constant" not in " ".join(found.verdict)


def test_the_measured_grid_is_told_in_the_record(tmp_path):
    run = ot.fit(signals.array(FRAME), tmp_path / "run", bandwidth=8, **(QUICK | {"steps": 3}))
    where = records.load(run.directory.record).attrs["geometry"]
    spread = where["measured_spread"]
    assert not where["measured_whole"]
    assert spread["tiles"] * np.prod(spread["tile_shape"]) + spread["samples"] < 1.2 * 4096
    assert torch.is_tensor(run.predict())


@pytest.mark.parametrize(
    ("side", "steps", "count"), [(64, 400, 5), (512, 900, 1), (512, 100, 0), (512, 2000, 2), (512, 20000, 5)]
)
def test_snapshots_cost_a_tenth_of_the_training_at_most(side, steps, count):
    grid = signals.array(np.eye(side), spacing=1.0).geometry
    taken = plan_monitor(grid, steps, 1024).snapshots
    assert len(taken) == count
    cost = len(taken) * side**2 / 3
    assert cost <= 0.1 * steps * 1024 or side < 256
