"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtone._utils import text
from overtone.plots import _labels


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0"),
        (0.01234, "0.0123"),
        (12.34, "12.3"),
        (12345.0, "12,300"),
        (999.96, "1,000"),
        (1.2e-6, "1.20·10⁻⁶"),
        (3e12, "3.00·10¹²"),
        (-2.5, "-2.5"),
        (math.nan, "unknown"),
        (math.inf, "unknown"),
    ],
)
def test_numbers_read_as_people_write_them(value: float, said: str) -> None:
    assert text.number(value) == said


@given(st.floats(1e-4, 1e8))
def test_numbers_keep_three_significant_digits(value: float) -> None:
    shown = float(text.number(value).replace(",", ""))
    assert abs(shown - value) <= 0.5e-2 * value * (1 + 1e-9)


@given(st.floats(0, 1))
def test_percentages_never_claim_all_or_nothing_falsely(fraction: float) -> None:
    said = text.percent(fraction)
    assert (said == "0%") == (fraction == 0)
    assert (said == "100%") == (fraction == 1)


@pytest.mark.parametrize(
    ("fraction", "said"),
    [(0.5, "50%"), (0.9996, "99.96%"), (0.99999999, "over 99.99%"), (1e-9, "under 0.01%"), (3.07, "307%")],
)
def test_percentages(fraction: float, said: str) -> None:
    assert text.percent(fraction) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.02, "0.02"),
        (500, "500"),
        (2000, "2k"),
        (1e6, "1M"),
        (1e-5, "10<sup>−5</sup>"),
        (3e-4, "3·10<sup>−4</sup>"),
    ],
)
def test_ticks_are_short(value: float, said: str) -> None:
    assert _labels.tick(value) == said


def test_units_are_squared_readably() -> None:
    assert [_labels.squared(u) for u in ("", "Pa", "m/s")] == ["value²", "Pa²", "(m/s)²"]


def test_names_cannot_smuggle_markup_into_figures() -> None:
    assert "<" not in _labels.escaped("<b>x</b> %{y}")
    assert "%{" not in _labels.escaped("<b>x</b> %{y}")
    assert len(_labels.escaped("a" * 1000)) == 40


def test_plurals_and_levels() -> None:
    assert [text.plural(n, "band") for n in (1, 2, 1000)] == ["1 band", "2 bands", "1,000 bands"]
    assert [text.decibels(v) for v in (26.04, math.inf, math.nan)] == ["26.0 dB", "infinite", "unknown"]
