"""Reader of CSV files: text cells with line numbers, and their conversion to numbers."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from overtone.errors import InputError
from overtone.signals._readers._files import decoding_errors
from overtone.signals._readers._text import (
    Lines,
    decimal_comma,
    is_date,
    is_gap,
    is_numeric_cell,
    parse_numbers,
    read_lines,
    split_cells,
)

if TYPE_CHECKING:
    import pandas as pd

_UNIT = re.compile(r"\s*[\[(]([^\])]+)[\])]\s*$")
_SECONDS = ("s", "sec", "secs", "second", "seconds")
_RAGGED = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")
_MEASURE = re.compile(
    r"%|°.*|[kMGTmuµn]?(s|m|g|K|V|A|W|Hz|Pa|bar|N|J|eV|mol|l|L|T|F|C|Ohm|Ω|rad|B)|min|h|d|days?|hours?|years?|sec\w*"
    r"|deg\w*|counts?|cm|km|in|ft|mi|kn|[hd]Pa|dB|dBm|ppm|ppb|psu|\S{1,12}[/^*²³⁻]\S{1,8}|W m-2|m s-1"
)
_UNNAMED = re.compile(r"(Unnamed: \d+)?")


@dataclass(frozen=True)
class CSVTable:
    """Text cells of a CSV.

    Attributes:
        cells: One column of strings per column of the file, under its name, without the header.
        lines: Number of the line in the file of each row of `cells`.
        location: File name in error messages.
        notes: Notes on skipped lines and the encoding.
        comma: Whether a comma in numbers is the decimal mark, or None if ambiguous.
    """

    cells: pd.DataFrame
    lines: list[int]
    location: str
    notes: tuple[str, ...] = field(default=())
    comma: bool | None = None

    @property
    def names(self) -> list[str]:
        """Names of the columns in order."""
        return list(self.cells.columns)

    def line(self, row: int) -> int:
        """Return the line number in the file of a row of `cells`."""
        return self.lines[row]

    def numbers(self, name: str) -> np.ndarray:
        """Return the (rows,) float64 numbers of one column.

        Raises:
            InputError: If a cell is empty or not a number; the message contains the column and the line.
        """
        return self.parse_column(name)[0]

    def parse_column(self, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
        """Parse the numbers of a column; also return notes on unusual spellings.

        Raises:
            InputError: See `numbers`; also if a comma may be the decimal mark or a separator of thousands.
        """
        cells = self.cells[name]
        parsed = parse_numbers(cells, self.comma)
        if parsed.doubtful is not None:
            raise InputError(
                "numbers with an unambiguous decimal mark and separator of thousands",
                f"{cells.iloc[parsed.doubtful]!r} on line {self.line(parsed.doubtful)}, column {name!r}",
                "write the decimal mark as a point, and no separator of thousands",
                self.location,
            )
        bad = np.flatnonzero(np.isnan(parsed.values))
        if bad.size:
            row = int(bad[0])
            raise InputError(
                f"a number in column {name!r}",
                f"{_words(cells.iloc[row])} on line {self.line(row)}",
                _advice(cells.iloc[row]),
                self.location,
            )
        return parsed.values, tuple(f"column {name!r}: {note}" for note in parsed.notes)


def read_table(path: Path) -> CSVTable:
    """Read a CSV with commas, semicolons, tabs, bars or spaces as separators, with or without a header.

    Blank lines and titles above the table and comments are skipped; notes list them and an encoding other
    than UTF-8. The first line is a header if a cell is text above a number, or if its cells are whole numbers
    above numbers with decimals. Columns without a header are named "column 1", "column 2" and so on. A second
    line of text above numbers contains units.

    Args:
        path: An existing file.

    Returns:
        The cells as text.

    Raises:
        InputError: If the file is not text, has lines of different numbers of cells, or has no data.
    """
    with decoding_errors(path, "comma-separated text"):
        lines = read_lines(path)
        cells = _parse(lines, str(path))
    if not len(cells):
        raise InputError("rows of numbers", "no data", "write the table again", str(path))
    numbers, notes = lines.numbers, lines.notes
    cells, dropped = _without_empty_end(cells)
    names, first, header_notes = _header(cells, lines, str(path))
    if len(cells) <= first:
        raise InputError("rows of numbers", "only a header", "add the data", str(path))
    rows = cells.iloc[first:]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise InputError("columns of different names", f"{twice!r} twice", "rename one", str(path))
    rows = rows.set_axis(names, axis=1)
    rows, index = _without_index(rows)
    comma = decimal_comma(rows)
    return CSVTable(
        rows, numbers[first : first + len(rows)], str(path), notes + dropped + header_notes + index, comma
    )


def _parse(lines: Lines, location: str) -> pd.DataFrame:
    import pandas as pd

    if not lines.text:
        return pd.DataFrame()
    separator = r"\s+" if lines.separator == " " else lines.separator
    text = list(lines.text)
    # A header with one cell less has no name for the index column; otherwise pandas would shift all names.
    first = len(split_cells(text[0], lines.separator))
    if 0 < first < lines.width and lines.separator != " ":
        text[0] += lines.separator * (lines.width - first)
    try:
        return pd.read_csv(
            io.StringIO("\n".join(text)),
            sep=separator,
            header=None,
            dtype=str,
            # Gaps are recognised later by one list of spellings, with their lines.
            keep_default_na=False,
            skip_blank_lines=False,
            skipinitialspace=True,
        ).fillna("")
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    except pd.errors.ParserError as error:
        ragged = _RAGGED.search(str(error))
        if ragged is None:
            raise
        raise InputError(
            f"{ragged[1]} cells on every line",
            f"line {lines.numbers[int(ragged[2]) - 1]}, where the reader saw {ragged[3]}",
            "quote cells that contain the separator, or remove the line",
            location,
        ) from error


def _without_empty_end(cells: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Remove the empty column after a separator at the end of every line."""
    if cells.shape[1] > 1 and (cells.iloc[:, -1].str.strip() == "").all():
        return cells.iloc[:, :-1], ("the empty column after the last separator was left out",)
    return cells, ()


