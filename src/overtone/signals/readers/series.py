"""Series: columns of numbers over evenly spaced times."""

from __future__ import annotations

import numpy as np
import torch

from overtone.errors import InputError
from overtone.signals.assemble import make_signal
from overtone.signals.geometry import Grid
from overtone.signals.readers.files import PathLike, existing
from overtone.signals.readers.table import CSVTable, read_table, split_unit
from overtone.signals.readers.times import step_of, times_of
from overtone.signals.signal import Signal


def series(
    path: PathLike, time: str | None = None, columns: str | list[str] | None = None, unit: str | None = None
) -> Signal:
    """One or more columns of numbers from a CSV over a column of evenly spaced times.

    Dates are counted from the first one in days (or in `unit`), or in months or years if they stand at one day of
    every month; Unix times in s. Each column is normalised by itself, since columns may have different units.

    Args:
        path: The file; separated by commas, semicolons, tabs, bars or spaces.
        time: Name of the time column, by default the first one.
        columns: Names of the value columns, by default all others.
        unit: Unit of time; by default what stands in brackets in the header, as in "time [s]" or "t (days)",
            else the column's name. Dates take "days", "h", "min", "s", "months" or "years".

    Returns:
        A float64 signal of kind "series".

    Raises:
        InputError: If a column is missing, a cell is no number, or times are not strictly increasing and
            evenly spaced (each step within 1 % of the median step, or all even to their last digit); names the line.
    """
    table = read_table(existing(path))
    time_name = _chosen(table, time, table.names[0])
    names = _value_names(table, time_name, columns)
    times = times_of(table, time_name, unit)
    step, evenness = step_of(times, table, time_name)
    read_columns = [table.spelled(name) for name in names]
    values = np.stack([numbers for numbers, _ in read_columns], axis=1)
    spelling = tuple(note for _, told in read_columns for note in told)
    plain = [split_unit(name) for name in names]
    value_units = {u for _, u in plain}
    shared = value_units.pop() if len(value_units) == 1 else None
    return make_signal(
        torch.from_numpy(values),
        Grid((len(values),), (step,), (float(times.values[0]),), (times.unit,), (False,)),
        kind="series",
        name=existing(path).name,
        where=table.where,
        channels=tuple(short for short, _ in plain) if shared else tuple(names),
        value_unit=shared or "",
        per_channel=True,
        notes=(*times.notes, *evenness, *table.notes, *spelling),
        locate=lambda sample, channel: f"line {table.line(sample)}, column {names[channel]!r}",
    )


def _chosen(table: CSVTable, wanted: str | None, default: str) -> str:
    name = default if wanted is None else wanted
    if name in table.names:
        return name
    bare = [full for full in table.names if split_unit(full)[0] == name]
    if len(bare) != 1:
        raise InputError(
            f"a column {name!r}", f"columns {', '.join(table.names[:12])}", "pass one", table.where
        )
    return bare[0]


def _value_names(table: CSVTable, time_name: str, columns: str | list[str] | None) -> list[str]:
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
