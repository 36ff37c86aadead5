"""Ogg: Vorbis, Opus and FLAC in pages; the decoder stops at the end of the first of several recordings in a row."""

from __future__ import annotations

from pathlib import Path

from overtone.signals.readers.sound.parts import Parts, cut_short, mapped

_OGG_MARK = b"OggS"
_OGG_FIRST, _OGG_LAST = 2, 4


def ogg_parts(file: Path) -> Parts | None:
    """Each recording of a chain by itself; None if the file is no Ogg.

    Args:
        file: An existing file.

    Raises:
        InputError: If its last page is incomplete.
    """
    data = mapped(file)
    if data[:4] != _OGG_MARK:
        return None
    begins, at, before, kind = [0], 0, _OGG_FIRST, 0
    while data[at : at + 4] == _OGG_MARK and at + 27 <= len(data):
        kind, segments = data[at + 5], data[at + 26]
        if kind & _OGG_FIRST and not before & _OGG_FIRST:
            begins.append(at)
        before = kind
        sizes = data[at + 27 : at + 27 + segments]
        at += 27 + segments + sum(sizes)
        if at > len(data) or len(sizes) < segments:
            raise cut_short("its last page is incomplete", file)
    notes = []
    if at < len(data) and data[at:].strip(b"\0"):
        notes.append(f"{len(data) - at} bytes after its last page are none of a recording and were left out")
    if not kind & _OGG_LAST:
        notes.append("its last page is not marked as the end, so that it may have been cut short")
    if len(begins) == 1:
        return Parts((file,), tuple(notes))
    notes.append(f"{len(begins)} recordings in a row, read as one")
    ends = [*begins[1:], at]
    return Parts(tuple(data[a:b] for a, b in zip(begins, ends, strict=True)), tuple(notes))
