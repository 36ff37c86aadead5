"""Verification of fields with missing cells, in boxes and on the globe, and of values near rounding."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import xarray as xr

import overtone as ot
from overtone.records.metrics._field_scores import CrossingCode, FactCode, NoteCode, ResolutionCriterion
from tests.spectra import gaps
from tests.verification import fields, globes

TRUTH = fields.truth(30)
OCEAN = gaps.masks()["coastline"].numpy()


def verified(forecast, truth=TRUTH, **options):
    return ot.verify(forecast, truth, **{"periodic": True, "spacing": 10.0, "unit": "km", **options})


def holed(values, mask=OCEAN):
    return np.where(mask, values, np.nan)


def note(result, code):
    return next(n for n in result.notes if n.code is code)


def test_a_blurred_forecast_does_not_look_sharp_under_a_mask():
    forecast = fields.blurred(TRUTH)
    whole, masked = verified(forecast).scores[0], verified(holed(forecast), holed(TRUTH)).scores[0]
    assert masked.reported.sum() > 8
    band = masked.reported & (whole.power_ratio < 0.95)
    np.testing.assert_allclose(masked.power_ratio[band], whole.power_ratio[band], rtol=0.1, atol=0.01)
    np.testing.assert_allclose(masked.error_ratio[band], whole.error_ratio[band], rtol=0.1, atol=0.01)
    codes = {fact.code for fact in masked.facts}
    assert FactCode.OVERSMOOTHED in codes
    assert FactCode.NOISY not in codes


def test_bands_where_both_ways_disagree_are_not_determined_in_json_sentences_and_page(tmp_path):
    result = verified(fields.blurred(TRUTH), holed(TRUTH))
    (score,) = result.scores
    finest = score.undetermined[-1]
    assert finest[2] == pytest.approx(0.05)
    assert not score.reported[-2:].any()
    sentence = next(s for s in result.sentences if "not determined" in s)
    assert "disagree by more than 20 %" in sentence
    document = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert document["scores"][0]["bands"][-2]["not_determined"] == "missing cells"
    page = result.report(tmp_path / "verify.html").read_text(encoding="utf-8")
    assert "<td>not determined</td>" in page.replace(' class="number"', "")
    # Nothing is said of them: no range of a fact reaches into them.
    assert max(fact.high for fact in score.facts) <= finest[1] + 1e-12


def test_the_bias_is_stated_and_is_that_of_simulated_fields():
    result = verified(fields.blurred(TRUTH), holed(TRUTH))
    values = note(result, NoteCode.MISSING_CELLS).values
    assert values["truth"] == pytest.approx(1 - OCEAN.mean())
    assert values["forecast"] == 0
    assert 0 < values["bias_median"] <= values["bias_largest"] < 0.5
    assert 2 < values["slopes"][0] < 4
    assert "were wrong by" in " ".join(result.sentences)


@pytest.mark.parametrize("kind", ["coastline", "random gaps"])
def test_boxes_with_open_borders_and_gaps(kind):
    """Boxes of 64 out of 128, whose forecast is blurred before the cut; truth of the gains."""
    generator = np.random.default_rng(4)
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(128, 1 / 128), np.fft.fftfreq(128, 1 / 128)))
    modes = np.fft.fft2(generator.standard_normal((24, 1, 128, 128))) / np.maximum(k, 1) ** 2
    gain = np.exp(-((k / 40) ** 2))
    truth, forecast = (np.fft.ifft2(m).real[..., :64, :64] for m in (modes, modes * gain))
    mask = gaps.masks()[kind].numpy()
    result = verified(forecast, holed(truth, mask), periodic=False)
    (score,) = result.scores
    assert score.low[score.reported][0] >= 3 / 640 - 1e-9
    centre = np.sqrt(score.low * score.high) * 1280
    expected = np.exp(-2 * (centre / 40) ** 2)
    band = score.reported & (expected > 0.2)
    assert band.sum() > 5
    np.testing.assert_allclose(score.power_ratio[band], expected[band], rtol=0.2)


def test_masks_of_their_own_for_each_sample_and_variable():
    generator = np.random.default_rng(5)
    stripes = gaps.swath(64, 64, 0.7, 0.5)
    moving = np.stack([np.roll(stripes, int(shift), 1) for shift in generator.integers(0, 64, len(TRUTH))])
    noisy = fields.noisy(TRUTH, 1e-3)
    truth = {"a": holed(TRUTH, moving[:, None])[:, 0], "b": TRUTH[:, 0]}
    result = verified({"a": noisy[:, 0], "b": noisy[:, 0]}, truth)
    whole = verified(noisy).scores[0]
    gaps_in_a, complete = result.scores
    assert gaps_in_a.facts[-1].code is complete.facts[-1].code is FactCode.NOISY
    band = gaps_in_a.reported & (np.arange(len(gaps_in_a.low)) > 3)
    edges = zip(gaps_in_a.low[band], gaps_in_a.high[band], strict=True)
    for index, (low, high) in zip(np.flatnonzero(band), edges, strict=True):
        inside = (whole.low >= low * 0.999) & (whole.high <= high * 1.001)
        expected = whole.residual[inside].sum() / whole.target[inside].sum()
        assert gaps_in_a.error_ratio[index] == pytest.approx(expected, rel=0.15, abs=0.02)
    # The variable without gaps is measured on the same bands, and as exactly as before.
    shared = complete.reported & (np.arange(len(complete.low)) > 0)
    assert complete.target[shared].sum() == pytest.approx(
        whole.target[whole.low >= complete.low[shared][0] * 0.999][:-1].sum(), rel=0.02
    )


def test_chunks_do_not_change_the_figures(monkeypatch):
    truth, forecast = holed(TRUTH[:6]), fields.noisy(TRUTH[:6], 1e-3)
    whole = verified(forecast, truth).scores[0]
    monkeypatch.setattr("overtone.spectra._masked_sums._CELLS", 64 * 64)
    parts = verified(forecast, truth, memory="1MB").scores[0]
    np.testing.assert_allclose(parts.residual, whole.residual, rtol=1e-9)
    assert parts.reasons == whole.reasons


def test_samples_without_any_cell_and_gaps_that_come_late_are_left_out():
    truth = TRUTH.copy()
    truth[0] = np.nan
    late = TRUTH.copy()
    late[7] = holed(late[7])
    forecast = fields.noisy(TRUTH, 1e-3)
    expected = verified(forecast).scores[0]
    for holes in (truth, late):
        score = verified(forecast, holes).scores[0]
        band = score.reported & (np.arange(len(score.low)) > 8)
        assert band.any()
        np.testing.assert_allclose(score.error_ratio[band], expected.error_ratio[band], rtol=0.1)


def test_the_globe_with_land():
    rows, columns = 36, 72
    latitude, longitude = 87.5 - 5.0 * np.arange(rows), 2.5 + 5.0 * np.arange(columns)
    mask = gaps.globe_masks(rows, columns)["coastline"].numpy()
    from overtone.spectra import SphereGrid
    from overtone.spectra._masked_sphere import MaskedSphere

    sphere = MaskedSphere(SphereGrid.of(latitude, longitude), None, 2.5)
    truth, forecast = (x.movedim(-1, 0)[:, None].numpy() for x in sphere.simulated(40, 30.0, seed=3))
    options = {"latitude": latitude, "longitude": longitude}
    whole = ot.verify(forecast, truth, **options).scores[0]
    result = ot.verify(forecast, holed(truth, mask), **options)
    (score,) = result.scores
    assert "missing cells" in result.estimator
    band = score.reported & (np.arange(len(score.low)) > 3)
    assert band.sum() > 10
    np.testing.assert_allclose(score.power_ratio[band], whole.power_ratio[band], rtol=0.2, atol=0.03)
    assert note(result, NoteCode.MISSING_CELLS).values["bias_median"] < 0.1


def test_xarray_data_with_missing_cells():
    truth = globes.globe(globes.harmonics(12))
    ocean = xr.zeros_like(truth).where(np.hypot(truth.latitude, truth.longitude - 180) > 40)
    result = ot.verify(0.9 * truth, truth + ocean)
    assert note(result, NoteCode.MISSING_CELLS).values["truth"] > 0.05
    assert result.scores[0].error_ratio[result.scores[0].reported] == pytest.approx(0.01, rel=1e-6)


def test_bands_below_the_rounding_of_float32_are_not_determined():
    """100,000 + a field of k^-5: rounding to float32, by 8e-3 / sqrt(12), exceeds the field at small scales."""
    steep = fields.truth(12, exponent=5.0)
    single = (1e5 + steep).astype(np.float32)
    forecast = (1e5 + steep + 0.1 * fields.truth(12, 8, 5.0)).astype(np.float32)
    result = verified(forecast, single)
    (score,) = result.scores
    assert score.undetermined[-1][0].value == "rounding"
    assert "rounding of its values" in " ".join(result.sentences)
    double = verified(forecast.astype(np.float64), single.astype(np.float64)).scores[0]
    assert double.reported[-2]
    # What is left is the field's: figures in float64 without rounding are the same.
    exact = verified(1e5 + steep + 0.1 * fields.truth(12, 8, 5.0), 1e5 + steep).scores[0]
    band = score.reported
    assert 5 < band.sum() < exact.reported.sum()
    # Each field adds at most a fifth.
    np.testing.assert_allclose(score.error_ratio[band], exact.error_ratio[band], rtol=0.05, atol=0.4)


def test_a_resolution_within_bands_that_are_not_determined_is_stated_as_a_range():
    score = verified(fields.blurred(TRUTH)).scores[0]
    crossing = score.crossing(ResolutionCriterion.ERROR)
    band = int(np.flatnonzero(score.low <= crossing.frequency)[-1])
    reported = score.reported.copy()
    reported[band - 1 : band + 2] = False
    hidden = dataclasses.replace(score, reported=reported)
    result = hidden.crossing(ResolutionCriterion.ERROR)
    assert result.code is CrossingCode.NOT_DETERMINED
    assert result.low == score.low[band - 1]
    assert result.high == score.high[band + 1]
