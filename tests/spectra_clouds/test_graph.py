from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.spectra.clouds import GraphTransform
from tests.spectra_clouds.twins import dense_graph

few = settings(max_examples=6, deadline=None)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def circle(n, circumference=1.0):
    angle = 2 * np.pi * np.arange(n) / n
    return circumference / (2 * np.pi) * np.stack([np.cos(angle), np.sin(angle)], 1), angle


@pytest.mark.parametrize(("features", "neighbours"), [(2, 5), (20, 8)])
def test_modes_are_those_of_the_dense_matrix(features, neighbours):
    x, y = normal(70, features), normal(70, 2, seed=1)
    found = GraphTransform(x, 12, neighbours=neighbours, dimension=2.0)
    frequency, vectors = dense_graph(x, neighbours, 2.0)
    np.testing.assert_allclose(found.frequency, frequency[:12], rtol=1e-6, atol=1e-4 * frequency[1])
    wanted = (vectors[:, :12].T @ y) ** 2 / 70
    np.testing.assert_allclose(found.coefficients(y) ** 2, wanted, atol=1e-6)


@pytest.mark.parametrize("circumference", [1.0, 50.0])
def test_a_wave_around_a_circle_has_its_frequency(circumference):
    """cos(k angle) makes k cycles in one circumference; k (neighbours / 2) (2 pi / n) is small for these."""
    x, angle = circle(300, circumference)
    edges = np.array([0, 0.5, 1.5, 2.5, 3.5, 4.5]) / circumference
    found = GraphTransform(x, 9, neighbours=4, bands=edges)
    np.testing.assert_allclose(
        found.frequency * circumference, [0, 1, 1, 2, 2, 3, 3, 4, 4], rtol=0.005, atol=1e-3
    )
    waves = np.stack([1 + 0 * angle, np.cos(angle), np.sin(3 * angle + 1)], 1)
    power = found.spectrum(waves).power.numpy()
    np.testing.assert_allclose(power.T, [[1, 0, 0, 0, 0], [0, 0.5, 0, 0, 0], [0, 0, 0, 0.5, 0]], atol=1e-6)


def test_every_copy_of_a_frequency_is_found():
    """A ring of equal chords has pairs of equal eigenvalues, of which a plain Lanczos iteration finds one each."""
    for n, modes in [(60, 21), (101, 40), (300, 2)]:
        found = GraphTransform(circle(n)[0], modes, neighbours=4)
        gaps = (found.frequency[1:-1:2] - found.frequency[2::2]).abs()
        assert (gaps < 1e-6 * found.frequency[-1]).all()
        identity = found.vectors.T @ found.vectors
        torch.testing.assert_close(identity, torch.eye(modes, dtype=torch.float64), rtol=0, atol=1e-7)


def test_a_torus_of_two_dimensions_in_four_has_its_frequencies():
    n = 24
    angle = 2 * np.pi * np.stack(np.meshgrid(np.arange(n), np.arange(n)), -1).reshape(-1, 2) / n
    x = np.concatenate([np.cos(angle), np.sin(angle)], 1)
    found = GraphTransform(x, 13, neighbours=8, dimension=2.0)
    wanted = np.sqrt([0] + [1] * 4 + [2] * 4 + [4] * 4) / (2 * np.pi)
    np.testing.assert_allclose(found.frequency, wanted, rtol=0.05, atol=1e-4)


def test_power_and_missing_close_to_the_mean_square():
    x, y = normal(200, 5), normal(200, 3, seed=1) + 1
    found = GraphTransform(x, 30).spectrum(y)
    torch.testing.assert_close(found.mean_square, torch.from_numpy(y).square().mean(0), rtol=1e-9, atol=0)
    assert (found.missing > 0.3).all(), "white noise is beyond the slow modes"
    narrow = GraphTransform(x, 30, bands=[0, 1e-9, 0.05]).spectrum(y)
    torch.testing.assert_close(narrow.mean_square, found.mean_square, rtol=1e-9, atol=0)
    assert (narrow.missing > found.missing).all()


