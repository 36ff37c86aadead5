"""What a job of the golden comparison left, as flat data, and where two of them differ.

Every value has a key: `answer-0.json/bands/3/low`, `run/checkpoint.safetensors/network.body.linears.0.bias`,
`run/record.sqlite/rows/12/loss`, `run/report.html/line 17`. Numbers and arrays are compared bit for bit. What cannot be
the same twice is left out by the rules below.
"""

from __future__ import annotations

import base64
import fnmatch
import json
import re
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

LEFT_OUT = {
    "*seconds*": "durations are measured",
    "*.sqlite/*/crc": "checksum of a row, which may hold a duration or a date; its values are compared",
    "*.sqlite/rows/*/time": "time since the run began",
    "*.safetensors/metadata/checksum*": "checksums of durations; the tensors are compared",
    "*/versions/*": "versions of the packages and of the machine",
    "*/created": "date and time of the run",
    "*/report.html/cost-data/*": "a figure over training time",
    "*/results/*/key": "names the file, and follows from the function that was called",
    "*/results/*/function": "the inner name of the function that was called",
}
"""Patterns of keys that are not compared, each with its reason."""

ALIKE = {
    r"\b\d[\d.e+-]* (ms|s|min|h)\b": "durations within sentences",
    r"\b20\d\d-\d\d-\d\d(T[\d:+]+)?": "dates",
    r"/\S*?(?=/signals/)": "the folder in which the comparison runs",
    r"(?m)^ *\d+%  step .*\n?": "lines of progress, printed by the clock",
    r"(?m)^Predicting will take .*\n?": "printed once more when the estimate by the clock has changed",
}
"""Patterns of text that are replaced by a mark before they are compared, each with its reason."""

TIMED = re.compile(r"training time|time (a|per) step|time \(s\)", re.IGNORECASE)
"""Headings in reports of values that are durations."""


@dataclass(frozen=True)
class Difference:
    """One key with two values; `words` if only the wording changed and all numbers in it are the same."""

    key: str
    old: Any
    new: Any
    words: bool = False


class _Text(HTMLParser):
    """Lines of text of a page, and the documents of its figures."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.figures: dict[str, str] = {}
        self._figure: str | None = None
        self._hidden = False
        self._headings: list[str] = []
        self._column = -1
        self._cell = ""
        self._last = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Scripts and styles hide their content; a script of JSON is a figure; cells of tables are counted."""
        values = dict(attrs)
        self._cell = tag if tag in ("th", "td") else self._cell
        if tag == "table":
            self._headings = []
        elif tag == "tr":
            self._column = -1
        elif tag in ("th", "td"):
            self._column += 1
        self._hidden = tag in ("script", "style")
        self._figure = values.get("id") if values.get("type") == "application/json" else None

    def handle_endtag(self, tag: str) -> None:
        """What follows is shown."""
        self._cell = "" if tag in ("th", "td") else self._cell
        if tag in ("script", "style"):
            self._hidden, self._figure = False, None

    def handle_data(self, data: str) -> None:
        """One line for each piece of text."""
        if self._figure is not None:
            self.figures[self._figure] = data
        elif not self._hidden and data.strip():
            line = " ".join(data.split())
            self.lines.append("<duration>" if self._timed() else line)
            self._last = line
            if self._cell == "th" and self._column == len(self._headings):
                self._headings.append(line)

    def _timed(self) -> bool:
        """Whether what comes is a duration: in a column, or after a line, that says so."""
        columns = self._headings[self._column : self._column + 1] if self._cell == "td" else []
        return any(TIMED.search(text) for text in (*columns, self._last if len(self._last) < 40 else ""))


