import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone import signals
from overtone.planning import ReasonCode, measure_noise, recommend_bandwidth, scan
from overtone.spectra import NoiseVerdict, bandwidth, noise_sentence


def falling(shape=(96, 96), seed=0, exponent=3.0):
    return signals.synthetic.power_law(shape, exponent, seed=seed)


def test_a_clean_signal_gets_its_90_percent_frequency():
    signal = signals.synthetic.harmonics([2, 5, 9], amplitudes=[1.0, 1.0, 0.2], samples=256)
    noise = measure_noise(signal)
    assert noise.verdict is NoiseVerdict.CLEAN
    found = recommend_bandwidth(signal, noise)
    assert found.bandwidth[0] == pytest.approx(5, abs=0.5)
    assert found.reasons[-1].code is ReasonCode.SPECTRUM_BANDWIDTH
    assert found.reasons[-1].values["nyquist"] == (128.0,)


@pytest.mark.parametrize("noise", [0.1, 0.2])
def test_noise_does_not_widen_the_recommendation(noise):
    clean = signals.synthetic.band_noise((96, 96), 1, 8, seed=0)
    noisy = signals.synthetic.add_noise(clean, fraction_of_range=noise, seed=1)
    wanted, got = scan(clean).bandwidth, scan(noisy).bandwidth
    naive = bandwidth(noisy.grid_values, periodic=noisy.geometry.periodic, channel_axis=-1)[:, 0]
    for axis in range(2):
        assert got[axis] == pytest.approx(wanted[axis], rel=0.2)
        assert naive[axis] > 3 * got[axis]


def test_the_meeting_point_is_where_a_low_pass_filter_errs_least():
    clean = falling((512,), exponent=3.0)
    noisy = signals.synthetic.add_noise(clean, fraction_of_range=0.1, seed=2)
    noise = measure_noise(noisy)
    (meets,) = recommend_bandwidth(noisy, noise).reasons[-1].values["crossing"]
    target = np.abs(np.fft.rfft(clean.values[:, 0])) ** 2
    spoiled = np.abs(np.fft.rfft((noisy.values - clean.values)[:, 0])) ** 2
    error = np.cumsum(spoiled) + target.sum() - np.cumsum(target)
    assert error[min(round(meets), len(error) - 1)] < 1.6 * error.min()


def test_each_axis_gets_its_own():
    rows, columns = np.mgrid[0:256, 0:256] / 256
    signal = signals.array(np.cos(2 * np.pi * 2 * rows) + np.cos(2 * np.pi * 12 * columns), periodic=True)
    low, high = scan(signal).bandwidth
    assert low == pytest.approx(2, abs=0.6)
    assert high == pytest.approx(12, abs=0.6)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.1, 50), st.floats(-100, 100), st.floats(1e-3, 1e3))
def test_units_and_scale_of_the_values_do_not_matter(spacing, offset, scale):
    values = torch.cos(torch.arange(64, dtype=torch.float64) * 0.7)
    plain = scan(signals.array(values, spacing=1.0)).bandwidth
    other = scan(signals.array(values * scale + offset, spacing=spacing, unit="m")).bandwidth
    assert other[0] * spacing == pytest.approx(plain[0], rel=1e-6)


def test_an_encoding_never_reaches_beyond_what_the_sampling_ties_together():
    signal = signals.synthetic.harmonics([100], samples=256)
    found = scan(signal)
    assert found.bandwidth == (16.0,)
    values = found.reasons[-1].values
    assert values["limit"] == (16.0,)
    assert values["measured"][0] > 16.0


def test_scan_closes_and_names_its_parts():
    signal = falling((40, 30))
    found = scan(signal)
    exact = signal.values.double().square().mean(0)
    torch.testing.assert_close(found.spectrum.mean_square, exact, rtol=1e-6, atol=0)
    assert len(found.bandwidth) == 2
    assert found.reasons[0].code is ReasonCode.NOISE_FLOOR
    assert found.reasons[0].values["verdict"] == found.noise.verdict.value
    assert str(found.reasons[0]) == noise_sentence(found.noise)
