"""Numbers in sentences."""

from __future__ import annotations

import pytest

from overtone._utils.text import by_axis, difference, format_per_axis, higher


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((3.0,), "3"),
        ((3.0, 3.0), "3"),
        ((12.61, 19.14), "12.6 x 19.1"),
        ((1.0, 2.0, 1.0), "1 x 2 x 1"),
        ((2.0, 2.0001), "2"),
        ((), ""),
    ],
)
def test_axes_are_told_one_by_one_unless_all_are_the_same(values: tuple[float, ...], told: str) -> None:
    assert format_per_axis(values) == told


def test_the_sign_between_them_is_free() -> None:
    assert by_axis(["4", "4", "2"], " × ") == "4 × 4 × 2"


@pytest.mark.parametrize(
    ("ratio", "told"),
    [
        (1.716, "71.6% higher"),
        (2.33, "133% higher"),
        (12.0, "12 times as large"),
        (float("inf"), "far higher"),
    ],
)
def test_rises_are_told_one_way(ratio: float, told: str) -> None:
    assert higher(ratio) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [(3.0, "3.0 dB"), (0.24, "0.24 dB"), (-0.999, "1.0 dB"), (0.0, "0.00 dB"), (1e-5, "under 0.01 dB")],
)
def test_differences_are_finer_where_they_are_small(value: float, told: str) -> None:
    assert difference(value) == told
