from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from overtone.signals import read, series, table
from tests.signals.refusals import refusal


def csv(tmp_path: Path, text: str, name: str = "a.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_series_with_units(tmp_path: Path) -> None:
    path = csv(tmp_path, "time [s],pressure [Pa]\n1.0,100\n1.5,200\n2.0,150\n")
    signal = read(path)
    assert signal.kind == "series"
    assert signal.geometry.shape == (3,)
    assert signal.geometry.spacing == (0.5,)
    assert signal.geometry.origin == (1.0,)
    assert signal.geometry.frequency_unit == "Hz"
    assert signal.channels == ("pressure",)
    assert signal.value_unit == "Pa"
    assert signal.values.dtype == torch.float64
    assert signal.values[:, 0].tolist() == [100, 200, 150]
    assert signal.peak == 100


@pytest.mark.parametrize(
    ("header", "argument", "unit", "frequency"),
    [
        ("time [s]", None, "s", "Hz"),
        ("t (seconds)", None, "s", "Hz"),
        ("t (days)", None, "days", "cycles per days"),
        ("depth", None, "depth", "cycles per depth"),
        ("depth", "m", "m", "cycles per m"),
        ("t (days)", "year", "year", "cycles per year"),
    ],
)
def test_the_unit_of_time(
    tmp_path: Path, header: str, argument: str | None, unit: str, frequency: str
) -> None:
    grid = series(csv(tmp_path, f"{header},a\n0,1\n1,2\n"), unit=argument).geometry
    assert grid.units == (unit,)
    assert grid.frequency_unit == frequency


def test_columns_are_normalised_one_by_one_and_can_be_chosen(tmp_path: Path) -> None:
    path = csv(tmp_path, "note,a [K],t,b\nx,0,0,0\ny,2,1,1000\nz,4,2,0\n")
    both = series(path, time="t", columns=["a", "b"])
    assert both.channels == ("a [K]", "b")
    assert both.value_unit == ""
    assert both.normalisation.per_channel
    assert both.normalisation.scale.tolist() == pytest.approx([2, 2000 / 3])
    one = series(path, time="t", columns="a")
    assert (one.channels, one.value_unit) == (("a",), "K")
    assert "a column 'c', got columns note, a [K], t, b" in refusal(series, path, time="t", columns="c")
    assert "a column 'time'" in refusal(series, path, time="time")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_marks_and_blank_ends(tmp_path: Path, separator: str) -> None:
    text = "\ufeff# t,a\r\n0, 1\r\n1, 3\r\n\r\n".replace(",", separator)
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    signal = series(path)
    assert signal.channels == ("a",)
    assert signal.values[:, 0].tolist() == [1, 3]


def test_a_table_without_a_header_loses_no_row(tmp_path: Path) -> None:
    signal = series(csv(tmp_path, "0,5\n1,6\n2,8\n"))
    assert signal.values[:, 0].tolist() == [5, 6, 8]
    assert signal.channels == ("column 2",)
    assert signal.geometry.units == ("column 1",)
    assert "the text 'x' on line 3" in refusal(series, csv(tmp_path, "0,5\n1,6\n2,x\n"))


@pytest.mark.parametrize(
    ("unit", "step"), [(None, 0.5), ("days", 0.5), ("h", 12.0), ("min", 720.0), ("s", 43200.0)]
)
def test_dates_are_counted_from_the_first(tmp_path: Path, unit: str | None, step: float) -> None:
    path = csv(tmp_path, "date,a\n2024-02-28T12:00,1\n2024-02-29,2\n2024-02-29 12:00:00,3\n2024-03-01,5\n")
    signal = series(path, unit=unit)
    assert signal.geometry.spacing == pytest.approx((step,))
    assert signal.geometry.origin == (0.0,)
    assert signal.geometry.units == (unit or "days",)
    assert signal.notes == ("time counted from 2024-02-28T12:00",)


def test_dates_that_are_none_are_refused(tmp_path: Path) -> None:
    path = csv(tmp_path, "date,a\n2024-01-01,1\n2024-01-0x,2\n")
    assert "a date in column 'date', got '2024-01-0x' on line 3" in refusal(series, path)
    path = csv(tmp_path, "date,a\n2024-01-01,1\n2024-01-02,2\n")
    assert "a unit of dates among days, h, min, s, months, years, got 'year'" in refusal(
        series, path, unit="year"
    )


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("x", "the text 'x'"),
        ("", "an empty cell"),
        ("NaN", "the gap 'NaN'"),
        ("n/a", "the gap 'n/a'"),
        ("1;5", "the text"),
    ],
)
def test_a_cell_that_is_no_number_is_located(tmp_path: Path, cell: str, words: str) -> None:
    path = csv(tmp_path, f"t,a,b\n0,1,1\n1,2,2\n2,3,{cell}\n3,4,4\n")
    text = refusal(series, path)
    assert f"a number in column 'b', got {words}" in text
    assert "on line 4" in text


