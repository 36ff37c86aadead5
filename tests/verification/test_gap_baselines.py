"""Ensembles, anomalies and climatologies of fields with missing cells, against the same figures made by hand."""

from __future__ import annotations

import json

import numpy as np

import overtone as ot
from overtone.records.metrics._ensemble_scores import EnsembleFactCode
from overtone.records.metrics._field_scores import NoteCode

SAMPLES = 12
OPTIONS = {"periodic": True, "spacing": 10.0, "unit": "km"}


def drawn(seed: int) -> np.ndarray:
    """(sample, 1, 32, 32) fields with power ~ k^-2 per unit of k."""
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(32, 1 / 32), np.fft.fftfreq(32, 1 / 32)))
    noise = np.random.default_rng(seed).standard_normal((SAMPLES, 1, 32, 32))
    return np.fft.ifft2(np.fft.fft2(noise) / np.maximum(k, 1) ** 1.5).real


def masks() -> np.ndarray:
    """(sample, 1, row, column) an island that stays, and one that moves."""
    y, x = np.mgrid[:32, :32]
    return np.stack(
        [(np.hypot(y - 9, x - 12) > 6) & (np.hypot(y - 24, x - 8 - 8 * (s % 3)) > 4) for s in range(SAMPLES)]
    )[:, None]


TRUTH, VALID = drawn(0), masks()
HOLED = np.where(VALID, TRUTH, np.nan)


def test_members_are_measured_as_single_forecasts_under_the_same_mask(tmp_path):
    members = np.stack([0.6 * TRUTH + 0.5 * drawn(seed) for seed in (1, 2, 3)], 1)
    members[0, 2, 0, 5, 5] = np.nan
    result = ot.verify(members, HOLED, member=1, **OPTIONS)
    (ensemble,) = result.ensembles
    joint = np.where(np.isnan(members).any(1), np.nan, HOLED)
    singles = [
        ot.verify(np.where(np.isnan(joint), np.nan, members[:, m]), joint, **OPTIONS) for m in range(3)
    ]
    mean = ot.verify(members.mean(1), joint, **OPTIONS)
    clear = ensemble.reported
    assert clear.sum() > 4
    expected = {
        name: np.mean([getattr(single.scores[0], name) for single in singles], 0)
        for name in ("prediction", "residual")
    }
    np.testing.assert_allclose(ensemble.prediction[clear], expected["prediction"][clear], rtol=1e-9)
    np.testing.assert_allclose(ensemble.residual[clear], expected["residual"][clear], rtol=1e-9)
    np.testing.assert_allclose(ensemble.mean_residual[clear], mean.scores[0].residual[clear], rtol=1e-9)
    spread = 3 / 2 * (ensemble.prediction - mean.scores[0].prediction)
    np.testing.assert_allclose(ensemble.spread[clear], spread[clear], rtol=1e-6)
    assert np.isnan(ensemble.crps_ratio).all()
    assert NoteCode.NO_CRPS in [note.code for note in result.notes]
    assert "no CRPS by wavelength" in " ".join(result.sentences)
    assert (
        json.loads(json.dumps(result.to_json(), allow_nan=False))["ensembles"][0]["bands"][3]["crps_ratio"]
        is None
    )
    page = result.report(tmp_path / "verify.html").read_text(encoding="utf-8")
    assert "CRPS over that of a forecast" not in page


def test_a_collapsed_ensemble_is_named_under_gaps():
    """Members that differ half as much from the predictable part as the truth does."""
    predictable = drawn(4)
    truth = np.where(VALID, predictable + drawn(5), np.nan)
    members = np.stack([predictable + 0.5 * drawn(seed) for seed in (6, 7, 8)], 1)
    (ensemble,) = ot.verify(members, truth, member=1, **OPTIONS).ensembles
    assert EnsembleFactCode.COLLAPSED in {fact.code for fact in ensemble.facts}
    assert EnsembleFactCode.RELIABLE not in {fact.code for fact in ensemble.facts}


def test_anomalies_are_those_of_means_over_the_valid_samples():
    season = 20 * np.hypot(*np.mgrid[:32, :32])
    forecast = 0.7 * TRUTH + 0.3 * drawn(9) + season
    result = ot.verify(forecast, HOLED - season, anomalies=True, memory="100kB", **OPTIONS)
    both = np.where(np.isnan(HOLED), np.nan, forecast)
    known = np.isfinite(HOLED).sum(0) > 1
    with np.errstate(invalid="ignore"):
        sums = [np.nansum(x, 0) / np.isfinite(HOLED).sum(0).clip(1) for x in (both, HOLED - season)]
    by_hand = ot.verify(
        np.where(known, both - sums[0], np.nan), np.where(known, HOLED - season - sums[1], np.nan), **OPTIONS
    )
    for name in ("target", "prediction", "residual"):
        np.testing.assert_allclose(
            getattr(result.scores[0], name), getattr(by_hand.scores[0], name), rtol=1e-7, equal_nan=True
        )
    assert NoteCode.ANOMALIES in [note.code for note in result.notes]


def test_the_climatology_is_the_mean_over_the_other_valid_samples():
    forecast = 0.7 * TRUTH + 0.3 * drawn(9)
    result = ot.verify(forecast, HOLED, baselines=["climatology"], **OPTIONS)
    climatology = np.full_like(HOLED, np.nan)
    for sample in range(SAMPLES):
        others = np.delete(HOLED, sample, 0)
        count = np.isfinite(others).sum(0)
        climatology[sample] = np.where(count > 0, np.nansum(others, 0) / count.clip(1), np.nan)
    by_hand = ot.verify(forecast, HOLED, against={"climatology": climatology}, **OPTIONS)
    ours, theirs = result.comparisons[0], by_hand.comparisons[0]
    for name in ("target", "prediction", "residual"):
        np.testing.assert_allclose(
            getattr(ours.second, name), getattr(theirs.second, name), rtol=1e-7, equal_nan=True
        )
    assert np.nanmean(ours.second.error_ratio[ours.second.reported]) > 0.5
