"""Where rows go: into a new record, into an old one, or nowhere because another process writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, final

from numpy.typing import ArrayLike

from overtone.records import Header, Writer


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
