"""Relative error, learned fraction, reach and bias against closed forms: residual_k = exp(-2 lambda_k t)."""

from __future__ import annotations

import numpy as np
import pytest
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.records import concat, metrics
from overtone.records._schema import PER_STEP, Header
from overtone.records.metrics._bands import corner_bands, has_content, highest_learned_band, mean_bands
from tests.records.toy import toy_record

EPS = np.finfo(float).eps
ROUNDING = 64 * EPS
"""Each quantity is a handful of float64 operations; a factor 64 covers their number and exp's own error."""

SUBNORMAL = np.sqrt(np.finfo(float).tiny)
"""The square of an error below it loses bits."""


def decaying(rates, steps, power=None, edges=None, channels=1, **attrs) -> xarray.Dataset:
    """A target of given band powers, of which band k has 1 - exp(-rates[k] t) learned at step t."""
    rates, steps = np.asarray(rates, float), np.asarray(steps)
    power = np.ones(len(rates)) if power is None else np.asarray(power, float)
    edges = np.arange(len(rates) + 1.0) if edges is None else np.asarray(edges, float)
    target = np.repeat(power[:, None], channels, axis=1) * np.arange(1, channels + 1)
    left = np.exp(-rates * steps[:, None])[..., None]
    header = Header(
        edges[:-1], edges[1:], tuple(f"c{i}" for i in range(channels)), {"target_power": target}, attrs
    )
    unknown = {
        name: np.full(steps.shape, np.nan) for name, variable in PER_STEP.items() if not variable.inner
    }
    rows = {
        **unknown,
        "residual_power": left**2 * target,
        "cross_power": (1 - left) * target,
        "time": 0.5 * steps,
    }
    return header.record(steps.astype(np.int64), rows)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(1e-4, 2.0), min_size=1, max_size=5),
    st.lists(st.integers(0, 300), min_size=1, max_size=8, unique=True).map(sorted),
    st.floats(0.05, 0.95),
)
def test_exponential_decay(rates, steps, threshold):
    record = decaying(rates, steps)
    left = np.exp(-np.outer(steps, rates))
    np.testing.assert_allclose(
        metrics.relative_error(record).values[..., 0], left, rtol=ROUNDING, atol=SUBNORMAL
    )
    np.testing.assert_allclose(
        metrics.learned_fraction(record).values[..., 0], 1 - left, rtol=ROUNDING, atol=ROUNDING
    )
    learned = metrics.learning_step(record, threshold).values[:, 0]
    times = metrics.time_to_threshold(record, threshold).values[:, 0]
    for rate, found, time in zip(rates, learned, times, strict=True):
        exact = -np.log(threshold) / rate
        if any(abs(exact - s) < 1e-9 * exact for s in steps):
            continue
        later = [s for s in steps if s > exact]
        np.testing.assert_equal(found, later[0] if later else np.nan)
        np.testing.assert_equal(time, 0.5 * later[0] if later else np.nan)


def test_bands_with_nothing_to_learn_are_nan():
    record = decaying([1.0] * 5, [0, 1], power=[1e6, 1.0, 0.5e-10, 2e-10, 0.0])
    content = has_content(record).values[:, 0]
    assert content.tolist() == [True, True, False, True, False]
    for quantity in (metrics.relative_error(record), metrics.learned_fraction(record)):
        assert np.isnan(quantity.values[:, ~content]).all()
        assert np.isfinite(quantity.values[:, content]).all()


def test_a_target_in_the_first_band_alone_leaves_the_rounding_of_others_out():
    record = decaying([1.0] * 3, [0, 1], power=[1.0, 1e-31, 1e-32])
    assert has_content(record).values[:, 0].tolist() == [True, False, False]


def test_a_target_of_zero_has_no_content():
    assert not has_content(decaying([1.0] * 3, [0], power=[0.0] * 3)).any()


def test_combining_channels_adds_powers_first():
    record = decaying([0.1, 0.2], [0, 4], channels=2)
    record["residual_power"][..., 0] = 0.0
    together = metrics.relative_error(metrics.combine_channels(record))
    assert together.dims == ("step", "band")
    expected = np.sqrt(2 * np.exp(-2 * np.outer([0, 4], [0.1, 0.2])) / 3)
    np.testing.assert_allclose(together.values, expected, rtol=ROUNDING)
    assert metrics.combine_channels(metrics.combine_channels(record)).identical(
        metrics.combine_channels(record)
    )
    assert np.isnan(metrics.combine_channels(record).noise_power).all()


