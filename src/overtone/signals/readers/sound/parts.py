"""What the decoder is to be given in place of a file whose own account of its length is missing or wrong."""

from __future__ import annotations

import io
import mmap
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from overtone.errors import InputError


@dataclass(frozen=True)
class Parts:
    """The encoded recording.

    Attributes:
        streams: One file, or bytes, after the other; their samples follow each other.
        notes: Sentences on what was wrong with the file and how it was read all the same.
    """

    streams: tuple[Path | bytes, ...]
    notes: tuple[str, ...] = field(default=())

    def opened(self) -> list[str | BinaryIO]:
        """What `soundfile` takes."""
        return [str(part) if isinstance(part, Path) else io.BytesIO(part) for part in self.streams]


def cut_short(found: str, file: Path) -> InputError:
    """The refusal of a recording that lacks a part."""
    return InputError("a whole recording", f"one cut short ({found})", "copy or export it again", str(file))


def mapped(file: Path) -> mmap.mmap:
    """The bytes of a file, read as they are looked at; slices of it are `bytes`."""
    with file.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