def test_a_blank_line_within_counts_as_a_line(tmp_path: Path) -> None:
    assert "an empty cell on line 3" in refusal(series, csv(tmp_path, "t,a\n0,1\n\n1,2\n"))
    assert "the text 'x' on line 4" in refusal(series, csv(tmp_path, "t,a\n0,1\n1,2\nx,2\n"))


def test_infinities_are_located(tmp_path: Path) -> None:
    assert "finite values, got -inf at line 3, column 'a'" in refusal(
        series, csv(tmp_path, "t,a\n0,1\n1,-inf\n")
    )
    assert "finite times, got inf on line 3" in refusal(series, csv(tmp_path, "t,a\n0,1\ninf,2\n"))


def test_times_that_do_not_increase_are_located(tmp_path: Path) -> None:
    text = refusal(series, csv(tmp_path, "t,a\n0,1\n1,2\n1,3\n2,4\n"))
    assert "column 't': expected times that increase, got the same time again (1) on line 4" in text
    text = refusal(series, csv(tmp_path, "t,a\n0,1\n2,2\n1,3\n"))
    assert "got an earlier time (1) on line 4" in text
    text = refusal(series, csv(tmp_path, "t,a\n2024-01-02,1\n2024-01-01,2\n"))
    assert "got an earlier time (2024-01-01) on line 3" in text


def test_uneven_times_are_refused_beyond_one_per_cent(tmp_path: Path) -> None:
    def path(shift: float) -> Path:
        times = np.arange(10.0)
        times[6:] += shift
        return csv(tmp_path, "t,a\n" + "".join(f"{t!r},{i % 3}\n" for i, t in enumerate(times.tolist())))

    assert series(path(0.009)).geometry.spacing == pytest.approx((1.001,))
    text = refusal(series, path(0.011))
    assert "evenly spaced times (steps within 1 % of the median, 1), got a step of 1.011 to line 8" in text
    assert "interpolate to even steps" in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a file with content, got an empty file"),
        ("\n\n", "rows of numbers, got no data"),
        ("t,a\n", "rows of numbers, got only a header"),
        ("t,a\n0,1\n", "at least 2 samples along every axis, got shape (1,)"),
        ("a\n1\n2\n", "a time column and at least one value column, got 1 column"),
        ("t,a,a\n1,2,3\n", "columns of different names, got 'a' twice"),
        ("t,a\n0,1\n1,2,3\n", "saw 3"),
        ("t,a\n0,1\n1,1\n", "a constant signal of value 1"),
    ],
)
def test_tables_that_hold_no_series_are_refused(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(series, csv(tmp_path, text))


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones(300))
    (tmp_path / "a.csv").write_bytes((tmp_path / "a.npy").read_bytes())
    assert "comma-separated text, got a NumPy array that could not be read" in refusal(
        series, tmp_path / "a.csv"
    )
    (tmp_path / "b.csv").write_bytes(b"t,a\n0,1\n1,\x00\xff\n")
    assert "comma-separated text" in refusal(series, tmp_path / "b.csv")


def test_uneven_times_and_rows_out_of_order_point_to_tables(tmp_path: Path) -> None:
    uneven, unsorted = tmp_path / "uneven.csv", tmp_path / "unsorted.csv"
    uneven.write_text("time [h],v\n0,1\n1,2\n2,0\n9,3\n10,1\n")
    unsorted.write_text("age,v\n0,1\n5,2\n2,0\n")
    assert "as a table: fit --inputs, or signals.table" in refusal(series, uneven)
    assert "as a table: fit --inputs, or signals.table" in refusal(series, unsorted)
    found = table(uneven, ["time [h]"])
    assert (found.geometry.units, found.geometry.frequency_unit) == (("h",), "cycles per h")
