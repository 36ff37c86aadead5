from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from overtone.signals import Grid
from tests.signals.refusals import refusal

grids = st.lists(
    st.tuples(st.integers(1, 7), st.floats(0.01, 100), st.floats(-100, 100)), min_size=1, max_size=3
)


def make(axes: list[tuple[int, float, float]]) -> Grid:
    shape, spacing, origin = zip(*axes, strict=True)
    return Grid(shape, spacing, origin, ("mm",) * len(axes), (False,) * len(axes))


@given(grids)
def test_coordinates_round_trip_to_indices(axes: list[tuple[int, float, float]]) -> None:
    grid = make(axes)
    coords = grid.coords().numpy()
    assert coords.dtype == np.float64
    steps = np.round((coords - grid.origin) / grid.spacing).astype(int)
    flat = np.ravel_multi_index(tuple(steps.T), grid.shape)
    np.testing.assert_array_equal(flat, np.arange(grid.samples))


@given(grids, st.data())
def test_coordinates_of_an_index_are_those_of_the_whole(
    axes: list[tuple[int, float, float]], data: st.DataObject
) -> None:
    grid = make(axes)
    index = torch.tensor(data.draw(st.lists(st.integers(0, grid.samples - 1), min_size=1, max_size=5)))
    assert torch.equal(grid.coords(index), grid.coords()[index])


def test_coordinates_of_a_small_grid_by_hand() -> None:
    grid = Grid((2, 3), (10.0, 1.0), (5.0, 0.5), ("mm", "mm"), (False, False))
    expected = [[5, 0.5], [5, 1.5], [5, 2.5], [15, 0.5], [15, 1.5], [15, 2.5]]
    assert grid.coords().tolist() == expected
    assert grid.extent == (20.0, 3.0)
    assert grid.nyquist == (0.05, 0.5)


def test_the_unit_box_spans_one_and_counts_cycles_per_array() -> None:
    grid = Grid.unit_box((4, 8), periodic=True)
    assert grid.extent == (1.0, 1.0)
    assert grid.nyquist == (2.0, 4.0)
    assert grid.frequency_unit == "cycles per array"
    assert grid.periodic == (True, True)


@pytest.mark.parametrize(
    ("units", "expected"),
    [(("s",), "Hz"), (("mm", "mm"), "cycles per mm"), (("mm", "s"), "cycles per mm / s")],
)
def test_frequency_units(units: tuple[str, ...], expected: str) -> None:
    n = len(units)
    assert Grid((2,) * n, (1.0,) * n, (0.0,) * n, units, (False,) * n).frequency_unit == expected


def test_what_is_no_grid_is_refused() -> None:
    assert "1 to 3 axes, got 4 axes" in refusal(Grid.unit_box, (2, 2, 2, 2))
    assert "at least one sample per axis, got shape (3, 0)" in refusal(Grid.unit_box, (3, 0))
    assert "one units per axis (1), got 2" in refusal(Grid, (2,), (1.0,), (0.0,), ("s", "s"), (False,))
    for bad in (0.0, -1.0, float("nan"), float("inf")):
        assert "positive finite distances" in refusal(Grid, (2,), (bad,), (0.0,), ("s",), (False,))
    assert "finite coordinates" in refusal(Grid, (2,), (1.0,), (float("nan"),), ("s",), (False,))
