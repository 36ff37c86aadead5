from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.spectra import Bands, grid
from overtone.spectra.classes import NoisyLabels, Wave
from overtone.spectra.clouds import DirectionTransform
from overtone.spectra.paths import Paths, PathUnit, path_spectrum

some = settings(max_examples=25, deadline=None)
SQUARE = 8 / math.pi**2


def lattice(n, span=1.0):
    """(n^2, 2) centres of cells on [0, span]^2, row-major."""
    along = (torch.arange(n, dtype=torch.float64) + 0.5) * span / n
    return torch.cartesian_prod(along, along)


def signs(noisy):
    return 1 - 2 * noisy.flipped.double()


@pytest.mark.parametrize("frequency", [3.0, 8.0])
@pytest.mark.parametrize("direction", [[1.0, 0.0], [0.0, 1.0]])
def test_plane_noise_sits_at_its_frequency_and_at_thrice_that(frequency, direction):
    coords, samples = lattice(96), 96 / frequency
    noisy = NoisyLabels.along_wave(
        torch.zeros(96**2, dtype=torch.int64), 2, coords, Wave.plane(frequency, direction)
    )
    edges = [0, frequency - 0.25, frequency + 0.25, 3 * frequency - 0.25, 3 * frequency + 0.25]
    found = grid(signs(noisy).reshape(96, 96), bands=edges).power[:, 0]
    for band, harmonic in ((1, 1), (3, 3)):
        wanted = 2 * (2 / (samples * math.sin(math.pi * harmonic / samples))) ** 2
        assert float(found[band]) == pytest.approx(wanted, rel=1e-9)
        assert wanted == pytest.approx(SQUARE / harmonic**2, rel=0.25)
    other = grid(signs(noisy).reshape(96, 96), bands=[0, frequency + 0.25, frequency + 0.75]).power[1, 0]
    assert float(other) < 0.01


def test_oblique_noise_has_the_radial_frequency_asked_for():
    """10 cycles along (3, 4) / 5 are 6 along one axis and 8 along the other, a mode of the periodic grid."""
    wave = Wave.plane(10.0, [3.0, 4.0])
    field = wave.values(lattice(64)).reshape(64, 64)
    near = grid(field, periodic=True, bands=[0, 9.9, 10.1]).power[:, 0]
    assert float(near[1]) == pytest.approx(0.5, rel=1e-12)
    away = grid(field, periodic=True, bands=[0, 13.9, 14.1]).power[:, 0]
    assert float(away[1]) < 1e-20


def test_plane_noise_in_many_dimensions_is_found_along_its_direction():
    """20,000 random inputs show every frequency with 1e-4 of the power; harmonics of 30 cycles are beyond reach."""
    source = np.random.default_rng(0)
    coords = source.random((20_000, 10))
    direction = np.eye(10)[4]
    noisy = NoisyLabels.along_wave(np.zeros(20_000, int), 2, coords, Wave.plane(12.0, direction))
    along = DirectionTransform(coords, np.stack([direction, np.eye(10)[3]]), 30)
    power = along.power(along.coefficients(signs(noisy)))[..., 0]
    assert int(power[0, 1:].argmax()) + 1 == 12
    assert float(power[0, 12]) == pytest.approx(SQUARE, rel=0.03)
    assert float(power[1].max()) < 0.002


@pytest.mark.parametrize("frequency", [2.0, 6.0])
def test_radial_noise_has_its_frequency_along_every_ray(frequency):
    source = torch.Generator().manual_seed(0)
    turned = torch.randn(20, 5, generator=source, dtype=torch.float64)
    centre = torch.arange(5, dtype=torch.float64)
    rays = Paths.straight(centre.expand(20, 5), centre + 3 * turned / turned.norm(dim=1, keepdim=True))
    wave = Wave.radial(frequency, centre)
    edges = [0, frequency - 0.2, frequency + 0.2]
    found = path_spectrum(wave.values, rays, 256, unit=PathUnit.per_length(), bands=edges)
    assert float((found.power[:, 1, 0] / found.power[:, :, 0].sum(1)).min()) > 0.999
    flipped = path_spectrum(
        lambda x: signs(NoisyLabels.along_wave(torch.zeros(len(x), dtype=torch.int64), 2, x, wave)), rays, 256,
        unit=PathUnit.per_length(), bands=edges,
    )  # fmt: skip
    torch.testing.assert_close(
        flipped.power[:, 1, 0], torch.full((20,), SQUARE, dtype=torch.float64), rtol=0.02, atol=0
    )


