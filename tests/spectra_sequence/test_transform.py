from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.spectra import GridTransform
from overtone.spectra.sequence import SequenceTransform, TemporalEstimator
from overtone.spectra.sequence._estimators import EvenExtension
from tests.spectra_sequence.twins import banded, dense_power

EPS = torch.finfo(torch.float64).eps
ESTIMATORS = [
    TemporalEstimator.even_extension(),
    TemporalEstimator.periodic(),
    TemporalEstimator.multitaper(3.0),
    TemporalEstimator.multitaper(2.5, 2),
    TemporalEstimator.welch(16),
    TemporalEstimator.welch(13),
]
CLOSING = ESTIMATORS[:2]
few = settings(max_examples=15, deadline=None)


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).to(dtype)


def rounding(values, steps, dtype=torch.float64):
    """FFT and mean of T numbers lose at most about log2(T) + 2 roundings of the largest sum, relative to power."""
    return 8 * torch.finfo(dtype).eps * (np.log2(steps) + 2) * float(values.double().square().mean())


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: e.name)
@pytest.mark.parametrize("steps", [32, 45])
def test_power_is_that_of_explicit_sums(estimator, steps):
    x = normal(3, steps, 2) + torch.tensor([5.0, 0.0])
    transform = SequenceTransform(steps, 10.0, [0, 0.4, 1.1, 3.0], estimator)
    wanted = dense_power(x.numpy(), 10.0, transform.bands.edges, estimator)
    found = transform.power(transform.coefficients(x))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=rounding(x, steps))


def test_the_sums_tell_wrong_tapers_apart():
    x = normal(3, 32, 1)
    transform = SequenceTransform(32, 1.0, [0, 0.1, 0.3], TemporalEstimator.multitaper(3.0))
    wrong = dense_power(x.numpy(), 1.0, transform.bands.edges, TemporalEstimator.multitaper(2.0))
    assert np.abs(transform.power(transform.coefficients(x)).numpy() - wrong).max() > 1e-3


def test_welch_is_that_of_scipy():
    x = normal(4, 100, 2)
    x -= x.mean(1, keepdim=True)
    edges = [0, 1.0, 2.2, 5.0]
    frequency, density = scipy.signal.welch(x.numpy(), fs=10.0, nperseg=20, axis=1, detrend=False)
    wanted = banded(frequency, density.mean(0) * 10 / 20, edges)
    found = SequenceTransform(100, 10.0, edges, TemporalEstimator.welch(20)).spectrum(x)
    np.testing.assert_allclose(found.power, wanted, rtol=0, atol=rounding(x, 100))


