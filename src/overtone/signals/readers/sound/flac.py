"""FLAC: the number of samples is taken from its last frame, because the header's may be unknown or wrong."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

from overtone.signals.readers.sound.parts import Parts, cut_short, mapped

_FLAC_MARK = b"fLaC"
_BLOCKS = {1: 192, **{2 + i: 576 << i for i in range(4)}, **{8 + i: 256 << i for i in range(8)}}
_FLAC_SEARCHED = 1 << 24


@dataclass(frozen=True)
class _Frame:
    """A frame's place and samples.

    Attributes:
        start: Its first byte.
        begin: Number of its first sample.
        samples: How many it holds.
    """

    start: int
    begin: int
    samples: int

    @property
    def end(self) -> int:
        """Number of the first sample after it."""
        return self.begin + self.samples


def flac_parts(file: Path) -> Parts | None:
    """The stream with its true number of samples; None if the file is no FLAC.

    Args:
        file: An existing file.

    Raises:
        InputError: If fewer samples are there than its header announces.
    """
    data = mapped(file)
    at = data.find(_FLAC_MARK, 0, 1 << 20) if data[:3] == b"ID3" else 0
    if data[at : at + 4] != _FLAC_MARK or len(data) < at + 42 or data[at + 4] & 0x7F:
        return None
    told = int.from_bytes(data[at + 21 : at + 26], "big") & 0xF_FFFF_FFFF
    fixed = int.from_bytes(data[at + 10 : at + 12], "big")
    tag = 128 if data[-128:-125] == b"TAG" else 0
    last, end = _last(data, _past_blocks(data, at + 4), len(data) - tag, fixed)
    if last is None:
        raise cut_short("no whole frame", file)
    rest = len(data) - tag - end
    if told > last.end:
        raise cut_short(f"{last.end} of {told} samples", file)
    if told == last.end and not rest:
        return Parts((file,))
    notes = []
    if told and told != last.end:
        notes.append(f"its header announces {told} samples; it holds {last.end}, and all were read")
    if not told and rest:
        notes.append("its last frame is incomplete and was left out")
    head = bytearray(data[at : at + 42])
    head[21] = head[21] & 0xF0 | last.end >> 32
    head[22:26] = (last.end & 0xFFFF_FFFF).to_bytes(4, "big")
    return Parts((bytes(head) + data[at + 42 : end],), tuple(notes))


def _past_blocks(data: bytes | mmap.mmap, at: int) -> int:
    """The first byte after the blocks of metadata."""
    final = False
    while not final and at + 4 <= len(data):
        final = bool(data[at] & 0x80)
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    return at


def _last(data: bytes | mmap.mmap, first: int, stop: int, fixed: int) -> tuple[_Frame | None, int]:
    """The last frame that is whole, by its checksum, and the place after it."""
    ends = [stop]
    at = stop
    while at > max(first, stop - _FLAC_SEARCHED):
        at = data.rfind(b"\xff", first, at)
        if at < 0:
            break
        frame = _frame(data, at, fixed)
        if frame is None:
            continue
        for end in ends:
            if _sum16(data[at:end]) == 0:
                return frame, end
        ends = [*ends[-8:], at]
    return None, stop


def _frame(data: bytes | mmap.mmap, at: int, fixed: int) -> _Frame | None:
    head = data[at : at + 16]
    if len(head) < 6 or head[1] & 0xFE != 0xF8 or head[2] >> 4 == 0 or head[2] & 15 == 15 or head[3] & 1:
        return None
    number, position = _coded(head, 4)
    if number is None:
        return None
    size = head[2] >> 4
    if size in (6, 7):
        samples = int.from_bytes(head[position : position + size - 5], "big") + 1
        position += size - 5
    else:
        samples = _BLOCKS[size]
    position += {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if position >= len(head) or _sum8(head[:position]) != head[position]:
        return None
    return _Frame(at, number if head[1] & 1 else number * fixed, samples)


def _coded(head: bytes, at: int) -> tuple[int | None, int]:
    """A number in the manner of UTF-8, and the place after it."""
    lead = head[at]
    if lead < 0x80:
        return lead, at + 1
    more = 0
    while more < 7 and lead & 0x80 >> more:
        more += 1
    more -= 1
    if not 1 <= more <= 6 or at + 1 + more > len(head):
        return None, at
    number = lead & (0x3F >> more)
    for byte in head[at + 1 : at + 1 + more]:
        if byte >> 6 != 2:
            return None, at
        number = number << 6 | byte & 0x3F
    return number, at + 1 + more


def _table(polynomial: int, bits: int) -> list[int]:
    top, mask = 1 << bits - 1, (1 << bits) - 1
    table = []
    for byte in range(256):
        value = byte << bits - 8
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value & top else 0)) & mask
        table.append(value)
    return table


_TABLE8, _TABLE16 = _table(0x07, 8), _table(0x8005, 16)


def _sum8(data: bytes) -> int:
    value = 0
    for byte in data:
        value = _TABLE8[value ^ byte]
    return value


def _sum16(data: bytes) -> int:
    value = 0
    for byte in data:
        value = (value << 8 & 0xFF00) ^ _TABLE16[value >> 8 ^ byte]
    return value
