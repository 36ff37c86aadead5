from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.spectra import Bands
from overtone.spectra.paths import Paths, PathUnit, path_spectrum
from tests.spectra_paths.twins import path_power

few = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 10_000)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def field(seed=0, features=3, channels=2):
    weights, out = normal(features, 20, seed=seed), normal(20, channels, seed=seed + 1)
    return lambda x: np.tanh(x @ weights) @ out


def wave(frequency, phase=0.0):
    return lambda x: torch.cos(2 * torch.pi * frequency * x[:, :1] + phase)


def line(length, features=2, count=1):
    ends = torch.zeros(count, features, dtype=torch.float64)
    ends[:, 0] = length
    return Paths.straight(torch.zeros_like(ends), ends)


@given(seed=seeds, vertices=st.integers(2, 5), samples=st.integers(2, 24))
@few
def test_power_is_the_sum_over_cosines(seed, vertices, samples):
    """Both ways sum n products of unit vectors with values v in float64: 8 n u max v^2 covers either's rounding."""
    turns, function = normal(3, vertices, 3, seed=seed), field(seed)
    bands = [0, 0.4, 1.2, 5.2]
    found = path_spectrum(function, Paths.through(turns), samples, bands=bands)
    for path, corners in enumerate(turns):
        frequency, power, length = path_power(function, corners, samples)
        assert float(found.lengths[path]) == pytest.approx(length, rel=1e-12)
        allowed = 64 * samples * 2.0**-53 * (1 + power.sum(0))
        index = np.minimum(np.searchsorted(found.bands.high, frequency, side="right"), found.bands.count - 1)
        for band in range(found.bands.count):
            off = np.abs(found.power[path, band].numpy() - power[index == band].sum(0))
            assert (off <= allowed).all()
        assert np.allclose(found.moment[path], (frequency[:, None] * power).sum(0), rtol=1e-9, atol=1e-12)


@given(seed=seeds, closed=st.booleans(), unit=st.sampled_from([PathUnit.per_path(), PathUnit.per_length()]))
@few
def test_power_closes(seed, closed, unit):
    function, turns = field(seed), normal(4, 3, 3, seed=seed) * normal(4, 1, 1, seed=seed + 1)
    paths = Paths.through(turns, closed)
    found = path_spectrum(function, paths, 33, unit=unit)
    values = function(paths.inputs(33, slice(0, 4 * 33)).numpy()).reshape(4, 33, 2)
    np.testing.assert_allclose(found.power.sum(1), (values**2).mean(1), rtol=1e-12)
    np.testing.assert_allclose(found.varying, values.var(1), rtol=1e-10)
    np.testing.assert_allclose(found.spectrum.mean_square, (values**2).mean((0, 1)), rtol=1e-12)


@pytest.mark.parametrize("length", [0.5, 1.0, 4.0])
def test_a_wave_is_found_at_its_frequency_in_both_units(length):
    paths = line(length)
    for unit, wanted in ((PathUnit.per_path(), 6.0), (PathUnit.per_length(), 6.0 / length)):
        found = path_spectrum(wave(6 / length), paths, 64, unit=unit)
        assert float(found.mean_frequency) == pytest.approx(wanted, rel=1e-12)
        band = int(found.power[0, :, 0].argmax())
        assert found.bands.low[band] <= wanted < found.bands.high[band]
        assert float(found.power[0, band]) == pytest.approx(0.5, rel=1e-12)
    assert path_spectrum(wave(1), paths, 8).frequency_unit == "cycles per path"


def test_bands_per_length_hold_paths_of_all_lengths():
    paths = Paths.straight(torch.zeros(3, 1), torch.tensor([[0.5], [2.0], [8.0]]))
    found = path_spectrum(wave(4.0), paths, 128, unit=PathUnit.per_length())
    assert found.bands.edges[-1] >= 128 / (2 * 0.5)
    assert found.bands.edges[1] <= 1 / (2 * 8.0)
    bands = found.power[:, 1:, 0].argmax(1) + 1
    assert len(set(bands.tolist())) == 1
    per_path = path_spectrum(wave(4.0), paths, 128)
    assert per_path.mean_frequency[:, 0].tolist() == pytest.approx([2, 8, 32], rel=1e-3)


