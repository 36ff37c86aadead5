"""Text of a table: encoding, numbered lines, and interpretation of cells."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from overtone.signals._readers._files import check_size

if TYPE_CHECKING:
    import pandas as pd

_PLAIN = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eEdD][-+]?\d+)?")
_COMMA = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?")
_GROUPED = re.compile(r"[-+]?\d{1,3}([., '’\u00a0\u202f])\d{3}(\1\d{3})*([.,]\d*)?([eE][-+]?\d+)?")
_EITHER = re.compile(r"[-+]?[1-9]\d{0,2}[.,]\d{3}")
_WORDS = ("inf", "-inf", "+inf", "infinity", "-infinity")
_GAPS = (
    *("", "nan", "na", "n/a", "#n/a", "<na>", "null", "none", "nil", "missing"),
    *("-", "--", "---", "?", ".", "..", "*"),
)
_TRUE, _FALSE = ("true", "yes"), ("false", "no")
_DATE = re.compile(
    r"\d{4}-?\d\d(-?\d\d)?([T ].*)?|\d{4}-?[Qq][1-4]|\d{1,4}[-/. ](\d{1,2}|[A-Za-z]{3,9})[-/. ]\d{2,4}.*"
    r"|[A-Za-z]{3,9} \d{1,2},? \d{4}.*"
)


def is_gap(cell: str) -> bool:
    """Return whether a cell marks a missing value."""
    return cell.strip().lower() in _GAPS


def is_numeric_cell(cell: str) -> bool:
    """Return whether a cell is a number in any spelling."""
    text = cell.strip().replace("\u2212", "-")
    return bool(
        _PLAIN.fullmatch(text) or text.lower() in _WORDS or _COMMA.fullmatch(text) or _GROUPED.fullmatch(text)
    )


def is_date(cell: str) -> bool:
    """Return whether a cell is a date or a time stamp, not a number."""
    text = cell.strip()
    return bool(_DATE.fullmatch(text)) and not _PLAIN.fullmatch(text)


@dataclass(frozen=True)
class ParsedNumbers:
    """Parsed numbers of a column.

    Attributes:
        values: (rows,) float64, NaN for cells that are not numbers.
        doubtful: Row of the first ambiguous number, or None.
        notes: Notes on unusual spellings.
    """

    values: np.ndarray
    doubtful: int | None
    notes: tuple[str, ...]


def parse_numbers(cells: pd.Series, comma_is_decimal: bool | None = None) -> ParsedNumbers:
    """Parse the numbers in the cells of a column.

    Args:
        cells: Strings.
        comma_is_decimal: Whether a comma is the decimal mark if the column is ambiguous; None if unknown.
    """
    import pandas as pd

    # Usual spellings are parsed in one vectorised pass; only the remaining cells are parsed individually.
    plain = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64, copy=True)
    odd = np.flatnonzero(np.isnan(plain))
    if comma_is_decimal and not odd.size:
        # If commas are decimal marks elsewhere, 1.234 may be a thousand: without an unambiguous cell the
        # column is doubtful.
        pointed = cells.str.strip()[cells.str.contains(".", regex=False)]
        if len(pointed) and pointed.str.fullmatch(_EITHER).all():
            return ParsedNumbers(plain, int(np.flatnonzero(cells.str.contains(".", regex=False))[0]), ())
    if not odd.size:
        return ParsedNumbers(plain, None, ())
    listed = [cell.strip().replace("\u2212", "-") for cell in cells.tolist()]
    texts = {int(row): listed[row] for row in odd}
    filled = {row: text for row, text in texts.items() if not is_gap(text)}
    words = {text.lower() for text in filled.values()}
    if words and words <= {*_TRUE, *_FALSE} and len(filled) == len(cells):
        values = cells.str.strip().str.lower().isin(_TRUE).to_numpy(np.float64)
        return ParsedNumbers(values, None, ("true and false were read as 1 and 0",))
    spelled = [t for t in filled.values() if _COMMA.fullmatch(t) or _GROUPED.fullmatch(t)]
    comma = _comma_is_decimal(spelled, [c for c in listed if "." in c and "," not in c])
    comma = comma_is_decimal if comma is None else comma
    if comma is None:
        doubtful = next((row for row, t in filled.items() if _EITHER.fullmatch(t) and "," in t), None)
        if doubtful is not None:
            return ParsedNumbers(plain, doubtful, ())
    # With a decimal comma, points separate thousands, so the cells parsed above are parsed again.
    if comma:
        everywhere = dict(enumerate(listed))
        filled = {row: text for row, text in everywhere.items() if not is_gap(text)}
    for row, text in filled.items():
        plain[row] = _value(text, bool(comma))
    notes = ("the comma was read as the decimal mark",) if comma else ()
    return ParsedNumbers(plain, None, notes)


def decimal_comma(cells: pd.DataFrame) -> bool | None:
    """Return True if commas are decimal marks in the table, False if they separate thousands, else None."""
    readings = set()
    for name in cells.columns:
        column = cells[name].tolist()
        texts = [c.strip() for c in column if "," in c]
        if not texts:
            continue
        spelled = [t for t in texts if _COMMA.fullmatch(t) or _GROUPED.fullmatch(t)]
        readings.add(_comma_is_decimal(spelled, [c for c in column if "." in c and "," not in c]))
    readings.discard(None)
    return readings.pop() if len(readings) == 1 else None


def _comma_is_decimal(spelled: list[str], pointed: list[str]) -> bool | None:
    """Return True if the commas of the numbers are decimal marks, False if they separate thousands, else None."""
    # The last of two different marks is the decimal mark; a repeated mark separates thousands.
    certain = [t for t in spelled if "," in t and not _EITHER.fullmatch(t)]
    for text in certain:
        if "." in text:
            return text.rindex(",") > text.rindex(".")
        if text.count(",") > 1:
            return False
    if certain:
        return True if all(t.count(",") == 1 for t in certain) else None
    return False if spelled and any(not _EITHER.fullmatch(c.strip()) for c in pointed) else None


def _value(text: str, comma: bool) -> float:
    grouped = _GROUPED.fullmatch(text)
    mark = "," if comma else "."
    if grouped and grouped[1] != mark and not (grouped[3] or "").startswith(grouped[1]):
        text = text.replace(grouped[1], "")
    if comma:
        if "." in text:
            return float("nan")
        text = text.replace(",", ".")
    text = text.replace("D", "e").replace("d", "e") if _PLAIN.fullmatch(text) else text
    try:
        return float(text) if _PLAIN.fullmatch(text) or text.lower() in _WORDS else float("nan")
    except ValueError:
        return float("nan")


_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SEPARATORS = (",", ";", "\t", "|", " ")
_COMMENTS = ("#", "%", "//")
_JUDGED = 200


@dataclass(frozen=True)
class Lines:
    """Lines of a table.

    Attributes:
        text: Each line from the header or the first row on, without comments.
        numbers: Number of each line in the file, from 1.
        separator: Separator of cells; " " for any number of spaces.
        width: Number of cells in most lines.
        commented: The last comment before the table with that number of cells, a possible header, or None.
        notes: Notes on skipped lines and the encoding.
    """

    text: list[str]
    numbers: list[int]
    separator: str
    width: int
    commented: str | None
    notes: tuple[str, ...]


def read_lines(path: Path) -> Lines:
    """Read the lines of a text file from the first line of the table.

    Args:
        path: An existing file.

    Raises:
        ValueError: If the file is not text.
    """
    check_size((path.stat().st_size,), 1, str(path))
    whole, notes = _decoded(path.read_bytes())
    if any(character < " " and character not in "\t\n\r\f\v" for character in whole[:4096]) or "\0" in whole:
        raise ValueError("control characters")
    text = whole.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    numbers = list(range(1, len(text) + 1))
    declared = (
        text[0].strip().lower().removeprefix("sep=") if text[0].strip().lower().startswith("sep=") else ""
    )
    if declared or text[0].strip().lower() == "sep=":
        text, numbers = text[1:], numbers[1:]
    every = list(zip(text, numbers, strict=True))
    comments = [(t, n) for t, n in every if t.lstrip().startswith(_COMMENTS)]
    body = [(t, n) for t, n in every if not t.lstrip().startswith(_COMMENTS)]
    while body and not body[-1][0].strip():
        body.pop()
    judged = [t for t, _ in body if t.strip()][:_JUDGED]
    separator, width = _separator(judged, (declared or "\t") if text and declared else "")
    start = _start(body, separator, width)
    above = [t.strip() for t, _ in body[:start] if t.strip()]
    notes += (f"lines above the table were left out: {' / '.join(above)[:80]!r}",) if above else ()
    first_body = body[start][1] if body else 0
    last = next((t for t, n in reversed(comments) if n < first_body), None)
    bare = None if last is None else last.strip().lstrip("".join(_COMMENTS)).strip()
    commented = bare if bare and width > 1 and len(split_cells(bare, separator)) == width else None
    dropped = len(comments) - (commented is not None)
    notes += (f"{dropped} lines of comments were left out",) if dropped > 0 else ()
    return Lines(
        [t for t, _ in body[start:]], [n for _, n in body[start:]], separator, width, commented, notes
    )


def _start(body: list[tuple[str, int]], separator: str, width: int) -> int:
    """Return the first line of the table: the first with the usual width that is not followed by title lines."""
    full = [
        i for i, (t, _) in enumerate(body[:_JUDGED]) if t.strip() and len(split_cells(t, separator)) >= width
    ]
    if not full:
        return 0
    start = full[0]
    if start and width > 2 and len(split_cells(body[start - 1][0], separator)) == width - 1:
        return start - 1
    # A title with separators can resemble a row, but is followed by an empty line and text.
    gap = start + 1 < len(body) and not body[start + 1][0].strip()
    if gap and len(full) > 2:
        second = split_cells(body[full[1]][0], separator)
        if not any(is_numeric_cell(cell) or is_date(cell) for cell in second):
            return full[1]
    return start


def _decoded(raw: bytes) -> tuple[str, tuple[str, ...]]:
    for mark, name in _MARKS:
        if raw.startswith(mark):
            text = raw[len(mark) :].decode(name)
            return text, () if name == "utf-8" else (f"read as {name.upper()[:6]}",)
    head = raw[:2000]
    # Latin text in UTF-16 without a byte order mark has a zero in every other byte.
    for name, odd in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if len(head) > 3 and odd.count(0) > 0.8 * len(odd):
            return raw.decode(name), ("read as UTF-16, which its bytes look like",)
    try:
        return raw.decode("utf-8"), ()
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode("cp1252"), ("read as Windows-1252, since it is not UTF-8",)
    except UnicodeDecodeError:
        return raw.decode("latin-1"), ("read as Latin-1, since it is not UTF-8",)


def split_cells(line: str, separator: str) -> list[str]:
    """Split a line into its cells, without quotes."""
    if separator == " ":
        return line.split()
    return next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])


def _separator(lines: list[str], declared: str) -> tuple[str, int]:
    """Return the separator that gives the most regular lines of numbers, and the number of cells per line."""
    best, separator_and_width = (-1.0, -1.0), (",", 1)
    for separator in (declared,) if declared else _SEPARATORS:
        rows = [split_cells(line, separator) for line in lines]
        counts = Counter(len(row) for row in rows)
        width = max(counts, key=lambda n: (counts[n], n), default=1)
        if width < 2 and not declared:
            continue
        body = [cell for row in rows[1:] if len(row) == width for cell in row]
        good = sum(1 for cell in body if is_numeric_cell(cell) or is_gap(cell) or is_date(cell))
        if separator == " " and good < len(body):
            continue
        # Regularity of the lines times the share of cells that are numbers, dates or gaps.
        score = (counts[width] / len(rows), good / max(1, len(body))) if rows else (0.0, 0.0)
        score = (round(score[0] * score[1], 9), score[0])
        if score > best:
            best, separator_and_width = score, (separator, width)
    return separator_and_width
