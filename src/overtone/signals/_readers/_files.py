"""Access to files: missing, locked, empty, damaged and too large ones raise one-sentence errors."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from overtone.errors import InputError, OvertoneError

PathLike = str | os.PathLike[str]
LIMIT_GIB = 4

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"BM", "a BMP picture"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"qoif", "a QOI picture"),
    (b"8BPS", "a Photoshop picture"),
    (b"\x00\x00\x01\x00", "an icon picture"),
    (b"II*\x00", "a TIFF file"),
    (b"MM\x00*", "a TIFF file"),
    (b"II+\x00", "a TIFF file"),
    (b"MM\x00+", "a TIFF file"),
    (b"fLaC", "a FLAC recording"),
    (b"OggS", "an Ogg recording"),
    (b"ID3", "an MP3 recording"),
    (b"\xff\xfb", "an MP3 recording"),
    (b"\xff\xfa", "an MP3 recording"),
    (b"\xff\xf3", "an MP3 recording"),
    (b"\xff\xf2", "an MP3 recording"),
    (b"RF64", "a WAV recording"),
    (b"BW64", "a WAV recording"),
    (b"riff\x2e\x91\xcf\x11", "a W64 recording"),
    (b".snd", "an AU recording"),
    (b"caff", "a CAF recording"),
    (b"Creative Voice File", "a VOC recording"),
    (b"NIST_1A", "a NIST recording"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "a zip archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"\x89HDF\r\n", "an HDF5 file"),
    (b"%PDF", "a PDF document"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
)
_RIFF = {b"WEBP": "a WebP picture", b"WAVE": "a WAV recording", b"AVI ": "an AVI film"}
_TIFF, _NUMPY, _ZIP = "a TIFF file", "a NumPy array", "a zip archive"


def existing(path: PathLike) -> Path:
    """Return the path of a file that exists, can be read and is not empty.

    Raises:
        InputError: If it is no path, missing, a directory, locked or empty.
    """
    try:
        file = Path(path).expanduser()
    except TypeError as error:
        raise InputError("the path of a file", type(path).__name__, "pass its name", "path") from error
    try:
        with file.open("rb") as stream:
            first = stream.read(1)
    except FileNotFoundError as error:
        raise InputError("a file", "nothing at this path", "check its spelling", str(path)) from error
    except IsADirectoryError as error:
        raise InputError("a file", "a directory", "name one file in it", str(path)) from error
    except PermissionError as error:
        raise InputError(
            "a file that may be read", "permission denied", "change its permissions", str(path)
        ) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError("a file that can be read", reason, "check the path", str(path)) from error
    if not first:
        raise InputError("a file with content", "an empty file", "write it again", str(path))
    return file


def content(path: Path) -> str:
    """Describe a file by its first bytes: "a PNG picture", "text", "unknown binary data"."""
    with path.open("rb") as stream:
        head = stream.read(512)
    for magic, words in _MAGIC:
        if head.startswith(magic):
            return words
    if head[:1] == b"P" and head[1:2] in b"1234567Ff" and head[2:3].isspace():
        return "a Netpbm picture"
    if head[4:12] in (b"ftypavif", b"ftypavis"):
        return "an AVIF picture"
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], "unknown binary data")
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC", b"8SVX", b"16SV"):
        return "an AIFF recording" if head[8:12] in (b"AIFF", b"AIFC") else "an IFF recording"
    # Text has no control characters but tab, line feeds and form feeds.
    binary = any(byte < 9 or 13 < byte < 32 for byte in head)
    return "unknown binary data" if binary else "text"


def is_tiff(path: Path) -> bool:
    """Whether the file starts like a TIFF."""
    return content(path) == _TIFF


def is_numpy(path: Path) -> bool:
    """Whether the file starts like a `.npy`."""
    return content(path) == _NUMPY


def is_zip(path: Path) -> bool:
    """Whether the file starts like a zip archive, which a `.npz` is."""
    return content(path) == _ZIP


@contextmanager
def quiet(name: str) -> Iterator[None]:
    """Silence a library's log messages about odd headers; readers turn the important ones into notes or errors.

    Args:
        name: Of the library's logger.
    """
    log = logging.getLogger(name)
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)


@contextmanager
def decoding(path: Path, expected: str) -> Iterator[None]:
    """Turn any exception of a decoding library into an InputError.

    Args:
        path: The file.
        expected: What it should hold, with its article ("a picture").

    Raises:
        InputError: In place of any exception that is not overtone's own.
    """
    try:
        yield
    except OvertoneError:
        raise
    except MemoryError as error:
        raise InputError(
            f"{expected} that fits into memory", "too many samples", "cut a part out", str(path)
        ) from error
    except Exception as error:
        # Decoders raise anything on damaged files, so all exceptions are caught here and nowhere else.
        reason = " ".join(str(error).split()).rstrip(".")[:160] or type(error).__name__
        raise InputError(
            f"a complete file that holds {expected}",
            f"{content(path)} that could not be read ({reason})",
            "check that it is whole and that its suffix fits its content",
            str(path),
        ) from error


def check_size(shape: tuple[int, ...], itemsize: int, location: str) -> None:
    """Refuse a file whose header announces more than `LIMIT_GIB` GiB, before anything is decoded.

    Args:
        shape: Samples per axis according to the header.
        itemsize: Bytes per sample once decoded.
        location: The file.

    Raises:
        InputError: If the decoded samples would exceed the limit.
    """
    size = math.prod(shape) * itemsize / 2**30
    if size > LIMIT_GIB:
        raise InputError(
            f"at most {LIMIT_GIB} GiB of samples",
            f"a header that announces shape {tuple(shape)}, {size:.3g} GiB",
            "cut a part out or reduce it",
            location,
        )