def test_closed_paths_have_no_ends_to_leak_from():
    angle = 2 * torch.pi * torch.arange(256, dtype=torch.float64) / 256
    circle = torch.stack([angle.cos(), angle.sin()], 1)[None]

    def five(x):
        return torch.cos(5 * torch.atan2(x[:, 1], x[:, 0]) + 1.0)

    closed = path_spectrum(five, Paths.through(circle, closed=True), 256, bands=[0, 4.5, 5.5, 100])
    assert float(closed.power[0, 1, 0] / closed.varying[0, 0]) > 1 - 1e-9
    opened = path_spectrum(five, Paths.through(circle), 256, bands=[0, 4.75, 5.25, 100])
    assert float(opened.power[0, 1, 0] / opened.varying[0, 0]) < 0.99


def test_unequal_ends_leak_less_than_in_a_plain_fourier_series():
    """The mirror image makes a ramp's tail fall with f^-4; jumping back to the start it falls with f^-2."""
    found = path_spectrum(lambda x: x[:, 0], line(1.0), 256, bands=[0, 0.25, 8.25])
    values = (np.arange(256) + 0.5) / 256
    jumping = np.abs(np.fft.rfft(values, norm="forward")) ** 2 * 2
    assert float(found.power[0, 2:].sum()) < 1e-3 * jumping[9:].sum()


@given(seed=seeds)
@few
def test_amplitude_squares_and_offsets_change_the_mean_only(seed):
    function, paths = field(seed), Paths.through(normal(3, 2, 3, seed=seed))
    plain = path_spectrum(function, paths, 40)
    other = path_spectrum(lambda x: 3 * function(x) - 7, paths, 40)
    np.testing.assert_allclose(other.power[:, 1:], 9 * plain.power[:, 1:], rtol=1e-8, atol=1e-13)
    np.testing.assert_allclose(other.mean_frequency, plain.mean_frequency, rtol=1e-8)


@given(seed=seeds, scale=st.sampled_from([0.25, 3.0]))
@few
def test_moved_turned_reversed_and_scaled_paths(seed, scale):
    function, turns = field(seed), normal(2, 4, 3, seed=seed)
    shift, turned = normal(3, seed=seed + 1), np.linalg.qr(normal(3, 3, seed=seed + 2))[0]
    plain = path_spectrum(function, Paths.through(turns), 30, unit=PathUnit.per_length())
    moved = path_spectrum(
        lambda x: function((x - shift) @ turned.T / scale), Paths.through(scale * turns @ turned + shift), 30,
        unit=PathUnit.per_length(),
    )  # fmt: skip
    np.testing.assert_allclose(moved.mean_frequency * scale, plain.mean_frequency, rtol=1e-9)
    np.testing.assert_allclose(moved.varying, plain.varying, rtol=1e-9)
    back = path_spectrum(function, Paths.through(turns[:, ::-1].copy()), 30, unit=PathUnit.per_length())
    np.testing.assert_allclose(back.power, plain.power, rtol=1e-9, atol=1e-13)


def test_batches_channels_and_precision_do_not_matter():
    function, turns = field(), normal(5, 3, 3)
    plain = path_spectrum(function, Paths.through(turns), 20)
    for batch in (1, 7, 100):
        np.testing.assert_allclose(
            path_spectrum(function, Paths.through(turns), 20, batch=batch).power,
            plain.power,
            rtol=1e-10,
            atol=1e-15,
        )
    one = path_spectrum(lambda x: function(x)[:, 1], Paths.through(turns), 20)
    np.testing.assert_allclose(one.power[..., 0], plain.power[..., 1], rtol=1e-10, atol=1e-15)
    single = Paths.through(torch.from_numpy(turns).float())
    halved = path_spectrum(lambda x: torch.from_numpy(function(x.double().numpy())).float(), single, 20)
    assert halved.power.dtype == torch.float64
    np.testing.assert_allclose(halved.power, plain.power, rtol=1e-4, atol=1e-6)


