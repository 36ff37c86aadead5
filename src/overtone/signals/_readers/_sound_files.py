"""Containers of recordings, with the number of samples measured from the data instead of the header."""

from __future__ import annotations

import io
import mmap
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from overtone.errors import InputError


@dataclass(frozen=True)
class Parts:
    """Encoded recording in one or several parts.

    Attributes:
        streams: Files or bytes whose samples are consecutive.
        notes: Notes on faults of the file and how they were handled.
    """

    streams: tuple[Path | bytes, ...]
    notes: tuple[str, ...] = field(default=())

    def opened(self) -> list[str | BinaryIO]:
        """Return the parts as `soundfile` accepts them."""
        return [str(part) if isinstance(part, Path) else io.BytesIO(part) for part in self.streams]


def cut_short(detail: str, file: Path) -> InputError:
    """Create the error for an incomplete recording."""
    return InputError(
        "a complete recording", f"a truncated one ({detail})", "copy or export it again", str(file)
    )


def mapped(file: Path) -> mmap.mmap:
    """Map the bytes of a file into memory; slices of it are `bytes`."""
    with file.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


_UNKNOWN = 0x7FFF0000
_NAME = re.compile(rb"[ -~]{4}")
_TRAILERS = (b"LIST", b"id3 ", b"ID3 ", b"JUNK", b"bext", b"cue ", b"smpl", b"iXML")
_SEARCHED = 1 << 20
_STREAMED = "its header does not state its length; read to its end"


@dataclass(frozen=True)
class _Chunk:
    """Named chunk of a file.

    Attributes:
        name: Name of four letters.
        start: Position of the first byte after name and size.
        size: Size in the header, in bytes.
    """

    name: bytes
    start: int
    size: int


def wav_parts(file: Path) -> Parts | None:
    """Return a WAV or RF64 with the correct size of its samples, or None for other files.

    Args:
        file: An existing file.

    Raises:
        InputError: If there are fewer bytes of samples than its header specifies.
    """
    with file.open("rb") as stream:
        head = stream.read(12)
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:12] != b"WAVE":
        return None
    data = mapped(file)
    chunks, unpadded = _chunks(data, 12, "<")
    by_name = {chunk.name: chunk for chunk in reversed(chunks)}
    samples, format_chunk = by_name.get(b"data"), by_name.get(b"fmt ")
    if samples is None or format_chunk is None:
        return Parts((file,))
    size, wide = samples.size, by_name.get(b"ds64")
    # RF64 and BW64 store sizes above 32 bits in the chunk ds64 and mark the 32-bit field as invalid.
    if size == 0xFFFF_FFFF and wide is not None and head[:4] != b"RIFF":
        size = struct.unpack("<Q", data[wide.start + 8 : wide.start + 16])[0]
    available = len(data) - samples.start
    # Writers to a pipe cannot go back and fill in the size: they leave 0 or a number near 2^31 or 2^32.
    streamed = size >= _UNKNOWN and size > available
    if size == 0 and available:
        streamed = not _chain(data, samples.start, "<")
    if available < size and not streamed:
        raise cut_short(f"{available} of {size} bytes", file)
    if streamed:
        body = data[samples.start : _before_trailer(data, samples.start)]
        return Parts((_wav(data, format_chunk, by_name.get(b"fact"), body),), (_STREAMED,))
    # The samples must be followed by a chain of chunks; other bytes may be samples that the size omits.
    end = samples.start + size
    notes = (
        () if _chain(data, end + size % 2, "<") or _chain(data, end, "<") else (_left_over(len(data) - end),)
    )
    if not unpadded:
        return Parts((file,), notes)
    return Parts((_wav(data, format_chunk, by_name.get(b"fact"), data[samples.start : end]),), notes)


def au_parts(file: Path) -> Parts | None:
    """Return an AU (.au, .snd) with an explicit size, or None for other files.

    Args:
        file: An existing file.

    Raises:
        InputError: See `wav_parts`.
    """
    with file.open("rb") as stream:
        head = stream.read(12)
    order = {b".snd": ">", b"dns.": "<"}.get(head[:4])
    if order is None or len(head) < 12:
        return None
    start, size = struct.unpack(order + "II", head[4:12])
    available = file.stat().st_size - start
    if _UNKNOWN > size > available:
        raise cut_short(f"{available} of {size} bytes", file)
    if size == 0 and available > 0:
        data = bytearray(file.read_bytes())
        data[8:12] = b"\xff\xff\xff\xff"
        return Parts((bytes(data),), (_STREAMED,))
    return Parts((file,), (_left_over(available - size),) if size < available else ())


