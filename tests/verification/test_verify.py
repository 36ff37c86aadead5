"""A forecast against the truth in a box: resolution, facts, sentences, and what is refused."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch

import overtone as ot
from overtone.errors import InputError
from overtone.records.metrics._field_scores import CrossingCode, FactCode, NoteCode, ResolutionCriterion
from tests.verification import fields

TRUTH = fields.truth(40)


def verified(forecast, truth=TRUTH, **options):
    return ot.verify(forecast, truth, **{"periodic": True, "spacing": 10.0, "unit": "km", **options})


def finest(result):
    """The code of the finest range that has one."""
    return result.scores[0].facts[-1].code


def test_blur_and_noise_of_equal_error_get_different_sentences():
    blurred = fields.blurred(TRUTH)
    error = np.mean((blurred - TRUTH) ** 2)
    noisy = fields.noisy(TRUTH, error)
    assert np.mean((noisy - TRUTH) ** 2) == pytest.approx(error)
    for periodic in (True, False):
        first, second = verified(blurred, periodic=periodic), verified(noisy, periodic=periodic)
        assert finest(first) in (FactCode.OVERSMOOTHED, FactCode.HEDGED)
        assert finest(second) is FactCode.NOISY
        assert any("blurred" in line for line in first.sentences)
        assert not any("noisy" in line for line in first.sentences)
        assert any("noisy" in line for line in second.sentences)
        assert not any("blurred" in line for line in second.sentences)


@pytest.mark.parametrize(
    ("forecast", "code", "word"),
    [
        (fields.hedged(TRUTH), FactCode.HEDGED, "hedged"),
        (fields.filtered(TRUTH, np.where(fields.K < 10, 1, 0.85)), FactCode.OVERSMOOTHED, "over-smoothed"),
        (
            fields.filtered(fields.displaced(TRUTH), np.where(fields.K < 10, 1, 0.2)),
            FactCode.BLURRED,
            "blurred",
        ),
        (fields.displaced(TRUTH), FactCode.MISPLACED, "wrong place"),
        (TRUTH, FactCode.GOOD, "good"),
        (TRUTH + 0.01 * fields.truth(40, 9), FactCode.GOOD, "good"),
        (0 * TRUTH, FactCode.NO_POWER, "no structure"),
    ],
    ids=["hedged", "filtered", "faint and unrelated", "displaced", "perfect", "nearly perfect", "flat"],
)
def test_planted_defects_are_named(forecast, code, word):
    result = verified(forecast)
    assert finest(result) is code
    assert all(fact.certain or fact.code is FactCode.NO_POWER for fact in result.scores[0].facts)
    assert word in " ".join(result.sentences)
    assert "-0.00" not in " ".join(result.sentences)
    assert ("hedged" in result.sentences[-1]) is (code is FactCode.HEDGED)


def test_the_effective_resolution_of_a_filter_is_where_half_of_the_power_is_error():
    """A Gaussian blur exp(-(k/12)^2) has the error ratio (1 - g)^2, 1/2 at k = 12 sqrt(-log(1 - sqrt(1/2)))."""
    k = 12 * np.sqrt(-np.log(1 - np.sqrt(0.5)))
    (resolution,) = verified(fields.blurred(TRUTH)).effective_resolution
    assert resolution.wavelength == pytest.approx(640 / k, rel=0.01)
    assert resolution.low <= resolution.wavelength <= resolution.high
    assert resolution.unit == "km"
    # The power ratio exp(-2 (k/12)^2) is 1/2 at k = 12 sqrt(log(2) / 2); the coherence stays near 1.
    result = verified(fields.blurred(TRUTH))
    power = result.resolution(result.scores[0], ResolutionCriterion.POWER)
    assert power.wavelength == pytest.approx(640 / (12 * np.sqrt(np.log(2) / 2)), rel=0.02)
    coherence = result.resolution(result.scores[0], ResolutionCriterion.COHERENCE)
    assert coherence.crossing.code is CrossingCode.NOT_CROSSED


def test_white_noise_crosses_where_its_power_is_half_of_the_truths():
    result = verified(fields.noisy(TRUTH, 1e-3))
    score = result.scores[0]
    (resolution,) = result.effective_resolution
    expected = 1e-3 * np.array(list(_modes_share(score)))
    crossing = np.flatnonzero((expected >= 0.5 * score.target) & score.reported)[0]
    assert 1 / score.high[crossing] * 0.99 <= resolution.wavelength <= 1 / score.low[crossing - 1] * 1.01


def _modes_share(score):
    frequency = fields.K / 640
    for low, high in zip(score.low, score.high, strict=True):
        yield ((frequency >= low) & (frequency < high)).mean()


def test_errors_of_amplitude_and_decorrelation_add_up_and_powers_close():
    score = verified(fields.hedged(TRUTH)).scores[0]
    np.testing.assert_allclose(score.amplitude_error + score.decorrelation_error, score.residual, rtol=1e-15)
    assert score.target.sum() == pytest.approx(np.mean(TRUTH**2))
    assert score.residual.sum() == pytest.approx(np.mean((fields.hedged(TRUTH) - TRUTH) ** 2))


def test_steep_truths_in_open_boxes_get_a_window_and_flat_ones_the_even_extension():
    steep, flat = fields.truth(6, exponent=5)[..., :40, :40], fields.truth(6, exponent=1)[..., :40, :40]
    assert "Hann" in verified(0.9 * steep, steep, periodic=False).estimator
    result = verified(0.9 * flat, flat, periodic=False)
    assert result.estimator == "even extension"
    (note,) = [n for n in result.notes if n.code is NoteCode.LARGE_SCALES]
    assert note.values["wavelength"] <= 400 / 3 + 1e-9


def test_few_samples_have_no_intervals_and_the_sentences_say_so():
    result = verified(fields.blurred(TRUTH[:5]), TRUTH[:5])
    assert np.isnan(result.scores[0].error_interval.low).all()
    assert not any(fact.certain for fact in result.scores[0].facts)
    assert "With 5 samples there are no intervals" in result.sentences[-1]
    assert "in these samples" in result.sentences[-2]
    one = verified(fields.blurred(TRUTH[:1]), TRUTH[:1])
    assert one.notes[-1].code is NoteCode.ONE_SAMPLE
    assert "With one sample there is no interval" in one.sentences[-1]


def test_far_too_much_power_is_said_as_a_multiple():
    sentence = verified(fields.noisy(TRUTH, 1.0)).sentences[-1]
    assert re.search(r"it has [\d,]+ times the truth's power", sentence)


def test_an_interval_that_is_not_stated_has_no_end():
    """With few samples some bands have no interval, and others an infinite one."""
    truth = fields.truth(16, exponent=2.0)
    result = verified(np.roll(truth, (5, -3), (2, 3)), truth)
    (resolution,) = result.effective_resolution
    assert np.isnan(resolution.low) == np.isnan(resolution.high)
    assert not any("unknown" in sentence for sentence in result.sentences)


def test_samples_that_repeat_each_other_are_not_counted_twice():
    repeated, forecast = (np.repeat(x[:6], 10, axis=0) for x in (TRUTH, fields.noisy(TRUTH, 1e-3)))
    result = verified(forecast, repeated)
    effective = result.scores[0].error_interval.effective[result.scores[0].reported]
    assert float(np.median(effective)) < 12


def test_a_constant_truth_has_no_spectrum_and_a_constant_forecast_is_an_answer():
    result = verified(TRUTH[:3], np.full_like(TRUTH[:3], 7.0))
    assert result.notes[0].code is NoteCode.CONSTANT_TRUTH
    assert "constant" in result.sentences[0]
    flat = verified(np.full_like(TRUTH[:3], 7.0), TRUTH[:3])
    assert "no structure" in flat.sentences[1]


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy, lambda x: {"a": x[:, 0]}])
def test_arrays_tensors_and_mappings_have_the_same_figures(kind):
    forecast = fields.noisy(TRUTH, 1e-3)
    result = verified(kind(forecast), kind(TRUTH))
    np.testing.assert_allclose(result.scores[0].residual, verified(forecast).scores[0].residual, rtol=1e-12)


def test_inputs_stay_as_they_are_and_may_be_read_only():
    frozen = TRUTH[:2].copy()
    frozen.flags.writeable = False
    verified(frozen, frozen)
    np.testing.assert_array_equal(frozen, TRUTH[:2])


def test_volumes_and_series_are_fields_too():
    generator = np.random.default_rng(0)
    for shape in ((3, 2, 64), (3, 1, 8, 9, 10)):
        truth = generator.standard_normal(shape)
        result = ot.verify(0.5 * truth, truth, periodic=True)
        assert len(result.scores) == shape[1]
        np.testing.assert_allclose(result.scores[0].error_ratio[result.scores[0].reported], 0.25)


def test_the_document_is_json():
    document = json.loads(json.dumps(verified(fields.blurred(TRUTH)).to_json(), allow_nan=False))
    assert document["wavelength_unit"] == "km"
    assert len(document["bands"]) == len(document["scores"][0]["bands"])
    assert document["scores"][0]["effective_resolution"]["error power"]["code"] == "crossed"
    assert document["sentences"]


def holed(fields):
    fields = fields.copy()
    fields[0, 0, 3, 4] = np.inf
    return fields


@pytest.mark.parametrize(
    ("forecast", "truth", "options", "message"),
    [
        (TRUTH[:3], TRUTH[:2], {}, r"truth's shape \(2, 1, 64, 64\), got \(3, 1, 64, 64\)"),
        (TRUTH[0], TRUTH[0], {}, None),
        (TRUTH[0, 0], TRUTH[0, 0], {}, "1 to 3 axes of space"),
        (TRUTH[:2] * np.nan, TRUTH[:2], {}, "cells that are valid in both fields"),
        (TRUTH[:2], holed(TRUTH[:2]), {}, "truth: expected finite values, or NaN where a cell is missing"),
        (TRUTH[:2] * 1j, TRUTH[:2], {}, "real numbers"),
        (TRUTH[:2], TRUTH[:2], {"variables": ["a"]}, "only of named arrays"),
        ({"a": TRUTH[:, 0]}, {"b": TRUTH[:, 0]}, {}, "variables of the same name"),
        ({"a": TRUTH[:, 0]}, {"a": TRUTH[:, 0]}, {"variables": ["b"]}, "one of the variables a"),
        ({"a": TRUTH[:, 0]}, TRUTH, {}, "two arrays or two mappings"),
        (TRUTH[:2], TRUTH[:2], {"level": 1.5}, "level"),
        (TRUTH[:2], TRUTH[:2], {"spacing": -1.0}, "positive finite distances"),
        (TRUTH[:2, :, :4, :4], TRUTH[:2, :, :4, :4], {"periodic": False}, "three waves"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_sentence(forecast, truth, options, message):
    if message is None:
        assert verified(forecast, truth, **options).scores
        return
    with pytest.raises(InputError, match=message):
        verified(forecast, truth, **options)
