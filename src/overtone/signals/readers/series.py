"""Series: columns of numbers over evenly spaced times."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from overtone.errors import InputError
from overtone.signals.assemble import assemble
from overtone.signals.geometry import Grid
from overtone.signals.readers.files import PathLike, existing
from overtone.signals.readers.table import Table, is_date, read, split_unit, unit_of
from overtone.signals.signal import Signal

_DURATIONS = {"days": 86_400.0, "h": 3_600.0, "min": 60.0, "s": 1.0}
_TOLERANCE = 0.01


def series(
    path: PathLike, time: str | None = None, columns: str | list[str] | None = None, unit: str | None = None
) -> Signal:
    """One or more columns of numbers from a CSV over a column of evenly spaced times.

    Dates in ISO 8601 are counted from the first one in days (or in `unit`). Each column is normalised by
    itself, since columns may have different units.

    Args:
        path: The file; comma, semicolon or tab separated.
        time: Name of the time column, by default the first one.
        columns: Names of the value columns, by default all others.
        unit: Unit of time; by default what stands in brackets in the header, as in "time [s]" or "t (days)",
            else the column's name. Dates take "days", "h", "min" or "s".

    Returns:
        A float64 signal of kind "series".

    Raises:
        InputError: If a column is missing, a cell is no number, or times are not strictly increasing and
            evenly spaced (each step within 1 % of the median step); names the line.
    """
    table = read(existing(path))
    time_name = _chosen(table, time, table.names[0])
    names = _value_names(table, time_name, columns)
    times, time_unit, notes = _times(table, time_name, unit)
    _check_times(times, table, time_name)
    values = np.stack([table.numbers(name) for name in names], axis=1)
    step = (times[-1] - times[0]) / max(1, len(times) - 1)
    plain = [split_unit(name) for name in names]
    value_units = {u for _, u in plain}
    shared = value_units.pop() if len(value_units) == 1 else None
    return assemble(
        torch.from_numpy(values),
        Grid((len(times),), (step if step > 0 else 1.0,), (times[0],), (time_unit,), (False,)),
        kind="series",
        name=existing(path).name,
        where=table.where,
        channels=tuple(short for short, _ in plain) if shared else tuple(names),
        value_unit=shared or "",
        per_channel=True,
        notes=notes,
        locate=lambda sample, channel: f"line {table.line(sample)}, column {names[channel]!r}",
    )


def _chosen(table: Table, wanted: str | None, default: str) -> str:
    name = default if wanted is None else wanted
    if name in table.names:
        return name
    bare = [full for full in table.names if split_unit(full)[0] == name]
    if len(bare) != 1:
        raise InputError(
            f"a column {name!r}", f"columns {', '.join(table.names[:12])}", "pass one", table.where
        )
    return bare[0]


def _value_names(table: Table, time_name: str, columns: str | list[str] | None) -> list[str]:
    wanted = [columns] if isinstance(columns, str) else columns
    names = (
        [n for n in table.names if n != time_name]
        if wanted is None
        else [_chosen(table, n, n) for n in wanted]
    )
    if not names:
        raise InputError(
            "a time column and at least one value column",
            f"{len(table.names)} column",
            "add the times, or pass the values to signals.array",
            table.where,
        )
    return names


def _times(table: Table, name: str, unit: str | None) -> tuple[list[float], str, tuple[str, ...]]:
    cells = table.cells[name].str.strip()
    if pd.isna(pd.to_numeric(cells.iloc[0], errors="coerce")) and is_date(cells.iloc[0]):
        return _dates(table, name, unit or "days")
    return table.numbers(name).tolist(), unit_of(name, unit), ()


def _dates(table: Table, name: str, unit: str) -> tuple[list[float], str, tuple[str, ...]]:
    cells = table.cells[name].str.strip()
    stamps = pd.to_datetime(cells, errors="coerce", format="ISO8601", utc=True)
    bad = np.flatnonzero(stamps.isna())
    if bad.size:
        row = int(bad[0])
        raise InputError(
            f"a date in column {name!r}",
            f"{cells.iloc[row]!r} on line {table.line(row)}",
            "write it as YYYY-MM-DD",
            table.where,
        )
    duration = _DURATIONS.get(unit)
    if duration is None:
        raise InputError(
            f"a unit of dates among {', '.join(_DURATIONS)}", repr(unit), "pass one of them", "unit"
        )
    passed = (stamps - stamps.iloc[0]).dt.total_seconds().to_numpy(np.float64) / duration
    return passed.tolist(), unit, (f"time counted from {cells.iloc[0]}",)


def _check_times(times: list[float], table: Table, name: str) -> None:
    clock = np.asarray(times)
    if not np.isfinite(clock).all():
        row = int(np.flatnonzero(~np.isfinite(clock))[0])
        raise InputError(
            "finite times",
            f"{clock[row]} on line {table.line(row)}",
            "correct it",
            f"{table.where}, column {name!r}",
        )
    steps = np.diff(clock)
    if not steps.size:
        return
    where = f"{table.where}, column {name!r}"
    back = np.flatnonzero(steps <= 0)
    if back.size:
        row = int(back[0]) + 1
        kind = "the same time again" if steps[row - 1] == 0 else "an earlier time"
        raise InputError(
            "times that increase",
            f"{kind} ({table.cells[name].iloc[row]}) on line {table.line(row)}",
            "sort the rows and drop duplicates, or fit them as a table: fit --inputs, or signals.table",
            where,
        )
    usual = float(np.median(steps))
    odd = np.flatnonzero(np.abs(steps - usual) > _TOLERANCE * usual)
    if odd.size:
        row = int(odd[0]) + 1
        raise InputError(
            f"evenly spaced times (steps within 1 % of the median, {usual:.6g})",
            f"a step of {steps[row - 1]:.6g} to line {table.line(row)}, the first of {odd.size}",
            "interpolate to even steps, for instance with pandas resample, or fit it as it is, as a table: "
            "fit --inputs, or signals.table",
            where,
        )
