"""Tables: some columns from which others are to be learned, row by row."""

from __future__ import annotations

import numpy as np

from overtone.errors import InputError
from overtone.signals.readers.files import PathLike, existing
from overtone.signals.readers.table import read, unit_of
from overtone.signals.scattered import Scattered, points


def table(path: PathLike, inputs: list[str], columns: list[str] | None = None) -> Scattered:
    """Columns of numbers of a CSV, some to learn from and some to learn; rows may stand in any order.

    Every input column has a scale of its own, and so has every value. A single input is a coordinate in the unit that
    its name has in brackets, as of measurements at uneven times.

    Args:
        path: The file; comma, semicolon or tab separated.
        inputs: Names of the columns to learn from.
        columns: Names of the columns to learn; all others if None.

    Returns:
        The rows as scattered samples of kind "table".

    Raises:
        InputError: If a column is missing or asked for as both, none is left, or a cell is no number.
    """
    rows = read(existing(path))
    wanted = [n for n in rows.names if n not in inputs] if columns is None else list(columns)
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
    features, values = (np.stack([rows.numbers(n) for n in names], axis=1) for names in (inputs, wanted))
    units = [unit_of(inputs[0])] if len(inputs) == 1 else inputs
    return points(features, values, units=units, channels=wanted, kind="table", name=existing(path).name)
