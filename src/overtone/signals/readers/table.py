"""The cells of a CSV as text, with the numbers of their lines, and their conversion to numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from overtone.errors import InputError
from overtone.signals.readers.files import decoding

_SEPARATORS = (",", ";", "\t")
_UNIT = re.compile(r"\s*[\[(]([^\])]+)[\])]\s*$")
_SECONDS = ("s", "sec", "secs", "second", "seconds")
_MISSING = ("nan", "na", "n/a", "null", "none")


@dataclass(frozen=True)
class Table:
    """A CSV as text.

    Attributes:
        cells: One column of strings per column of the file, under its name, without the header.
        first_line: Line number of the first row of `cells`.
        where: The file, for messages.
    """

    cells: pd.DataFrame
    first_line: int
    where: str

    @property
    def names(self) -> list[str]:
        """The columns' names in order."""
        return list(self.cells.columns)

    def line(self, row: int) -> int:
        """Line number in the file of a row of `cells`."""
        return self.first_line + row

    def numbers(self, name: str) -> np.ndarray:
        """(rows,) float64 of one column.

        Raises:
            InputError: If a cell is empty or holds no number; names the column and the line.
        """
        cells = self.cells[name]
        values = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64)
        bad = np.flatnonzero(np.isnan(values))
        if bad.size:
            row = int(bad[0])
            raise InputError(
                f"a number in column {name!r}",
                f"{_words(cells.iloc[row])} on line {self.line(row)}",
                "fill it in, or choose other columns",
                self.where,
            )
        return values


def read(path: Path) -> Table:
    """Read a CSV, comma, semicolon or tab separated, with or without a header.

    The first line is a header unless its first cell is a number or a date; columns without a header are
    called "column 1", "column 2" and so on.

    Args:
        path: An existing file.

    Returns:
        Its cells as text.

    Raises:
        InputError: If it is no text, has lines of different length, or holds no row of data.
    """
    with decoding(path, "comma-separated text"):
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
        separator = max(_SEPARATORS, key=first.count)
        cells = _parse(path, separator)
    filled = np.flatnonzero((cells != "").any(axis=1))
    if not filled.size:
        raise InputError("rows of numbers", "no data", "write the table again", str(path))
    cells = cells.iloc[: filled[-1] + 1]
    top = [str(cell).strip() for cell in cells.iloc[0]]
    has_header = not (is_number(top[0]) or is_date(top[0]))
    names = [n.lstrip("# ") for n in top] if has_header else [f"column {i + 1}" for i in range(len(top))]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise InputError("columns of different names", f"{twice!r} twice", "rename one", str(path))
    if has_header and len(cells) == 1:
        raise InputError("rows of numbers", "a header alone", "add the data", str(path))
    rows = cells.iloc[int(has_header) :].set_axis(names, axis=1)
    return Table(rows, 1 + int(has_header), str(path))


def _parse(path: Path, separator: str) -> pd.DataFrame:
    try:
        return pd.read_csv(
            path,
            sep=separator,
            header=None,
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            encoding="utf-8-sig",
            skipinitialspace=True,
        )
    except pd.errors.EmptyDataError:
        return pd.DataFrame()


def is_number(cell: str) -> bool:
    """Whether a cell reads as a number."""
    return not pd.isna(pd.to_numeric(cell, errors="coerce"))


def is_date(cell: str) -> bool:
    """Whether a cell reads as an ISO 8601 date or time stamp."""
    return not pd.isna(pd.to_datetime(cell, errors="coerce", format="ISO8601"))


def split_unit(name: str) -> tuple[str, str | None]:
    """A column's name without the unit in brackets at its end, and that unit, or None."""
    found = _UNIT.search(name)
    return (name[: found.start()], found[1].strip()) if found else (name, None)


def unit_of(name: str, given: str | None = None) -> str:
    """The unit that a column counts in: `given`, else what its name says in brackets, else the name."""
    short, in_brackets = split_unit(name)
    found = given or in_brackets or short
    return "s" if found.lower() in _SECONDS else found


def _words(cell: str) -> str:
    text = cell.strip()
    if not text:
        return "an empty cell"
    return f"the gap {text!r}" if text.lower() in _MISSING else f"the text {text[:40]!r}"
