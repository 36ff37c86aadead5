"""Samples at scattered places and rows of tables."""

import numpy as np
import pandas as pd
import pytest
import torch

from overtone import signals
from overtone.errors import InputError
from tests.signals.refusals import refusal

ROWS = "a,b,c\n1,2,3\n4,5,7\n0,1,2\n"


def test_places_have_a_box_and_a_unit():
    found = signals.points([[1.0, 5.0], [3.0, 5.0]], [1.0, 2.0], units=("s", "s"))
    assert (found.geometry.origin, found.geometry.extent) == ((1.0, 5.0), (2.0, 1.0))
    assert found.geometry.frequency_unit == "Hz"
    assert found.values.shape == (2, 1)
    assert (found.geometry.axes, found.geometry.shape) == (2, (2,))
    assert found.geometry.nyquist == (np.inf, np.inf)
    assert found.coords.dtype == torch.float64
    assert found.geometry.coords(torch.tensor([1])).tolist() == [[3.0, 5.0]]
    assert signals.points([[1.0, 5.0], [3.0, 5.0]], [1, 2], units=("x", "y")).geometry.frequency_unit == (
        "cycles per unit of the column"
    )


def test_they_are_split_as_signals_are():
    found = signals.points(np.arange(10.0), np.arange(10.0))
    split = found.with_held_out(signals.masks.random(found.geometry, 0.2, 0))
    assert (len(split.train_index), len(split.held_out_index)) == (8, 2)
    assert isinstance(split.geometry, signals.Points)
    assert split.grid_values.shape == split.values.shape


def test_a_table_is_read_by_the_names_of_its_columns(tmp_path):
    (tmp_path / "t.csv").write_text(ROWS)
    found = signals.read(tmp_path / "t.csv", inputs=["b", "a"])
    assert found.coords.tolist() == [[2, 1], [5, 4], [1, 0]]
    assert (found.channels, found.geometry.units, found.kind) == (("c",), ("b", "a"), "table")
    assert signals.table(tmp_path / "t.csv", ["c"], ["a"]).values.tolist() == [[1], [4], [0]]


@pytest.mark.parametrize(
    ("inputs", "columns", "message"),
    [
        (["x"], None, "expected columns among a, b, c, got 'x'; check the header"),
        (["a"], ["a"], "expected input columns and other target columns, got a as both"),
        (["a", "b", "c"], None, "got no column for one of them"),
    ],
)
def test_wrong_columns_are_named(tmp_path, inputs, columns, message):
    (tmp_path / "t.csv").write_text(ROWS)
    with pytest.raises(InputError, match=message):
        signals.table(tmp_path / "t.csv", inputs, columns)


@pytest.mark.parametrize(
    ("coords", "values", "message"),
    [
        (
            [1.0, 2.0],
            [1.0],
            "expected two samples or more, with one row of values per point, got 2 points and 1",
        ),
        ([1.0, float("nan")], [1.0, 2.0], "expected finite coordinates, got nan in row 1, column 0"),
        ([1.0, 2.0], [1.0, float("inf")], "expected finite values, got inf in row 1, column 0"),
        ([1.0, 1.0], [1.0, 2.0], "expected coordinates that vary, got the same in every row"),
        ([1.0, 2.0], [3.0, 3.0], "expected values that vary, got the same in every row"),
        ([[[1.0]]], [1.0], "expected one row per sample"),
        ([[0.0, 0.0], [1e13, 1.0]], [1.0, 2.0], "a factor of 1e.13; pass units= with a name for each axis"),
        (np.float32([1.7e9, 1.7e9 + 600]), [1.0, 2.0], "got 5 along coordinate, between 1.7e.09"),
        (
            pd.DataFrame({"t": pd.to_datetime(["2020", "2021"])}),
            [1.0, 2.0],
            "convert it to numbers, as .dates -",
        ),
        (pd.DataFrame({"t": [1.0, 2]}), pd.Series([1.0, 2], [1, 0]), "got the same index in another order"),
    ],
)
def test_what_cannot_be_learned_is_refused(coords, values, message):
    with pytest.raises(InputError, match=message):
        signals.points(coords, values)


@pytest.mark.parametrize(
    ("coords", "values", "told"),
    [
        ([["a"], ["b"]], [1, 2], "rows of numbers"),
        ([[1, 2], [3]], [1, 2], "all of one length"),
        ([1, 2], [1 + 1j, 2], "real and imaginary parts as two columns"),
        ([1, 2], np.array([1e300, -1e300]), "express the values in a larger unit"),
    ],
)
def test_what_cannot_be_columns_is_refused(coords, values, told):
    assert told in refusal(signals.points, coords, values)


def test_scales_and_digits_that_are_lost_are_noted_and_the_advice_works():
    mixed = [[0.0, 0.0], [1e5, 1.0]]
    assert "differ by a factor of 1e+05; pass units=" in signals.points(mixed, [1, 2]).notes[0]
    assert signals.points(mixed, [1, 2], units=("a", "b")).notes == ()
    assert signals.points([[0.0, 0.0], [1e13, 1.0]], [1, 2], units=("a", "b")).notes == ()
    day = 1.7e9 + np.float64([0.0, 86400.0])
    assert (
        "distinguishes 675 places along coordinate" in signals.points(day.astype(np.float32), [1, 2]).notes[0]
    )
    assert signals.points(day, [1, 2]).notes == ()
