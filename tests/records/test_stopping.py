"""Stop, noise onset and PSNR against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone._utils.text import percent
from overtone.errors import InputError
from overtone.plots._wording import stop_reason
from overtone.records import concat, metrics
from overtone.records.metrics._errors import SMOOTHING, Evidence, smooth
from tests.records.toy import toy_record


def test_the_clean_error_decides_where_it_is_known():
    record = toy_record(noise=0.2)
    stop = metrics.stop(record)
    best = int(np.argmin(record.clean_error.values))
    assert 0 < best < record.sizes["step"] - 1
    assert (stop.step, stop.evidence) == (record.step.values[best], Evidence.CLEAN)
    assert stop.error == record.clean_error.values[best]
    assert stop.last_error == record.clean_error.values[-1]
    rise = stop.last_error / stop.error - 1
    assert (stop.last_step, stop.rows) == (2000, record.sizes["step"])
    assert (
        stop_reason(stop)
        == f"the error on clean data is lowest at step {stop.step} and {percent(rise)} higher at the last step, 2000"
    )


@pytest.mark.parametrize("seed", range(5))
def test_held_out_errors_are_smoothed_so_that_one_lucky_row_does_not_decide(seed):
    record = toy_record(noise=0.3, steps=20_000)
    record["clean_error"][:] = np.nan
    exact = record.held_out_error.values.copy()
    noisy = exact * np.exp(0.03 * np.random.default_rng(seed).standard_normal(exact.shape))
    noisy[7] = exact.min() / 2
    record["held_out_error"][:] = noisy
    stop = metrics.stop(record)
    assert stop.evidence is Evidence.HELD_OUT
    assert np.argmin(noisy) == 7
    # A flat minimum moves, its value does not: within the 3 % of the rows' own noise.
    assert exact[record.step.values == stop.step].item() < 1.03 * exact.min()


def test_held_out_error_alone_finds_the_true_minimum():
    record = toy_record(noise=0.3, steps=20_000)
    true = metrics.stop(record).step
    record["clean_error"][:] = np.nan
    assert abs(np.log(metrics.stop(record).step / true)) < 2 * SMOOTHING


def test_an_error_that_still_falls_stops_at_the_end():
    record = toy_record(noise=0.0)
    for name in ("clean_error", "held_out_error"):
        stop = metrics.stop(record)
        assert stop.step == 2000
        assert stop_reason(stop).endswith("still falls at the last step, 2000; more steps may help")
        record[name][:] = np.nan
    stop = metrics.stop(record)
    assert (stop.step, stop.evidence) == (2000, Evidence.NONE)
    assert (stop.last_step, stop.rows) == (2000, 0)
    assert stop_reason(stop) == "neither held-out samples nor a clean reference: the last step, 2000"
    assert np.isnan(stop.error)


def test_rows_without_a_finite_error_are_left_out():
    record = toy_record(noise=0.2)
    expected = metrics.stop(record)
    record["clean_error"][-1] = np.inf
    record["clean_error"][0] = np.nan
    assert metrics.stop(record).step == expected.step
    only = metrics.stop(record.isel(step=[3]))
    assert only.rows == 1
    assert stop_reason(only) == "the error on clean data is known at step 3 alone"


def test_one_run_with_rows_is_wanted():
    for quantity in (metrics.stop, metrics.noise_onset):
        with pytest.raises(
            InputError, match="expected the record of one run, got several along run; select one"
        ):
            quantity(concat([toy_record(steps=5), toy_record(steps=5)]))
        with pytest.raises(InputError, match="expected a record with rows, got an empty one"):
            quantity(toy_record().isel(step=slice(0, 0)))
        quantity(concat([toy_record(steps=5), toy_record(steps=5)]).isel(run=0))


def slow_smooth(steps, error):
    x = np.log1p(steps.astype(float))
    weights = np.exp(-0.5 * ((x[:, None] - x) / SMOOTHING) ** 2) * (np.abs(x[:, None] - x) <= 4 * SMOOTHING)
    return np.exp((weights * np.log(error)).sum(1) / weights.sum(1))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=40, unique=True), st.integers(0, 2**32))
def test_smoothing_has_a_slow_twin_and_keeps_constants(steps, seed):
    steps = np.array(sorted(steps))
    error = np.random.default_rng(seed).uniform(0.1, 10, steps.shape)
    # A weighted mean of up to 40 logarithms below 2.4 in size.
    np.testing.assert_allclose(
        smooth(steps, error), slow_smooth(steps, error), rtol=400 * np.finfo(float).eps
    )
    np.testing.assert_allclose(smooth(steps, np.full(steps.shape, 0.3)), 0.3, rtol=400 * np.finfo(float).eps)


def test_noise_onset_in_closed_form():
    """Where only the corner is noise, its learned fraction 1 - exp(-rate t) passes 0.1 at t = -ln 0.9 / rate."""
    record = toy_record(steps=3000, noise=0.1)
    noisy = (record.noise_power >= 0.5 * record.target_power).values[:, 0]
    assert noisy.any()
    fitted = record.cross_power.values[:, noisy, 0].sum(1) / record.target_power.values[noisy, 0].sum()
    expected = int(record.step.values[fitted > 0.1][0])
    assert metrics.noise_onset(record) == expected
    alone = record.assign(noise_power=record.noise_power.where(record.band == record.band[-1], 0.0))
    rate = 0.5 / (1 + float(record.band[-1]) ** 2)
    later = record.step.values[record.step.values > -np.log(0.9) / rate]
    assert metrics.noise_onset(alone) == later[0]


def test_noise_onset_must_last():
    record = toy_record(steps=3000, noise=0.1)
    onset = metrics.noise_onset(record)
    record["cross_power"][-2] = 0.0
    assert metrics.noise_onset(record) == record.step.values[-1] > onset
    record["cross_power"][-1] = 0.0
    assert metrics.noise_onset(record) is None


@pytest.mark.parametrize("verdict", ["clean", "cannot tell"])
def test_no_onset_without_demonstrated_noise(verdict):
    record = toy_record(steps=3000, noise=0.1)
    assert metrics.noise_onset(record) is not None
    assert metrics.noise_onset(record.assign_attrs(noise_verdict=verdict)) is None
    assert metrics.noise_onset(record.assign_attrs(noise_verdict=None)) == metrics.noise_onset(record)
    assert metrics.noise_onset(record.assign(noise_power=record.noise_power * np.nan)) is None
    assert metrics.noise_onset(record.sel(step=slice(0, 20))) is None
    assert metrics.noise_onset(toy_record(noise=0.0).assign_attrs(noise_verdict="noise")) is None


def test_psnr_in_decibel():
    record = toy_record(steps=4, peak=2.0)
    for name, values in (("train_error", 4.0), ("held_out_error", 0.04), ("clean_error", 0.0)):
        record[name][:] = values
    quality = metrics.psnr(record)
    np.testing.assert_allclose(quality.train.values, 0.0, atol=1e-12)
    np.testing.assert_allclose(quality.held_out.values, 20.0, rtol=1e-12)
    assert np.isposinf(quality.held_out_clean.values).all()
    assert quality.train.attrs["units"] == "dB"
    record["train_error"][:] = np.nan
    assert np.isnan(metrics.psnr(record).train).all()


@pytest.mark.parametrize("peak", [None, 0.0, "1", float("nan")])
def test_psnr_needs_a_peak(peak):
    with pytest.raises(InputError, match="expected a record with a positive peak, got peak"):
        metrics.psnr(toy_record(steps=4, peak=peak))
