from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from overtone.signals import array, image, masks, series, synthetic
from tests.signals.refusals import refusal


def test_a_voice_is_harmonic_near_its_pitch() -> None:
    signal = synthetic.voice(1.0, 8000, seed=2)
    assert signal.kind == "audio"
    assert signal.geometry.frequency_unit == "Hz"
    assert signal.geometry.shape == (8000,)
    assert float(signal.values.abs().max()) == pytest.approx(0.9)
    spectrum = np.abs(np.fft.rfft(signal.values[:, 0].numpy())) ** 2
    assert spectrum[90:].sum() > 0.99 * spectrum.sum()
    assert 500 < np.argmax(spectrum) < 900


def test_music_plays_notes_of_the_scale() -> None:
    signal = synthetic.music(0.25, 16000, seed=0, dtype=torch.float64)
    spectrum = np.abs(np.fft.rfft(signal.values[:, 0].numpy() * np.hanning(4000)))
    strongest = np.argmax(spectrum) / 0.25
    notes = 220 * 2 ** (np.array([0, 2, 4, 7, 9, 12]) / 12)
    assert np.abs(notes - strongest).min() < 1 / 0.25
    assert signal.geometry.extent == pytest.approx((0.25,))


def test_stand_ins_follow_their_seed_and_refuse_no_length() -> None:
    for make in (synthetic.voice, synthetic.music):
        a, b, c = (make(0.2, 4000, seed=s).values for s in (1, 1, 2))
        assert torch.equal(a, b)
        assert not torch.equal(a, c)
        assert "a positive seconds, got 0" in refusal(make, 0)
        assert "a positive rate, got -1" in refusal(make, 1.0, -1)
        assert "at least 2 samples" in refusal(make, 1e-4, 8000)


def test_a_phantom_has_a_shell_a_filling_and_bodies() -> None:
    signal = synthetic.phantom((40, 36, 32), (1.0, 1.0, 2.0))
    assert signal.kind == "volume"
    assert signal.geometry.units == ("mm",) * 3
    assert signal.geometry.extent == (40.0, 36.0, 64.0)
    volume = signal.grid_values[..., 0]
    assert volume[0, 0, 0] == 0
    assert {0.0, 0.3, 0.7, 1.0} <= {round(float(v), 6) for v in volume.unique()}
    inside = (volume > 0).double().mean()
    # 4/3 pi abc of the shell in a cube of side 2, to within the voxels its surface cuts
    assert float(inside) == pytest.approx(4 / 3 * np.pi * 0.9 * 0.8 * 0.7 / 8, abs=0.02)
    assert "three axes, got shape (4, 4)" in refusal(synthetic.phantom, (4, 4))


def test_noise_has_its_strength_and_keeps_the_clean_signal() -> None:
    clean = synthetic.power_law((100, 100), 2)
    noisy = synthetic.add_noise(clean, 0.3, seed=5)
    noise = (noisy.values - clean.values).double()
    # the standard deviation of n samples is off by std / sqrt(2 n) at one sigma; five of them
    assert float(noise.std()) == pytest.approx(0.3, abs=5 * 0.3 / np.sqrt(2e4))
    assert abs(float(noise.mean())) < 5 * 0.3 / 100
    assert noisy.clean is not None
    assert torch.equal(noisy.clean, clean.values)
    assert noisy.peak == clean.peak
    assert float(noisy.normalisation.apply(noisy.values).abs().max()) <= 1 + 1e-6
    assert torch.equal(noisy.values, synthetic.add_noise(clean, 0.3, seed=5).values)
    assert not torch.equal(noisy.values, synthetic.add_noise(clean, 0.3, seed=6).values)


def test_noise_may_be_a_fraction_of_the_range() -> None:
    picture = image(np.random.default_rng(0).uniform(0.2, 0.4, (64, 64, 3)))
    noisy = synthetic.add_noise(picture, fraction_of_range=0.1)
    assert float((noisy.values - picture.values).std()) == pytest.approx(0.1, rel=0.05)
    assert noisy.notes[-1] == "white Gaussian noise added, standard deviation 0.1"


def test_the_range_is_the_peak_or_that_of_each_column(tmp_path: Path) -> None:
    ramp = array(np.linspace(0, 50, 10_000))
    assert float(
        (synthetic.add_noise(ramp, fraction_of_range=0.1).values - ramp.values).std()
    ) == pytest.approx(5, rel=0.05)
    rows = "".join(f"{i},{i % 2},{1000 * (i % 2)}\n" for i in range(5000))
    (tmp_path / "a.csv").write_text("t,a,b\n" + rows)
    table = series(tmp_path / "a.csv")
    noise = synthetic.add_noise(table, fraction_of_range=0.1).values - table.values
    # five sigma of a standard deviation from 5000 samples
    assert noise.std(dim=0).tolist() == pytest.approx([0.1, 100], rel=0.05)


def test_noise_on_noise_keeps_the_first_reference_and_the_masks() -> None:
    clean = array(np.arange(100.0))
    clean = clean.with_held_out(masks.random(clean.geometry))
    twice = synthetic.add_noise(synthetic.add_noise(clean, 1.0), 1.0, seed=1)
    assert twice.clean is not None
    assert torch.equal(twice.clean, clean.values)
    assert torch.equal(twice.held_out_index, clean.held_out_index)


def test_noise_of_no_clear_strength_is_refused() -> None:
    clean = synthetic.step()
    assert "either std or fraction_of_range, got neither" in refusal(synthetic.add_noise, clean)
    assert "got both" in refusal(synthetic.add_noise, clean, 1.0, fraction_of_range=0.1)
    assert "noise of positive finite strength, got 0" in refusal(synthetic.add_noise, clean, 0.0)
    assert "got nan" in refusal(synthetic.add_noise, clean, float("nan"))
