"""Tables: some columns from which others are to be learned, row by row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from overtone.errors import InputError
from overtone.signals.geometry import Points
from overtone.signals.readers.files import PathLike, existing
from overtone.signals.readers.labels import refuse_labels
from overtone.signals.readers.table import read_table, split_unit
from overtone.signals.readers.times import times_of
from overtone.signals.scattered import points
from overtone.signals.signal import Signal


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
