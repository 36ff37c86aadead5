from __future__ import annotations

import numpy as np
import pytest
import torch

from overtone.spectra.clouds import DirectionTransform
from tests.spectra_clouds.twins import direct_sum


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_coefficients_are_the_direct_sums():
    """finufft promises eps = 1e-13 of the norm of the strengths."""
    x, y, directions = normal(200, 6), normal(200, 2, seed=1), normal(3, 6, seed=2)
    transform = DirectionTransform(x, directions, 20)
    found = transform.coefficients(y)
    for index, direction in enumerate(directions):
        wanted = direct_sum(x, y, direction, transform.frequency[index].numpy())
        assert np.abs(found[index].numpy() - wanted).max() < 1e-13 * np.abs(y).sum() / 200 * 21


def test_a_wave_along_an_evenly_filled_direction_has_its_power():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(4000, 5)) * 0.05
    x[:, 2] = (np.arange(4000) + 0.5) / 4000 * 3
    transform = DirectionTransform(x, [[0, 0, 2, 0, 0]], 16)
    extent = float(1 / transform.frequency[0, 1])
    assert extent == pytest.approx(3, rel=1e-3)
    y = 1 + 0.6 * np.cos(2 * np.pi * 7 * x[:, 2] / extent + 0.3)
    power = transform.power(transform.coefficients(y))[0, :, 0]
    assert power[0] == pytest.approx(1, rel=1e-3)
    assert power[7] == pytest.approx(0.6**2 / 2, rel=1e-2)
    assert power[[2, 4, 10, 14]].max() < 1e-3


def test_principal_directions_are_those_of_widest_spread():
    turned = np.linalg.qr(normal(4, 4))[0]
    x = normal(5000, 4, seed=1) * np.array([5, 2, 1, 0.1]) @ turned
    found = DirectionTransform.principal(x, 2).numpy()
    assert abs(found[0] @ turned[0]) > 0.999
    assert abs(found[1] @ turned[1]) > 0.99
    transform = DirectionTransform(x)
    assert transform.explained[0] == pytest.approx(25 / (25 + 4 + 1 + 0.01), rel=0.05)
    np.testing.assert_allclose(transform.directions, found[:1])


def test_random_samples_have_the_floor_that_is_told():
    """Of 400 exponential numbers the mean errs by 5 %."""
    x, y = np.random.default_rng(0).random((500, 4)), normal(500, 1, seed=1)
    transform = DirectionTransform(x, np.eye(4), 100)
    power = transform.power(transform.coefficients(y))[:, 1:]
    assert power.mean() == pytest.approx(float(transform.floor(y)[0]), rel=0.2)


def test_relative_errors_tell_which_frequencies_are_learned():
    x = np.random.default_rng(0).random((20_000, 3))
    transform = DirectionTransform(x, [[1, 0, 0]], 8)
    low = np.cos(2 * np.pi * 2 * transform.frequency[0, 1].item() * x[:, 0])
    high = np.cos(2 * np.pi * 6 * transform.frequency[0, 1].item() * x[:, 0])
    error = DirectionTransform.relative_error(transform.coefficients(low), transform.coefficients(low + high))
    assert error[0, 2, 0] < 0.1
    assert error[0, 6, 0] > 0.9


def test_linear_and_blind_to_order_translation_scale_and_other_channels():
    x, y, z = normal(100, 4), normal(100, 2, seed=1), normal(100, 2, seed=2)
    direction = [[1.0, 2.0, 0.0, -1.0]]
    transform = DirectionTransform(x, direction)
    plain = transform.coefficients(y)
    torch.testing.assert_close(
        transform.coefficients(2 * y - z), 2 * plain - transform.coefficients(z), rtol=0, atol=1e-12
    )
    order = np.random.default_rng(0).permutation(100)
    moved = DirectionTransform(x[order] * 7 + 5, direction)
    torch.testing.assert_close(moved.coefficients(y[order]), plain, rtol=0, atol=1e-11)
    torch.testing.assert_close(moved.frequency * 7, transform.frequency)
    torch.testing.assert_close(transform.coefficients(y[:, 1])[..., 0], plain[..., 1])
