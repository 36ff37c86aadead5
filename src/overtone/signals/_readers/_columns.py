"""Signals from columns of numbers: evenly sampled series, rows of a table, and scattered points."""

from __future__ import annotations

import math
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

    Dates are converted to the time since the first date, in days or in `unit`, or in months or years for
    dates at the same day of every month; Unix times are in s. Each column is normalised separately, because
    columns may have different units.

    Args:
        path: The file, with commas, semicolons, tabs, bars or spaces as separators.
        time: Name of the time column, by default the first one.
        columns: Names of the value columns, by default all others.
        unit: Unit of time; by default the unit in brackets in the header, as in "time [s]" or "t (days)", or
            the column's name. For dates: "days", "h", "min", "s", "months" or "years".

    Returns:
        A float64 signal of kind "series".

    Raises:
        InputError: If a column is missing, a cell is not a number, or times are not strictly increasing and
            evenly spaced (each step within 1 % of the median step, or even up to the rounding of the last
            digit). The message contains the line.

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
    # Units in brackets are removed from the names only if all columns share one unit.
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
"""Maximum number of distinct whole numbers in a column of labels."""

_ROWS_PER_LABEL = 10
"""Minimum number of rows per distinct value in a column of labels."""


def label_values(column: np.ndarray) -> np.ndarray | None:
    """Return the distinct values of probable labels: two values, or few whole numbers, each in many rows; else None.

    Args:
        column: (N,) numbers.
    """
    # Few distinct values in many rows are class codes, which a squared error would fit as numbers.
    distinct = np.unique(column)
    whole = bool((distinct == np.round(distinct)).all())
    few = len(distinct) == 2 or (whole and 2 < len(distinct) <= _MAX_LABELS)
    return distinct if few and len(column) >= _ROWS_PER_LABEL * len(distinct) else None