def caf_parts(file: Path) -> Parts | None:
    """Return a CAF with an explicit size, or None for other files.

    Args:
        file: An existing file.

    Raises:
        InputError: See `wav_parts`.
    """
    with file.open("rb") as stream:
        if stream.read(4) != b"caff":
            return None
    data = mapped(file)
    at = 8
    while at + 12 <= len(data):
        name, size = data[at : at + 4], struct.unpack(">q", data[at + 4 : at + 12])[0]
        available = len(data) - at - 12
        if name == b"data" and (size == -1 or (size == 0 and available)):
            return Parts((data[: at + 4] + struct.pack(">q", available) + data[at + 12 :],), (_STREAMED,))
        if size < 0 or size > available:
            raise cut_short(f"{available} of {size} bytes", file)
        at += 12 + size
    return Parts((file,))


def _chunks(data: bytes | mmap.mmap, at: int, order: str) -> tuple[list[_Chunk], bool]:
    """Return the chunks up to the samples, and whether an odd chunk lacks its byte of padding."""
    chunks, unpadded = [], False
    while at + 8 <= len(data):
        chunk = _Chunk(data[at : at + 4], at + 8, struct.unpack(order + "I", data[at + 4 : at + 8])[0])
        chunks.append(chunk)
        if chunk.name == b"data":
            break
        at = chunk.start + chunk.size
        if chunk.size % 2:
            # A chunk of odd length has a byte of padding, which some writers forget.
            if _NAME.fullmatch(data[at + 1 : at + 5]) or not _NAME.fullmatch(data[at : at + 4]):
                at += 1
            else:
                unpadded = True
    return chunks, unpadded


def _chain(data: bytes | mmap.mmap, at: int, order: str) -> bool:
    """Return whether consecutive chunks extend from `at` to the end."""
    while at + 8 <= len(data):
        if not _NAME.fullmatch(data[at : at + 4]):
            return not data[at:].strip(b"\0")
        size = struct.unpack(order + "I", data[at + 4 : at + 8])[0]
        at += 8 + size + size % 2
    return at >= len(data) - 7 and at <= len(data) + 1


def _before_trailer(data: bytes | mmap.mmap, start: int) -> int:
    """Return the end of samples of unknown number: the start of the chunks at the end of the file."""
    end = len(data)
    for name in _TRAILERS:
        at = data.rfind(name, max(start, len(data) - _SEARCHED))
        if start <= at < end and _chain(data, at, "<"):
            end = at
    return end


def _wav(data: bytes | mmap.mmap, format_chunk: _Chunk, fact: _Chunk | None, samples: bytes) -> bytes:
    """Create a WAV of only its format and its samples."""
    encoding = struct.unpack("<H", data[format_chunk.start : format_chunk.start + 2])[0]
    parts = [
        b"fmt ",
        struct.pack("<I", format_chunk.size),
        data[format_chunk.start : format_chunk.start + format_chunk.size],
        b"\0" * (format_chunk.size % 2),
    ]
    # Compressed encodings need the number of samples, which does not follow from the number of bytes.
    if fact is not None and encoding not in (1, 3, 6, 7, 0xFFFE) and fact.size >= 4:
        sample_count = struct.unpack("<I", data[fact.start : fact.start + 4])[0]
        if 0 < sample_count < _UNKNOWN:
            parts += [b"fact", struct.pack("<II", 4, sample_count)]
    parts += [b"data", struct.pack("<I", len(samples)), samples, b"\0" * (len(samples) % 2)]
    body = b"WAVE" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _left_over(count: int) -> str:
    return f"{count} bytes after the samples belong to nothing that its header names, and were left out"


_OGG_MARK = b"OggS"
_OGG_FIRST, _OGG_LAST = 2, 4


