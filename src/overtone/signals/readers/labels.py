"""Columns of a table that hold labels: a few values again and again, which square error does not suit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from overtone.errors import InputError

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
