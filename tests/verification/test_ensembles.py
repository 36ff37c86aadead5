"""Ensembles, other forecasts and baselines on the same truth."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import overtone as ot
from overtone.errors import InputError
from overtone.records.metrics._ensemble_scores import ComparisonFactCode, EnsembleFactCode
from overtone.records.metrics._field_scores import NoteCode
from tests.verification import fields, globes

SAMPLES, MEMBERS = 40, 6
SHARED = fields.truth(SAMPLES, 20)
TRUTH = SHARED + fields.truth(SAMPLES, 21, exponent=1.0)
BOX = {"periodic": True, "spacing": 10.0, "unit": "km"}


def ensemble(scale: float, members: int = MEMBERS) -> np.ndarray:
    """(sample, member, channel, y, x) members that share their predictable part with the truth."""
    drawn = [scale * fields.truth(SAMPLES, 30 + m, exponent=1.0) for m in range(members)]
    return np.stack([SHARED + noise for noise in drawn], axis=1)


def test_a_reliable_ensemble_has_as_much_spread_as_error_and_a_narrow_one_is_collapsed() -> None:
    for scale, code in ((1.0, EnsembleFactCode.RELIABLE), (0.5, EnsembleFactCode.COLLAPSED)):
        result = ot.verify(ensemble(scale), TRUTH, member=1, **BOX)
        (score,) = result.ensembles
        shown = score.reported & (score.spread_interval.effective >= 10)
        noise = np.var(fields.truth(SAMPLES, 21, exponent=1.0))
        expected = scale**2 * (1 + 1 / MEMBERS) / (1 + scale**2 / MEMBERS)
        assert np.allclose(score.spread_ratio[shown], expected, rtol=0.15)
        assert score.spread[1:].sum() == pytest.approx(scale**2 * noise, rel=0.05)
        assert {fact.code for fact in score.facts if fact.high > 0.01} >= {code}
        assert any(code.value in sentence for sentence in result.sentences)
    assert result.notes[0].code is NoteCode.ENSEMBLE_MEAN


def test_the_mean_is_hedged_where_the_members_have_the_truths_power() -> None:
    result = ot.verify(ensemble(1.0, 12), TRUTH, member=1, **BOX)
    (score,), (members,) = result.scores, result.ensembles
    fine = score.reported & (score.low > 0.02)
    assert (score.power_ratio[fine] < 0.6).all()
    assert np.allclose(members.power_ratio[fine], 1, rtol=0.15)
    assert np.all(members.residual[fine] > 1.5 * score.residual[fine])


def test_members_that_are_too_smooth_are_said_to_be() -> None:
    smooth = fields.filtered(ensemble(1.0), np.where(fields.K < 12, 1, 0.5))
    (score,) = ot.verify(smooth, TRUTH, member=1, **BOX).ensembles
    assert EnsembleFactCode.SMOOTH_MEMBERS in {fact.code for fact in score.facts}


def naive_crps(members: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Fair CRPS of each value by its definition, members along the first axis."""
    count = len(members)
    between = sum(abs(a - b) for a in members for b in members) / (2 * count * (count - 1))
    return abs(members - truth).mean(0) - between


@pytest.mark.parametrize("periodic", [True, False])
def test_the_crps_is_that_of_its_definition(periodic: bool) -> None:
    generator = np.random.default_rng(0)
    truth, forecast = generator.standard_normal((3, 1, 9)), generator.standard_normal((3, 4, 1, 9)) + 0.3
    (score,) = ot.verify(forecast, truth, member=1, periodic=periodic).ensembles
    if periodic:
        # The mean is harmonic 0, in the first band.
        t, f = np.fft.rfft(truth[:, 0]), np.fft.rfft(forecast[:, :, 0])
        weights = np.array([1, 2, 2, 2, 2])
        parts = [naive_crps(np.moveaxis(f.real, 1, 0), t.real), naive_crps(np.moveaxis(f.imag, 1, 0), t.imag)]
        crps, size = ((x * weights).sum(0) for x in (sum(parts), abs(t.real) + abs(t.imag)))
        assert score.crps_ratio[-1] == pytest.approx(crps[-1] / size[-1])
        assert score.crps_ratio[0] == pytest.approx(crps[0] / size[0])
    assert np.isfinite(score.crps_ratio[score.reported]).all()