def _header(cells: pd.DataFrame, lines: Lines, location: str) -> tuple[list[str], int, tuple[str, ...]]:
    """Return the names of the columns, the number of header rows, and notes."""
    top = [str(cell).strip() for cell in cells.iloc[0]]
    below = [[str(cell).strip() for cell in row] for row in cells.iloc[1:200].to_numpy().tolist()]
    numbered = [f"column {i + 1}" for i in range(len(top))]
    if not _is_header(top, below):
        if lines.commented is not None:
            return _names([cell.strip() for cell in split_cells(lines.commented, lines.separator)]), 0, ()
        # "0, 1" above whole numbers may be default names of pandas or the first row, so the file is
        # ambiguous.
        if _counts(top) and len(top) == 2 and below:
            raise InputError(
                "a first line of only names or only numbers",
                f"{', '.join(top)} above whole numbers",
                "write a line of names above the numbers",
                location,
            )
        return numbered, 0, _header_doubt(top, below)
    names = _names([n.lstrip("# ") for n in top])
    if all(is_numeric_cell(name) for name in names if name):
        return names, 1, (f"the first line ({', '.join(top[:4])}) was read as names of columns",)
    # A second line of text above numbers is a line of units if each of its cells can be one.
    text_again = bool(below) and not any(is_numeric_cell(c) or is_date(c) for c in below[0])
    if text_again and _is_header(below[0], below[1:]) and len(below) > 1:
        if not all(_is_unit(cell) for cell in below[0]):
            raise InputError(
                "one line of names above the numbers",
                f"text on lines {lines.numbers[0]} and {lines.numbers[1]}",
                "remove the line that is not the header",
                location,
            )
        units = [cell.strip("[]() ") for cell in below[0]]
        joined = [f"{n} [{u}]" if u and not _UNIT.search(n) else n for n, u in zip(names, units, strict=True)]
        return joined, 2, (f"line {lines.numbers[1]} was read as units",)
    return names, 1, ()