def refuse_labels(values: np.ndarray, names: Sequence[str], location: str) -> None:
    """Raise an error for probable labels, see `label_values`.

    Args:
        values: (N, C) numbers to be learned.
        names: Names of the columns.
        location: File name in error messages.

    Raises:
        InputError: If there is such a column; the message explains how to learn numbers and labels.
    """
    for column, name in zip(values.T, names, strict=True):
        distinct = label_values(column)
        if distinct is not None:
            shown = ", ".join(f"{value:.10g}" for value in distinct)
            raise InputError(
                "quantities to learn",
                f"{len(distinct)} values alone in column {name!r} ({shown}), which look like labels",
                "name the columns to learn without it, pass quantities=True to learn it as a number by squared error, "
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
    quantities: bool = False,
) -> Signal[Points]:
    """Create a signal at scattered points.

    Args:
        coords: (N, d) coordinates or features of a table; (N,) for one coordinate.
        values: (N, C) or (N,) values.
        units: Unit of each coordinate, or the column names of a table; None for the names of a data frame's
            columns, else "coordinate".
        channels: Name of each value; None for the names of a data frame's columns, else numbered names.
        kind: "points" or "table".
        name: Name of the signal in titles.
        quantities: Whether values that look like labels (two values, or up to ten whole numbers, each in ten rows or
            more) are numbers to learn by squared error, which `fit` refuses otherwise.

    Returns:
        The signal, without held-out samples.

    Raises:
        InputError: If shapes do not match, a number is not finite, all positions coincide, all values are equal,
            single precision does not distinguish the positions, the two data frames have the same rows in another
            order, or axes of one unit differ in length by more than 1e12.

    Example:
        >>> from overtone import signals
        >>> wells = signals.points([[0.0, 0.0], [3.0, 1.0], [2.0, 4.0]], [1.0, 2.0, 3.0], units=("km", "km"))
        >>> wells.geometry.samples, wells.geometry.extent
        (3, (3.0, 4.0))
    """
    _check_rows(coords, values)
    (positions, lost, axis_names), (numbers, notes, columns) = (
        _columns(coords, "coords"),
        _columns(values, "values"),
    )
    notes = tuple(dict.fromkeys((*lost, *notes)))
    units, channels = axis_names if units is None else units, columns if channels is None else channels
    if len(positions) != len(numbers) or len(positions) < 2:
        raise InputError(
            "two samples or more, with one row of values per point",
            f"{len(positions)} points and {len(numbers)} values",
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
            raise InputError(f"{what} that vary", "the same in every row", "pass samples that differ", name)
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
    notes = (*notes, *_resolution_notes(positions, labels, name), *_scale_notes(positions, axis_units, name))
    for part, said in ((positions, labels), (numbers, names)):
        summary = summarise(part)
        notes = (*notes, *sentinel_notes(part, summary.low, summary.high, said))
    return Signal(
        values=numbers,
        geometry=Points(positions.double(), axis_units),
        quantities=quantities,
        kind=kind,
        name=name,
        channels=names,
        value_unit="",
        peak=float(numbers.max() - numbers.min()),
        normalisation=Normalisation.of(numbers, per_channel=True, location=name),
        notes=notes,
    )


_PLACES, _FEW_PLACES = 100, 10_000
"""Places along an axis that single precision must distinguish, and from how many on nothing is said about it."""

_RATIO, _LARGE_RATIO = 1e12, 1e3
"""Largest ratio of the lengths of axes that share a scale, and the ratio above which it is noted."""


def _resolution_notes(positions: Tensor, labels: Sequence[str], name: str) -> list[str]:
    """Notes on coordinates in single precision that lie far from 0, as Unix times do, so that digits are lost."""
    notes = []
    summary = summarise(positions)
    for axis, label in enumerate(labels):
        if positions.dtype.itemsize > 4 or not positions.is_floating_point():
            break
        low, high = float(summary.low[axis]), float(summary.high[axis])
        # The distance of neighbouring numbers: eps times the power of two below.
        step = torch.finfo(positions.dtype).eps * 2.0 ** (math.frexp(max(abs(low), abs(high)))[1] - 1)
        places = (high - low) / step if step > 0 else math.inf
        if 0 < places < _PLACES:
            raise InputError(
                f"coordinates of which single precision distinguishes {_PLACES} places or more",
                f"{places:.0f} along {label}, between {low:.9g} and {high:.9g}",
                "pass float64, or subtract the smallest before they are converted",
                name,
            )
        if 0 < places < _FEW_PLACES:
            notes.append(
                f"single precision distinguishes {places:.0f} places along {label}; pass float64 if it had more digits"
            )
    return notes


def _scale_notes(positions: Tensor, units: Sequence[str], name: str) -> list[str]:
    """Notes on axes of one unit, which share a scale, of very different lengths."""
    lengths = (positions.double().amax(0) - positions.double().amin(0)).tolist()
    notes = []
    for unit in dict.fromkeys(units):
        axes = [a for a, u in enumerate(units) if u == unit and lengths[a] > 0]
        if len(axes) < 2:
            continue
        ratio = max(lengths[a] for a in axes) / min(lengths[a] for a in axes)
        if not ratio <= _RATIO:
            raise InputError(
                f"axes of the unit {unit!r}, which share a scale, of similar lengths",
                f"lengths that differ by a factor of {ratio:.2g}",
                "pass units= with a name for each axis that has a scale of its own",
                name,
            )
        if ratio > _LARGE_RATIO:
            notes.append(
                f"axes of the unit {unit!r} share a scale, though their lengths differ by a factor of {ratio:.2g}; "
                "pass units= with a name for each axis to scale them separately"
            )
    return notes


def _check_rows(coords: Any, values: Any) -> None:
    """Refuse two data frames whose rows have the same labels in another order: they are paired by position."""
    if not all(hasattr(getattr(one, "index", None), "equals") for one in (coords, values)):
        return
    first, second = coords.index, values.index
    if not first.equals(second) and first.sort_values().equals(second.sort_values()):
        raise InputError(
            "coords and values with their rows in one order",
            "the same index in another order",
            "pass values.loc[coords.index], or to_numpy() of both if the order is right as it is",
            "values",
        )


def _columns(numbers: Any, location: str) -> tuple[Tensor, tuple[str, ...], tuple[str, ...] | None]:
    """Convert numbers to (N, columns); also return notes on losses, and the names of the columns or None."""
    try:
        array = extract_labels(numbers, None, location)
    except InputError as refused:
        if not refused.do.startswith("make it the index"):
            raise
        # An index is no coordinate of scattered samples.
        do = "convert it to numbers, as (dates - dates.min()).dt.total_seconds()"
        raise InputError(refused.expected, refused.got, do, location) from refused
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
    r"""Read a table from a CSV: input columns and target columns, with rows in any order.

    Every input column and every target has a separate scale. A single input, for instance unevenly sampled
    times, is a coordinate in the unit in brackets in its name. Input dates are converted to days since the
    first date.

    Args:
        path: The file, with commas, semicolons, tabs, bars or spaces as separators.
        inputs: Names of the input columns, with or without their unit in brackets.
        columns: Names of the target columns, with or without their unit; None for all others.
        quantities: Whether to learn columns that are probably labels (two values, or up to ten whole numbers,
            each in ten rows or more) as numbers by squared error.

    Returns:
        The rows as scattered samples of kind "table".

    Raises:
        InputError: If a column is missing or is both input and target, there are no targets, a cell is not a
            number, or a target column contains labels.

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
            "input columns and other target columns",
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
        quantities=quantities,
    )
    column_notes = [note for place in coordinates for note in place.notes] + [
        note for _, part in read_columns for note in part
    ]
    return replace(signal, notes=(*signal.notes, *column_notes, *rows.notes))


def _full_name(name: str, names: list[str]) -> str:
    """Return the full name, with its unit, of the one column of that name; else the name itself."""
    matches = [full for full in names if split_unit(full)[0] == name]
    return matches[0] if name not in names and len(matches) == 1 else name
