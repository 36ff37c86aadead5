from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.spectra.sensitivity import InputNormalisation, filtered_accuracy, low_pass
from tests.spectra_sensitivity.twins import cosine_modes, low_passed


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@given(
    seed=st.integers(0, 1000), height=st.integers(2, 9), width=st.integers(2, 9), cutoff=st.floats(0, 0.75)
)
@settings(max_examples=30, deadline=None)
def test_the_low_pass_is_the_sum_of_its_modes(seed, height, width, cutoff):
    """Both ways take sums of at most 81 products of numbers below 1 with values v: 1e3 u max |v| covers them."""
    x = normal(2, 2, height, width, seed=seed)
    found = low_pass(x, cutoff).numpy()
    allowed = 1e3 * 2.0**-53 * np.abs(x).max()
    for picture, kept in zip(x.reshape(4, height, width), found.reshape(4, height, width), strict=True):
        assert np.abs(kept - low_passed(picture, cutoff)).max() <= allowed


@given(seed=st.integers(0, 1000), cutoff=st.floats(0, 0.75))
@settings(max_examples=20, deadline=None)
def test_low_and_high_are_orthogonal_linear_and_once_is_enough(seed, cutoff):
    x, y = normal(1, 1, 8, 6, seed=seed), normal(1, 1, 8, 6, seed=seed + 1)
    low, other = low_pass(x, cutoff).numpy(), low_pass(y, cutoff).numpy()
    np.testing.assert_allclose((low * (x - low)).sum(), 0, atol=1e-12)
    np.testing.assert_allclose((low**2).sum() + ((x - low) ** 2).sum(), (x**2).sum(), rtol=1e-12)
    np.testing.assert_allclose(low_pass(3 * x - y, cutoff), 3 * low - other, atol=1e-12)
    np.testing.assert_allclose(low_pass(low, cutoff), low, atol=1e-12)


def test_ends_of_the_ladder():
    x = torch.from_numpy(normal(2, 3, 8, 8)).float()
    mean = x.mean((2, 3), keepdim=True).expand_as(x)
    torch.testing.assert_close(low_pass(x, 0), mean, atol=1e-6, rtol=0)
    torch.testing.assert_close(low_pass(x, 0.75), x, atol=1e-5, rtol=0)
    assert low_pass(x, 0.2).dtype == torch.float32


def waves(frequency, count, size=16):
    """Pictures whose class is the sign of one cosine mode, with a mean and another mode of no meaning."""
    labels = np.arange(count) % 2
    grid = np.arange(size) + 0.5
    wave = np.cos(2 * np.pi * frequency * grid)[:, None] * np.ones(size)
    other = np.cos(2 * np.pi * 0.1875 * grid) * np.ones((size, 1))
    x = 0.5 + 0.2 * (2 * labels - 1)[:, None, None] * wave + 0.1 * other

    def classify(given):
        amount = (given[:, 0] * wave).sum((1, 2))
        return np.stack([-amount, amount], 1)

    return x[:, None], labels, classify


@pytest.mark.parametrize("frequency", [0.125, 0.3125])
def test_accuracy_comes_and_goes_where_the_class_is_told(frequency):
    x, labels, classify = waves(frequency, 20)
    cutoffs = [0.0, 0.1, 0.2, 0.4, 0.75]
    found = filtered_accuracy(classify, x, labels, cutoffs, normalise=InputNormalisation.none())
    below = np.array(cutoffs) >= frequency
    assert found.low.mean.numpy()[below].tolist() == [1] * below.sum()
    assert found.high.mean.numpy()[~below].tolist() == [1] * (~below).sum()
    assert found.low.mean.numpy()[~below].max() < 0.8
    assert float(found.clean.mean) == 1
    assert 0.8 < float(found.clean.low) < 1
    share = (frequency <= np.array(cutoffs)) * 0.2**2 + (np.array(cutoffs) >= 0.1875) * 0.1**2
    np.testing.assert_allclose(found.low_share, share / 0.05, rtol=1e-12, atol=1e-12)


def test_filters_come_before_normalisation_and_batches_do_not_matter():
    x = normal(11, 2, 6, 6)
    weights = normal(72, 3, seed=1)
    labels = np.arange(11) % 3

    def classify(given):
        return given.reshape(len(given), -1) @ weights

    normalise = InputNormalisation.standardise([0.1, -0.3], [0.5, 2.0])
    found = filtered_accuracy(classify, x, labels, [0.2, 0.4], normalise=normalise)
    for batch in (1, 4):
        parts = filtered_accuracy(classify, x, labels, [0.2, 0.4], normalise=normalise, batch=batch)
        assert torch.equal(parts.low.mean, found.low.mean)
        assert torch.equal(parts.high.mean, found.high.mean)
        torch.testing.assert_close(parts.low_share, found.low_share, rtol=1e-12, atol=0)
    for at, cutoff in enumerate([0.2, 0.4]):
        low = np.array([[low_passed(c, cutoff) for c in picture] for picture in x])
        for part, rate in ((low, found.low), (x - low, found.high)):
            changed = (part - np.array([0.1, -0.3])[:, None, None]) / np.array([0.5, 2.0])[:, None, None]
            assert (classify(changed).argmax(1) == labels).mean() == float(rate.mean[at])


def test_the_share_of_power_is_that_of_the_modes():
    x = normal(3, 1, 7, 5)
    found = filtered_accuracy(
        lambda a: a[:, 0, :2, 0], x, [0, 1, 0], [0.25], normalise=InputNormalisation.none()
    )
    low = whole = 0.0
    for picture in x[:, 0]:
        modes, radius, _ = cosine_modes(picture - picture.mean())
        low, whole = low + (modes**2)[radius <= 0.25].sum(), whole + (modes**2).sum()
    assert float(found.low_share[0]) == pytest.approx(low / whole, rel=1e-10)