def flatten(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """The leaves of nested lists and mappings, each with the path to it; lists of numbers stay whole."""
    if isinstance(value, dict) and set(value) >= {"dtype", "bdata"}:
        yield key, np.frombuffer(base64.b64decode(value["bdata"]), np.dtype(value["dtype"]))
    elif isinstance(value, dict):
        yield f"{key}/keys", " ".join(sorted(value))
        for name, part in value.items():
            yield from flatten(part, f"{key}/{name}")
    elif isinstance(value, list):
        yield f"{key}/length", len(value)
        for k, part in enumerate(value):
            yield from flatten(part, f"{key}/{k}")
    else:
        yield key, value


def _json(text: str, key: str) -> Iterator[tuple[str, Any]]:
    try:
        yield from flatten(json.loads(text), key)
    except json.JSONDecodeError:
        yield key, text


def _tensors(path: Path, key: str) -> Iterator[tuple[str, Any]]:
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        for name, text in (file.metadata() or {}).items():
            yield from _json(text, f"{key}/metadata/{name}")
        for name in file.keys():  # noqa: SIM118 - not a mapping
            yield f"{key}/{name}", file.get_tensor(name)


def _sqlite(path: Path, key: str) -> Iterator[tuple[str, Any]]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    ).fetchall()
    for (table,) in tables:
        cursor = connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")
        columns = [column[0] for column in cursor.description]
        identifying = 2 if table == "snapshots" else 1
        for row in cursor:
            place = "/".join(str(part) for part in row[:identifying])
            for column, cell in zip(columns[identifying:], row[identifying:], strict=True):
                where = f"{key}/{table}/{place}/{column}"
                if isinstance(cell, bytes):
                    data = zlib.decompress(cell) if table == "snapshots" else cell
                    whole = len(data) % 8 == 0 and table != "snapshots"
                    yield where, np.frombuffer(data, np.float64 if whole else np.uint8)
                elif isinstance(cell, str):
                    yield from _json(cell, where)
                else:
                    yield where, cell
    connection.close()


def _page(path: Path, key: str) -> Iterator[tuple[str, Any]]:
    page = _Text()
    page.feed(path.read_text())
    for k, line in enumerate(page.lines):
        yield f"{key}/line {k}", line
    for name, text in page.figures.items():
        yield from _json(text, f"{key}/{name}")


def _file(path: Path, key: str) -> Iterator[tuple[str, Any]]:
    """The values of one file, by its suffix."""
    if path.suffix == ".json":
        yield from _json(path.read_text(), key)
    elif path.suffix == ".safetensors":
        yield from _tensors(path, key)
    elif path.suffix == ".sqlite":
        yield from _sqlite(path, key)
    elif path.suffix == ".html":
        yield from _page(path, key)
    elif path.suffix == ".npz":
        with np.load(path) as arrays:
            for name in arrays.files:
                yield f"{key}/{name}", arrays[name]
    elif path.suffix in (".txt", ".csv"):
        yield key, path.read_text()
    else:
        yield key, np.frombuffer(path.read_bytes(), np.uint8)


def read(folder: Path) -> dict[str, Any]:
    """All that a job left in its folder, by key, without what is left out."""
    values: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.endswith(("-wal", "-shm", ".lock")):
            continue
        name = str(path.relative_to(folder))
        if path.parent.name == "results":  # tasks of a sweep: files are named by a hash of inner names
            name = str(Path(name).parent / json.loads(path.read_text()).get("name", path.name))
        values[f"{name}/file"] = "present"
        for key, value in _file(path, name):
            if any(fnmatch.fnmatch(key, pattern) for pattern in LEFT_OUT):
                continue
            values[key] = _marked(value) if isinstance(value, str) else value
    return values


def _marked(text: str) -> str:
    for pattern in ALIKE:
        text = re.sub(pattern, "<>", text)
    return text


def _equal(old: Any, new: Any) -> bool:
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
        return old.dtype == new.dtype and old.shape == new.shape and old.tobytes() == new.tobytes()
    return type(old) is type(new) and (old == new or (old != old and new != new))  # NaN equals NaN


def _reworded(old: Any, new: Any) -> bool:
    """Whether two values are sentences that hold the same numbers."""
    if not (isinstance(old, str) and isinstance(new, str) and " " in old.strip() and " " in new.strip()):
        return False
    numbers = re.compile(r"\d[\d.,]*\d|\d")
    return sorted(numbers.findall(old)) == sorted(numbers.findall(new))


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[Difference]:
    """Where two results differ, in the order of their keys."""
    found = []
    for key in [*old, *(key for key in new if key not in old)]:
        before, after = old.get(key, "<absent>"), new.get(key, "<absent>")
        if not _equal(before, after):
            found.append(Difference(key, before, after, _reworded(before, after)))
    return found


def shown(value: Any, other: Any = None) -> str:
    """A value in short form; of an array that differs from another, the first entry that does."""
    if isinstance(value, np.ndarray):
        text = f"{value.dtype}{list(value.shape)}"
        if isinstance(other, np.ndarray) and other.shape == value.shape and value.size:
            apart = np.flatnonzero(value.ravel() != other.ravel())
            if apart.size:
                text += f" [{apart[0]}] = {value.ravel()[apart[0]]!r} ({apart.size} differ)"
        return text
    text = repr(value)
    return text if len(text) <= 160 else text[:120] + " ... " + text[-35:]