@pytest.mark.parametrize("periodic", [False, True])
def test_it_is_the_grids_transform_averaged_over_sequences(periodic):
    x, y = normal(5, 37, 3), normal(5, 37, 3, seed=1)
    grid = GridTransform((37,), 0.1, periodic)
    ours = SequenceTransform(
        37, 10.0, grid.bands, TemporalEstimator.periodic() if periodic else TemporalEstimator.even_extension()
    )
    assert ours.bands == grid.bands
    np.testing.assert_array_equal(ours.modes.sum(), 37 // 2 + 1 if periodic else 37)
    found = ours.cross(ours.coefficients(x), ours.coefficients(y))
    each = [grid.cross(grid.coefficients(a), grid.coefficients(b)) for a, b in zip(x, y, strict=True)]
    torch.testing.assert_close(found, torch.stack(each).mean(0), rtol=0, atol=rounding(x, 37))


@few
@given(
    st.sampled_from(ESTIMATORS),
    st.integers(20, 60),
    st.integers(1, 4),
    st.floats(-3, 3),
    st.integers(0, 99),
)
def test_linear_and_closed_or_weighted(estimator, steps, count, factor, seed):
    x, y = normal(count, steps, 2, seed=seed), normal(count, steps, 2, seed=seed + 100)
    transform = SequenceTransform(steps, 3.0, estimator=estimator)
    mixed = transform.coefficients(x + factor * y)
    wanted = transform.coefficients(x) + factor * transform.coefficients(y)
    assert float((mixed - wanted).abs().max()) < 100 * EPS * steps
    spectrum = transform.spectrum(x, y)
    total = spectrum.power.sum(0) + spectrum.missing
    torch.testing.assert_close(total, x.square().mean((0, 1)), rtol=1e-12, atol=0)
    product = (spectrum.cross.sum(0) - (x * y).mean((0, 1))).abs()
    if estimator in CLOSING:
        assert float(spectrum.missing.abs().max()) < rounding(x, steps)
        assert float(product.max()) < rounding(x, steps) + rounding(y, steps)
    torch.testing.assert_close(spectrum.reference_power, transform.spectrum(y).power, rtol=1e-12, atol=0)


def test_what_does_not_close_says_so():
    """A burst in the middle counts more under tapers than its mean square, one at the end less."""
    for estimator in ESTIMATORS[2:]:
        x = torch.zeros(2, 64, 1, dtype=torch.float64)
        sign = (-1.0) ** torch.arange(24, dtype=torch.float64)
        x[0, 20:44, 0], x[1, :4, 0], x[1, -4:, 0] = sign, sign[:4], sign[:4]
        transform = SequenceTransform(64, 1.0, estimator=estimator)
        middle, end = (transform.spectrum(one[None]).missing[0] for one in x)
        assert middle < -0.02
        assert end > 0.02


@pytest.mark.parametrize("estimator", ESTIMATORS[2:], ids=lambda e: e.name)
def test_white_noise_closes_on_average(estimator):
    """Relative spread of a weighted mean square of n normal numbers: below sqrt(2 / n) times the weights' excess."""
    x = normal(4000, 48, 1)
    spectrum = SequenceTransform(48, 1.0, estimator=estimator).spectrum(x)
    assert abs(float(spectrum.missing[0])) < 5 * np.sqrt(2 / (4000 * 12))


@pytest.mark.parametrize(
    "estimator",
    [*CLOSING, TemporalEstimator.multitaper(3.0), TemporalEstimator.welch(64)],
    ids=lambda e: e.name,
)
@pytest.mark.parametrize("frequency", [1.2, 3.37])
def test_a_harmonic_is_where_its_frequency_says_at_its_power(estimator, frequency):
    time = torch.arange(200, dtype=torch.float64) / 10
    phases = torch.arange(8) * torch.pi / 4
    x = 3 * torch.cos(2 * torch.pi * frequency * time[None, :, None] + phases[:, None, None])
    probe = SequenceTransform(200, 10.0, estimator=estimator)
    near = (4 if estimator in CLOSING else 1) * probe.resolution
    transform = SequenceTransform(200, 10.0, [0, frequency - near, frequency + near, 5], estimator)
    power = transform.spectrum(x).power[:, 0]
    assert power[1] == pytest.approx(4.5, rel=0.06)
    assert power[0] + power[2] < 0.06 * 4.5


def test_tapers_leak_less_far_from_a_harmonic():
    """The reason to have them: at half-odd frequencies and from 0.1 cycles per step away on; the first three tapers."""
    time = torch.arange(256, dtype=torch.float64)
    x = torch.cos(2 * torch.pi * 20.5 / 256 * time + 0.7)[None, :, None]
    away = [0, 0.2, 0.5]
    far = {
        e.name: float(SequenceTransform(256, 1.0, away, e).spectrum(x).power[1, 0])
        for e in (
            TemporalEstimator.periodic(),
            TemporalEstimator.even_extension(),
            TemporalEstimator.multitaper(4.0, 3),
            TemporalEstimator.welch(64),
        )
    }
    names = list(far)
    assert far[names[2]] < 1e-3 * far[names[1]] < far[names[0]]
    assert far[names[3]] < 1e-2 * far[names[0]]


@pytest.mark.parametrize("estimator", CLOSING, ids=lambda e: e.name)
def test_a_shift_in_time_keeps_periodic_power(estimator):
    x = normal(2, 40, 1)
    transform = SequenceTransform(40, 1.0, estimator=estimator)
    found = transform.spectrum(x).power
    rolled = transform.spectrum(x.roll(7, 1)).power
    same = torch.allclose(found, rolled, rtol=0, atol=rounding(x, 40))
    assert same == (estimator == TemporalEstimator.periodic())
    mirrored = transform.spectrum(x.flip(1)).power
    torch.testing.assert_close(found, mirrored, rtol=0, atol=rounding(x, 40))


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: e.name)
def test_batches_channels_and_precision_do_not_matter(estimator):
    x = normal(6, 33, 3) + 10
    transform = SequenceTransform(33, 1.0, estimator=estimator)
    whole = transform.coefficients(x)
    parts = torch.cat([transform.coefficients(x[:4, :, :1]), transform.coefficients(x[4:, :, :1])])
    torch.testing.assert_close(whole[:, :, :1], parts, rtol=0, atol=200 * EPS)
    single = transform.coefficients(x.float())
    assert single.dtype == (torch.float32 if isinstance(estimator, EvenExtension) else torch.complex64)
    bound = 10 * 33 * torch.finfo(torch.float32).eps
    assert float((transform.power(single) - transform.power(whole)).abs().max()) < 100 * bound


def test_the_rate_sets_the_unit():
    x = normal(2, 50, 1)
    slow, fast = (SequenceTransform(50, rate).spectrum(x) for rate in (1.0, 8000.0))
    np.testing.assert_allclose(fast.bands.high, 8000 * slow.bands.high)
    torch.testing.assert_close(fast.power, slow.power, rtol=1e-12, atol=0)


def test_a_gradient_flows():
    x = normal(2, 12, 1).requires_grad_()
    for estimator in (
        TemporalEstimator.even_extension(),
        TemporalEstimator.periodic(),
        TemporalEstimator.welch(6),
    ):
        transform = SequenceTransform(12, 1.0, [0, 0.1], estimator)
        assert torch.autograd.gradcheck(lambda u, t=transform: t.power(t.coefficients(u)), (x,))
