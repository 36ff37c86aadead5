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
from overtone.signals._readers._described import extract_labels
from overtone.signals._readers._files import PathLike, existing_file
from overtone.signals._readers._numbers import ConversionError, ConversionFault, to_tensor_with_notes
from overtone.signals._readers._table import CSVTable, read_table, split_unit
from overtone.signals._readers._times import even_step, parse_times
from overtone.signals._signal import Signal


def series(
    path: PathLike, time: str | None = None, columns: str | list[str] | None = None, unit: str | None = None
) -> Signal:
    r"""Read one or more columns of numbers from a CSV over a column of evenly spaced times.

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

    Example:
        >>> import pathlib, tempfile
        >>> from overtone import signals
        >>> path = pathlib.Path(tempfile.mkdtemp(), "tide.csv")
        >>> _ = path.write_text("time [h],level [m]\n0,1.0\n1,1.5\n2,0.5\n")
        >>> tide = signals.series(path)
        >>> tide.geometry.frequency_unit, tide.value_unit
        ('cycles per h', 'm')
    """
    table = read_table(existing_file(path))
    time_name = _chosen(table, time, table.names[0])
    names = _value_names(table, time_name, columns)
    times = parse_times(table, time_name, unit)
    step, evenness = even_step(times, table, time_name)
    read_columns = [table.parse_column(name) for name in names]
    values = np.stack([numbers for numbers, _ in read_columns], axis=1)
    spelling = tuple(note for _, cell_notes in read_columns for note in cell_notes)
    plain = [split_unit(name) for name in names]
    value_units = {u for _, u in plain}
    # Brackets are taken off the names only if they hold one unit for all columns.
    shared = value_units.pop() if len(value_units) == 1 else None
    return make_signal(
        torch.from_numpy(values),
        Grid((len(values),), (step,), (float(times.values[0]),), (times.unit,), (False,)),
        kind="series",
        name=existing_file(path).name,
        location=table.location,
        channels=tuple(short for short, _ in plain) if shared else tuple(names),
        value_unit=shared or "",
        per_channel=True,
        notes=(*times.notes, *evenness, *table.notes, *spelling),
        locate=lambda sample, channel: f"line {table.line(sample)}, column {names[channel]!r}",
    )


def _chosen(table: CSVTable, requested: str | None, default: str) -> str:
    name = default if requested is None else requested
    if name in table.names:
        return name
    bare = [full for full in table.names if split_unit(full)[0] == name]
    if len(bare) != 1:
        raise InputError(
            f"a column {name!r}", f"columns {', '.join(table.names[:12])}", "pass one", table.location
        )
    return bare[0]


def _value_names(table: CSVTable, time_name: str, columns: str | list[str] | None) -> list[str]:
    requested = [columns] if isinstance(columns, str) else columns
    names = (
        [n for n in table.names if n != time_name]
        if requested is None
        else [_chosen(table, n, n) for n in requested]
    )
    if not names:
        raise InputError(
            "a time column and at least one value column",
            f"{len(table.names)} column",
            "add the times, or pass the values to signals.array",
            table.location,
        )
    return names


_MAX_LABELS = 10
"""Different whole numbers up to which a column may be one of labels."""

_ROWS_PER_LABEL = 10
"""Rows per value from which on it is."""


