"""Signals from columns of numbers: series at even times, rows of a table, and scattered points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.signals._construction import make_signal, sentinel_notes
from overtone.signals._geometry import Grid, Points
from overtone.signals._normalisation import Normalisation, summarise
from overtone.signals._readers._described import labelled
from overtone.signals._readers._files import PathLike, existing
from overtone.signals._readers._numbers import with_notes
from overtone.signals._readers._table import CSVTable, read_table, split_unit
from overtone.signals._readers._times import step_of, times_of
from overtone.signals._signal import Signal


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


MOST = 10
"""Different whole numbers up to which a column may be one of labels."""

OFTEN = 10
"""Rows per value from which on it is."""


def refuse_labels(values: np.ndarray, names: Sequence[str], where: str) -> None:
    """Refuse columns that look like labels: two values, or few whole numbers, each in many rows.

    Args:
        values: (N, C) numbers to be learned.
        names: Of the columns.
        where: File name, for the message.

    Raises:
        InputError: If there is one; says how it can be learned as a number, and how as a label.
    """
    for column, name in zip(values.T, names, strict=True):
        found = np.unique(column)
        whole = bool((found == np.round(found)).all())
        if (len(found) == 2 or (whole and 2 < len(found) <= MOST)) and len(column) >= OFTEN * len(found):
            shown = ", ".join(f"{value:g}" for value in found)
            raise InputError(
                "quantities to learn",
                f"{len(found)} values alone in column {name!r} ({shown}), which look like labels",
                "name the columns to learn without it, pass quantities=True to learn it as a number by square error, "
                "or train a classifier in your own loop and watch it by Probe.of(inputs, labels, network)",
                where,
            )


def points(
    coords: Any,
    values: Any,
    *,
    units: Sequence[str] | None = None,
    channels: Sequence[str] | None = None,
    kind: str = "points",
    name: str = "points",
) -> Signal[Points]:
    """Make a signal at scattered points.

    Args:
        coords: (N, d) coordinates or, of a table, features; (N,) for one.
        values: (N, C) or (N,) values.
        units: Unit of each coordinate; if None the names of a data frame's columns, else "coordinate" for all. Of a
            table, the columns' names.
        channels: Name of each value; if None the names of a data frame's columns, if it has any.
        kind: "points" or "table".
        name: For titles.

    Returns:
        The samples, with nothing held out.

    Raises:
        InputError: If shapes do not fit, a number is not finite, all places coincide or all values are the same.
    """
    (places, lost, named), (found, notes, columns) = _columns(coords, "coords"), _columns(values, "values")
    notes = tuple(dict.fromkeys((*lost, *notes)))
    units, channels = named if units is None else units, columns if channels is None else channels
    if len(places) != len(found) or len(places) < 2:
        raise InputError(
            "two samples or more, with as many values as places",
            f"{len(places)} places and {len(found)} values",
            "pass one row of each per sample",
            name,
        )
    for part, what in ((places, "coordinates"), (found, "values")):
        summary = summarise(part)
        if summary.first_bad is not None:
            row, column = summary.first_bad
            raise InputError(
                f"finite {what}",
                f"{float(part[row, column])} in row {row}, column {column}",
                "fill or drop the row",
                name,
            )
        if bool((summary.low == summary.high).all()):
            raise InputError(f"{what} that vary", "the same in every row", "pass others", name)
    axes, count = places.shape[1], found.shape[1]
    given = ("coordinate",) * axes if units is None else tuple(units)
    if len(given) != axes:
        raise InputError(f"one unit per coordinate ({axes})", f"{len(given)}", "pass that many", "units")
    names = ("value",) if count == 1 else tuple(f"channel {c + 1}" for c in range(count))
    names = names if channels is None else tuple(channels)
    if len(names) != count:
        raise InputError(f"one name per value ({count})", f"{len(names)}", "pass that many", "channels")
    labels = tuple(given) if len(set(given)) == axes else tuple(f"coordinate {a + 1}" for a in range(axes))
    for part, said in ((places, labels), (found, names)):
        summary = summarise(part)
        notes = (*notes, *sentinel_notes(part, summary.low, summary.high, said))
    return Signal(
        values=found,
        geometry=Points(places.double(), given),
        kind=kind,
        name=name,
        channels=names,
        value_unit="",
        peak=float(found.max() - found.min()),
        normalisation=Normalisation.of(found, per_channel=True, where=name),
        notes=notes,
    )


def _columns(numbers: Any, where: str) -> tuple[Tensor, tuple[str, ...], tuple[str, ...] | None]:
    """The numbers as (N, columns), what was lost, and the columns' names where they have any."""
    speaking = labelled(numbers, None, where)
    names: tuple[str, ...] | None = None
    told: tuple[str, ...] = ()
    if speaking is not None:
        numbers, told = speaking.values, speaking.notes
        last = speaking.axes[-1] if speaking.axes else None
        if last is not None and len(speaking.axes) == 2 and last.named and last.labels is not None:
            names = tuple(str(label) for label in last.labels)
        elif len(speaking.axes) == 1 and speaking.name:
            names = (speaking.name,)
        if speaking.axes and speaking.axes[0].labels is not None:
            told += (f"the {speaking.axes[0].name} of the {where} is not used",)
        told += (f"the {where} are in {speaking.unit}",) if speaking.unit else ()
    try:
        tensor, notes = with_notes(numbers, where)
    except InputError as error:
        if error.got.startswith("complex"):
            parts = (error.expected, error.got, "pass real and imaginary parts as two columns")
        elif error.got.startswith(("rows of", "an array of")):
            parts = ("rows of numbers, all of one length", error.got, "pass an array of numbers")
        else:
            raise
        raise InputError(*parts, where) from error
    tensor = tensor[:, None] if tensor.ndim == 1 else tensor
    if tensor.ndim != 2 or not tensor.numel():
        raise InputError(
            "one row per sample", f"shape {tuple(tensor.shape)}", "pass (N,) or (N, columns)", where
        )
    return tensor, (*told, *notes), names