def test_a_band_forgotten_again_counts_from_its_last_return():
    record = decaying([0.0], [0, 1, 2, 3, 4, 5])
    errors = np.array([1.0, 0.4, 0.6, 0.4, 0.3, 0.2])
    record["residual_power"][:] = errors[:, None, None] ** 2
    assert metrics.learning_step(record).item() == 3
    record["residual_power"][-1] = 0.5**2
    assert np.isnan(metrics.learning_step(record).item())
    record["residual_power"][-1] = np.nan
    assert np.isnan(metrics.learning_step(record).item())


def test_rows_that_joining_left_empty_are_passed_over():
    joined = concat([decaying([0.3], [0, 2, 4, 6, 8]), decaying([0.3], [0, 1, 3])])
    assert metrics.learning_step(joined).values[:, 0, 0].tolist() == [4, 3]
    assert metrics.time_to_threshold(joined).values[:, 0, 0].tolist() == [2, 1.5]
    assert metrics.highest_learned(joined).values.tolist() == [1, 1]
    assert metrics.highest_learned(joined, step=2).values.tolist() == [0, 0]
    assert metrics.highest_learned(joined, step=5).values.tolist() == [1, 1]


def test_highest_learned_is_unbroken_and_passes_over_empty_bands():
    record = decaying([1.0, 1.0, 0.0, 1.0, 0.0, 1.0], [0, 5], power=[1, 1, 0, 1, 1, 1], frequency_unit="Hz")
    assert metrics.highest_learned(record).item() == 4
    assert highest_learned_band(record).item() == 6
    assert metrics.highest_learned(record, step=0).item() == 0
    assert metrics.highest_learned(record, step=4).item() == 0
    assert metrics.highest_learned(record, threshold=1e-3).item() == 0
    assert metrics.highest_learned(record).attrs["units"] == "Hz"
    assert np.isnan(metrics.highest_learned(record.isel(step=slice(0, 0))).item())


def test_an_empty_record_has_learned_nothing():
    empty = toy_record().isel(step=slice(0, 0))
    assert metrics.relative_error(empty).shape == (0, 8, 1)
    assert np.isnan(metrics.learning_step(empty)).all()
    assert np.isnan(metrics.time_to_threshold(empty)).all()
    assert metrics.spectral_bias_index(empty).shape == (0,)
    assert metrics.exponent(empty).runs == 0


def test_spectral_bias_of_two_halves():
    low, high = 0.3, 0.1
    record = decaying([9.0, low, low, high, high], [0, 1, 5, 20], power=[100, 2, 1, 1.5, 1.5])
    t = record.step.values
    e_low, e_high = np.exp(-2 * low * t), np.exp(-2 * high * t)
    expected = (e_high - e_low) / (e_high + e_low)
    np.testing.assert_allclose(
        metrics.spectral_bias_index(record).values, expected, rtol=ROUNDING, atol=ROUNDING
    )
    np.testing.assert_allclose(
        metrics.spectral_bias_index(record, cutoff=3.0).values, expected, rtol=ROUNDING, atol=ROUNDING
    )
    backwards = decaying([9.0, high, high, low, low], [0, 1, 5, 20], power=[100, 2, 1, 1.5, 1.5])
    np.testing.assert_allclose(
        metrics.spectral_bias_index(backwards).values, -expected, rtol=ROUNDING, atol=ROUNDING
    )


def test_spectral_bias_shares_out_the_divided_band():
    record = decaying([0.0, 0.1, 0.2, 0.3], [7], power=[5, 1, 2, 1])
    left = np.exp(-14 * np.array([0.1, 0.2, 0.3]))
    e_low, e_high = (left[0] + left[1]) / 2, (left[1] + left[2]) / 2
    for cutoff in (None, 2.5):
        index = metrics.spectral_bias_index(record, cutoff=cutoff)
        np.testing.assert_allclose(index.values, [(e_high - e_low) / (e_high + e_low)], rtol=ROUNDING)
    for outside in (0.5, 99.0):
        assert np.isnan(metrics.spectral_bias_index(record, cutoff=outside)).all()


