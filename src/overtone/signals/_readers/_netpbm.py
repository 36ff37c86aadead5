"""Reader of PBM, PGM, PPM, PAM and PFM pictures of any depth."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from overtone.signals._readers._files import check_size, decoding_errors
from overtone.signals._readers._pixels import Coverage, Pixels

_KINDS = (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"P7", b"PF", b"Pf")
_GAP = rb"(?:\s|#[^\n]*\n)+"
_ALPHA = ("BLACKANDWHITE_ALPHA", "GRAYSCALE_ALPHA", "RGB_ALPHA")
_HEADER = 1 << 16


def is_netpbm(path: Path) -> bool:
    """Return whether the file is a Netpbm picture by its first bytes."""
    with path.open("rb") as stream:
        head = stream.read(3)
    return head[:2] in _KINDS and head[2:].isspace()


def read_netpbm(path: Path) -> Pixels:
    """Read the stored numbers of the first picture of the file.

    Args:
        path: An existing file that `is_netpbm`.

    Raises:
        InputError: If the file is damaged, truncated or too large.
    """
    with decoding_errors(path, "a picture"):
        data = path.read_bytes()
        kind = data[:2]
        if kind == b"P7":
            return _pam(data, path)
        if kind in (b"PF", b"Pf"):
            return _pfm(data, path)
        bilevel = kind in (b"P1", b"P4")
        numbers, start = _header(data, 2 if bilevel else 3)
        width, height, top = (*numbers, 1)[:3]
        bands = 3 if kind in (b"P3", b"P6") else 1
        _check((height, width, bands), top, path)
        if kind == b"P4":
            return _packed(data, start, height, width)
        if kind in (b"P1", b"P2", b"P3"):
            stored = _text(data[start:], height * width * bands, bilevel)
        else:
            stored = _numbers(data, start, height * width * bands, top)
        if stored.max() > top or stored.min() < 0:
            raise ValueError(f"a value outside 0 to {top}")
        stored = stored.reshape(height, width, bands).astype(np.uint8 if top < 256 else np.uint16)
        if bilevel:
            return Pixels(stored == 0)
        beside = (
            _further_pictures(data, start, stored.size * stored.itemsize) if kind in (b"P5", b"P6") else ()
        )
        return Pixels(stored, white=float(top), notes=beside)


def _header(data: bytes, count: int) -> tuple[tuple[int, ...], int]:
    """Parse the integers of a header; also return the position of the first pixel."""
    match = re.match(rb"P\d" + (_GAP + rb"(\d{1,9})") * count + rb"\s", data[:_HEADER])
    if match is None:
        raise ValueError("no width, height and greatest value")
    return tuple(int(part) for part in match.groups()), match.end()


def _check(shape: tuple[int, ...], top: int, path: Path) -> None:
    if not 1 <= top <= 65535 or min(shape) < 1:
        raise ValueError(f"shape {shape} with the greatest value {top}")
    check_size(shape, 4, str(path))


def _numbers(data: bytes, start: int, count: int, top: int) -> np.ndarray:
    dtype = np.dtype(np.uint8 if top < 256 else ">u2")
    if len(data) < start + count * dtype.itemsize:
        raise ValueError("the file ends within its pixels")
    return np.frombuffer(data, dtype, count, start).astype(dtype.newbyteorder("="))


def _text(data: bytes, count: int, bilevel: bool) -> np.ndarray:
    plain = re.sub(rb"#[^\n]*", b"", data)
    # Plain bilevel pixels may lack spaces: every character is a pixel.
    words = [bytes([c]) for c in plain if not chr(c).isspace()] if bilevel else plain.split()
    if len(words) < count:
        raise ValueError("the file ends within its pixels")
    return np.array([int(word) for word in words[:count]], np.int64).clip(-1, 65536)


def _packed(data: bytes, start: int, height: int, width: int) -> Pixels:
    line = (width + 7) // 8
    if len(data) < start + height * line:
        raise ValueError("the file ends within its pixels")
    rows = np.frombuffer(data, np.uint8, height * line, start).reshape(height, line)
    bits = np.unpackbits(rows, axis=1, count=width)
    return Pixels((bits == 0)[..., None], notes=_further_pictures(data, start, height * line))


def _further_pictures(data: bytes, start: int, size: int) -> tuple[str, ...]:
    """Return a note on further pictures in the same file."""
    return ("first of several pictures in the file",) * (data[start + size :].lstrip()[:2] in _KINDS)


def _pam(data: bytes, path: Path) -> Pixels:
    end = re.search(rb"\nENDHDR[ \t]*\n", data[:_HEADER])
    if end is None:
        raise ValueError("a header without its end")
    lines = [line.split(None, 1) for line in data[3 : end.start()].decode("ascii", "replace").splitlines()]
    fields = {
        parts[0]: parts[1].strip() for parts in lines if len(parts) == 2 and not parts[0].startswith("#")
    }
    height, width, bands, top = (int(fields.get(k, "0")) for k in ("HEIGHT", "WIDTH", "DEPTH", "MAXVAL"))
    _check((height, width, bands), top, path)
    stored = _numbers(data, end.end(), height * width * bands, top).reshape(height, width, bands)
    covered = fields.get("TUPLTYPE", "") in _ALPHA and bands > 1
    return Pixels(
        stored,
        Coverage.STRAIGHT if covered else Coverage.NONE,
        white=float(top),
        notes=_further_pictures(data, end.end(), stored.size * (1 if top < 256 else 2)),
    )


def _pfm(data: bytes, path: Path) -> Pixels:
    match = re.match(rb"P[Ff]\s+(\d{1,9})\s+(\d{1,9})\s+([-+0-9.eE]+)[ \t\r]*\n", data[:_HEADER])
    if match is None:
        raise ValueError("no width, height and scale")
    width, height, scale = int(match[1]), int(match[2]), float(match[3])
    bands = 3 if data[:2] == b"PF" else 1
    _check((height, width, bands), 1, path)
    if len(data) < match.end() + 4 * height * width * bands:
        raise ValueError("the file ends within its pixels")
    order = "<f4" if scale < 0 else ">f4"
    stored = np.frombuffer(data, order, height * width * bands, match.end()).astype(np.float32)
    # PFM stores the lowest row first.
    upright = np.ascontiguousarray(stored.reshape(height, width, bands)[::-1])
    notes = (f"scale of {abs(scale):g} not applied",) * (abs(scale) != 1 and scale != 0)
    return Pixels(upright, notes=notes)