def ogg_parts(file: Path) -> Parts | None:
    """Split the recordings of a chained Ogg, or return None for other files.

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
        # The first pages of multiplexed streams are consecutive; a first page after other pages starts a new
        # recording.
        if kind & _OGG_FIRST and not before & _OGG_FIRST:
            begins.append(at)
        before = kind
        sizes = data[at + 27 : at + 27 + segments]
        at += 27 + segments + sum(sizes)
        if at > len(data) or len(sizes) < segments:
            raise cut_short("its last page is incomplete", file)
    notes = []
    if at < len(data) and data[at:].strip(b"\0"):
        notes.append(
            f"{len(data) - at} bytes after its last page are no part of a recording and were left out"
        )
    if not kind & _OGG_LAST:
        notes.append("its last page is not marked as the end, so that it may have been cut short")
    if len(begins) == 1:
        return Parts((file,), tuple(notes))
    notes.append(f"{len(begins)} recordings in a row, read as one")
    ends = [*begins[1:], at]
    return Parts(tuple(data[a:b] for a, b in zip(begins, ends, strict=True)), tuple(notes))


_FLAC_MARK = b"fLaC"
_BLOCKS = {1: 192, **{2 + i: 576 << i for i in range(4)}, **{8 + i: 256 << i for i in range(8)}}
_FLAC_SEARCHED = 1 << 24


@dataclass(frozen=True)
class _Frame:
    """Position and samples of a frame.

    Attributes:
        start: Position of the first byte.
        begin: Index of the first sample.
        samples: Number of samples.
    """

    start: int
    begin: int
    samples: int

    @property
    def end(self) -> int:
        """Index of the first sample after the frame."""
        return self.begin + self.samples


def flac_parts(file: Path) -> Parts | None:
    """Return a FLAC stream with the correct number of samples, or None for other files.

    Args:
        file: An existing file.

    Raises:
        InputError: If there are fewer samples than its header specifies.
    """
    data = mapped(file)
    at = data.find(_FLAC_MARK, 0, 1 << 20) if data[:3] == b"ID3" else 0
    if data[at : at + 4] != _FLAC_MARK or len(data) < at + 42 or data[at + 4] & 0x7F:
        return None
    # STREAMINFO: 36 bits of total samples end at byte 26; block sizes are in bytes 8 to 12.
    announced = int.from_bytes(data[at + 21 : at + 26], "big") & 0xF_FFFF_FFFF
    fixed = int.from_bytes(data[at + 10 : at + 12], "big")
    tag = 128 if data[-128:-125] == b"TAG" else 0
    last, end = _last(data, _past_blocks(data, at + 4), len(data) - tag, fixed)
    if last is None:
        raise cut_short("no whole frame", file)
    trailing = len(data) - tag - end
    if announced > last.end:
        raise cut_short(f"{last.end} of {announced} samples", file)
    if announced == last.end and not trailing:
        return Parts((file,))
    notes = []
    if announced and announced != last.end:
        notes.append(f"its header announces {announced} samples; it holds {last.end}, and all were read")
    if not announced and trailing:
        notes.append("its last frame is incomplete and was left out")
    head = bytearray(data[at : at + 42])
    head[21] = head[21] & 0xF0 | last.end >> 32
    head[22:26] = (last.end & 0xFFFF_FFFF).to_bytes(4, "big")
    return Parts((bytes(head) + data[at + 42 : end],), tuple(notes))


def _past_blocks(data: bytes | mmap.mmap, at: int) -> int:
    """Return the position after the metadata blocks."""
    final = False
    while not final and at + 4 <= len(data):
        final = bool(data[at] & 0x80)
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    return at


def _last(data: bytes | mmap.mmap, first: int, stop: int, fixed: int) -> tuple[_Frame | None, int]:
    """Return the last frame with a valid checksum, and the position after the frame."""
    ends = [stop]
    at = stop
    while at > max(first, stop - _FLAC_SEARCHED):
        at = data.rfind(b"\xff", first, at)
        if at < 0:
            break
        frame = _frame(data, at, fixed)
        if frame is None:
            continue
        # The CRC-16 is 0 at the end of a frame; candidate ends are later sync codes and the end of the file.
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
    # Block sizes 6 and 7 are stored after the frame number, in 8 or 16 bits.
    size = head[2] >> 4
    if size in (6, 7):
        samples = int.from_bytes(head[position : position + size - 5], "big") + 1
        position += size - 5
    else:
        samples = _BLOCKS[size]
    position += {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    # The CRC-8 of the header rejects sync codes that occur by chance within the samples.
    if position >= len(head) or _sum8(head[:position]) != head[position]:
        return None
    return _Frame(at, number if head[1] & 1 else number * fixed, samples)


def _coded(head: bytes, at: int) -> tuple[int | None, int]:
    """Return a number stored like a UTF-8 character, and the position after it."""
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
