"""Predicted records against measured ones, and the verdict on them."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
import xarray

from overtone import records
from overtone._training import Optimizer, TrainingConfig
from overtone.errors import InputError
from overtone.nn import Field
from overtone.nn.activations import Activation
from overtone.records import metrics
from overtone.records.metrics._bands import has_content
from overtone.records.metrics._errors import Evidence
from overtone.theory.dynamics import Agreement, Prediction, PredictionOptions, predict
from overtone.theory.dynamics._agreement import departure
from overtone.theory.dynamics._findings import FindingCode
from overtone.theory.dynamics._predict import MAX_OUTPUTS
from tests.theory_dynamics.models import field, tones, trained

STEPS, RATE, WIDTH = 1000, 0.008, 1024


def sgd(network: Field, rate: float = RATE) -> torch.optim.Optimizer:
    return torch.optim.SGD(network.parameters(), rate)


@cache
def measured() -> xarray.Dataset:
    """A wide network trained by the loop itself, watched by the probe."""
    signal = tones()
    network = field(signal, WIDTH)
    options = TrainingConfig(STEPS, lr=RATE, optimizer=Optimizer.SGD)
    return trained(network, signal, options)


@cache
def predicted(rate: float = RATE) -> Prediction:
    signal = tones()
    network = field(signal, WIDTH)
    return predict(signal, network, sgd(network, rate), STEPS)


def test_a_wide_network_is_predicted_from_its_initial_output() -> None:
    found = Agreement.between(predicted().record, measured())
    assert found.counted.sum() >= 3
    assert found.agrees(1.2, 0.99)
    assert found.limit is None
    assert found.sentences[1].startswith("The prediction is valid until the last compared step, 1000")


def test_a_wrong_learning_rate_fails_the_verdict() -> None:
    found = Agreement.between(predicted(RATE / 3).record, measured())
    assert not found.agrees()
    assert found.limit is not None


def test_the_record_is_that_of_a_probe_with_another_origin() -> None:
    ours, theirs = predicted().record, measured()
    assert ours.attrs["origin"] == "predicted"
    assert ours.attrs["pilot"] == 0
    for name in theirs.data_vars:
        assert ours[name].dims == theirs[name].dims
        assert ours[name].attrs == theirs[name].attrs
    for name in ("band_low", "band_high", "target_power"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-9, atol=1e-30)
    # At step 0 both are the untrained network: the rows agree to double precision.
    for name in ("residual_power", "cross_power", "train_error"):
        np.testing.assert_allclose(ours[name][0], theirs[name][0], rtol=1e-9, atol=1e-14)


def test_a_record_of_a_prediction_is_stored_like_any_other(tmp_path: object) -> None:
    path = f"{tmp_path}/predicted.nc"
    records.to_netcdf(predicted().record, path)
    assert records.load(path).attrs["origin"] == "predicted"


def test_records_of_earlier_versions_with_sentences_open_and_compare(tmp_path: object) -> None:
    """They held `sentences` in place of `findings`."""
    attrs = {name: value for name, value in predicted().record.attrs.items() if name != "findings"}
    old = predicted().record.copy()
    old.attrs = attrs | {"sentences": ["From the initial network alone, without a pilot."]}
    path = f"{tmp_path}/old.nc"
    records.to_netcdf(old, path)
    stored = records.load(path)
    assert stored.attrs["sentences"] == old.attrs["sentences"]
    assert Agreement.between(stored, measured()).limit is None


def test_findings_are_stored_with_the_record(tmp_path: object) -> None:
    path = f"{tmp_path}/predicted.nc"
    records.to_netcdf(predicted().record, path)
    assert records.load(path).attrs["findings"] == [f.to_json() for f in predicted().findings]


def test_held_out_samples_are_predicted_too() -> None:
    signal = tones()
    mask = torch.zeros(32, dtype=torch.bool)
    mask[::5] = True
    signal = signal.with_held_out(mask)
    network = field(signal, WIDTH)
    record = predict(signal, network, sgd(network), STEPS).record
    network_error = signal.values - network(signal.coords).detach()
    assert record.held_out_error[0] == pytest.approx(float(network_error[mask].square().mean()))
    assert float(record.held_out_error[-1]) < float(record.held_out_error[0])
    assert float(record.train_error[-1]) < float(record.held_out_error[-1])
    assert metrics.stop(record).evidence is Evidence.HELD_OUT


def test_a_pilot_is_measured_and_the_rest_predicted_from_where_it_ends() -> None:
    signal = tones()
    network = field(signal, 64)
    before = [p.clone() for p in network.parameters()]
    found = predict(signal, network, sgd(network), 200, pilot=10)
    assert found.pilot == found.record.attrs["pilot"] == 10
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    options = TrainingConfig(10, lr=RATE, optimizer=Optimizer.SGD)
    truth = trained(network, signal, options, lambda _: True)
    np.testing.assert_allclose(
        found.record.residual_power.sel(step=9), truth.residual_power.sel(step=9), rtol=1e-4, atol=1e-9
    )


def test_adam_needs_a_pilot_or_a_state_and_then_works() -> None:
    signal = tones()
    network = field(signal, 64)
    adam = torch.optim.Adam(network.parameters(), 1e-2)
    with pytest.raises(InputError, match="pass a pilot of a few steps"):
        predict(signal, network, adam, 100)
    found = predict(signal, network, adam, 100, pilot=5)
    assert metrics.relative_error(metrics.combine_channels(found.record)).isel(step=-1).min() < 0.5


def test_divergence_is_a_result_and_the_first_finding() -> None:
    signal = tones()
    network = field(signal, 64)
    found = predict(signal, network, sgd(network, 500.0), 200)
    assert found.diverges_at is not None
    assert found.diverges_at == found.record.step[-1] < 200
    first = found.findings[0]
    assert first.code is FindingCode.DIVERGENCE_PREDICTED
    assert first.values["rate"] == 500
    assert (first.values["largest"], first.values["step"]) == (found.largest_rate, found.diverges_at)
    assert f"predicted to diverge after step {found.diverges_at}" in found.sentences[0]
    assert found.record.attrs["findings"][0] == first.to_json()
    assert np.isfinite(found.record.residual_power).all()


def test_flow_and_small_steps_are_the_same() -> None:
    signal = tones()
    network = field(signal, 64)
    pair = [
        predict(signal, network, sgd(network, 1e-4), 10**5, options=PredictionOptions(flow=flow)).record
        for flow in (True, False)
    ]
    np.testing.assert_allclose(pair[0].train_error, pair[1].train_error, rtol=1e-2)


def test_what_cannot_be_told_is_nan_and_never_never() -> None:
    """A tanh network on a circle, as a part is predicted: no high frequency in its kernel yet, but it grows fast."""
    signal = tones((1, 2, 4, 8), 64)
    network = field(signal, 64, 2, Activation.TANH)
    adam = torch.optim.Adam(network.parameters(), 1e-3)
    found = predict(signal, network, adam, 1000, pilot=40, batch=32, part=signal)
    steps = metrics.learning_step(metrics.combine_channels(found.record)).values
    content = has_content(metrics.combine_channels(found.record)).values
    assert np.isnan(steps[content][-1])
    assert found.holds_until is not None
    codes = [finding.code for finding in found.findings]
    assert FindingCode.BANDS_UNDETERMINED in codes
    text = " ".join(found.sentences)
    assert "It cannot be predicted when" in text
    assert "never" not in text


def test_steps_that_underflow_are_calm() -> None:
    signal = tones()
    network = field(signal, 256)
    record = predict(signal, network, sgd(network), 10**9).record
    assert np.isfinite(record.residual_power).all()
    assert float(record.train_error[-1]) < 1e-6


def test_signals_and_pilots_that_do_not_fit_are_refused() -> None:
    large = tones((1,), MAX_OUTPUTS + 1)
    network = field(large, 4)
    with pytest.raises(
        InputError, match=f"expected at most {MAX_OUTPUTS} outputs .*; pass a part of the signal"
    ):
        predict(large, network, sgd(network), 10)
    signal = tones()
    network = field(signal, 4)
    for pilot in (-1, 10):
        with pytest.raises(InputError, match=r"a pilot of 0 to 9 steps"):
            predict(signal, network, sgd(network), 10, pilot=pilot)


def shifted(record: xarray.Dataset, factor: float) -> xarray.Dataset:
    """The same course, `factor` times as late."""
    return record.assign_coords(step=np.unique(np.round(record.step.values * factor).astype(int)))


def test_a_delay_is_found_as_the_factor_that_it_is() -> None:
    record = measured()
    found = Agreement.between(shifted(record, 2.0), record)
    np.testing.assert_allclose(found.factor[found.counted], 2.0)
    assert found.median_factor == pytest.approx(2)
    assert found.rank_correlation == pytest.approx(1)
    assert not found.agrees(1.5)
    assert found.agrees(2.1)
    same = Agreement.between(record, record)
    assert same.median_factor == 1
    assert same.limit is None
    parted, last = departure(shifted(record, 2.0), record)
    assert np.isfinite(parted[same.counted][1:]).all()
    assert last == STEPS


def test_the_limit_names_the_step_before_the_first_band_that_departs() -> None:
    record = measured()
    band = int(np.flatnonzero(Agreement.between(record, record).counted)[1])
    residual = record.residual_power.copy()
    late = record.step.values >= 20
    residual[late, band] = 4 * record.target_power[band]
    found = Agreement.between(record.assign(residual_power=residual), record).limit
    assert found is not None
    assert found.step == record.step.values[~late][-1]
    assert found.low == record.band_low[band]


def test_without_bands_to_compare_nothing_agrees() -> None:
    record = measured()
    piloted = record.assign_attrs(pilot=STEPS)
    found = Agreement.between(piloted, record)
    assert not found.agrees()
    assert math.isnan(found.median_factor)
    assert "a comparison is not possible" in found.sentences[0]
    with pytest.raises(InputError, match="a measured record in cycles per array, got Hz"):
        Agreement.between(record, record.assign_attrs(frequency_unit="Hz"))


def test_bands_are_matched_by_their_centres() -> None:
    record = measured()
    merged = record.isel(band=slice(1, None))
    found = Agreement.between(record, merged)
    assert isinstance(found, Agreement)
    assert not found.counted[0]
    np.testing.assert_allclose(found.factor[found.counted], 1)
