"""Intervals hold what they promise."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from overtone._utils.statistics import student_half_width
from overtone.comparing._plots import CandidateCost, CandidateQuality, label_sides
from overtone.comparing._statistics import Margin, Score, grid_cells, psnr_margin

BOX = np.repeat(np.arange(64), 8)
"""64 boxes of 8 samples."""


def errors(seed, scale=1.0, seeds=1):
    rng = np.random.default_rng(seed)
    return scale * rng.standard_normal((seeds, 512)) ** 2


def test_the_half_width_is_students():
    values = np.array([1.0, 2.5, 2.0, 4.0])
    low, high = scipy.stats.t.interval(0.9, 3, values.mean(), scipy.stats.sem(values))
    assert student_half_width(values, 0.9) == pytest.approx((high - low) / 2, rel=1e-12)
    assert student_half_width(values[:1], 0.9) == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 10), st.integers(1, 4), st.integers(1, 4))
def test_a_margin_changes_sign_with_its_order_and_is_the_difference_of_levels(seed, scale, mine, yours):
    first, second = errors(seed, 1.0, mine), errors(seed + 1, scale, yours)
    forth, back = psnr_margin(first, second, BOX), psnr_margin(second, first, BOX)
    assert forth.mean == pytest.approx(-back.mean, abs=1e-9)
    assert forth.low == pytest.approx(-back.high, abs=1e-9)
    levels = [-10 * np.log10(e.mean(1)).mean() for e in (first, second)]
    assert forth.mean == pytest.approx(levels[0] - levels[1], abs=1e-9)
    assert forth.low <= forth.mean <= forth.high


def test_the_interval_of_samples_is_that_of_the_bootstrap_over_boxes():
    rng = np.random.default_rng(0)
    shared = np.repeat(rng.gamma(2.0, size=64), 8)
    first, second = shared * errors(1)[0], 1.5 * shared * errors(2)[0]
    found = psnr_margin(first[None], second[None], BOX)
    a, b = (e.reshape(64, 8).sum(1) for e in (first, second))
    drawn = rng.integers(0, 64, (4000, 64))
    levels = 10 * np.log10(b[drawn].sum(1) / a[drawn].sum(1))
    half = (np.quantile(levels, 0.95) - np.quantile(levels, 0.05)) / 2
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.15)


def test_equal_candidates_are_rarely_told_apart_and_different_ones_mostly():
    clear = [psnr_margin(errors(s), errors(s + 1000), BOX).low > 0 for s in range(200)]
    assert sum(clear) <= 10 + 3 * math.sqrt(10)
    assert all(psnr_margin(errors(s), errors(s + 1000, 2.0), BOX).clear for s in range(50))


def test_seeds_that_disagree_widen_it():
    calm = psnr_margin(errors(0, seeds=3), errors(1, 2.0), BOX)
    torn = psnr_margin(errors(0, seeds=3) * np.array([[0.2], [1.0], [5.0]]), errors(1, 2.0), BOX)
    assert torn.high - torn.low > 3 * (calm.high - calm.low)


def test_what_counts_as_clear():
    assert Margin(0.5, 0.1, 0.9).clear
    assert not Margin(0.5, -0.1, 1.1).clear
    assert not Margin(0.05, 0.01, 0.09).clear
    assert str(Margin(0.5, -0.11, 1.1)) == "0.5 dB (-0.1 to 1.1)"
    assert str(Margin(0.06, -0.51, 0.6)) == "0.06 dB (-0.5 to 0.6)"


@pytest.mark.parametrize("shape", [(1000,), (40, 50), (9, 10, 11), (3, 200)])
def test_boxes_are_contiguous_and_about_as_many(shape):
    box = grid_cells(shape).reshape(shape)
    assert 12 <= len(np.unique(box)) <= 64
    for number in np.unique(box)[:8]:
        inside = np.argwhere(box == number)
        assert len(inside) == np.prod(np.ptp(inside, axis=0) + 1)


def test_labels_of_dots_that_lie_together_go_to_different_sides():
    seconds, psnr = np.array([1.0, 1.01, 1.02, 1000.0]), np.array([30.0, 30.02, 30.01, 10.0])
    sides = label_sides(seconds, psnr)
    assert len(set(sides[:3])) == 3
    assert label_sides(seconds[[0, 3]], psnr[[0, 3]]) == ["top center"] * 2
    assert label_sides(seconds[:1], psnr[:1]) == ["top center"]


SCORES = [
    Score(name, trained, (mean,), mean - half, mean + half, seconds, None, "")
    for name, trained, mean, half, seconds in (
        ("gaussian", True, 31.0, 0.5, 12.0),
        ("spline", False, 29.8, 0.0, 0.3),
        ("mean", False, 14.0, 0.0, 0.0),
    )
]


@pytest.mark.parametrize("plot", [CandidateQuality(SCORES), CandidateCost(SCORES)], ids=["quality", "cost"])
def test_figures_for_screens_and_papers_show_the_same_candidates(plot, tmp_path):
    screen = {name for trace in plot.plotly().data for name in (trace.text or trace.y)}
    assert screen == {"gaussian", "spline", "mean"}
    axes = Figure().subplots()
    assert plot.figure(ax=axes) is axes.figure
    labels = [*axes.get_yticklabels(), *axes.texts]
    assert screen <= {label.get_text() for label in labels}
    assert "PSNR" in axes.get_xlabel() + axes.get_ylabel()
    assert plot.save(tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")
    assert "gaussian" in plot.describe()
    assert "of 3 candidate" in repr(plot)
