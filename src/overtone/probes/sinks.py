"""Where rows go: into a new record, into an old one, or nowhere because another process writes them."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, final

from numpy.typing import ArrayLike

from overtone.errors import InputError
from overtone.records import Header, Writer

_MOST_KEPT = 9


class Sink(Protocol):
    """What a record's writer can do."""

    @property
    def header(self) -> Header:
        """What the record was opened with."""

    def append(self, step: int, row: Mapping[str, ArrayLike]) -> None:
        """Add the row of one step."""

    def snapshot(self, name: str, step: int, array: ArrayLike) -> None:
        """Keep an array."""

    def annotate(self, **attrs: Any) -> None:
        """Set attributes."""

    def close(self) -> None:
        """Let go of the file."""


Open = Callable[[Path, Callable[[], Header]], Sink]
"""Opens a record's file; the header is made only where it is needed."""


def create(path: Path, header: Callable[[], Header]) -> Sink:
    """A new record."""
    return Writer.create(path, header())


def check_unused(paths: Iterable[Path]) -> None:
    """Refuse to begin where records lie, before any is made.

    Raises:
        InputError: If there is one.
    """
    for path in paths:
        if path.exists() and (path.is_dir() or path.stat().st_size):
            raise InputError(
                "a path without a record",
                "an existing one",
                "pass another path=, or remove it; a Probe goes on with it by resume_after=",
                str(path),
            )


def keep(path: Path) -> Path | None:
    """Copy a record to `NAME~1.sqlite` beside it, or `~2` and so on up to `~9`, a name that no view can have.

    Args:
        path: A record; it may be open.

    Returns:
        The copy, or None if all names are taken.
    """
    names = (path.with_name(f"{path.stem}~{number}{path.suffix}") for number in range(1, _MOST_KEPT + 1))
    free = next((name for name in names if not name.exists()), None)
    if free is not None:
        with (
            contextlib.closing(sqlite3.connect(path)) as old,
            contextlib.closing(sqlite3.connect(free)) as new,
        ):
            old.backup(new)
    return free


def again(path: Path, sink: Sink, step: int) -> tuple[Sink, Path | None]:
    """A record whose training has begun again at a step: what it holds is kept, later rows are dropped.

    Args:
        path: Its file.
        sink: Writes it; closed here.
        step: The first step of what follows.

    Returns:
        Where rows go from now on, and the copy of what was there, if any.
    """
    if not isinstance(sink, Writer):
        return sink, None
    sink.close()
    kept = keep(path)
    return Writer.resume(path, last_step=step - 1), kept


def resume(last_step: int) -> Open:
    """Existing records, from which rows after `last_step` are dropped."""

    def opened(path: Path, header: Callable[[], Header]) -> Sink:
        del header
        return Writer.resume(path, last_step=last_step)

    return opened


def discard(path: Path, header: Callable[[], Header]) -> Sink:
    """Nothing is written."""
    del path
    return _Nowhere(header())


@final
class _Nowhere:
    def __init__(self, header: Header) -> None:
        self.header = header

    def append(self, step: int, row: Mapping[str, ArrayLike]) -> None:
        """Nothing."""

    def snapshot(self, name: str, step: int, array: ArrayLike) -> None:
        """Nothing."""

    def annotate(self, **attrs: Any) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""
