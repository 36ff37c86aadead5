"""Conversion of a column of times to numbers: dates, Unix times and spreadsheet times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from overtone.errors import InputError
from overtone.signals._readers._table import CSVTable, column_unit, split_unit
from overtone.signals._readers._text import is_date

if TYPE_CHECKING:
    import pandas as pd

_CLOCK_FORMATS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_DAYS = {
    "year/month/day": ("%Y/%m/%d", "%Y.%m.%d", "%Y%m%d"),
    "day/month/year": ("%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d %m %Y", "%d/%m/%y", "%d.%m.%y"),
    "month/day/year": ("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%y"),
    "day, name of month, year": ("%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%d-%b-%y", "%d/%b/%Y"),
    "name of month, day, year": ("%b %d, %Y", "%B %d, %Y", "%b %d %Y"),
}
_QUARTER = re.compile(r"(\d{4})-?[Qq]([1-4])")
_ZONE = re.compile(r"[Tt ]\d\d.*([Zz]|[+-]\d\d:?\d\d)$|([Zz]|[+-]\d\d:?\d\d)$")
_CLOCK = re.compile(r"[Tt ]\d{1,2}:\d\d(:\d\d(?:[.,](\d+))?)?")


@dataclass(frozen=True)
class Stamps:
    """Moments in time.

    Attributes:
        moments: (rows,) datetime64 without a zone (UTC if cells contain zones); NaT for cells that are not
            dates.
        digit: Resolution of the cells' last digit, in seconds.
        notes: Notes on how the cells were read.
    """

    moments: np.ndarray
    digit: float
    notes: tuple[str, ...]


def parse_dates(cells: pd.Series, location: str) -> Stamps:
    """Parse the dates or time stamps of a column.

    Args:
        cells: Strings.
        location: File and column in error messages.

    Raises:
        InputError: If the order of day and month is ambiguous, or only some cells contain a time zone.
    """
    import pandas as pd

    texts = cells.str.strip().str.replace(r"(:\d\d),(\d)", r"\1.\2", regex=True)
    digit = _digit(texts)
    iso = pd.to_datetime(texts, errors="coerce", format="ISO8601", utc=True)
    if not iso.isna().any() or pd.notna(iso.iloc[0]):
        zoned = texts.map(lambda text: _CLOCK.search(text) is not None and _ZONE.search(text) is not None)
        if 0 < zoned.sum() < len(zoned):
            row = int(np.flatnonzero(~zoned.to_numpy() if zoned.iloc[0] else zoned.to_numpy())[0])
            raise InputError(
                "a time zone in every cell or in none",
                f"{texts.iloc[0]!r} and {texts.iloc[row]!r}",
                "write all of them in UTC",
                location,
            )
        return Stamps(_plain(iso), digit, ("times are in UTC",) if zoned.any() else ())
    quarters = texts.str.extract(_QUARTER)
    if not quarters.isna().any(axis=None):
        months = quarters[0] + "-" + (quarters[1].astype(int) * 3 - 2).astype(str).str.zfill(2)
        return Stamps(_plain(pd.to_datetime(months, format="%Y-%m", utc=True)), digit, ())
    return _parse_formats(texts, digit, location)


def _parse_formats(texts: pd.Series, digit: float, location: str) -> Stamps:
    import pandas as pd

    readings: dict[str, np.ndarray] = {}
    best_count, best_moments = 0, np.full(len(texts), np.datetime64("NaT", "ns"))
    for order, days in _DAYS.items():
        for day in days:
            for clock in _CLOCK_FORMATS:
                # Test one cell first: most formats fail on it, and parsing a whole column is slow.
                if pd.isna(pd.to_datetime(texts.iloc[0], errors="coerce", format=day + clock)):
                    continue
                parsed = pd.to_datetime(texts, errors="coerce", format=day + clock, utc=True)
                count = int(parsed.notna().sum())
                if count == len(texts):
                    readings.setdefault(order, _plain(parsed))
                elif count > best_count:
                    best_count, best_moments = count, _plain(parsed)
    if not readings:
        return Stamps(best_moments, digit, ())
    # If several orders of day and month fit every cell, only the sequence of times can decide: increasing
    # times take precedence over others, and even steps over uneven steps. Calendar months count as even
    # steps.
    if len(readings) > 1 and len({tuple(moments.tolist()) for moments in readings.values()}) > 1:
        rising = {
            order: moments
            for order, moments in readings.items()
            if (np.diff(moments) > np.timedelta64(0)).all()
        }
        even = {
            order: moments for order, moments in rising.items() if len(set(np.diff(moments).tolist())) == 1
        }
        months = [order for order, moments in rising.items() if order not in even and _whole_months(moments)]
        if len(rising) != 1 and (len(even) != 1 or months):
            raise InputError(
                "dates with an unambiguous order of day and month",
                f"{texts.iloc[0]!r} to {texts.iloc[-1]!r}, which may be {' or '.join(readings)}",
                "write them as YYYY-MM-DD",
                location,
            )
        readings = rising if len(rising) == 1 else even
    order, moments = next(iter(readings.items()))
    return Stamps(moments, digit, (f"dates were read as {order}",))


def _whole_months(moments: np.ndarray) -> bool:
    return calendar_months(moments) is not None


def calendar_months(moments: np.ndarray) -> np.ndarray | None:
    """Return the months since the first date if all dates have the same position in their months, else None.

    Args:
        moments: (rows,) datetime64; the same day and time of each month, or each month's last day.
    """
    if len(moments) < 2 or np.isnat(moments).any():
        return None
    # The last day of a month varies, so the distance to the end of the month is compared too.
    months = moments.astype("datetime64[M]")
    into = moments - months
    to_end = (months + np.timedelta64(1, "M")).astype(moments.dtype) - moments
    if len(set(into.tolist())) > 1 and len(set(to_end.tolist())) > 1:
        return None
    passed = (months - months[0]).astype(np.int64).astype(np.float64)
    return passed if (np.diff(passed) > 0).all() else None


def _digit(texts: pd.Series) -> float:
    smallest = 86_400.0
    for text in texts.tolist():
        clock = _CLOCK.search(text)
        if clock is not None:
            decimals = len(clock[2] or "")
            smallest = min(smallest, 10.0**-decimals if clock[1] else 60.0)
    return smallest


def _plain(moments: pd.Series) -> np.ndarray:
    return moments.dt.tz_localize(None).to_numpy().astype("datetime64[ns]")


DURATIONS = {"days": 86_400.0, "h": 3_600.0, "min": 60.0, "s": 1.0}
_CALENDAR = {"months": 1.0, "years": 12.0}
_CLOCK_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_HINT = re.compile(
    r"(?:^|[^a-z])(unix|epoch|time|timestamp|date|datetime|utc|ts|t|datum|zeit|unixtime)(?:[^a-z]|$)", re.I
)
_EXACT = 2**53
_YEARS = (np.datetime64("1990-01-01"), np.datetime64("2100-01-01"))
_DECIMALS = re.compile(r"[.,](\d+)$")
_FEWEST_ROUNDED, _MIN_STEP = 8, 2.5
_TOLERANCE, _SAME, _OFF_LINE = 0.01, 1e-6, 0.25


@dataclass(frozen=True)
class Times:
    """Times of the rows of a table.

    Attributes:
        values: (rows,) float64 times, in `unit`.
        unit: "days", "h", "min", "s", "months" or "years" for dates, else the unit in the column's name.
        digit: Resolution of the cells' last digit, in `unit`; 0 without rounding.
        notes: Notes on how the cells were read.
    """

    values: np.ndarray
    unit: str
    digit: float
    notes: tuple[str, ...]


def parse_times(table: CSVTable, name: str, unit: str | None = None, calendar: bool = True) -> Times:
    """Parse the times of a column, which are numbers or dates.

    Args:
        table: The table.
        name: The column.
        unit: Unit of time, overrides the column's.
        calendar: Whether to count dates at the same day of every month in months or years.

    Raises:
        InputError: If a cell is neither a number nor a date, or dates are ambiguous.
    """
    import pandas as pd

    cells = table.cells[name].str.strip()
    if is_date(cells.iloc[0]) or _packed(cells):
        return _dates(table, name, unit, calendar)
    values, notes = table.parse_column(name)
    if unit is None and split_unit(name)[1] is None and _HINT.search(name):
        clock = _since(values, cells)
        if clock is not None:
            return clock
    # Time stamps in nanoseconds exceed 2^53, so differences are computed in integers before the conversion to
    # float64.
    if np.abs(values).max() > _EXACT:
        whole = pd.to_numeric(cells, errors="coerce")
        values = (whole - whole.iloc[0]).to_numpy(np.float64)
        notes = (*notes, f"counted from {cells.iloc[0]}, so that float64 holds every digit")
    decimals = max((len(match[1]) for match in map(_DECIMALS.search, cells.tolist()) if match), default=0)
    digit = 10.0**-decimals if not cells.str.contains("[eE]").any() else 0.0
    return Times(values, column_unit(name, unit), digit, notes)


def _packed(cells: pd.Series) -> bool:
    """Whether all cells are dates such as 20240131, which are not evenly spaced as numbers."""
    import pandas as pd

    if not cells.str.fullmatch(r"(19|20)\d{6}").all():
        return False
    return bool(pd.to_datetime(cells, errors="coerce", format="%Y%m%d").notna().all())


def _dates(table: CSVTable, name: str, unit: str | None, calendar: bool) -> Times:
    cells = table.cells[name].str.strip()
    stamps = parse_dates(cells, f"{table.location}, column {name!r}")
    bad = np.flatnonzero(np.isnat(stamps.moments))
    if bad.size:
        row = int(bad[0])
        raise InputError(
            f"a date in column {name!r}",
            f"{cells.iloc[row]!r} on line {table.line(row)}",
            "write it as YYYY-MM-DD",
            table.location,
        )
    if unit is not None and unit not in DURATIONS and unit not in _CALENDAR:
        raise InputError(
            f"a unit of dates among {', '.join((*DURATIONS, *_CALENDAR))}",
            repr(unit),
            "pass one of them",
            "unit",
        )
    since = (f"time counted from {cells.iloc[0]}", *stamps.notes)
    months = calendar_months(stamps.moments) if calendar and (unit is None or unit in _CALENDAR) else None
    if months is not None:
        named = unit or ("years" if (months % 12 == 0).all() else "months")
        return Times(
            months / _CALENDAR[named], named, 0.0, (*since, f"{named} of the calendar, of unequal length")
        )
    if unit in _CALENDAR:
        raise InputError(
            f"dates at one day of the month to count in {unit}",
            f"{cells.iloc[0]} and others",
            "pass days, h, min or s",
            "unit",
        )
    named = unit or "days"
    passed = (stamps.moments - stamps.moments[0]) / np.timedelta64(1, "ns") / (1e9 * DURATIONS[named])
    return Times(passed, named, stamps.digit / DURATIONS[named], since)


def _since(values: np.ndarray, cells: pd.Series) -> Times | None:
    """Return Unix times in s, ms, us or ns, or spreadsheet times in days, or None if ambiguous."""
    import pandas as pd

    if len(values) < 2 or not np.isfinite(values).all():
        return None
    for name, size in _CLOCK_SECONDS.items():
        seconds = values * size
        # At most one of the four units gives times between 1973 and 2103, so the unit is unambiguous.
        if values.min() < 1e8 or seconds.max() > 4.2e9:
            continue
        begin = np.datetime64(int(seconds.min() * 1e3), "ms")
        if _YEARS[0] <= begin <= _YEARS[1]:
            whole = pd.to_numeric(cells, errors="coerce")
            passed = (whole - whole.iloc[0]).to_numpy(np.float64) * size
            decimals = max(
                (len(match[1]) for match in map(_DECIMALS.search, cells.tolist()) if match), default=0
            )
            note = f"time taken as Unix time in {name}, counted from {begin.astype('datetime64[s]')} UTC"
            return Times(passed, "s", size * 10.0**-decimals, (note,))
    # Spreadsheets count days from 1899-12-30; 30,000 to 80,000 days are the years 1982 to 2119.
    if values.min() >= 30_000 and values.max() <= 80_000:
        first = np.datetime64("1899-12-30") + np.timedelta64(int(values[0]), "D")
        note = f"time taken as days of a spreadsheet, counted from {first}"
        return Times(values - values[0], "days", 0.0, (note,))
    return None


def even_step(times: Times, table: CSVTable, name: str) -> tuple[float, tuple[str, ...]]:
    """Return the step of evenly spaced times, and a note on the deviations.

    Steps may differ by 1 % of the median step, or by the rounding of the last digit.

    Raises:
        InputError: If the times do not increase or are not evenly spaced; the message contains the line.
    """
    clock = times.values
    if not np.isfinite(clock).all():
        row = int(np.flatnonzero(~np.isfinite(clock))[0])
        raise InputError(
            "finite times",
            f"{clock[row]} on line {table.line(row)}",
            "correct it",
            f"{table.location}, column {name!r}",
        )
    steps = np.diff(clock)
    if not steps.size:
        return 1.0, ()
    location = f"{table.location}, column {name!r}"
    not_increasing = np.flatnonzero(steps <= 0)
    if not_increasing.size:
        row = int(not_increasing[0]) + 1
        kind = "the same time again" if steps[row - 1] == 0 else "an earlier time"
        raise InputError(
            "times that increase",
            f"{kind} ({table.cells[name].iloc[row]}) on line {table.line(row)}",
            "sort the rows and drop duplicates, or fit them as a table: fit --inputs, or signals.table",
            location,
        )
    # The mean step averages the rounding of all rows; the median step is robust to a single gap.
    mean = float(clock[-1] - clock[0]) / steps.size
    median = float(np.median(steps))
    rounded = _rounded(clock, times.digit)
    if rounded is not None and np.abs(steps - median).max() > _SAME * median:
        return rounded, (
            f"times are evenly spaced to their last digit; a step of {rounded:.6g} {times.unit} was used",
        )
    irregular = np.flatnonzero(np.abs(steps - median) > _TOLERANCE * median)
    if irregular.size:
        row = int(irregular[0]) + 1
        raise InputError(
            f"evenly spaced times (steps within 1 % of the median, {median:.6g})",
            f"a step of {steps[row - 1]:.6g} to line {table.line(row)}, the first of {irregular.size}",
            "interpolate to even steps, for instance with pandas resample, or fit it as it is, as a table: "
            "fit --inputs, or signals.table",
            location,
        )
    # Steps within 1 % of each other may still drift, so positions are compared with the even grid too.
    deviation = np.abs(clock - clock[0] - mean * np.arange(len(clock)))
    if deviation.max() > _OFF_LINE * mean:
        row = int(np.argmax(deviation))
        raise InputError(
            "evenly spaced times (each within a quarter of a step of its place)",
            f"{deviation[row] / mean:.3g} steps off on line {table.line(row)}, as steps change along the rows",
            "interpolate to even steps, for instance with pandas resample, or fit it as it is, as a table: "
            "fit --inputs, or signals.table",
            location,
        )
    worst = float(np.abs(steps - median).max()) / median
    return mean, (
        f"steps differ by up to {worst:.2g} of the mean step; evenly spaced times were used",
    ) if worst > 1e-4 else ()


def _rounded(clock: np.ndarray, digit: float) -> float | None:
    """Return the even step if rounding to the last digit explains the deviations, else None."""
    count = len(clock)
    if digit <= 0 or count < _FEWEST_ROUNDED:
        return None
    # Rounding changes each time by at most half a digit, so the residuals of a line span at most one digit.
    step, start = np.polyfit(np.arange(count), clock - clock[0], 1)
    off = clock - clock[0] - start - step * np.arange(count)
    fits = off.max() - off.min() <= 1.05 * digit
    return float(step) if fits and step > _MIN_STEP * digit else None