def refuse_labels(values: np.ndarray, names: Sequence[str], location: str) -> None:
    """Refuse columns that look like labels: two values, or few whole numbers, each in many rows.

    Args:
        values: (N, C) numbers to be learned.
        names: Of the columns.
        location: File name, for the message.

    Raises:
        InputError: If there is one; says how it can be learned as a number, and how as a label.
    """
    for column, name in zip(values.T, names, strict=True):
        # Few different values, each many times: square error would fit the codes of classes as numbers.
        distinct = np.unique(column)
        whole = bool((distinct == np.round(distinct)).all())
        if (len(distinct) == 2 or (whole and 2 < len(distinct) <= _MAX_LABELS)) and len(
            column
        ) >= _ROWS_PER_LABEL * len(distinct):
            shown = ", ".join(f"{value:g}" for value in distinct)
            raise InputError(
                "quantities to learn",
                f"{len(distinct)} values alone in column {name!r} ({shown}), which look like labels",
                "name the columns to learn without it, pass quantities=True to learn it as a number by square error, "
                "or train a classifier in your own loop and watch it by Probe.of(inputs, labels, network)",
                location,
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
        InputError: If shapes do not fit, a number is not finite, all positions coincide or all values are the same.

    Example:
        >>> from overtone import signals
        >>> wells = signals.points([[0.0, 0.0], [3.0, 1.0], [2.0, 4.0]], [1.0, 2.0, 3.0], units=("km", "km"))
        >>> wells.geometry.samples, wells.geometry.extent
        (3, (3.0, 4.0))
    """
    (positions, lost, axis_names), (numbers, notes, columns) = (
        _columns(coords, "coords"),
        _columns(values, "values"),
    )
    notes = tuple(dict.fromkeys((*lost, *notes)))
    units, channels = axis_names if units is None else units, columns if channels is None else channels
    if len(positions) != len(numbers) or len(positions) < 2:
        raise InputError(
            "two samples or more, with as many values as places",
            f"{len(positions)} places and {len(numbers)} values",
            "pass one row of each per sample",
            name,
        )
    for part, what in ((positions, "coordinates"), (numbers, "values")):
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
    axes, count = positions.shape[1], numbers.shape[1]
    axis_units = ("coordinate",) * axes if units is None else tuple(units)
    if len(axis_units) != axes:
        raise InputError(f"one unit per coordinate ({axes})", f"{len(axis_units)}", "pass that many", "units")
    names = ("value",) if count == 1 else tuple(f"channel {c + 1}" for c in range(count))
    names = names if channels is None else tuple(channels)
    if len(names) != count:
        raise InputError(f"one name per value ({count})", f"{len(names)}", "pass that many", "channels")
    labels = (
        tuple(axis_units)
        if len(set(axis_units)) == axes
        else tuple(f"coordinate {a + 1}" for a in range(axes))
    )
    for part, said in ((positions, labels), (numbers, names)):
        summary = summarise(part)
        notes = (*notes, *sentinel_notes(part, summary.low, summary.high, said))
    return Signal(
        values=numbers,
        geometry=Points(positions.double(), axis_units),
        kind=kind,
        name=name,
        channels=names,
        value_unit="",
        peak=float(numbers.max() - numbers.min()),
        normalisation=Normalisation.of(numbers, per_channel=True, location=name),
        notes=notes,
    )


def _columns(numbers: Any, location: str) -> tuple[Tensor, tuple[str, ...], tuple[str, ...] | None]:
    """Convert numbers to (N, columns); also return notes on losses, and the names of the columns or None."""
    array = extract_labels(numbers, None, location)
    names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    if array is not None:
        numbers, notes = array.values, array.notes
        last = array.axes[-1] if array.axes else None
        if last is not None and len(array.axes) == 2 and last.named and last.labels is not None:
            names = tuple(str(label) for label in last.labels)
        elif len(array.axes) == 1 and array.name:
            names = (array.name,)
        if array.axes and array.axes[0].labels is not None:
            notes += (f"the {array.axes[0].name} of the {location} is not used",)
        notes += (f"the {location} are in {array.unit}",) if array.unit else ()
    try:
        tensor, conversion_notes = to_tensor_with_notes(numbers, location)
    except ConversionError as error:
        if error.fault is ConversionFault.COMPLEX:
            parts = (error.expected, error.got, "pass real and imaginary parts as two columns")
        else:
            parts = ("rows of numbers, all of one length", error.got, "pass an array of numbers")
        raise InputError(*parts, location) from error
    tensor = tensor[:, None] if tensor.ndim == 1 else tensor
    if tensor.ndim != 2 or not tensor.numel():
        raise InputError(
            "one row per sample", f"shape {tuple(tensor.shape)}", "pass (N,) or (N, columns)", location
        )
    return tensor, (*notes, *conversion_notes), names


def table(
    path: PathLike, inputs: list[str], columns: list[str] | None = None, *, quantities: bool = False
) -> Signal[Points]:
    r"""Read a table from a CSV: input columns and columns to learn; rows may stand in any order.

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

    Example:
        >>> import pathlib, tempfile
        >>> from overtone import signals
        >>> path = pathlib.Path(tempfile.mkdtemp(), "houses.csv")
        >>> _ = path.write_text("rooms,age,price\n2,30,1.5\n3,10,2.5\n4,20,3.0\n")
        >>> houses = signals.table(path, inputs=["rooms", "age"])
        >>> houses.channels, houses.geometry.units
        (('price',), ('rooms', 'age'))
    """
    rows = read_table(existing_file(path))
    inputs = [_full_name(name, rows.names) for name in inputs]
    targets = [n for n in rows.names if n not in inputs] if columns is None else list(columns)
    targets = [_full_name(name, rows.names) for name in targets]
    for name in (*inputs, *targets):
        if name not in rows.names:
            raise InputError(
                f"columns among {', '.join(rows.names)}", repr(name), "check the header", rows.location
            )
    repeated = sorted(set(inputs) & set(targets))
    if repeated or not inputs or not targets:
        raise InputError(
            "columns to learn from and others to learn",
            f"{', '.join(repeated)} as both" if repeated else "no column for one of them",
            "name each column once",
            rows.location,
        )
    coordinates = [parse_times(rows, name, calendar=False) for name in inputs]
    features = np.stack([place.values for place in coordinates], axis=1)
    read_columns = [rows.parse_column(name) for name in targets]
    values = np.stack([numbers for numbers, _ in read_columns], axis=1)
    if not quantities:
        refuse_labels(values, targets, rows.location)
    signal = points(
        features,
        values,
        units=[coordinates[0].unit] if len(inputs) == 1 else inputs,
        channels=targets,
        kind="table",
        name=existing_file(path).name,
    )
    column_notes = [note for place in coordinates for note in place.notes] + [
        note for _, part in read_columns for note in part
    ]
    return replace(signal, notes=(*signal.notes, *column_notes, *rows.notes))


def _full_name(name: str, names: list[str]) -> str:
    """Return the full name, with its unit, of the one column of that name; else the name itself."""
    matches = [full for full in names if split_unit(full)[0] == name]
    return matches[0] if name not in names and len(matches) == 1 else name