def test_smooth_targets_lie_low_and_shuffled_ones_do_not():
    x = normal(400, 3)
    y = x[:, 0]
    transform = GraphTransform(x, 40)
    smooth = transform.spectrum(y)
    shuffled = transform.spectrum(np.random.default_rng(0).permutation(y))
    assert smooth.missing < 0.2 * smooth.mean_square
    assert shuffled.missing > 0.8 * shuffled.mean_square


def test_the_mean_is_the_slowest_mode_and_components_have_one_each():
    x = np.concatenate([normal(60, 3), normal(60, 3, seed=1) + 100])
    found = GraphTransform(x, 6, neighbours=6)
    assert found.components == 2
    assert found.frequency[:2].tolist() == [0, 0]
    assert found.frequency[2] > 0
    which = np.repeat([0.0, 1.0], 60)
    assert found.spectrum(which).power[0, 0] == pytest.approx(0.5)
    one = GraphTransform(x[:60], 4, neighbours=6)
    assert one.components == 1
    level = one.spectrum(np.full(60, 3.0))
    assert level.power[0, 0] == pytest.approx(9)
    assert level.power[1:].abs().max() < 1e-12


def test_a_residual_has_a_frequency():
    x, angle = circle(200)
    target = np.cos(angle) + np.cos(5 * angle)
    transform = GraphTransform(x, 21, neighbours=4, bands=[0, 0.5, 3, 7])
    found = transform.spectrum(np.cos(angle), reference=target)
    np.testing.assert_allclose((found.cross / found.reference_power)[1:, 0], [1, 0], atol=1e-6)
    residual = transform.power(transform.coefficients(target) - transform.coefficients(np.cos(angle)))
    np.testing.assert_allclose(residual[:, 0], [0, 0, 0.5], atol=1e-6)


def test_bands_of_its_own_hold_all_modes():
    for modes in (2, 3, 40):
        transform = GraphTransform(normal(120, 4), modes)
        ones = torch.ones(modes, 1, dtype=torch.float64)
        assert transform.power(ones).sum() == modes
        assert (transform.power(ones) > 0).all()
        assert transform.bands.count <= 17


def test_some_duplicates_are_neighbours_like_others():
    x = normal(100, 3)
    x[5:8] = x[4]
    found = GraphTransform(x, 8)
    assert found.frequency.isfinite().all()


@few
@given(st.integers(0, 10_000))
def test_order_translation_rotation_and_channels_do_not_matter(seed):
    generator = np.random.default_rng(seed)
    x, y = normal(80, 3, seed=seed), normal(80, 2, seed=seed + 1)
    edges = [0, 0.05, 0.1, 0.15]
    plain = GraphTransform(x, 79 // 2, bands=edges).spectrum(y).power
    order = generator.permutation(80)
    moved = x[order] @ np.linalg.qr(generator.normal(size=(3, 3)))[0] + generator.normal(size=3)
    torch.testing.assert_close(
        GraphTransform(moved, 79 // 2, bands=edges).spectrum(y[order]).power, plain, rtol=1e-5, atol=1e-7
    )
    alone = GraphTransform(x, 79 // 2, bands=edges).spectrum(y[:, 1]).power[:, 0]
    torch.testing.assert_close(alone, plain[:, 1], rtol=1e-9, atol=1e-12)


@few
@given(st.integers(0, 10_000), st.floats(-3, 3), st.floats(-3, 3))
def test_coefficients_are_linear_and_frequencies_go_with_the_inverse_unit(seed, a, b):
    x, y, z = normal(60, 3, seed=seed), normal(60, 2, seed=seed + 1), normal(60, 2, seed=seed + 2)
    transform = GraphTransform(x, 10)
    combined = transform.coefficients(a * y + b * z)
    torch.testing.assert_close(
        combined, a * transform.coefficients(y) + b * transform.coefficients(z), rtol=0, atol=1e-12
    )
    torch.testing.assert_close(
        GraphTransform(8 * x, 10).frequency, transform.frequency / 8, rtol=1e-5, atol=1e-9
    )
