from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.signals import Signal, synthetic
from tests.signals.refusals import refusal

EPS = float(np.finfo(np.float64).eps)


def power(signal: Signal) -> np.ndarray:
    """Mean square per mode by the full complex FFT, in the layout of numpy.fft.fftfreq."""
    values = signal.grid_values[..., 0].double().numpy()
    return np.abs(np.fft.fftn(values) / values.size) ** 2


def radius(shape: tuple[int, ...]) -> np.ndarray:
    axes = np.meshgrid(*(np.fft.fftfreq(n, 1 / n) for n in shape), indexing="ij")
    return np.sqrt(sum(k**2 for k in axes))


@settings(max_examples=25)
@given(
    st.sampled_from([(31,), (16,), (8, 9), (4, 6, 7)]),
    st.integers(0, 10),
    st.data(),
)
def test_harmonics_have_half_their_squared_amplitude_where_they_should(
    shape: tuple[int, ...], seed: int, data: st.DataObject
) -> None:
    wave = tuple(data.draw(st.integers(0, (n - 1) // 2)) for n in shape)
    if not any(wave):
        wave = (1,) * len(shape)
    signal = synthetic.harmonics([wave], amplitudes=3.0, samples=shape, seed=seed, dtype=torch.float64)
    expected = np.zeros(shape)
    expected[wave] += 9 / 4
    expected[tuple(-k for k in wave)] += 9 / 4
    # each sample of the phase errs by some eps times 2 pi k, each FFT by log2(n) eps
    np.testing.assert_allclose(power(signal), expected, atol=1000 * EPS)
    assert signal.geometry.periodic == (True,) * len(shape)


def test_harmonics_sum_with_given_phases() -> None:
    signal = synthetic.harmonics([1, 3], [1.0, 0.5], [0.0, np.pi / 2], samples=64, dtype=torch.float64)
    x = np.arange(64) / 64
    expected = np.sin(2 * np.pi * x) + 0.5 * np.cos(6 * np.pi * x)
    np.testing.assert_allclose(signal.values[:, 0].numpy(), expected, atol=100 * EPS)
    assert signal.values.dtype == torch.float64
    assert synthetic.harmonics([1]).values.dtype == torch.float32


def test_only_whole_frequencies_are_periodic() -> None:
    assert synthetic.harmonics([[1, 2.5], [2, 3]], samples=(16, 16)).geometry.periodic == (True, False)


def test_harmonics_beyond_nyquist_are_refused() -> None:
    assert "frequencies below Nyquist (8 cycles per array), got 8" in refusal(
        synthetic.harmonics, [8], samples=16
    )
    assert "wave vectors of 2 components" in refusal(synthetic.harmonics, [1, 2], samples=(8, 8))
    assert "one of amplitudes, or 2" in refusal(synthetic.harmonics, [1, 2], [1.0, 1.0, 1.0])


@pytest.mark.parametrize("shape", [(64,), (63,), (16, 18), (15, 16), (6, 8, 9)])
@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_a_power_law_has_its_power_in_every_mode(shape: tuple[int, ...], exponent: float) -> None:
    signal = synthetic.power_law(shape, exponent, seed=1, dtype=torch.float64)
    k = radius(shape)
    expected = np.zeros(shape)
    expected[k > 0] = k[k > 0] ** -exponent
    expected /= expected.sum()
    np.testing.assert_allclose(power(signal), expected, atol=100 * EPS)
    assert signal.geometry.periodic == (True,) * len(shape)


@pytest.mark.parametrize("shape", [(64,), (20, 21), (8, 9, 10)])
def test_band_noise_is_flat_within_and_nothing_without(shape: tuple[int, ...]) -> None:
    found = power(synthetic.band_noise(shape, 2, 4, seed=1, dtype=torch.float64))
    k = radius(shape)
    inside = (k >= 2) & (k < 4)
    np.testing.assert_allclose(found[inside], 1 / inside.sum(), atol=100 * EPS)
    assert found[~inside].max() < 100 * EPS


def test_fields_follow_their_seed() -> None:
    same = [synthetic.power_law((8, 8), 2, seed=s).values for s in (3, 3, 4)]
    assert torch.equal(same[0], same[1])
    assert not torch.equal(same[0], same[2])


def test_an_empty_band_is_refused() -> None:
    assert "a band that contains a mode" in refusal(synthetic.band_noise, 16, 0, 0.5)
    assert "a band that contains a mode" in refusal(synthetic.band_noise, 16, 5, 5)


def test_a_step_rises_once() -> None:
    signal = synthetic.step(10, 0.25)
    assert signal.values[:, 0].tolist() == [0.0] * 3 + [1.0] * 7
    assert signal.geometry.periodic == (False,)
    assert "values that vary" in refusal(synthetic.step, 10, 2.0)


def test_a_chirp_sweeps_its_frequencies() -> None:
    signal = synthetic.chirp(4096, 10, 100, dtype=torch.float64)
    crossings = np.flatnonzero(np.diff(np.sign(signal.values[:, 0].numpy())) > 0)
    periods = np.diff(crossings) / 4096
    middle = (crossings[1:] + crossings[:-1]) / 2 / 4096
    # a zero is placed to within one sample of a period of at least 41 of them
    np.testing.assert_allclose(1 / periods, 10 + 90 * middle, rtol=2 / 41 + 0.02)
    assert "below Nyquist" in refusal(synthetic.chirp, 64, 1, 32)