def test_members_of_the_truths_climate_have_a_crps_of_the_square_root_of_one_half() -> None:
    members = np.stack([fields.truth(SAMPLES, 60 + m) for m in range(MEMBERS)], axis=1)
    (score,) = ot.verify(members, fields.truth(SAMPLES, 59), member=1, **BOX).ensembles
    assert np.allclose(score.crps_ratio[score.reported], np.sqrt(0.5), atol=0.05)
    assert all(b["crps_ratio_low"] is not None for b in score.to_json()["bands"][-3:-1])


def test_axes_of_members_are_named_in_xarray_and_numbered_in_arrays() -> None:
    values = ensemble(1.0)[:12]
    arrays = ot.verify(values, TRUTH[:12], member=1, **BOX)
    named = ot.verify({"values": values[:, :, 0]}, {"values": TRUTH[:12, 0]}, member=1, **BOX)
    axes = {
        "y": ("y", 10.0 * np.arange(64), {"units": "km"}),
        "x": ("x", 10.0 * np.arange(64), {"units": "km"}),
    }
    forecast = xr.DataArray(values[:, :, 0], axes, ("time", "member", "y", "x"))
    truth = xr.DataArray(TRUTH[:12, 0], axes, ("time", "y", "x"))
    labelled = ot.verify(
        forecast.transpose("member", "y", "x", "time"), truth, member="member", periodic=True
    )
    for other in (named, labelled):
        for name in ("spread", "residual", "crps_ratio"):
            np.testing.assert_allclose(
                getattr(other.ensembles[0], name), getattr(arrays.ensembles[0], name), rtol=1e-10, atol=1e-20
            )


def test_two_forecasts_are_compared_sample_by_sample() -> None:
    """Both have the same large error; a small one more in the second is found, because errors are paired."""
    truth = fields.truth(40)
    shared = truth + 0.5 * fields.truth(40, 5)
    extra = fields.filtered(fields.truth(40, 6, exponent=0.0), (fields.K > 20) * 1.0)
    second = shared + 0.05 * extra
    result = ot.verify(shared, truth, against={"rival": second}, **BOX)
    (comparison,) = result.comparisons
    assert {f.code for f in comparison.facts} == {ComparisonFactCode.BETTER}
    assert comparison.facts[0].low >= 0.03 * 0.8
    assert any("less error than rival" in sentence for sentence in result.sentences)
    swapped = ot.verify(second, truth, against=shared, **BOX).comparisons[0]
    np.testing.assert_allclose(swapped.difference, -comparison.difference, atol=1e-14)
    alone = ot.verify(second, truth, **BOX).scores[0]
    np.testing.assert_allclose(comparison.second.residual, alone.residual)


def test_another_forecast_has_the_form_of_the_first() -> None:
    truth, other = np.random.default_rng(0).standard_normal((2, 12, 1, 32))
    for form in (lambda x: x, lambda x: {"a": x[:, 0]}):
        named = ot.verify(form(0.5 * truth), form(truth), against={"rival": form(other)}, periodic=True)
        assert [c.other for c in named.comparisons] == ["rival"]
        single = ot.verify(form(0.5 * truth), form(truth), against=form(other), periodic=True)
        assert [c.other for c in single.comparisons] == ["other"]
        np.testing.assert_allclose(single.comparisons[0].difference, named.comparisons[0].difference)