def test_a_network_without_bias_has_index_zero_and_a_finished_one_none():
    record = decaying([0.1] * 6, [0, 3, 10_000])
    np.testing.assert_allclose(metrics.spectral_bias_index(record).values[:2], 0, atol=ROUNDING)
    assert np.isnan(metrics.spectral_bias_index(record).values[2])


@pytest.mark.parametrize("slope", [1.0, 2.0, -0.5])
def test_exponent_of_a_power_law(slope):
    edges = np.concatenate([[0.0], np.geomspace(1, 64, 13), [90.0]])
    centre = np.sqrt(edges[:-1] * edges[1:])
    half_time = 200.0 * centre[1:] ** slope / centre[6] ** slope
    rates = np.concatenate([[50.0], np.log(2) / half_time])
    steps = np.unique(np.geomspace(1, 40_000, 900).round())
    one = decaying(rates, np.concatenate([[0], steps]), edges=edges, nyquist=[50.0, 64.0])
    fit = metrics.exponent(one)
    assert (fit.bands, fit.runs, fit.confidence) == (12, 1, 0.95)
    # Steps are rounded up to the recorded ones: 2 % apart here, or 1 step at the start (2 % of the 50 steps or more
    # that the fastest band takes), over four e-folds of frequency.
    worst = np.log1p(1 / half_time[:-1].min() + np.log(40_000) / 900) / 2
    assert fit.value == pytest.approx(slope, abs=worst)
    assert fit.low <= fit.value <= fit.high
    assert metrics.exponent(one, confidence=0.5).high < fit.high
    several = metrics.exponent(concat([one, one.assign(residual_power=one.residual_power * 0.9)]))
    assert (several.bands, several.runs) == (24, 2)
    assert several.low <= several.value <= several.high


def test_exponent_interval_is_students():
    from scipy import stats

    record = toy_record(steps=20_000, bands=12)
    steps = metrics.learning_step(record).values[1:-1, 0]
    usable = np.isfinite(steps) & (steps > 0)
    line = stats.linregress(np.log(record.band.values[1:-1][usable]), np.log(steps[usable]))
    half = stats.t.ppf(0.975, usable.sum() - 2) * line.stderr
    fit = metrics.exponent(record)
    np.testing.assert_allclose(
        [fit.value, fit.low, fit.high], line.slope + half * np.array([0, -1, 1]), rtol=1e-10
    )


def test_exponent_needs_bands():
    assert np.isnan(metrics.exponent(decaying([9.0, 0.0, 0.0], [0, 1])).value)
    two = metrics.exponent(decaying([9.0, 0.1, 0.01], [0, 5, 10, 50, 100]))
    assert np.isfinite(two.value)
    assert np.isnan([two.low, two.high]).all()


def test_the_corner_begins_at_the_largest_nyquist_frequency():
    record = decaying([1.0] * 4, [0], nyquist=[1.0, 3.0])
    assert corner_bands(record).values.tolist() == [False, False, False, True]
    assert mean_bands(record).values.tolist() == [True, False, False, False]
    assert not corner_bands(decaying([1.0] * 4, [0])).any()


def test_mean_and_student_interval():
    from scipy import stats

    values = xarray.DataArray(
        [[1.0, np.nan, np.nan], [2.0, 5.0, np.nan], [4.0, np.nan, np.nan]], dims=("seed", "band")
    )
    result = metrics.mean_interval(values, "seed", 0.9)
    low, high = stats.t.interval(0.9, 2, 7 / 3, stats.sem([1, 2, 4]))
    np.testing.assert_allclose(result["mean"].values, [7 / 3, 5, np.nan], rtol=ROUNDING)
    np.testing.assert_allclose(result.low.values, [low, np.nan, np.nan], rtol=1e-12)
    np.testing.assert_allclose(result.high.values, [high, np.nan, np.nan], rtol=1e-12)
    assert result.n.values.tolist() == [3, 1, 0]


def test_nothing_changes_the_record():
    record = toy_record(steps=50, channels=3)
    before = record.copy(deep=True)
    for quantity in (
        metrics.relative_error,
        metrics.learning_step,
        metrics.highest_learned,
        metrics.psnr,
        metrics.spectral_bias_index,
        metrics.exponent,
        metrics.stop,
        metrics.noise_onset,
    ):
        quantity(record)
    assert record.identical(before)
