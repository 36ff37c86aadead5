"""WAV, RF64, AU and CAF: how many bytes of samples the header announces and how many follow it.

Programs that write to a pipe cannot go back to fill in the size: they leave 0, the largest number or a round one.
"""

from __future__ import annotations

import mmap
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from overtone.signals.readers.sound.parts import Parts, cut_short, mapped

_UNKNOWN = 0x7FFF0000
_NAME = re.compile(rb"[ -~]{4}")
_TRAILERS = (b"LIST", b"id3 ", b"ID3 ", b"JUNK", b"bext", b"cue ", b"smpl", b"iXML")
_SEARCHED = 1 << 20
_STREAMED = "its header does not say how long it is; read to its end"


@dataclass(frozen=True)
class _Chunk:
    """A named part of a file.

    Attributes:
        name: Its four letters.
        start: Its first byte after name and size.
        size: Bytes that it announces.
    """

    name: bytes
    start: int
    size: int


def wav_parts(file: Path) -> Parts | None:
    """A WAV or RF64 with the size of its samples set right; None if the file is neither.

    Args:
        file: An existing file.

    Raises:
        InputError: If fewer bytes of samples are there than its header announces.
    """
    with file.open("rb") as stream:
        head = stream.read(12)
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:12] != b"WAVE":
        return None
    data = mapped(file)
    chunks, loose = _chunks(data, 12, "<")
    by_name = {chunk.name: chunk for chunk in reversed(chunks)}
    samples, form = by_name.get(b"data"), by_name.get(b"fmt ")
    if samples is None or form is None:
        return Parts((file,))
    size, wide = samples.size, by_name.get(b"ds64")
    if size == 0xFFFF_FFFF and wide is not None and head[:4] != b"RIFF":
        size = struct.unpack("<Q", data[wide.start + 8 : wide.start + 16])[0]
    there = len(data) - samples.start
    streamed = size >= _UNKNOWN and size > there
    if size == 0 and there:
        streamed = not _chain(data, samples.start, "<")
    if there < size and not streamed:
        raise cut_short(f"{there} of {size} bytes", file)
    if streamed:
        body = data[samples.start : _before_trailer(data, samples.start)]
        return Parts((_wav(data, form, by_name.get(b"fact"), body),), (_STREAMED,))
    end = samples.start + size
    notes = (
        () if _chain(data, end + size % 2, "<") or _chain(data, end, "<") else (_left_over(len(data) - end),)
    )
    if not loose:
        return Parts((file,), notes)
    return Parts((_wav(data, form, by_name.get(b"fact"), data[samples.start : end]),), notes)


def au_parts(file: Path) -> Parts | None:
    """An AU (.au, .snd) whose size is known; None if the file is none.

    Args:
        file: An existing file.

    Raises:
        InputError: As `wav_parts`.
    """
    with file.open("rb") as stream:
        head = stream.read(12)
    order = {b".snd": ">", b"dns.": "<"}.get(head[:4])
    if order is None or len(head) < 12:
        return None
    start, size = struct.unpack(order + "II", head[4:12])
    there = file.stat().st_size - start
    if _UNKNOWN > size > there:
        raise cut_short(f"{there} of {size} bytes", file)
    if size == 0 and there > 0:
        data = bytearray(file.read_bytes())
        data[8:12] = b"\xff\xff\xff\xff"
        return Parts((bytes(data),), (_STREAMED,))
    return Parts((file,), (_left_over(there - size),) if size < there else ())


def caf_parts(file: Path) -> Parts | None:
    """A CAF whose size is known; None if the file is none.

    Args:
        file: An existing file.

    Raises:
        InputError: As `wav_parts`.
    """
    with file.open("rb") as stream:
        if stream.read(4) != b"caff":
            return None
    data = mapped(file)
    at = 8
    while at + 12 <= len(data):
        name, size = data[at : at + 4], struct.unpack(">q", data[at + 4 : at + 12])[0]
        there = len(data) - at - 12
        if name == b"data" and (size == -1 or (size == 0 and there)):
            return Parts((data[: at + 4] + struct.pack(">q", there) + data[at + 12 :],), (_STREAMED,))
        if size < 0 or size > there:
            raise cut_short(f"{there} of {size} bytes", file)
        at += 12 + size
    return Parts((file,))


def _chunks(data: bytes | mmap.mmap, at: int, order: str) -> tuple[list[_Chunk], bool]:
    """The chunks to the one with the samples, and whether one of odd length lacks its byte of padding."""
    found, loose = [], False
    while at + 8 <= len(data):
        chunk = _Chunk(data[at : at + 4], at + 8, struct.unpack(order + "I", data[at + 4 : at + 8])[0])
        found.append(chunk)
        if chunk.name == b"data":
            break
        at = chunk.start + chunk.size
        if chunk.size % 2:
            if _NAME.fullmatch(data[at + 1 : at + 5]) or not _NAME.fullmatch(data[at : at + 4]):
                at += 1
            else:
                loose = True
    return found, loose


def _chain(data: bytes | mmap.mmap, at: int, order: str) -> bool:
    """Whether chunk follows chunk from here to the end."""
    while at + 8 <= len(data):
        if not _NAME.fullmatch(data[at : at + 4]):
            return not data[at:].strip(b"\0")
        size = struct.unpack(order + "I", data[at + 4 : at + 8])[0]
        at += 8 + size + size % 2
    return at >= len(data) - 7 and at <= len(data) + 1


def _before_trailer(data: bytes | mmap.mmap, start: int) -> int:
    """Where samples of unknown number end: before chunks that follow each other to the end of the file."""
    end = len(data)
    for name in _TRAILERS:
        at = data.rfind(name, max(start, len(data) - _SEARCHED))
        if start <= at < end and _chain(data, at, "<"):
            end = at
    return end


def _wav(data: bytes | mmap.mmap, form: _Chunk, fact: _Chunk | None, samples: bytes) -> bytes:
    """A WAV of nothing but its form and samples."""
    encoding = struct.unpack("<H", data[form.start : form.start + 2])[0]
    parts = [
        b"fmt ",
        struct.pack("<I", form.size),
        data[form.start : form.start + form.size],
        b"\0" * (form.size % 2),
    ]
    if fact is not None and encoding not in (1, 3, 6, 7, 0xFFFE) and fact.size >= 4:
        told = struct.unpack("<I", data[fact.start : fact.start + 4])[0]
        if 0 < told < _UNKNOWN:
            parts += [b"fact", struct.pack("<II", 4, told)]
    parts += [b"data", struct.pack("<I", len(samples)), samples, b"\0" * (len(samples) % 2)]
    body = b"WAVE" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _left_over(count: int) -> str:
    return f"{count} bytes after its samples are none of them by its header, and were left out"