def test_a_forecast_that_loses_to_climatology_and_persistence_is_said_to() -> None:
    """The truth is an AR(1) process: persistence wins at first, climatology later, a good forecast always."""
    generator = np.random.default_rng(0)
    states, *impulses = globes.harmonics(48, 100)
    states = [states]
    for impulse in impulses:
        states.append(0.9 * states[-1] + np.sqrt(1 - 0.81) * impulse)
    truth = globes.globe(np.stack(states) + 3.0)
    steps = ("step", np.array([6, 24]), {"units": "hours"})
    parts = [truth.values[:40] * 0 + 3 + 0.9**k * (truth.values[:40] - 3) for k in (1, 4)]
    best = xr.concat([globes.globe(part) for part in parts], "step").assign_coords(step=steps)
    noise = xr.DataArray(generator.standard_normal(best.shape), best.coords, best.dims)
    baselines = ("climatology", "persistence")
    for forecast, code in ((best, ComparisonFactCode.BETTER), (best + 3 * noise, ComparisonFactCode.WORSE)):
        result = ot.verify(forecast.rename("t2m"), truth, lead="step", baselines=baselines)
        assert [(c.other, c.first.lead) for c in result.comparisons] == [
            ("persistence", "6 h"),
            ("climatology", "6 h"),
            ("persistence", "1 d"),
            ("climatology", "1 d"),
        ]
        for comparison in result.comparisons:
            found = comparison.first.reported
            sign = -1 if code is ComparisonFactCode.BETTER else 1
            assert (sign * comparison.difference[found] > 0).mean() > 0.8
        persistence, climatology = result.comparisons[0].second, result.comparisons[1].second
        assert persistence.error_ratio[2:].mean() < climatology.error_ratio[2:].mean()
    # By hand: the field at the initial time against that at the valid time, and the mean of the other samples.
    difference = truth.values[:40] - truth.values[1:41]
    expected = globes.power_by_degree(difference)
    np.testing.assert_allclose(persistence.residual.sum(), expected.sum(), rtol=1e-9)
    valid = truth.values[1:41]
    others = (valid.sum(0) - valid) / 39
    np.testing.assert_allclose(
        climatology.residual.sum(), globes.power_by_degree(others - valid).sum(), rtol=1e-9
    )


def test_anomalies_forget_a_bias_and_parts_give_the_same_figure() -> None:
    truth = fields.truth(12)
    biased = truth + 0.3 * fields.truth(1, 8)
    kept = ot.verify(biased, truth, **BOX)
    removed = ot.verify(biased, truth, anomalies=True, memory="300kB", **BOX)
    assert kept.scores[0].residual.sum() > 0.05
    assert removed.scores[0].residual.sum() < 1e-20
    assert removed.to_json()["time_mean"] == "subtracted"
    assert any("without their time means" in sentence for sentence in removed.sentences)


def test_another_forecast_is_paired_by_its_coordinates() -> None:
    truth, forecast, other = (globes.globe(globes.harmonics(14, keep=k)) for k in (np.inf, 12.0, 5.0))
    later = other.isel(time=slice(2, None), latitude=slice(None, None, -1)).roll(
        longitude=5, roll_coords=True
    )
    result = ot.verify(forecast, truth, against={"late": later, "mean": truth.mean("time")})
    assert result.scores[0].samples == 12
    late, mean = result.comparisons
    alone = ot.verify(other.isel(time=slice(2, None)), truth).scores[0]
    np.testing.assert_allclose(late.second.residual, alone.residual, rtol=1e-9, atol=1e-15)
    assert mean.second.samples == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"baselines": ["luck"]}, "one of climatology, persistence, got 'luck'"),
        ({"baselines": ["persistence"]}, "xarray data with lead times"),
        ({"against": TRUTH[:3]}, r"other: expected a forecast of the truth's shape \(40"),
        ({"member": 0}, "truth's shape"),
        ({"member": 9}, "an axis of members from 0 to 3"),
        ({"member": "m"}, "the number of an axis"),
        ({"memory": "much"}, "a size such as 500MB"),
    ],
)
def test_what_cannot_be_compared_is_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ot.verify(TRUTH, TRUTH, **options, **BOX)
    with pytest.raises(InputError, match="at least two samples for a climatology"):
        ot.verify(TRUTH[:1], TRUTH[:1], baselines=["climatology"], **BOX)