def _is_unit(cell: str) -> bool:
    """Return whether a cell of a line below the names can be a unit."""
    bare = cell.strip("[]() ")
    return cell != bare or not bare or bool(_MEASURE.fullmatch(bare))


def _counts(top: list[str]) -> bool:
    """Return whether the cells of a line are 0, 1, 2 ..., like default column names of pandas."""
    return [cell for cell in top if cell] == [str(i) for i in range(sum(map(bool, top)))] and all(top[1:])


def _is_header(top: list[str], below: list[list[str]]) -> bool:
    """Return whether a line is the header of the lines below it."""
    valued = [is_numeric_cell(cell) or is_date(cell) or is_gap(cell) for cell in top]
    if not all(valued):
        first = below[0] if below else []
        under = [is_numeric_cell(cell) or is_date(cell) for cell in first]
        return not (is_numeric_cell(top[0]) or is_date(top[0])) or any(
            u and not v for v, u in zip(valued, under, strict=False)
        )
    if not any(is_numeric_cell(cell) or is_date(cell) for cell in top):
        return True
    if not all(re.fullmatch(r"\d+", cell) or cell == "" for cell in top) or not below:
        return False
    if all("." in cell or "," in cell for row in below for cell in row if cell):
        return True
    if top[0] == "" and [row[0] for row in below] == [str(i) for i in range(len(below))]:
        return True
    return _counts(top) and len(top) > 2


def _header_doubt(top: list[str], below: list[list[str]]) -> tuple[str, ...]:
    """Return a note that a first line of numbers may be names, if it is 0, 1, 2 ... or evenly spaced."""
    values = [float(cell) for cell in top if re.fullmatch(r"-?\d+\.?\d*", cell)]
    steps = set(np.diff(values).round(9).tolist())
    if below and len(values) == len(top) > 2 and len(steps) == 1 and steps != {0.0}:
        return (f"the first line ({', '.join(top[:4])}) was read as data, not as names of columns",)
    return ()


def _names(names: list[str]) -> list[str]:
    """Remove line breaks from names, and number them if several are empty."""
    flat = [" ".join(name.split()) for name in names]
    empty = sum(not name for name in flat)
    return [name or (f"column {i + 1}" if empty > 1 else "") for i, name in enumerate(flat)]


def _without_index(rows: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Remove the unnamed row index of pandas; an unnamed column of other values is named "column 1"."""
    name = str(rows.columns[0])
    if not _UNNAMED.fullmatch(name):
        return rows, ()
    counted = rows.iloc[:, 0].str.strip().tolist() == [str(i) for i in range(len(rows))]
    if counted and rows.shape[1] > 2:
        return rows.iloc[:, 1:], ("the unnamed first column counts the rows and was left out",)
    return rows.set_axis(["row" if counted else "column 1", *rows.columns[1:]], axis=1), ()


def split_unit(name: str) -> tuple[str, str | None]:
    """Return a column's name without the unit in brackets at its end, and the unit or None."""
    match = _UNIT.search(name)
    return (name[: match.start()], match[1].strip()) if match else (name, None)


def column_unit(name: str, unit: str | None = None) -> str:
    """Return the unit of a column: `unit`, else the unit in brackets in its name, else the name."""
    short, in_brackets = split_unit(name)
    name_of_unit = unit or in_brackets or (f"column {short}" if is_numeric_cell(short) else short)
    return "s" if name_of_unit.lower() in _SECONDS else name_of_unit


def _words(cell: str) -> str:
    text = cell.strip()
    if not text:
        return "an empty cell"
    return f"the gap {text!r}" if is_gap(text) else f"the text {text[:40]!r}"


def _advice(cell: str) -> str:
    if is_gap(cell):
        return "fill it in, or choose other columns"
    if is_date(cell):
        return "choose other columns, or use the date as the column of times"
    return "correct it, or choose other columns"
