"""Logarithmic axes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from overtone.plots import _style as style


@given(st.floats(1e-9, 1e9), st.floats(1.01, 1e9))
def test_ticks_lie_inside_and_are_few(low: float, ratio: float) -> None:
    ticks = style.ticks(low, low * ratio)
    assert 1 <= ticks.size <= 6
    assert (ticks >= low * (1 - 1e-6)).all()
    assert (ticks <= low * ratio * (1 + 1e-6)).all()


@given(st.floats(1e-3, 1e3), st.floats(10, 1e6))
def test_ticks_over_a_decade_or_more_are_round(low: float, ratio: float) -> None:
    mantissas = style.ticks(low, low * ratio)
    mantissas = mantissas / 10.0 ** np.floor(np.log10(mantissas) + 1e-9)
    assert np.isclose(mantissas[:, None], [1, 2, 3, 5]).any(axis=1).all()


def test_step_zero_is_drawn_left_of_the_first_positive_step() -> None:
    assert style.step_positions(np.array([0, 4, 8])).tolist() == [2, 4, 8]
    assert style.step_positions(np.array([0])).tolist() == [0.5]
    assert style.step_positions(np.array([3, 5])).tolist() == [3, 5]


def test_step_zero_is_labelled_and_nothing_collides_with_it() -> None:
    axis = style.step_axis(np.array([0, 1, 10, 100_000]))
    assert axis["ticktext"][0] == "0"
    assert axis["tickvals"][0] == 0.5
    assert 1 not in axis["tickvals"]
    assert 1 in style.step_axis(np.array([0, 1, 10, 1000]))["tickvals"]


def test_axes_survive_one_value_and_no_value() -> None:
    one = style.log_axis(5.0, 5.0, "x")
    assert one["range"][0] < np.log10(5) < one["range"][1]
    assert np.isfinite(style.power_axis([np.array([np.nan, 0.0])], "y")["range"]).all()


def test_power_axes_hide_what_is_eight_decades_below() -> None:
    low, high = style.power_axis([np.array([1e-30, 1.0])], "y")["range"]
    assert low > -9
    assert high > 0


def test_titles_are_plain_text() -> None:
    assert "<" not in style.log_axis(1, 10, "Frequency (<img src=x>)")["title"]["text"]
