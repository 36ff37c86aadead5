"""The text of a table: its encoding, found or guessed and then told, and its lines with their numbers."""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from overtone.signals.readers.cells import is_date, is_gap, is_number
from overtone.signals.readers.files import check_size

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
    """The lines of a table.

    Attributes:
        text: Each line from the header or the first row on, without comments.
        numbers: Its number in the file, from 1.
        separator: What stands between its cells; " " for any run of spaces.
        width: Cells of most lines.
        commented: The last comment before the table with as many cells, which may be its header, or None.
        notes: What was left out and how the text was decoded.
    """

    text: list[str]
    numbers: list[int]
    separator: str
    width: int
    commented: str | None
    notes: tuple[str, ...]


def lines_of(path: Path) -> Lines:
    """The lines of a file of text, from the table's first on.

    Args:
        path: An existing file.

    Raises:
        ValueError: If it is no text.
    """
    check_size((path.stat().st_size,), 1, str(path))
    whole, notes = _decoded(path.read_bytes())
    if any(character < " " and character not in "\t\n\r\f\v" for character in whole[:4096]) or "\0" in whole:
        raise ValueError("control characters")
    text = whole.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    numbers = list(range(1, len(text) + 1))
    given = text[0].strip().lower().removeprefix("sep=") if text[0].strip().lower().startswith("sep=") else ""
    if given or text[0].strip().lower() == "sep=":
        text, numbers = text[1:], numbers[1:]
    every = list(zip(text, numbers, strict=True))
    comments = [(t, n) for t, n in every if t.lstrip().startswith(_COMMENTS)]
    body = [(t, n) for t, n in every if not t.lstrip().startswith(_COMMENTS)]
    while body and not body[-1][0].strip():
        body.pop()
    judged = [t for t, _ in body if t.strip()][:_JUDGED]
    separator, width = _separator(judged, (given or "\t") if text and given else "")
    start = _start(body, separator, width)
    above = [t.strip() for t, _ in body[:start] if t.strip()]
    notes += (f"lines above the table were left out: {' / '.join(above)[:80]!r}",) if above else ()
    first_body = body[start][1] if body else 0
    last = next((t for t, n in reversed(comments) if n < first_body), None)
    bare = None if last is None else last.strip().lstrip("".join(_COMMENTS)).strip()
    commented = bare if bare and width > 1 and len(cells_of(bare, separator)) == width else None
    told = len(comments) - (commented is not None)
    notes += (f"{told} lines of comments were left out",) if told > 0 else ()
    return Lines(
        [t for t, _ in body[start:]], [n for _, n in body[start:]], separator, width, commented, notes
    )


def _start(body: list[tuple[str, int]], separator: str, width: int) -> int:
    """The first line of the table: it has as many cells as most, and no empty line and other text below it."""
    full = [
        i for i, (t, _) in enumerate(body[:_JUDGED]) if t.strip() and len(cells_of(t, separator)) >= width
    ]
    if not full:
        return 0
    start = full[0]
    if start and width > 2 and len(cells_of(body[start - 1][0], separator)) == width - 1:
        return start - 1
    gap = start + 1 < len(body) and not body[start + 1][0].strip()
    if gap and len(full) > 2:
        second = cells_of(body[full[1]][0], separator)
        if not any(is_number(cell) or is_date(cell) for cell in second):
            return full[1]
    return start


def _decoded(raw: bytes) -> tuple[str, tuple[str, ...]]:
    for mark, name in _MARKS:
        if raw.startswith(mark):
            text = raw[len(mark) :].decode(name)
            return text, () if name == "utf-8" else (f"read as {name.upper()[:6]}",)
    head = raw[:2000]
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


def cells_of(line: str, separator: str) -> list[str]:
    """The cells of a line, quotes taken off."""
    if separator == " ":
        return line.split()
    return next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])


def _separator(lines: list[str], given: str) -> tuple[str, int]:
    """The separator by which most lines have one number of cells, and most cells are numbers; and that number."""
    best, found = (-1.0, -1.0), (",", 1)
    for separator in (given,) if given else _SEPARATORS:
        rows = [cells_of(line, separator) for line in lines]
        counts = Counter(len(row) for row in rows)
        width = max(counts, key=lambda n: (counts[n], n), default=1)
        if width < 2 and not given:
            continue
        body = [cell for row in rows[1:] if len(row) == width for cell in row]
        good = sum(1 for cell in body if is_number(cell) or is_gap(cell) or is_date(cell))
        if separator == " " and good < len(body):
            continue
        score = (counts[width] / len(rows), good / max(1, len(body))) if rows else (0.0, 0.0)
        score = (round(score[0] * score[1], 9), score[0])
        if score > best:
            best, found = score, (separator, width)
    return found
