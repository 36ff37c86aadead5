"""What a cell of a table says: a number in any of the usual spellings, a date, a gap, or text."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
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
    """Whether a cell says that its value is missing."""
    return cell.strip().lower() in _GAPS


def is_number(cell: str) -> bool:
    """Whether a cell reads as a number, in whatever spelling."""
    text = cell.strip().replace("\u2212", "-")
    return bool(
        _PLAIN.fullmatch(text) or text.lower() in _WORDS or _COMMA.fullmatch(text) or _GROUPED.fullmatch(text)
    )


def is_date(cell: str) -> bool:
    """Whether a cell looks like a date or a time stamp; a bare number does not."""
    text = cell.strip()
    return bool(_DATE.fullmatch(text)) and not _PLAIN.fullmatch(text)


@dataclass(frozen=True)
class Numbers:
    """The numbers of a column.

    Attributes:
        values: (rows,) float64, NaN where a cell holds no number.
        doubtful: Row of the first number that has two readings, or None.
        notes: How they are spelled, where it is not the usual way.
    """

    values: np.ndarray
    doubtful: int | None
    notes: tuple[str, ...]


def numbers_of(cells: pd.Series, comma_is_decimal: bool | None = None) -> Numbers:
    """The numbers in the cells of a column.

    Args:
        cells: Strings.
        comma_is_decimal: What a comma means if the column itself does not tell; None if that is unknown.
    """
    plain = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64, copy=True)
    odd = np.flatnonzero(np.isnan(plain))
    if comma_is_decimal and not odd.size:
        pointed = cells.str.strip()[cells.str.contains(".", regex=False)]
        if len(pointed) and pointed.str.fullmatch(_EITHER).all():
            return Numbers(plain, int(np.flatnonzero(cells.str.contains(".", regex=False))[0]), ())
    if not odd.size:
        return Numbers(plain, None, ())
    listed = [cell.strip().replace("\u2212", "-") for cell in cells.tolist()]
    texts = {int(row): listed[row] for row in odd}
    filled = {row: text for row, text in texts.items() if not is_gap(text)}
    words = {text.lower() for text in filled.values()}
    if words and words <= {*_TRUE, *_FALSE} and len(filled) == len(cells):
        values = cells.str.strip().str.lower().isin(_TRUE).to_numpy(np.float64)
        return Numbers(values, None, ("true and false were read as 1 and 0",))
    spelled = [t for t in filled.values() if _COMMA.fullmatch(t) or _GROUPED.fullmatch(t)]
    comma = _comma_is_decimal(spelled, [c for c in listed if "." in c and "," not in c])
    comma = comma_is_decimal if comma is None else comma
    if comma is None:
        doubtful = next((row for row, t in filled.items() if _EITHER.fullmatch(t) and "," in t), None)
        if doubtful is not None:
            return Numbers(plain, doubtful, ())
    if comma:
        everywhere = dict(enumerate(listed))
        filled = {row: text for row, text in everywhere.items() if not is_gap(text)}
    for row, text in filled.items():
        plain[row] = _value(text, bool(comma))
    notes = ("the comma was read as the decimal mark",) if comma else ()
    return Numbers(plain, None, notes)


def decimal_comma(cells: pd.DataFrame) -> bool | None:
    """What the comma in numbers means in the whole table: the decimal mark, thousands, or None if nothing tells."""
    found = set()
    for name in cells.columns:
        column = cells[name].tolist()
        texts = [c.strip() for c in column if "," in c]
        if not texts:
            continue
        spelled = [t for t in texts if _COMMA.fullmatch(t) or _GROUPED.fullmatch(t)]
        found.add(_comma_is_decimal(spelled, [c for c in column if "." in c and "," not in c]))
    found.discard(None)
    return found.pop() if len(found) == 1 else None


def _comma_is_decimal(spelled: list[str], pointed: list[str]) -> bool | None:
    """Whether numbers with commas can only be read as decimal ones, only as grouped ones, or either way (None)."""
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
