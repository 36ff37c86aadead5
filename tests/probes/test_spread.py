"""What is watched of large grids stands for the whole, wherever its structure lies."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import overtone as ot
from overtone import reports, signals
from overtone.errors import InputError
from overtone.fitting import MonitorConfig
from overtone.fitting._monitor import window_of
from overtone.probes import Probe, Spread, Window, views
from overtone.probes._spread_sampling import Tiles, draw_single_samples, inclusion_probabilities
from overtone.probes.views._grid import make_measurement
from overtone.signals import Grid, masks
from overtone.signals._blocks import Blocks
from overtone.spectra import GridTransform
from tests.probes.fields import Frozen

SAMPLES = 2048
SHAPES = ((20_000,), (96, 96), (24, 24, 24), (3, 80, 80))


def places(shape):
    """Every corner, the middle, and the rim, as boolean arrays."""
    sides = [max(1, n // 6) for n in shape]
    found = {}
    for ends in itertools.product((0, 1), repeat=len(shape)):
        box = tuple(
            slice(0, s) if e == 0 else slice(n - s, n) for s, n, e in zip(sides, shape, ends, strict=True)
        )
        found[f"corner {ends}"] = box
    found["middle"] = tuple(slice((n - s) // 2, (n - s) // 2 + s) for s, n in zip(sides, shape, strict=True))
    masks_ = {}
    for name, box in found.items():
        masks_[name] = np.zeros(shape, bool)
        masks_[name][box] = True
    inner = tuple(slice(n // 8, n - n // 8) if n > 8 else slice(0, n) for n in shape)
    masks_["rim"] = np.ones(shape, bool)
    masks_["rim"][inner] = False
    return masks_


def structured(shape, where, seed=0):
    """Waves and noise in one place, a constant elsewhere."""
    draw_single_samples = np.random.default_rng(seed)
    grid = np.indices(shape)
    wave = np.sin(sum(2 * np.pi * g * 0.07 for g in grid)) + 0.3 * draw_single_samples.normal(size=shape)
    signal = signals.array(np.where(where, wave, 0.2))
    return signal.with_held_out(masks.random(signal.geometry, 0.1, seed=1))


def row_of(measurement, prediction):
    index = slice(None) if measurement.index is None else measurement.index
    return measurement.row(prediction[index])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_structure_is_seen_wherever_it_lies(shape):
    """Rows, learned bands and the errors that stop a run, with all structure in each place in turn."""
    for name, where in places(shape).items():
        signal = structured(shape, where)
        whole, part = make_measurement(signal, None), make_measurement(signal, Spread(SAMPLES))
        assert len(part.index) <= 1.2 * SAMPLES < signal.geometry.samples, name
        target = part.target_power.sum(1).numpy()
        assert target[1:].sum() > 0.3 * float(whole.target_power[1:].sum()), name
        half = 0.5 * signal.values + 0.5 * signal.values.mean(0)
        for prediction, left in (
            (half, 0.5),
            (signal.values.mean(0).expand_as(half), 1.0),
            (signal.values, 0.0),
        ):
            row, true = row_of(part, prediction), row_of(whole, prediction)
            held = target > 1e-6 * target.sum()
            held[0] = False
            error = np.sqrt(row["residual_power"].sum(1)[held] / target[held])
            assert np.abs(error - left).max() < 0.02, (name, left)
            tiles = part.bands.low >= part.geometry["measured_spread"]["tiles_resolve_from"]
            assert np.abs(np.array(row["margins"]["relative_power"])[held & tiles]).max() < 1e-6, (name, left)
            for kind in ("train_error", "held_out_error"):
                assert abs(row[kind] - true[kind]) <= 3 * row["margins"][kind] + 1e-12, (name, left, kind)
        garbage = signal.values + 0.1 * torch.from_numpy(where.reshape(-1, 1)) * torch.sign(signal.values)
        assert row_of(part, garbage)["held_out_error"] > 0.3 * row_of(whole, garbage)["held_out_error"], name


@pytest.mark.parametrize(
    ("shape", "periodic"), [((9000,), False), ((80, 80), False), ((80, 80), True), ((20, 20, 20), False)]
)
def test_estimates_are_those_of_the_whole_on_average(shape, periodic):
    """Over many draws, errors come out as on the whole grid, and powers nearly so, in every part of the spectrum.

    Slow bands are a little too high, since none is told to be below what can be seen; fast ones of a falling spectrum
    too low, since a tile of five samples tells few frequencies apart.
    """
    draw_single_samples = np.random.default_rng(3)
    values = np.fft.fftn(draw_single_samples.normal(size=shape))
    radius = np.sqrt(
        sum(np.square(f) for f in np.meshgrid(*(np.fft.fftfreq(n) * n for n in shape), indexing="ij"))
    )
    values = np.fft.ifftn(values / np.maximum(radius, 1) ** (0.4 + 0.5 * len(shape))).real
    signal = signals.array(values / values.std() + 0.5)
    grid = signal.geometry
    grid = Grid(grid.shape, grid.spacing, grid.origin, grid.units, (periodic,) * len(shape))
    signal = signals.array(values / values.std() + 0.5, periodic=periodic)
    signal = signal.with_held_out(masks.random(grid, 0.1, seed=1))
    prediction = 0.7 * signal.values + 0.2 * torch.from_numpy(
        draw_single_samples.normal(size=(grid.samples, 1))
    )
    prediction[: grid.samples // 5] += 0.5
    true = row_of(make_measurement(signal, None), prediction)
    errors, ratios = [], []
    for seed in range(24):
        part = make_measurement(signal, Spread(SAMPLES, seed))
        row = row_of(part, prediction)
        errors.append(
            [row["train_error"] / true["train_error"], row["held_out_error"] / true["held_out_error"]]
        )
        slow = GridTransform(shape, grid.spacing, grid.periodic, part.bands)
        residual = slow.coefficients((signal.values - prediction).reshape(*shape, 1))
        exact, target = (
            slow.power(residual).numpy(),
            slow.power(slow.coefficients(signal.grid_values)).numpy(),
        )
        half = part.bands.count // 2
        ratios.append(
            [
                row["residual_power"].sum() / exact.sum(),
                row["residual_power"][1:half].sum() / exact[1:half].sum(),
                row["residual_power"][half:].sum() / exact[half:].sum(),
                part.target_power[half:].sum() / target[half:].sum(),
                row["cross_power"].sum() / float((signal.values * prediction).mean()),
            ]
        )
    columns = np.array([[*e, *r] for e, r in zip(errors, ratios, strict=True)])
    chance = 4 * columns.std(0, ddof=1) / np.sqrt(len(columns))
    low, high = np.array([(0, 0), (0, 0), (0.1, 0.12), (0.02, 0.2), (0.2, 0.1), (0.35, 0), (0.02, 0.02)]).T
    low, high = low + chance + 0.01, high + chance + 0.01
    assert ((columns.mean(0) > 1 - low) & (columns.mean(0) < 1 + high)).all(), columns.mean(0)


def test_intervals_hold_what_they_promise():
    """Nineteen in twenty intervals of errors and of bands hold the truth of the whole grid, roughly."""
    signal = structured((96, 96), places((96, 96))["rim"])
    draw_single_samples = torch.from_numpy(np.random.default_rng(0).normal(size=signal.values.shape))
    prediction = signal.values * 0.6 + 0.1 * draw_single_samples
    true, inside, bands = row_of(make_measurement(signal, None), prediction), [], []
    for seed in range(20):
        part = make_measurement(signal, Spread(SAMPLES, seed))
        row = row_of(part, prediction)
        for name in ("train_error", "held_out_error"):
            inside.append(abs(row[name] - true[name]) <= row["margins"][name])
        slow = GridTransform((96, 96), signal.geometry.spacing, False, part.bands)
        exact = slow.power(slow.coefficients((signal.values - prediction).reshape(96, 96, 1))).sum(1).numpy()
        bands.extend(abs(row["residual_power"].sum(1) - exact) <= row["margins"]["residual_power"])
    assert np.mean(inside) > 0.8
    assert np.mean(bands) > 0.8


@pytest.mark.parametrize("periodic", [False, True])
def test_low_frequencies_of_the_target_are_exact(periodic):
    rows, columns = np.indices((70, 60))
    waves = sum(np.cos(np.pi * k * rows / 35) + np.sin(np.pi * k * columns / 30) for k in range(1, 5))
    signal = signals.array(2 + waves + np.random.default_rng(0).normal(size=(70, 60)) / 9, periodic=periodic)
    part = make_measurement(signal, Spread(1024))
    slow = GridTransform((70, 60), signal.geometry.spacing, periodic, part.bands)
    exact = slow.power(slow.coefficients(signal.grid_values))
    begin = part.geometry["measured_spread"]["tiles_resolve_from"]
    low = part.bands.high <= begin * (1 + 1e-9)
    assert low.sum() > 3
    torch.testing.assert_close(part.target_power[low], exact[low], rtol=1e-9, atol=0)


def test_one_bright_sample_is_always_seen():
    """However the draw falls, one sample that differs is in a tile and among the single samples."""
    for seed, shape in itertools.product(range(5), SHAPES):
        values = np.zeros(shape)
        place = tuple(int(n * 0.71) for n in shape)
        values[place] = 1
        part = make_measurement(signals.array(values), Spread(SAMPLES, seed))
        flat = int(np.ravel_multi_index(place, shape))
        assert (part.index == flat).sum() >= 2
        assert float(part.target_power[1:].sum()) > 0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 60), st.booleans()), min_size=1, max_size=3).filter(
        lambda axes: any(n > 9 for n, _ in axes)
    )
)
def test_every_sample_lies_in_as_many_tiles_as_any_other(axes):
    """Over all tiles that could be drawn, a sample is covered twice per cut axis, up to rounding of places."""
    shape, periodic = zip(*axes, strict=True)
    grid = Grid(shape, (1.0,) * len(shape), (0.0,) * len(shape), ("m",) * len(shape), periodic)
    tile = tuple(min(n, 4) for n in shape)
    counts = tuple(1 if s == n else -(-2 * n // s) for n, s in zip(shape, tile, strict=True))
    blocks = Blocks.of(torch.zeros(grid.samples, 1), shape, counts)
    found = Tiles.of(grid, blocks, tile, count=10**9, seed=0)
    assert found.count == np.prod(counts)
    np.testing.assert_allclose(found.weight, 1 / found.count)
    covered = np.bincount(found.index.reshape(-1), minlength=grid.samples)
    most = np.prod([1 if s == n else 3 for n, s in zip(shape, tile, strict=True)])
    assert covered.min() >= 1
    assert covered.max() <= most


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=40), st.floats(0.1, 50))
def test_chances_make_the_wanted_number_expected(shares, count):
    chance = inclusion_probabilities(np.array(shares), count)
    assert ((chance > 0) & (chance <= 1)).all()
    assert chance.sum() == pytest.approx(min(count, len(shares)), rel=1e-9)
    open_ = chance < 1
    if open_.sum() > 1:
        ratio = chance[open_] / np.array(shares)[open_]
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)


def test_samples_are_drawn_once_and_only_of_their_role():
    values = torch.zeros(5000, 1)
    values[4000:4100] = torch.arange(100.0)[:, None]
    blocks = Blocks.of(values, (5000,), (50,))
    held = torch.arange(5000) % 10 == 3
    found = draw_single_samples({"held": held, "rest": ~held}, {"held": 200, "rest": 300}, blocks, seed=0)
    assert 150 < len(found["held"].index) < 250
    assert held[found["held"].index].all()
    assert not held[found["rest"].index].any()
    assert len(np.unique(found["rest"].index)) == len(found["rest"].index)
    assert found["held"].members == 500
    near = (found["rest"].index >= 3900) & (found["rest"].index < 4200)
    assert near.mean() > 0.3
    assert found["rest"].weight[near].sum() == pytest.approx(300 / 5000, abs=0.03)
    all_ = draw_single_samples({"all": held | True}, {"all": 9000}, blocks, seed=0)["all"]
    assert np.array_equal(all_.index, np.arange(5000))
    assert all_.mean(np.arange(5000.0)) == (pytest.approx(2499.5), 0.0)


def test_the_same_seed_watches_the_same_and_another_does_not():
    signal = structured((96, 96), places((96, 96))["middle"])
    one, again, other = (make_measurement(signal, Spread(SAMPLES, seed)) for seed in (0, 0, 1))
    assert torch.equal(one.index, again.index)
    assert not torch.equal(one.index, other.index[: len(one.index)])
    assert torch.equal(one.target_power, again.target_power)


def test_small_grids_are_measured_whole():
    signal = signals.array(np.random.default_rng(0).normal(size=(30, 30)))
    assert make_measurement(signal, Spread(1000)).index is None
    with pytest.raises(InputError, match="at least 64 samples to measure, got 10; pass a larger number"):
        Spread(10)


def test_bands_that_tiles_cannot_tell_apart_are_joined():
    signal = structured((96, 96), places((96, 96))["middle"])
    for bands in ([0, 200], [0, 1, 2, 3, 4, 70], [0.0, *np.arange(0.5, 60)]):
        part = make_measurement(signal, Spread(SAMPLES), ot.spectra.Bands(tuple(bands)))
        half = row_of(part, 0.5 * signal.values + 0.5 * signal.values.mean(0))["residual_power"].sum(1)
        target = part.target_power.sum(1).numpy()
        held = target > 1e-6 * target.sum()
        held[0] = False
        assert np.abs(half[held] / target[held] - 0.25).max() < 0.02


def test_outputs_that_are_not_finite_make_powers_nan():
    signal = structured((96, 96), places((96, 96))["middle"])
    part = make_measurement(signal, Spread(SAMPLES))
    row = part.row(torch.full((len(part.index), 1), float("inf")))
    assert np.isnan(row["residual_power"]).all()
    assert row["held_out_error"] == float("inf")


def test_a_clean_reference_and_samples_out_of_use_are_known_to_it():
    noisy = structured((96, 96), places((96, 96))["rim"])
    clean = 0.9 * noisy.values
    train, held = masks.alternating(noisy.geometry)
    signal = signals.array(noisy.grid_values[..., 0].numpy()).with_split(train, held)
    signal = replace(signal, clean=clean)
    part, whole = make_measurement(signal, Spread(SAMPLES)), make_measurement(signal, None)
    floor = ot.scan(noisy).noise
    assert part.noise_power(floor).sum() == pytest.approx(
        float((0.1 * noisy.values).square().mean()), rel=0.5
    )
    row, true = row_of(part, 0.5 * noisy.values), row_of(whole, 0.5 * noisy.values)
    for name in ("clean_error", "train_error", "held_out_error"):
        assert row[name] == pytest.approx(true[name], rel=0.3)


def test_a_probe_of_a_spread_writes_its_margins_and_the_report_tells_them(tmp_path):
    signal = structured((96, 96), places((96, 96))["rim"])
    network = Frozen(0.1 * signal.values, signal.geometry)
    with Probe(views.GridView(signal, Spread(SAMPLES)), network, tmp_path) as probe:
        probe(0)
        network.table.data = 0.8 * signal.values
        probe(1)
        record = probe.record
    where = record.attrs["geometry"]
    assert where["measured_whole"] is False
    assert where["measured_spread"]["tiles"] == 8
    assert set(record.attrs["margins"]) == {"0", "1"}
    assert len(record.attrs["margins"]["1"]["residual_power"]) == record.sizes["band"]
    page = reports.report([tmp_path], tmp_path / "page.html").read_text()
    assert "spread over the whole: 8 tiles of" in page
    assert "95 % interval" in page
    assert "constant" not in " ".join(reports.verdict(record))


def test_a_record_of_one_block_is_shown_as_that(tmp_path):
    """As large grids were watched before: the middle says nothing of the rest."""
    where = places((96, 96))["rim"]
    signal = structured((96, 96), where)
    block = Window.central(signal.geometry, 1024)
    with Probe(
        views.GridView(signal, block), Frozen(signal.values * 0.9, signal.geometry), tmp_path
    ) as probe:
        probe(0)
        told = reports.verdict(probe.record)
    assert told[0] == (
        "Cannot tell: rows were measured on a block of 32 × 32 of the 96 × 96 samples in the middle alone, where the "
        "target is constant."
    )
    assert "Spread" in told[3]
    path = tmp_path / "corner"
    with Probe(
        views.GridView(signal, Window((0, 0), (20, 20))), Frozen(0 * signal.values, signal.geometry), path
    ) as probe:
        probe(0)
        told = reports.verdict(probe.record)
    assert told[0].endswith(
        "Measured on a block of 20 × 20 of the 96 × 96 samples that begins at (0, 0) alone."
    )
    page = reports.report([path], path / "page.html").read_text()
    assert "they say nothing about the other samples" in page


def test_plans_of_runs_begun_on_one_block_are_read():
    old = {"start": [10, 20], "shape": [30, 40], "snapshots": [0, 10]}
    block = MonitorConfig.from_json(old)
    assert window_of(block) == Window((10, 20), (30, 40))
    assert block.snapshots == (0, 10)
    new = MonitorConfig(5000, 3, snapshots=(0, 7))
    assert window_of(new) == Spread(5000, 3)
    assert MonitorConfig.from_json(json.loads(json.dumps(new.to_json()))) == new


def test_layers_are_not_read_from_a_spread():
    view = views.GridView(structured((96, 96), places((96, 96))["middle"]), Spread(SAMPLES))
    with pytest.raises(InputError, match="a view of one block of the grid"):
        views.layers(view, ["0"])
