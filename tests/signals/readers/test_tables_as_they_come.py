"""Tables as programs and people write them: read right, or refused with a sentence whose advice works."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.errors import InputError
from overtone.signals import Signal, points, read, series, table
from tests.signals.refusals import refusal

TIMES = np.arange(12) * 0.25
VALUES = np.arange(12) % 5 - 1.5
PLAIN = "".join(f"{t},{v}\n" for t, v in zip(TIMES, VALUES, strict=True))


@pytest.fixture
def csv(tmp_path: Path):
    def write(text: str, encoding: str = "utf-8") -> Path:
        (tmp_path / "a.csv").write_bytes(text.encode(encoding))
        return tmp_path / "a.csv"

    return write


def is_plain(found: Signal) -> None:
    assert (found.geometry.shape, found.geometry.spacing) == ((12,), (0.25,))
    assert found.values[:, 0].tolist() == VALUES.tolist()


LAYOUTS = {
    "tabs": ("t [s]\tv\n" + PLAIN.replace(",", "\t"), ()),
    "spaces": ("t v\n" + PLAIN.replace(",", "   "), ()),
    "spaces without names": (PLAIN.replace(",", "   "), ()),
    "bars": ("t|v\n" + PLAIN.replace(",", "|"), ()),
    "sep= of a spreadsheet": ("sep=;\nt;v\n" + PLAIN.replace(",", ";"), ()),
    "blank lines first": ("\n\nt,v\n" + PLAIN, ()),
    "title": ("My data\n\nt,v\n" + PLAIN, ("lines above the table were left out: 'My data'",)),
    "title with a comma": (
        "My data, 2020\n\nt,v\n" + PLAIN,
        ("lines above the table were left out: 'My data, 2020'",),
    ),
    "comments": ("# station 7\n% 2020\nt,v\n" + PLAIN, ("2 lines of comments were left out",)),
    "comments within": (
        "t,v\n" + PLAIN.replace("1.0,", "# pause\n1.0,"),
        ("1 lines of comments were left out",),
    ),
    "names in a comment": ("# made by x\n# t,v\n" + PLAIN, ("1 lines of comments were left out",)),
    "old line ends": (("t,v\n" + PLAIN).replace("\n", "\r"), ()),
    "separators at the end": (
        "t;v;\n" + PLAIN.replace(",", ";").replace("\n", ";\n"),
        ("the empty column after the last separator was left out",),
    ),
    "separators at the end of rows": (
        "t;v\n" + PLAIN.replace(",", ";").replace("\n", ";\n"),
        ("the empty column after the last separator was left out",),
    ),
    "separators within quotes": ('"t";"v, filtered, raw"\n' + PLAIN.replace(",", ";"), ()),
    "line break within quotes": ('"t","v\nraw"\n' + PLAIN, ()),
    "units below the names": ("t,v\n[s],[°C]\n" + PLAIN, ("line 2 was read as units",)),
    "bare units below the names": ("t,v\ns,m/s\n" + PLAIN, ("line 2 was read as units",)),
    "rows counted by pandas": (
        ",t,v\n" + "".join(f"{k},{line}\n" for k, line in enumerate(PLAIN.split())),
        ("the unnamed first column counts the rows and was left out",),
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(csv, layout: str) -> None:
    text, notes = LAYOUTS[layout]
    found = read(csv(text))
    is_plain(found)
    assert found.notes == notes
    if "units" in layout:
        assert found.geometry.units == ("s",)


@pytest.mark.parametrize(
    "encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "utf-8"]
)
def test_encodings(csv, encoding: str) -> None:
    found = read(csv("t [s],T [°C]\n" + PLAIN, encoding))
    is_plain(found)
    assert found.value_unit == "°C"
    assert bool(found.notes) != encoding.startswith("utf-8")


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["0,5", "1,5", "-2,25"], [0.5, 1.5, -2.25]),
        (["1.234,5", "2.000,25", "7,5"], [1234.5, 2000.25, 7.5]),
        (["1,234.5", "2,000.25", "7.5"], [1234.5, 2000.25, 7.5]),
        (["1 234,5", "2 000,25", "7,5"], [1234.5, 2000.25, 7.5]),
        (["1'234.5", "2'000.25", "7.5"], [1234.5, 2000.25, 7.5]),
        (["1,234,567", "2,000,000", "7,000"], [1234567, 2000000, 7000]),
        (["0,125", "0,250", "0,375"], [0.125, 0.25, 0.375]),
        (["1.5D+03", "2.0d-1", "3"], [1500, 0.2, 3]),
        (["−1.5", "+2", ".5"], [-1.5, 2, 0.5]),
        (["True", "FALSE", "true"], [1, 0, 1]),
        (["yes", "no", "Yes"], [1, 0, 1]),
    ],
)
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_spellings_of_numbers(csv, cells: list[str], values: list[float], separator: str) -> None:
    rows = "".join(f'{k}{separator}"{cell}"\n' for k, cell in enumerate(cells))
    assert read(csv(f"t{separator}v\n{rows}")).values[:, 0].tolist() == values


@pytest.mark.parametrize(("mark", "cells"), [(",", ["1,234", "2,500"]), (".", ["1.234", "2.500"])])
def test_a_number_with_two_readings_is_asked_for_and_the_advice_works(
    csv, mark: str, cells: list[str]
) -> None:
    other = ["0,5", "1,5"] if mark == "." else ["1", "2"]
    rows = "".join(f"{k};{a};{b}\n" for k, (a, b) in enumerate(zip(cells, other, strict=True)))
    text = refusal(read, csv("t;v;w\n" + rows))
    assert f"got {cells[0]!r} on line 2, column 'v'; write the decimal mark as a point" in text
    assert read(csv("t,v,w\n" + rows.replace(",", ".").replace(";", ","))).values[:, 0].tolist() == [
        1.234,
        2.5,
    ]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=8, max_size=20, unique=True),
    st.sampled_from([(",", "."), (";", "."), (";", ","), ("\t", ","), ("\t", "."), ("|", ",")]),
    st.booleans(),
)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, values, marks, named) -> None:
    separator, decimal = marks
    frame = pd.DataFrame({"t [s]": np.arange(len(values)) / 2, "v": values})
    text = frame.to_csv(sep=separator, decimal=decimal, index=False, header=named)
    path = tmp_path_factory.mktemp("table") / "a.csv"
    path.write_text(text)
    found = read(path)
    assert found.geometry.spacing == (0.5,)
    again = pd.read_csv(io.StringIO(text), sep=separator, decimal=decimal, header=0 if named else None)
    np.testing.assert_array_equal(found.values[:, 0].numpy(), again.iloc[:, 1])


def test_names_that_are_numbers(csv) -> None:
    body = np.stack([np.arange(1, 65.0), np.sin(np.arange(64) / 3), np.cos(np.arange(64) / 5)], 1)
    for frame in (
        pd.DataFrame(body),
        pd.DataFrame(body.round()).astype(int),
        pd.DataFrame(body, columns=[5, 7, 9]),
    ):
        for index in (True, False):
            if not index and frame.columns[0] == 5 and frame.dtypes.iloc[0].kind != "f":
                continue
            found = read(csv(frame.to_csv(index=index)))
            assert found.geometry.samples == 64
            assert found.values[:, 0].tolist() == frame.iloc[:, 1].tolist()
            assert any("was read as names of columns" in note for note in found.notes)
    assert read(csv("0,temperature\n1,3.4\n2,4.5\n")).channels == ("temperature",)
    two = pd.DataFrame(body[:, :2].round()).astype(int).to_csv(index=False)
    assert "got 0, 1 above whole numbers; write a line of names above the numbers" in refusal(read, csv(two))
    assert read(csv("t,v\n" + two.split("\n", 1)[1])).geometry.samples == 64
    assert "was read as data" in read(csv("0.5,1.0,1.5\n1.5,7.0,3.0\n2.5,7.0,4.0\n")).notes[0]


def test_two_lines_of_text_are_asked_for(csv) -> None:
    text = refusal(read, csv("Station 7, Bern\nt [s],v\n" + PLAIN))
    assert (
        "one line of names above the numbers, got text on lines 1 and 2; remove the line that is not the header"
        in text
    )
    is_plain(read(csv("t [s],v\n" + PLAIN)))


def test_lines_are_counted_from_the_top_of_the_file(csv) -> None:
    assert "the text 'x' on line 6" in refusal(read, csv("# c\nTitle\n\nt,v\n0,1\n1,x\n2,2\n3,4\n"))
    text = refusal(read, csv("Title\n\nt,v\n0,1\n1,2,3\n2,2\n3,4\n"))
    assert "2 cells on every line, got line 5, where the reader saw 3" in text


@pytest.mark.parametrize("gap", ["-", "--", "?", "NULL", "#N/A", "<NA>", "", "."])
def test_words_for_missing_values_are_gaps_and_the_advice_works(csv, gap: str) -> None:
    path = csv(f"t,a,b\n0,1,1\n1,{gap},2\n2,3,1\n")
    assert "fill it in, or choose other columns" in refusal(read, path)
    assert read(path, columns="b").values[:, 0].tolist() == [1, 2, 1]
    assert read(csv("t,a,b\n0,1,1\n1,2,2\n2,3,1\n")).channels == ("a", "b")


@pytest.mark.parametrize("mark", ["-999", "-9999", "-999.9", "9999", "1e20", "9.96921e+36", "-32768"])
def test_marks_of_missing_values_are_told(csv, mark: str) -> None:
    rows = "".join(f"{k},{mark if k in (3, 7) else k % 3},{k}\n" for k in range(12))
    for found in (read(csv("t,v,w\n" + rows)), table(csv("t,v,w\n" + rows), ["t"])):
        assert f"v holds {float(mark):g} in 2 of 12 samples, far from all others" in found.notes[-1]
    assert not read(csv("t,v\n" + "".join(f"{k},{-999 - 100 * k}\n" for k in range(12)))).notes
    assert "coordinate 1 holds -999" in points([[0, 1], [-999, 2], [1, 0], [2, 3]], [1, 2, 3, 4.0]).notes[0]


def dated(form: str, count: int = 40, step: str = "D", start: str = "2024-03-01") -> str:
    moments = pd.date_range(start, periods=count, freq=step)
    return "day;v\n" + "".join(f"{m.strftime(form)};{k % 5}\n" for k, m in enumerate(moments))


@pytest.mark.parametrize(
    ("form", "step"),
    [
        *(
            (form, "D")
            for form in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y%m%d", "%d/%m/%y")
        ),
        *((form, "D") for form in ("%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%Y-%m-%dT00:00Z")),
        *(
            (form, "h")
            for form in (
                "%d.%m.%Y %H:%M",
                "%m/%d/%Y %I:%M %p",
                "%Y-%m-%d %H:%M:%S+02:00",
            )
        ),
    ],
)
def test_spellings_of_dates(csv, form: str, step: str) -> None:
    found = read(csv(dated(form, step=step, start="2024-03-10")))
    assert found.geometry.spacing == pytest.approx((1.0 if step == "D" else 1 / 24,))
    assert found.geometry.units == ("days",)
    assert found.notes[0].startswith("time counted from ")


@pytest.mark.parametrize(
    ("form", "step", "start", "spacing", "unit"),
    [
        ("%Y-%m-%d", "MS", "2020-01-01", 1, "months"),
        ("%Y-%m-%d", "ME", "2020-01-31", 1, "months"),
        ("%Y-%m", "MS", "2020-01-01", 1, "months"),
        ("%d %b %Y", "QS", "2020-01-01", 3, "months"),
        ("%Y-%m-%d", "YS", "2000-01-01", 1, "years"),
        ("%d.%m.%Y", "MS", "2020-01-01", 1, "months"),
    ],
)
def test_months_and_years_are_even(csv, form: str, step: str, start: str, spacing: float, unit: str) -> None:
    path = csv(dated(form, 30, step, start))
    found = read(path)
    assert (found.geometry.spacing, found.geometry.units) == ((spacing,), (unit,))
    assert f"{unit} of the calendar, of unequal length" in found.notes
    if unit == "months":
        assert "a step of" in refusal(series, path, unit="days")
    assert table(path, ["day"]).geometry.units == ("days",)
    assert "got '2020-01-01 and others'" not in refusal(series, csv(dated("%Y-%m-%d")), unit="months")


def test_a_comma_before_parts_of_a_second(csv) -> None:
    rows = "".join(f"2024-03-01 12:00:{k:02d},500;{k % 3}\n" for k in range(12))
    assert series(csv("t;v\n" + rows), unit="s").geometry.spacing == pytest.approx((1.0,))


def test_quarters(csv) -> None:
    found = read(csv("when,v\n" + "".join(f"{2000 + k // 4}Q{k % 4 + 1},{k % 3}\n" for k in range(12))))
    assert (found.geometry.spacing, found.geometry.units) == ((3.0,), ("months",))


def test_day_and_month_that_cannot_be_told_apart_are_asked_for(csv) -> None:
    text = refusal(read, csv(dated("%d/%m/%Y", 12)))
    assert (
        "expected dates with an unambiguous order of day and month, got '01/03/2024' to '12/03/2024'" in text
    )
    assert "write them as YYYY-MM-DD" in text
    assert read(csv(dated("%Y-%m-%d", 12))).geometry.spacing == (1.0,)


def test_clocks_with_zones(csv) -> None:
    spring = [
        "2024-03-31T00:30+01:00",
        "2024-03-31T01:30+01:00",
        "2024-03-31T03:30+02:00",
        "2024-03-31T04:30+02:00",
    ]
    found = series(csv("t,v\n" + "".join(f"{m},{k}\n" for k, m in enumerate(spring))), unit="h")
    assert (found.geometry.spacing, found.notes[1]) == ((1.0,), "times are in UTC")
    mixed = csv("t,v\n2024-01-01T00:00Z,1\n2024-01-01T01:00,2\n2024-01-01T02:00Z,3\n")
    assert "a time zone in every cell or in none, got '2024-01-01T00:00Z' and '2024-01-01T01:00'" in refusal(
        read, mixed
    )
    assert read(csv(mixed.read_text().replace("01:00,", "01:00Z,"))).geometry.samples == 3


@pytest.mark.parametrize(
    ("name", "first", "step", "spacing", "unit", "words"),
    [
        ("time", 1_700_000_000, 60, 60.0, "s", "Unix time in s, counted from 2023-11-14T22:13:20 UTC"),
        (
            "timestamp",
            1_700_000_000_000,
            20,
            0.02,
            "s",
            "Unix time in ms, counted from 2023-11-14T22:13:20 UTC",
        ),
        ("unix", 1_700_000_000_000_000, 500, 5e-4, "s", "Unix time in us"),
        ("t", 1_700_000_000_000_000_000, 1000, 1e-6, "s", "Unix time in ns"),
        ("date", 45_000, 1, 1.0, "days", "days of a spreadsheet, counted from 2023-03-15"),
    ],
)
def test_clocks_that_count_from_a_date(csv, name, first, step, spacing, unit, words) -> None:
    rows = "".join(f"{first + step * k},{k % 3}\n" for k in range(30))
    found = read(csv(f"{name},v\n{rows}"))
    assert (found.geometry.units, found.geometry.origin) == ((unit,), (0.0,))
    assert found.geometry.spacing == pytest.approx((spacing,), rel=1e-12)
    assert words in found.notes[0]
    assert read(csv(f"{name} [x],v\n{rows}")).geometry.units == ("x",)
    assert read(csv(f"counter,v\n{rows}")).geometry.units == ("counter",)


@pytest.mark.parametrize(("rate", "digits"), [(30, 2), (60, 3), (24, 2), (1024, 5), (29.97, 3)])
@pytest.mark.parametrize("cut", [False, True])
def test_rounded_times_are_even(csv, rate: float, digits: int, cut: bool) -> None:
    times = np.arange(90) / rate
    times = np.floor(times * 10**digits) / 10**digits if cut else times
    path = csv("t [s],v\n" + "".join(f"{t:.{digits}f},{np.sin(k / 3):.4f}\n" for k, t in enumerate(times)))
    # two roundings of half a digit each, a hundredth of which remains over 89 steps
    assert read(path).geometry.spacing[0] == pytest.approx(1 / rate, abs=10.0**-digits / 45)
    lines = path.read_text().splitlines(keepends=True)
    assert "evenly spaced times" in refusal(read, csv("".join(lines[:40] + lines[41:])))


def test_a_gap_in_whole_numbers_is_no_rounding(csv) -> None:
    rows = "".join(f"{k},{k % 3}\n" for k in range(20) if k != 3)
    assert "got a step of 2 to line 5" in refusal(read, csv("t,v\n" + rows))


def test_steps_that_drift_are_refused_and_slight_jitter_is_told(csv) -> None:
    drift = np.cumsum(np.r_[np.full(200, 1.004), np.full(200, 0.996)])
    text = refusal(read, csv("t,v\n" + "".join(f"{t!r},{k % 3}\n" for k, t in enumerate(drift.tolist()))))
    assert "steps off on line" in text
    jitter = np.arange(50) + np.random.default_rng(0).uniform(-0.002, 0.002, 50)
    found = read(csv("t,v\n" + "".join(f"{t!r},{k % 3}\n" for k, t in enumerate(jitter.tolist()))))
    assert "evenly spaced times were used" in found.notes[0]


@pytest.mark.parametrize(
    "cells",
    [
        ["2024-01-01", "2024-01-02", "2024-01-05", "2024-01-06"],
        ["2024-01-02", "2024-01-01", "2024-01-02", "2024-01-06"],
        ["2024-03-10 01:00", "2024-03-10 03:00", "2024-03-10 04:00", "2024-03-10 09:00"],
        ["13.01.2024", "14.01.2024", "18.01.2024", "19.01.2024"],
    ],
)
def test_the_way_out_for_uneven_dates_works(csv, cells: list[str]) -> None:
    path = csv("day,level,height\n" + "".join(f"{cell},{k % 3},{k}\n" for k, cell in enumerate(cells)))
    assert "as a table: fit --inputs, or signals.table" in refusal(read, path)
    found = read(path, inputs=["day"], columns=["level"])
    moments = pd.to_datetime(pd.Series(cells), dayfirst="." in cells[0], format="mixed")
    days = ((moments - moments[0]) / pd.Timedelta(1, "D")).tolist()
    assert found.coords[:, 0].tolist() == pytest.approx(days)
    assert found.geometry.frequency_unit == "cycles per days"
    both = table(path, ["day", "height"], ["level"])
    assert both.coords[:, 0].tolist() == pytest.approx(days)
    refused = refusal(table, path, ["height"], ["day"])
    assert "got the text" in refused
    assert "use the date as the column of times" in refused


def test_columns_of_a_table_go_by_their_names_without_units(csv) -> None:
    found = table(csv("time [h],depth [m],T [K]\n0,1,2\n1,3,4\n5,6,7\n"), ["time"], ["T"])
    assert (found.geometry.units, found.channels) == (("h",), ("T [K]",))


PIECES = [
    *(
        "1",
        "0.5",
        "1,5",
        "a",
        "t [s]",
        "x",
        "NaN",
        "-",
        "\u2212",
        "1e5",
        "-999",
        "inf",
        "1 000",
        "1.000,5",
        "True",
    ),
    *(
        "2024-01-01",
        "01/02/2024",
        "20240101",
        "2020Q1",
        "12:30",
        "1700000000",
        "2024-01-01T00:00Z",
        "[m]",
        "sep=;",
    ),
    *(",", ",", ";", "\t", "|", " ", "\n", "\n", "\n", '"', "#", "%", "//", "\r", "\x00"),
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=50), st.sampled_from(["utf-8", "utf-16"]))
def test_no_text_ends_in_a_traceback(tmp_path_factory: pytest.TempPathFactory, pieces, encoding) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes("".join(pieces).encode(encoding))
    for call in (lambda: read(path), lambda: table(path, ["t [s]"]), lambda: series(path, unit="h")):
        told = ""
        try:
            call()
        except InputError as refused:
            told = str(refused)
        assert "\n" not in told
