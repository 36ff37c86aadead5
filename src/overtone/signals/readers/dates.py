"""Dates and time stamps in the usual spellings: day and month are told apart, or cannot be and are asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from overtone.errors import InputError

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
        moments: (rows,) datetime64 without a zone (UTC where cells name one); NaT where a cell is no date.
        digit: Seconds that the last digit of the cells stands for.
        notes: How they were read.
    """

    moments: np.ndarray
    digit: float
    notes: tuple[str, ...]


def stamps_of(cells: pd.Series, where: str) -> Stamps:
    """The moments that the cells of a column name.

    Args:
        cells: Strings.
        where: The file and column, for errors.

    Raises:
        InputError: If day and month could be exchanged throughout, or only some cells name a time zone.
    """
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
                where,
            )
        return Stamps(_plain(iso), digit, ("times are in UTC",) if zoned.any() else ())
    quarters = texts.str.extract(_QUARTER)
    if not quarters.isna().any(axis=None):
        months = quarters[0] + "-" + (quarters[1].astype(int) * 3 - 2).astype(str).str.zfill(2)
        return Stamps(_plain(pd.to_datetime(months, format="%Y-%m", utc=True)), digit, ())
    return _in_words(texts, digit, where)


def _in_words(texts: pd.Series, digit: float, where: str) -> Stamps:
    readings: dict[str, np.ndarray] = {}
    most, partly = 0, np.full(len(texts), np.datetime64("NaT", "ns"))
    for order, days in _DAYS.items():
        for day in days:
            for clock in _CLOCK_FORMATS:
                if pd.isna(pd.to_datetime(texts.iloc[0], errors="coerce", format=day + clock)):
                    continue
                found = pd.to_datetime(texts, errors="coerce", format=day + clock, utc=True)
                good = int(found.notna().sum())
                if good == len(texts):
                    readings.setdefault(order, _plain(found))
                elif good > most:
                    most, partly = good, _plain(found)
    if not readings:
        return Stamps(partly, digit, ())
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
                "dates whose day and month can be told apart",
                f"{texts.iloc[0]!r} to {texts.iloc[-1]!r}, which may be {' or '.join(readings)}",
                "write them as YYYY-MM-DD",
                where,
            )
        readings = rising if len(rising) == 1 else even
    order, moments = next(iter(readings.items()))
    return Stamps(moments, digit, (f"dates were read as {order}",))


def _whole_months(moments: np.ndarray) -> bool:
    return months_of(moments) is not None


def months_of(moments: np.ndarray) -> np.ndarray | None:
    """Months passed since the first moment, if all lie at the same place of their months, else None.

    Args:
        moments: (rows,) datetime64; the same day and time of each month, or each month's last day.
    """
    if len(moments) < 2 or np.isnat(moments).any():
        return None
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