def test_radial_noise_in_a_plane_lies_on_a_ring():
    centred = lattice(128, 2.0) - 1
    field = Wave.radial(12.0).values(centred).reshape(128, 128)
    found = grid(field, 2.0 / 128, bands=[0, 4.0, 11.0, 13.0]).power[:, 0]
    assert float(found[2] / found.sum()) > 0.8
    assert float(found[0] / found.sum()) < 0.05


@given(rate=st.floats(0, 1), frequency=st.integers(1, 9), classes=st.integers(2, 5), seed=st.integers(0, 999))
@some
def test_the_rate_is_that_of_a_cycle_and_labels_step_to_the_next(rate, frequency, classes, seed):
    x = (np.arange(2000) + 0.5) / 2000
    labels = np.random.default_rng(seed).integers(classes, size=2000)
    noisy = NoisyLabels.along_wave(labels, classes, x[:, None], Wave.plane(frequency, [2.0]), rate)
    assert noisy.rate == pytest.approx(rate, abs=2.5 * frequency / 2000)
    np.testing.assert_array_equal(
        noisy.labels.numpy(), np.where(noisy.flipped.numpy(), (labels + 1) % classes, labels)
    )
    one_hot = np.eye(classes)
    np.testing.assert_array_equal(noisy.noise.numpy(), one_hot[noisy.labels] - one_hot[labels])


def test_two_classes_are_multiplied_by_the_sign_of_the_wave():
    x = np.random.default_rng(0).random((500, 3))
    labels = np.random.default_rng(1).integers(2, size=500)
    wave = Wave.radial(4.0)
    noisy = NoisyLabels.along_wave(labels, 2, x, wave)
    sign = np.sign(np.cos(2 * np.pi * 4 * np.sqrt((x**2).sum(1))))
    np.testing.assert_array_equal(2 * noisy.labels.numpy() - 1, (2 * labels - 1) * sign)


@given(rate=st.floats(0, 1), count=st.integers(1, 60), classes=st.integers(2, 5), seed=st.integers(0, 999))
@some
def test_random_flips_are_as_many_as_asked_and_stay_classes(rate, count, classes, seed):
    labels = torch.from_numpy(np.random.default_rng(seed).integers(classes, size=count))
    noisy = NoisyLabels.at_random(labels, classes, rate, seed)
    assert int(noisy.flipped.sum()) == round(rate * count)
    assert noisy.labels.min() >= 0
    assert noisy.labels.max() < classes
    assert torch.equal(noisy.labels, NoisyLabels.at_random(labels, classes, rate, seed).labels)


def test_random_flips_go_to_every_other_class_alike_and_have_no_frequency():
    """Of 6,000 flips a class gets 2,000, give or take 37; 16 bands of 512 modes hold 1/16 each, give or take 6 %."""
    labels = torch.full((30_000,), 2)
    noisy = NoisyLabels.at_random(labels, 4, 0.2)
    counts = torch.bincount(noisy.labels[noisy.flipped], minlength=4)
    assert counts[2] == 0
    assert (counts[[0, 1, 3]] - 2000).abs().max() < 180
    assert not torch.equal(noisy.labels, NoisyLabels.at_random(labels, 4, 0.2, seed=1).labels)
    line = NoisyLabels.at_random(torch.zeros(8192, dtype=torch.int64), 2, 0.5)
    edges = (0.0, 0.25, *np.arange(1, 17) * 256.0)
    found = grid(signs(line), bands=Bands(edges)).power[1:, 0]
    assert float((found * 16 - 1).abs().max()) < 0.35


@given(seed=st.integers(0, 999), frequency=st.floats(0.1, 5))
@some
def test_waves_follow_shifts_and_turns(seed, frequency):
    source = np.random.default_rng(seed)
    x, shift = source.normal(size=(20, 4)), source.normal(size=4)
    turned = np.linalg.qr(source.normal(size=(4, 4)))[0]
    radial = Wave.radial(frequency, shift)
    np.testing.assert_allclose(
        radial.values(x), Wave.radial(frequency).values((x - shift) @ turned), atol=1e-12
    )
    plane = Wave.plane(frequency, shift, phase=0.1)
    np.testing.assert_allclose(
        plane.values(x), Wave.plane(frequency, 3 * shift @ turned, phase=0.1).values(x @ turned), atol=1e-12
    )
    quarter = plane.direction.numpy() / (4 * frequency)
    np.testing.assert_allclose(plane.values(x) ** 2 + plane.values(x + quarter) ** 2, np.ones(20), atol=1e-12)
