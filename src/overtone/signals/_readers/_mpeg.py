"""MP3 and its elder layers: frames are counted, because without a frame of information the decoder only guesses."""

from __future__ import annotations

import itertools
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from overtone.signals._readers._sound_files import Parts, cut_short, mapped

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_KBIT = {
    (True, 3): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_LAYER_3, _MONO, _LONGEST_FREE = 1, 3, 8192
_PADDED_RATE = {True: 5, False: 8}


@dataclass(frozen=True)
class _Header:
    """The four bytes before each frame.

    Attributes:
        version: 3 for MPEG-1, 2 for MPEG-2, 0 for MPEG-2.5.
        layer: 1 for layer III, 2 for II, 3 for I.
        rate: Samples a second.
        index: Number of the bit rate; 0 for a rate that the format does not list.
        padded: Whether the frame is a byte (layer I: four) longer.
        mono: Whether there is one channel.
    """

    version: int
    layer: int
    rate: int
    index: int
    padded: bool
    mono: bool

    @property
    def length(self) -> int:
        """Bytes of the frame; 0 if the bit rate is not listed."""
        bits = 1000 * _KBIT[self.version == 3, self.layer][self.index]
        if not bits:
            return 0
        if self.layer == 3:
            return (12 * bits // self.rate + self.padded) * 4
        return (144 if self.version == 3 or self.layer == 2 else 72) * bits // self.rate + self.padded

    @property
    def samples(self) -> int:
        """Samples that the frame holds."""
        if self.layer == 3:
            return 384
        return 1152 if self.version == 3 or self.layer == 2 else 576

    @property
    def information(self) -> int:
        """Where a frame of information says so, in bytes after the header's first."""
        if self.version == 3:
            return 21 if self.mono else 36
        return 13 if self.mono else 21

    def follows(self, other: _Header) -> bool:
        """Whether both can belong to one stream."""
        return (self.version, self.layer, self.rate) == (other.version, other.layer, other.rate) and (
            (self.index == 0) == (other.index == 0)
        )


@dataclass(frozen=True)
class Frames:
    """Where the frames of a stream lie.

    Attributes:
        spans: (start, end) of each whole frame that holds sound.
        told: How many frames its first frame announces, or None.
        more: Whether frames of information stand within the stream, as after joining files.
        rest: Bytes of an incomplete last frame.
        lacking: Whether the stream is shorter than its first frame announces (some encoders count that frame too).
        first: Header of the first frame.
    """

    spans: list[tuple[int, int]]
    told: int | None
    more: bool
    rest: int
    lacking: bool
    first: _Header


def mpeg_parts(file: Path) -> Parts | None:
    """The stream with a true count of its frames in front; None if the file is no MPEG audio.

    Args:
        file: An existing file.

    Raises:
        InputError: If fewer frames are there than its first frame announces.
    """
    data = mapped(file)
    found = frames(data)
    if found is None:
        return None
    count = len(found.spans)
    if found.told is not None and (count < found.told - 1 or (count < found.told and found.lacking)):
        raise cut_short(f"{count} of {found.told} frames", file)
    if found.told == count and not found.more:
        return Parts((file,))
    notes = []
    if found.told is not None and found.told != count + 1:
        notes.append(f"its first frame announces {found.told} frames; it holds {count}, and all were read")
    if found.rest:
        notes.append("its last frame is incomplete and was left out")
    sound = b"".join(data[start:end] for start, end in found.spans)
    return Parts((_counted(found.first, count, len(sound)) + sound,), tuple(notes))


def frames(data: bytes | mmap.mmap) -> Frames | None:
    """The frames of an MPEG audio stream.

    Args:
        data: The file.

    Returns:
        The frames, or None if there are not at least two of one kind in a row.
    """
    end = _without_tags(data)
    begin = _first(data, end)
    if begin is None:
        return None
    first = _header(data, begin)
    assert first is not None
    walk = _Walk(data, end, first)
    spans, told, more, size = [], None, False, 0
    for number, (start, stop) in enumerate(walk.frames(begin)):
        count = _announced(data[start:stop])
        if count is None:
            spans.append((start, stop))
        elif number:
            more = True
        else:
            told = count or None
            size = _announced_bytes(data[start:stop])
    lacking = bool(walk.rest) or (bool(spans) and begin + size > spans[-1][1])
    return Frames(spans, told, more, walk.rest, lacking, first) if spans else None


class _Walk:
    """From frame to frame, over whatever stands between them."""

    def __init__(self, data: bytes | mmap.mmap, end: int, first: _Header) -> None:
        self.data, self.end, self.first = data, end, first
        self.free = 0
        self.rest = 0

    def frames(self, at: int) -> Iterator[tuple[int, int]]:
        while at + 4 <= self.end:
            header = self._header(at)
            length = 0 if header is None else self._length(at, header)
            if not length:
                at = self._next(at)
            elif at + length > self.end:
                self.rest = self.end - at
                return
            else:
                yield at, at + length
                at += length

    def _header(self, at: int) -> _Header | None:
        header = _header(self.data, at)
        return header if header is not None and header.follows(self.first) else None

    def _length(self, at: int, header: _Header) -> int:
        if header.index:
            return header.length
        pad = header.padded * (4 if header.layer == 3 else 1)
        if not self.free:
            after = at + 24
            while after < min(self.end, at + _LONGEST_FREE):
                after = self.data.find(b"\xff", after, self.end)
                if after < 0:
                    break
                if self._header(after) is not None:
                    self.free = after - at - pad
                    break
                after += 1
        return self.free + pad if self.free else 0

    def _next(self, at: int) -> int:
        """The next place where two frames of the stream follow each other."""
        if self.data[at : at + 3] == b"ID3":
            return _past_id3(self.data, at)
        while True:
            at = self.data.find(b"\xff", at + 1, self.end)
            if at < 0:
                return self.end
            header = self._header(at)
            if header is None:
                continue
            length = self._length(at, header)
            if length and (at + length == self.end or self._header(at + length) is not None):
                return at


def _header(data: bytes | mmap.mmap, at: int) -> _Header | None:
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    second, third = data[at + 1], data[at + 2]
    version, layer = second >> 3 & 3, second >> 1 & 3
    if version == 1 or layer == 0 or third >> 4 == 15 or third >> 2 & 3 == 3:
        return None
    rate = _RATES[version][third >> 2 & 3]
    return _Header(version, layer, rate, third >> 4, bool(third >> 1 & 1), data[at + 3] >> 6 == _MONO)


def _first(data: bytes | mmap.mmap, end: int) -> int | None:
    """Where three frames of one stream follow each other, or as many as there are."""
    at = 0
    while data[at : at + 3] == b"ID3":
        at = _past_id3(data, at)
    while 0 <= at < end:
        header = _header(data, at)
        if header is not None:
            walk = _Walk(data, end, header)
            near = []
            for span in walk.frames(at):
                near.append(span)
                if len(near) == 3:
                    break
            joined = all(a[1] == b[0] for a, b in itertools.pairwise(near))
            if near and near[0][0] == at and joined and (len(near) == 3 or near[-1][1] + walk.rest == end):
                return at
        at = data.find(b"\xff", at + 1, end)
    return None


def _past_id3(data: bytes | mmap.mmap, at: int) -> int:
    size = 0
    for byte in data[at + 6 : at + 10]:
        size = size << 7 | byte & 0x7F
    footer = 10 if len(data) > at + 5 and data[at + 5] & 0x10 else 0
    return at + 10 + size + footer


def _without_tags(data: bytes | mmap.mmap) -> int:
    """The end of the sound, before the tags that players write behind it."""
    end = len(data)
    while True:
        if data[end - 128 : end - 125] == b"TAG" and end >= 128:
            end -= 128
        elif data[end - 32 : end - 24] == b"APETAGEX" and end >= 32:
            size = int.from_bytes(data[end - 20 : end - 16], "little")
            with_header = 32 if data[end - 9] & 0x80 else 0
            end = max(0, end - size - with_header)
        elif data[end - 9 : end] == b"LYRICS200" and end >= 15 and data[end - 15 : end - 9].isdigit():
            end = max(0, end - 15 - int(data[end - 15 : end - 9]))
        else:
            return end


def _announced(frame: bytes) -> int | None:
    """How many frames a frame of information tells of (0 if it does not say), or None of a frame of sound."""
    header = _header(frame, 0)
    if header is None or header.layer != _LAYER_3:
        return None
    for at in (header.information, header.information + 2):
        if frame[at : at + 4] in (b"Xing", b"Info"):
            flags = int.from_bytes(frame[at + 4 : at + 8], "big")
            return int.from_bytes(frame[at + 8 : at + 12], "big") if flags & 1 else 0
    if frame[36:40] == b"VBRI":
        return 0
    return None


def _announced_bytes(frame: bytes) -> int:
    """How many bytes a frame of information tells of, itself included; 0 if it does not say."""
    header = _header(frame, 0)
    assert header is not None
    for at in (header.information, header.information + 2):
        if frame[at : at + 4] in (b"Xing", b"Info"):
            flags = int.from_bytes(frame[at + 4 : at + 8], "big")
            place = at + 8 + 4 * (flags & 1)
            return int.from_bytes(frame[place : place + 4], "big") if flags & 2 else 0
    return 0


def _counted(first: _Header, count: int, size: int) -> bytes:
    """A silent frame that says how many frames and bytes follow; of layers I and II, which have none, nothing."""
    if first.layer != _LAYER_3:
        return b""
    second = 0xE0 | first.version << 3 | first.layer << 1 | 1
    third = _PADDED_RATE[first.version == 3] << 4 | _RATES[first.version].index(first.rate) << 2
    head = bytes((0xFF, second, third, 0xC0 if first.mono else 0x00))
    header = _header(head, 0)
    assert header is not None
    words = (
        b"Xing"
        + (3).to_bytes(4, "big")
        + count.to_bytes(4, "big")
        + (size + header.length).to_bytes(4, "big")
    )
    return (head.ljust(header.information, b"\0") + words).ljust(header.length, b"\0")
