"""MPEG audio (MP3 and layers I and II), with exact frame counts instead of the decoder's estimate."""

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
    """Header of a frame, its first four bytes.

    Attributes:
        version: 3 for MPEG-1, 2 for MPEG-2, 0 for MPEG-2.5.
        layer: 1 for layer III, 2 for II, 3 for I.
        rate: Samples per second.
        index: Index of the bit rate; 0 for a free bit rate.
        padded: Whether the frame is one byte (layer I: four bytes) longer.
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
        """Number of bytes of the frame; 0 for a free bit rate."""
        bits = 1000 * _KBIT[self.version == 3, self.layer][self.index]
        if not bits:
            return 0
        if self.layer == 3:
            return (12 * bits // self.rate + self.padded) * 4
        return (144 if self.version == 3 or self.layer == 2 else 72) * bits // self.rate + self.padded

    @property
    def samples(self) -> int:
        """Number of samples of the frame."""
        if self.layer == 3:
            return 384
        return 1152 if self.version == 3 or self.layer == 2 else 576

    @property
    def information(self) -> int:
        """Offset of the marker of an information frame from the first byte of the header."""
        if self.version == 3:
            return 21 if self.mono else 36
        return 13 if self.mono else 21

    def follows(self, other: _Header) -> bool:
        """Return whether both headers can belong to one stream."""
        return (self.version, self.layer, self.rate) == (other.version, other.layer, other.rate) and (
            (self.index == 0) == (other.index == 0)
        )


@dataclass(frozen=True)
class Frames:
    """Frame positions of a stream.

    Attributes:
        spans: (start, end) of each complete audio frame.
        announced: Number of frames that the first frame specifies, or None.
        joined: Whether there are information frames within the stream, as in concatenated files.
        incomplete: Number of bytes of an incomplete last frame.
        truncated: Whether the stream is shorter than its first frame specifies.
        first: Header of the first frame.
    """

    spans: list[tuple[int, int]]
    announced: int | None
    joined: bool
    incomplete: int
    truncated: bool
    first: _Header


def mpeg_parts(file: Path) -> Parts | None:
    """Return the stream after a frame with the correct number of frames; None if the file is not MPEG audio.

    Args:
        file: An existing file.

    Raises:
        InputError: If there are fewer frames than its first frame specifies.
    """
    data = mapped(file)
    stream = frames(data)
    if stream is None:
        return None
    count = len(stream.spans)
    # Some encoders count the information frame too, so one frame less than specified is complete.
    if stream.announced is not None and (
        count < stream.announced - 1 or (count < stream.announced and stream.truncated)
    ):
        raise cut_short(f"{count} of {stream.announced} frames", file)
    if stream.announced == count and not stream.joined:
        return Parts((file,))
    notes = []
    if stream.announced is not None and stream.announced != count + 1:
        notes.append(
            f"its first frame announces {stream.announced} frames; it holds {count}, and all were read"
        )
    if stream.incomplete:
        notes.append("its last frame is incomplete and was left out")
    sound = b"".join(data[start:end] for start, end in stream.spans)
    return Parts((_information_frame(stream.first, count, len(sound)) + sound,), tuple(notes))


def frames(data: bytes | mmap.mmap) -> Frames | None:
    """Locate the frames of an MPEG audio stream.

    Args:
        data: The file.

    Returns:
        The frames, or None without at least two consecutive compatible frames.
    """
    end = _without_tags(data)
    begin = _first(data, end)
    if begin is None:
        return None
    first = _header(data, begin)
    assert first is not None
    reader = _FrameReader(data, end, first)
    spans, announced, joined, size = [], None, False, 0
    for number, (start, stop) in enumerate(reader.frames(begin)):
        count = _announced_frames(data[start:stop])
        if count is None:
            spans.append((start, stop))
        elif number:
            joined = True
        else:
            announced = count or None
            size = _announced_bytes(data[start:stop])
    truncated = bool(reader.incomplete) or (bool(spans) and begin + size > spans[-1][1])
    return Frames(spans, announced, joined, reader.incomplete, truncated, first) if spans else None


class _FrameReader:
    """Iterator over the frames of a stream that skips the bytes between them."""

    def __init__(self, data: bytes | mmap.mmap, end: int, first: _Header) -> None:
        self.data, self.end, self.first = data, end, first
        self.free = 0
        self.incomplete = 0

    def frames(self, at: int) -> Iterator[tuple[int, int]]:
        while at + 4 <= self.end:
            header = self._header(at)
            length = 0 if header is None else self._length(at, header)
            if not length:
                at = self._next(at)
            elif at + length > self.end:
                self.incomplete = self.end - at
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
        # Index 0 is a free bit rate: its constant frame length is not stored, so the next header is searched.
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
        """Return the next position of two consecutive frames of the stream."""
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
            # Audio data contain false headers by chance; a true header is followed by another header or the
            # end.
            if length and (at + length == self.end or self._header(at + length) is not None):
                return at


def _header(data: bytes | mmap.mmap, at: int) -> _Header | None:
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    second, third = data[at + 1], data[at + 2]
    # Reserved values (version 1, layer 0, bit rate 15, sampling rate 3) never occur in a valid header.
    version, layer = second >> 3 & 3, second >> 1 & 3
    if version == 1 or layer == 0 or third >> 4 == 15 or third >> 2 & 3 == 3:
        return None
    rate = _RATES[version][third >> 2 & 3]
    return _Header(version, layer, rate, third >> 4, bool(third >> 1 & 1), data[at + 3] >> 6 == _MONO)


def _first(data: bytes | mmap.mmap, end: int) -> int | None:
    """Return the first position of three consecutive frames (or of all frames), or None."""
    at = 0
    while data[at : at + 3] == b"ID3":
        at = _past_id3(data, at)
    while 0 <= at < end:
        header = _header(data, at)
        if header is not None:
            reader = _FrameReader(data, end, header)
            neighbours = []
            # Three consecutive headers make a chance match of 11 sync bits negligible.
            for frame in reader.frames(at):
                neighbours.append(frame)
                if len(neighbours) == 3:
                    break
            joined = all(a[1] == b[0] for a, b in itertools.pairwise(neighbours))
            if (
                neighbours
                and neighbours[0][0] == at
                and joined
                and (len(neighbours) == 3 or neighbours[-1][1] + reader.incomplete == end)
            ):
                return at
        at = data.find(b"\xff", at + 1, end)
    return None


def _past_id3(data: bytes | mmap.mmap, at: int) -> int:
    size = 0
    # Sizes in ID3 have 7 bits per byte, so that no byte resembles a sync word.
    for byte in data[at + 6 : at + 10]:
        size = size << 7 | byte & 0x7F
    footer = 10 if len(data) > at + 5 and data[at + 5] & 0x10 else 0
    return at + 10 + size + footer


def _without_tags(data: bytes | mmap.mmap) -> int:
    """Return the end of the audio data, before appended tags."""
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


def _announced_frames(frame: bytes) -> int | None:
    """Return the number of frames in an information frame (0 if absent), or None for an audio frame."""
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
    """Return the number of bytes in an information frame, including the frame; 0 if absent."""
    header = _header(frame, 0)
    assert header is not None
    for at in (header.information, header.information + 2):
        if frame[at : at + 4] in (b"Xing", b"Info"):
            flags = int.from_bytes(frame[at + 4 : at + 8], "big")
            place = at + 8 + 4 * (flags & 1)
            return int.from_bytes(frame[place : place + 4], "big") if flags & 2 else 0
    return 0


def _information_frame(first: _Header, count: int, size: int) -> bytes:
    """Create a silent frame with the number of following frames and bytes; empty for layers I and II."""
    if first.layer != _LAYER_3:
        return b""
    # The first frame's version, layer and sampling rate, at a bit rate with enough space for the Xing block.
    second = 0xE0 | first.version << 3 | first.layer << 1 | 1
    third = _PADDED_RATE[first.version == 3] << 4 | _RATES[first.version].index(first.rate) << 2
    head = bytes((0xFF, second, third, 0xC0 if first.mono else 0x00))
    header = _header(head, 0)
    assert header is not None
    # Flags 3: the number of frames and the number of bytes follow.
    words = (
        b"Xing"
        + (3).to_bytes(4, "big")
        + count.to_bytes(4, "big")
        + (size + header.length).to_bytes(4, "big")
    )
    return (head.ljust(header.information, b"\0") + words).ljust(header.length, b"\0")
