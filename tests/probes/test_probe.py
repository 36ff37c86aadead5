import math

import numpy as np
import pytest
import torch
from torch import nn

from overtone import records, signals, spectra
from overtone.errors import InputError
from overtone.probes import EveryN, Probe, Window, views
from overtone.probes._evaluator import chunk_size
from tests.probes.fields import Frozen, Restless, tones, train_plainly


def picture(seed=0, shape=(12, 10), channels=2):
    values = torch.randn(*shape, channels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return signals.array(values, channel_axis=-1)


def test_a_run_with_a_probe_is_bit_identical_to_one_without(tmp_path):
    signal = tones()
    alone, state_alone = train_plainly(signal, Restless(), 20)
    network = Restless()
    with Probe(signal, network, tmp_path / "run", schedule=EveryN(2)) as probe:
        watched, state_watched = train_plainly(signal, network, 20, probe)
    assert all(torch.equal(a, b) for a, b in zip(alone, watched, strict=True))
    assert torch.equal(state_alone, state_watched)
    assert probe.record.sizes["step"] == 11


def test_another_seed_does_change_the_run():
    signal = tones()
    one, _ = train_plainly(signal, Restless(), 20)
    other, _ = train_plainly(signal, Restless(), 20, seed=4)
    assert not all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_row_equals_the_spectra_of_target_prediction_and_residual(tmp_path):
    signal = picture()
    prediction = picture(seed=1).values
    with Probe(signal, Frozen(prediction, signal.geometry), tmp_path) as probe:
        probe(0, loss=0.25, learning_rate=0.1)
    row = probe.record.isel(step=0)
    shape = (*signal.geometry.shape, 2)
    target, output = signal.values.reshape(shape), prediction.reshape(shape)
    residual = spectra.grid(target - output, channel_axis=-1)
    both = spectra.grid(output, channel_axis=-1, reference=target)
    np.testing.assert_allclose(row.residual_power, residual.power, rtol=1e-10)
    np.testing.assert_allclose(row.cross_power, both.cross, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(row.target_power, both.reference_power, rtol=1e-10)
    assert float(row.train_error) == pytest.approx(float((target - output).square().mean()), rel=1e-12)
    assert float(row.loss) == 0.25
    assert float(row.learning_rate) == 0.1


def test_power_of_a_row_closes_to_the_mean_square_error(tmp_path):
    signal = picture(seed=2)
    with Probe(signal, Frozen(torch.zeros_like(signal.values), signal.geometry), tmp_path) as probe:
        probe(0)
    row = probe.record.isel(step=0)
    assert float(row.residual_power.sum("band").mean("channel")) == pytest.approx(
        float(row.train_error), rel=1e-12
    )


def test_a_perfect_network_has_learned_everything_and_a_zero_one_nothing(tmp_path):
    signal = tones()
    perfect, nothing = signal.values.clone(), torch.zeros_like(signal.values)
    with Probe(signal, Frozen(perfect, signal.geometry), tmp_path / "a") as probe:
        probe(0)
        learned = records.metrics.learned_fraction(probe.record).isel(step=0)
        assert np.nanmax(np.abs(learned - 1)) < 1e-12
        assert probe.highest_learned == float(records.metrics.highest_learned(probe.record))
    with Probe(signal, Frozen(nothing, signal.geometry), tmp_path / "b") as probe:
        probe(0)
        assert np.nanmax(np.abs(records.metrics.learned_fraction(probe.record))) < 1e-12
        assert math.isnan(probe.highest_learned)


def test_errors_on_training_held_out_and_clean_samples(tmp_path):
    clean = tones()
    signal = signals.synthetic.add_noise(clean, std=0.1, seed=1)
    signal = signal.with_held_out(signals.masks.random(signal.geometry, 0.25, seed=2))
    prediction = clean.values + 0.5
    with Probe(signal, Frozen(prediction, signal.geometry), tmp_path) as probe:
        probe(0)
    row = probe.record.isel(step=0)
    square = (signal.values.double() - prediction.double()).square().squeeze(1)
    assert float(row.train_error) == pytest.approx(float(square[signal.train_index].mean()), rel=1e-6)
    assert float(row.held_out_error) == pytest.approx(float(square[signal.held_out_index].mean()), rel=1e-6)
    assert float(row.clean_error) == pytest.approx(0.25, rel=1e-6)


def test_known_noise_is_measured_not_estimated(tmp_path):
    signal = signals.synthetic.add_noise(tones(), std=0.1, seed=1)
    with Probe(signal, Frozen(signal.values, signal.geometry), tmp_path) as probe:
        probe(0)
    noise = (signal.values - signal.clean).double()
    assert float(probe.record.noise_power.sum()) == pytest.approx(float(noise.square().mean()), rel=1e-6)


def test_window_measures_that_part_alone(tmp_path):
    signal = picture(shape=(20, 20), channels=1)
    window = Window((5, 4), (10, 12))
    view = views.GridView(signal, window)
    with Probe(view, Frozen(torch.zeros_like(signal.values), signal.geometry), tmp_path) as probe:
        probe(0)
    part = signal.grid_values[5:15, 4:16, 0]
    spectrum = spectra.grid(part, signal.geometry.spacing)
    np.testing.assert_allclose(probe.record.target_power[:, 0], spectrum.power[:, 0], rtol=1e-10)
    assert probe.record.attrs["geometry"]["measured_shape"] == [10, 12]
    assert not probe.record.attrs["geometry"]["measured_whole"]


def test_chunks_do_not_change_the_predictions(tmp_path):
    signal = picture(shape=(30, 30), channels=2)
    network = nn.Sequential(nn.Linear(2, 3000), nn.ReLU(), nn.Linear(3000, 2)).double()
    assert chunk_size(network, 0.02) < 900 <= chunk_size(network, 1.0)
    with (
        Probe(signal, network, tmp_path / "a", memory=0.02) as small,
        Probe(signal, network, tmp_path / "b") as large,
    ):
        torch.testing.assert_close(small.predict(), large.predict(), rtol=1e-12, atol=1e-12)


def test_snapshots_are_kept_at_the_steps_asked_for(tmp_path):
    signal = picture()
    with Probe(
        views.GridView(signal, snapshots=(0, 3)), Frozen(signal.values, signal.geometry), tmp_path
    ) as probe:
        for step in range(5):
            probe(step)
    kept = records.snapshots(probe.path)
    assert list(kept.steps("prediction")) == [0, 3]
    np.testing.assert_allclose(kept.get("target", -1), signal.grid_values.float())


def test_forward_prepares_coordinates_for_a_network_of_ones_own(tmp_path):
    signal = tones()
    network = nn.Linear(1, 1)
    with Probe(signal, network, tmp_path, forward=lambda x: network(2 * x - 1)) as probe:
        expected = network(2 * signal.coords.float() - 1)
        torch.testing.assert_close(probe.predict(), expected.detach())


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (nn.Linear(1, 3), "network: expected 1 output channels, like the signal, got 3"),
        (
            nn.Flatten(0),
            r"network: expected the network to return one tensor of shape \(2, channels\), got shape \(2,\)",
        ),
        (
            nn.LSTM(1, 1),
            r"expected the network to return one tensor of shape \(2, channels\), got tuple; pass forward=",
        ),
    ],
)
def test_outputs_that_do_not_fit(network, text, tmp_path):
    with pytest.raises(InputError, match=text):
        Probe(tones(), network, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_existing_record_is_not_overwritten(tmp_path):
    signal = tones()
    Probe(signal, nn.Linear(1, 1), tmp_path).close()
    with pytest.raises(InputError, match="expected a path without a record, got an existing record"):
        Probe(signal, nn.Linear(1, 1), tmp_path)


def test_of_a_large_picture_samples_from_all_over_it_are_kept_and_can_be_drawn(tmp_path, monkeypatch):
    from overtone.plots import _snapshots as reconstruction
    from overtone.plots._wording import snapshot_samples
    from overtone.probes.views import _grid as module

    monkeypatch.setattr(module, "WHOLE_SNAPSHOT", 300)
    monkeypatch.setattr(module, "PART_SNAPSHOT", 100)
    signal = picture(shape=(20, 20), channels=1)
    network = Frozen(signal.values.clone(), signal.geometry)
    with Probe(views.GridView(signal, snapshots=(0,)), network, tmp_path) as probe:
        probe(0)
    drawn = reconstruction.snapshot_data(probe.record, records.snapshots(probe.path))
    np.testing.assert_allclose(drawn.target[..., 0], signal.grid_values[::2, ::2, 0].float())
    np.testing.assert_allclose(drawn.prediction[0], drawn.target)
    np.testing.assert_allclose(drawn.axis_0, np.arange(0, 20, 2) / 20)
    assert drawn.attrs["samples"].selection is reconstruction.Selection.EVERY_NTH
    assert drawn.attrs["samples"].step == 2
    assert snapshot_samples(drawn.attrs["samples"]) == "one of every 2 samples along each axis"


def test_of_a_long_recording_the_block_that_varies_is_kept(tmp_path, monkeypatch):
    from overtone.plots import _snapshots as reconstruction
    from overtone.plots._wording import snapshot_samples
    from overtone.probes.views import _grid as module

    monkeypatch.setattr(module, "WHOLE_SNAPSHOT", 300)
    monkeypatch.setattr(module, "PART_SNAPSHOT", 100)
    values = np.zeros(1000)
    values[830:880] = np.random.default_rng(0).normal(size=50)
    signal = signals.array(values)
    with Probe(
        views.GridView(signal, snapshots=(0,)), Frozen(signal.values.clone(), signal.geometry), tmp_path
    ) as probe:
        probe(0)
    drawn = reconstruction.snapshot_data(probe.record, records.snapshots(probe.path))
    begin = round(float(drawn.axis_0[0]) * 1000)
    assert drawn.sizes["axis_0"] == 100
    assert begin <= 830
    assert begin + 100 >= 880
    np.testing.assert_allclose(drawn.target[:, 0], values[begin : begin + 100], atol=1e-6)
    samples = drawn.attrs["samples"]
    assert samples == reconstruction.SampleSelection(
        reconstruction.Selection.BLOCK, 1, (begin,), (100,), (1000,)
    )
    assert snapshot_samples(samples) == f"one block of the samples, numbers {begin} to {begin + 99} of 1,000"


def test_final_errors_of_a_large_signal_come_from_samples_drawn_at_random(tmp_path, monkeypatch):
    from overtone.probes.views import _grid as module

    signal = picture(shape=(40, 40), channels=1)
    signal = signal.with_held_out(signals.masks.random(signal.geometry, 0.3, seed=1))
    prediction = picture(seed=1, shape=(40, 40), channels=1).values
    with Probe(signal, Frozen(prediction, signal.geometry), tmp_path) as probe:
        exact = probe.final_errors()
        monkeypatch.setattr(module, "FINAL_SAMPLES", 1200)
        drawn = probe.final_errors()
    for name, index in (("train", signal.train_index), ("held_out", signal.held_out_index)):
        square = (signal.values - prediction)[index].square()
        assert exact[name] == pytest.approx(float(square.mean()), rel=1e-6)
        standard_error = float(square.std()) / np.sqrt(len(index) * 0.75) * np.sqrt(0.25)
        assert drawn[name] == pytest.approx(exact[name], abs=5 * standard_error)
        assert drawn[name] != exact[name]


@pytest.mark.parametrize("whole", [True, False])
def test_a_snapshot_with_errors_equals_both_by_themselves(tmp_path, monkeypatch, whole):
    from overtone.probes.views import _grid as module

    if not whole:
        monkeypatch.setattr(module, "WHOLE_SNAPSHOT", 100)
        monkeypatch.setattr(module, "PART_SNAPSHOT", 50)
    signal = picture()
    signal = signal.with_held_out(signals.masks.random(signal.geometry, 0.3, seed=1))
    network = Frozen(picture(seed=1).values, signal.geometry)
    with Probe(signal, network, tmp_path) as probe:
        errors = probe.final_errors()
        probe.snapshot(1)
        assert probe.snapshot_and_errors(2) == errors
    stored = records.snapshots(probe.path)
    first, second = (stored.get("prediction", step) for step in (1, 2))
    assert first.size < signal.values.numel() if not whole else first.size == signal.values.numel()
    np.testing.assert_array_equal(first, second)