def test_functions_get_what_the_paths_were_made_of():
    seen = []

    def function(x):
        seen.append((type(x), x.shape[1:]))
        return x.reshape(len(x), -1)[:, 0]

    path_spectrum(function, Paths.straight(np.zeros((2, 3, 4)), np.ones((2, 3, 4))), 8)
    path_spectrum(function, Paths.straight(torch.zeros(2, 5), torch.ones(2, 5)), 8)
    assert set(seen) == {(np.ndarray, (3, 4)), (torch.Tensor, (5,))}


def test_networks_are_left_without_gradients_and_constant_outputs_without_frequency():
    network = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    found = path_spectrum(network, line(1.0).__class__.straight(torch.zeros(1, 2), torch.ones(1, 2)), 16)
    assert not found.power.requires_grad
    flat = path_spectrum(lambda x: torch.full((len(x), 2), 3.3), line(1.0, count=2), 16)
    assert flat.mean_frequency.isnan().all()
    assert flat.pooled.mean_frequency.isnan().all()
    np.testing.assert_allclose(flat.power[:, 0], 3.3**2, rtol=1e-6)


def test_channels_are_pooled_by_power():
    both = path_spectrum(lambda x: torch.cat([wave(2)(x), 3 * wave(7)(x)], 1), line(1.0), 64)
    assert float(both.pooled.mean_frequency) == pytest.approx((2 * 1 + 7 * 9) / 10, rel=1e-12)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """95 % intervals of 60 paths; of 100 trials at least 85 hold it, which chance misses once in 10,000."""
    held, wrong = 0, 0
    for trial in range(100):
        ends = torch.from_numpy(np.random.default_rng(trial).uniform(1, 3, size=(60, 1)))
        paths = Paths.straight(torch.zeros_like(ends), ends)
        found = path_spectrum(wave(8), paths, 64).mean_frequency_interval(draws=200, seed=trial)
        held += bool(found.low <= 16 <= found.high)
        wrong += bool(found.low <= 17.5 <= found.high)
    assert held >= 85
    assert wrong < 50


def test_intervals_surround_the_mean_and_repeat():
    found = path_spectrum(field(), Paths.through(normal(12, 2, 3)), 32, bands=Bands((0.0, 0.25, 2.25, 16.0)))
    one, again, other = (found.interval(seed=seed) for seed in (0, 0, 1))
    torch.testing.assert_close(one.mean, found.spectrum.power)
    assert ((one.low <= one.mean) & (one.mean <= one.high)).all()
    assert torch.equal(one.low, again.low)
    assert not torch.equal(one.low, other.low)
    wide = found.interval(level=0.99)
    assert (wide.high - wide.low).sum() > (one.high - one.low).sum()


def test_a_straight_line_has_the_mean_frequency_of_its_closed_form():
    """Powers go with k^-4 and frequencies with k over odd k: 7/8 zeta(3) / 2 over pi^4 / 96, less a tail of 1/n^2."""
    found = path_spectrum(lambda x: x[:, 0], line(3.0), 512)
    assert float(found.mean_frequency) == pytest.approx(7 / 8 * 1.2020569 / 2 * 96 / np.pi**4, rel=1e-4)


def test_pooled_intervals_are_those_of_the_summed_channels():
    one = field()
    found = path_spectrum(lambda x: np.repeat(one(x)[:, :1], 3, 1), Paths.through(normal(12, 2, 3)), 32)
    pooled, separate = found.pooled.interval(), found.interval()
    for theirs, own in zip(
        (pooled.mean, pooled.low, pooled.high), (separate.mean, separate.low, separate.high), strict=True
    ):
        torch.testing.assert_close(theirs, 3 * own[:, :1])