def table(
    path: PathLike, inputs: list[str], columns: list[str] | None = None, *, quantities: bool = False
) -> Signal[Points]:
    """Columns of numbers of a CSV, some to learn from and some to learn; rows may stand in any order.

    Every input column has a scale of its own, and so has every value. A single input is a coordinate in the unit that
    its name has in brackets, as of measurements at uneven times. Dates to learn from count in days from the first one.

    Args:
        path: The file; separated by commas, semicolons, tabs, bars or spaces.
        inputs: Names of the columns to learn from, with or without their unit in brackets.
        columns: Names of the columns to learn, likewise; all others if None.
        quantities: Whether columns that look like labels (two values, or up to ten whole numbers, each in ten rows or
            more) are numbers all the same, to be learned by square error.

    Returns:
        The rows as scattered samples of kind "table".

    Raises:
        InputError: If a column is missing or asked for as both, none is left, a cell is no number, or a column to
            learn holds labels.
    """
    rows = read_table(existing(path))
    inputs = [_full(name, rows.names) for name in inputs]
    wanted = [n for n in rows.names if n not in inputs] if columns is None else list(columns)
    wanted = [_full(name, rows.names) for name in wanted]
    for name in (*inputs, *wanted):
        if name not in rows.names:
            raise InputError(
                f"columns among {', '.join(rows.names)}", repr(name), "check the header", rows.where
            )
    both = sorted(set(inputs) & set(wanted))
    if both or not inputs or not wanted:
        raise InputError(
            "columns to learn from and others to learn",
            f"{', '.join(both)} as both" if both else "none of one kind",
            "name each column once",
            rows.where,
        )
    places = [times_of(rows, name, calendar=False) for name in inputs]
    features = np.stack([place.values for place in places], axis=1)
    read_columns = [rows.spelled(name) for name in wanted]
    values = np.stack([numbers for numbers, _ in read_columns], axis=1)
    if not quantities:
        refuse_labels(values, wanted, rows.where)
    found = points(
        features,
        values,
        units=[places[0].unit] if len(inputs) == 1 else inputs,
        channels=wanted,
        kind="table",
        name=existing(path).name,
    )
    told = [note for place in places for note in place.notes] + [
        note for _, part in read_columns for note in part
    ]
    return replace(found, notes=(*found.notes, *told, *rows.notes))


def _full(name: str, names: list[str]) -> str:
    """The name of the one column that is called so but for its unit, or the name itself."""
    found = [full for full in names if split_unit(full)[0] == name]
    return found[0] if name not in names and len(found) == 1 else name
