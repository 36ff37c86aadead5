"""Numbers in sentences."""

from __future__ import annotations

import pytest

from overtone.wording import by_axis, per_axis


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
    assert per_axis(values) == told


def test_the_sign_between_them_is_free() -> None:
    assert by_axis(["4", "4", "2"], " × ") == "4 × 4 × 2"
