"""Intervals over dependent samples: coverage, and where none is stated."""

from __future__ import annotations

import numpy as np
import pytest

import overtone as ot
from overtone.records.metrics._field_scores import FieldScore, ResolutionCriterion
from overtone.records.metrics._intervals import (
    SMALLEST,
    coherence_interval,
    difference_interval,
    error_ratio_interval,
    power_ratio_interval,
    ratio_interval,
    slope_interval,
)

SERIES = 600
"""Series per case; the standard error of a coverage of 0.9 is 0.012."""


def powers(samples: int, memory: float, seed: int) -> np.ndarray:
    """(samples, 3, SERIES) powers of 8 complex AR(1) modes, of truth and a forecast with r = 0.5."""
    generator = np.random.default_rng(seed)
    shape = (8, SERIES, 2)
    truth = np.empty((samples, *shape))
    noise = np.empty_like(truth)
    for field in (truth, noise):
        field[0] = generator.standard_normal(shape)
        for t in range(1, samples):
            field[t] = memory * field[t - 1] + np.sqrt(1 - memory**2) * generator.standard_normal(shape)
    forecast = 0.5 * truth + 0.5 * noise
    return np.stack([(x**2).sum((1, 3)) for x in (truth, forecast, forecast - truth)], axis=1)


@pytest.mark.parametrize(("samples", "memory"), [(20, 0.0), (60, 0.5), (200, 0.8)])
@pytest.mark.parametrize(
    ("interval", "value"),
    [
        (error_ratio_interval, 0.5),
        (power_ratio_interval, 0.5),
        (coherence_interval, np.sqrt(0.5)),
        (slope_interval, 1.0),
    ],
)
def test_intervals_cover_what_they_claim(samples, memory, interval, value):
    result = interval(powers(samples, memory, seed=samples), 0.9)
    stated = np.isfinite(result.low)
    assert stated.mean() > 0.6
    covered = ((result.low <= value) & (value <= result.high))[stated].mean()
    assert 0.83 < covered < 0.97


@pytest.mark.parametrize(("samples", "memory"), [(20, 0.0), (60, 0.5), (200, 0.8)])
def test_intervals_of_paired_differences_cover_what_they_claim(samples, memory):
    """The second forecast has twice the amplitude of the first: errors 0.5 and 2 T - 2 T + ... by expectation."""
    first = powers(samples, memory, seed=samples + 1)
    truth, forecast, error = first[:, 0], first[:, 1], first[:, 2]
    # |2 f - t|^2 = 2 |f - t|^2 + 2 |f|^2 - |t|^2, of expectation 2 x 0.5 + 2 x 0.5 - 1 = 1.
    second = 2 * error + 2 * forecast - truth
    result = difference_interval(error, second, truth, 0.9)
    stated = np.isfinite(result.low)
    assert stated.mean() > 0.6
    assert 0.83 < ((result.low <= -0.5) & (result.high >= -0.5))[stated].mean() < 0.97


@pytest.mark.parametrize(("samples", "memory"), [(20, 0.0), (60, 0.5)])
def test_intervals_of_the_spread_ratio_cover_what_they_claim(samples, memory):
    """Five members and the truth are exchangeable, so that the ratio is 1."""
    generator = np.random.default_rng(samples)
    fields = np.empty((samples, 6, 8, SERIES))
    fields[0] = generator.standard_normal(fields.shape[1:])
    for t in range(1, samples):
        fields[t] = memory * fields[t - 1] + np.sqrt(1 - memory**2) * generator.standard_normal(
            fields.shape[1:]
        )
    members, truth = fields[:, :5], fields[:, 5]
    spread = 1.2 * members.var(1, ddof=1).sum(1)
    result = ratio_interval(spread, ((members.mean(1) - truth) ** 2).sum(1), 0.9)
    stated = np.isfinite(result.low)
    assert stated.mean() > 0.6
    assert 0.83 < ((result.low <= 1) & (result.high >= 1))[stated].mean() < 0.97


@pytest.mark.parametrize(("samples", "memory"), [(30, 0.0), (80, 0.5)])
def test_intervals_of_the_effective_resolution_cover_what_they_claim(samples, memory):
    """The error ratio of eight bands is x / (1 + x) with x = f / 4, which is one half at f = 4."""
    generator = np.random.default_rng(samples)
    frequency = np.geomspace(1, 16, 9)
    middle = np.sqrt(frequency[1:] * frequency[:-1])
    shape = (8, SERIES // 3, 8)
    truth, noise = np.empty((samples, *shape)), np.empty((samples, *shape))
    for field in (truth, noise):
        field[0] = generator.standard_normal(shape)
        for t in range(1, samples):
            field[t] = memory * field[t - 1] + np.sqrt(1 - memory**2) * generator.standard_normal(shape)
    share = (middle / 4 / (1 + middle / 4))[:, None, None]
    # A mean over outcomes: gain 1 - s and noise s (1 - s) leave the error s.
    forecast = (1 - share) * truth + np.sqrt(share * (1 - share)) * noise
    blocks = np.stack([(x**2).sum(-1) for x in (truth, forecast, forecast - truth)], axis=1)
    covered = []
    for series in range(shape[1]):
        rows = blocks[..., series]
        score = score_of_rows(rows, frequency)
        crossing = score.crossing(ResolutionCriterion.ERROR)
        if np.isfinite(crossing.low):
            covered.append(crossing.low <= 4 <= crossing.high)
    assert len(covered) > 0.6 * shape[1]
    # Both ends are where the ends of many bands cross, which is on the safe side.
    assert 0.83 < np.mean(covered) <= 1


def score_of_rows(rows, edges):
    """A score from (sample, 3, band) powers."""
    return FieldScore(
        "a",
        None,
        len(rows),
        *rows.mean(0),
        error_ratio_interval(rows, 0.9),
        power_ratio_interval(rows, 0.9),
        coherence_interval(rows, 0.9),
        slope_interval(rows, 0.9),
        edges[:-1],
        edges[1:],
        np.ones(len(edges) - 1, dtype=bool),
    )


def test_strong_dependence_states_none():
    result = error_ratio_interval(powers(40, 0.95, seed=1), 0.9)
    assert np.isnan(result.low).mean() > 0.8
    assert (result.effective[np.isnan(result.low)] < SMALLEST).all()


def test_a_few_samples_state_none_whatever_they_are():
    result = error_ratio_interval(powers(SMALLEST - 1, 0.0, seed=2), 0.9)
    assert np.isnan(result.low).all()


def test_more_samples_narrow_the_interval_by_the_root_of_their_number():
    widths = []
    for samples in (100, 400):
        result = error_ratio_interval(powers(samples, 0.0, seed=3), 0.9)
        widths.append(np.nanmedian(np.log(result.high / result.low)))
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.15)


def test_a_perfect_forecast_has_an_interval_of_zero_width():
    blocks = np.repeat(np.random.default_rng(0).random((30, 1, 2)), 3, axis=1)
    blocks[:, 2] = 0
    result = error_ratio_interval(blocks, 0.9)
    assert result.low.tolist() == result.high.tolist() == [0, 0]


def test_samples_that_hardly_differ_are_worth_one_and_not_less():
    """An error that grows evenly is one long swing."""
    growth = np.linspace(1, 2, 12)[:, None, None]
    truth, noise = np.random.default_rng(0).standard_normal((2, 1, 1, 64))
    sentences = " ".join(
        ot.verify(truth + 0.1 * growth * noise, truth * np.ones((12, 1, 1)), periodic=True).sentences
    )
    assert "worth about 1 independent one," in sentences
    assert "independent ones" not in sentences
