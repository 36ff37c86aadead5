"""Access to files, with one-sentence errors for missing, locked, empty, damaged and too large files."""

from __future__ import annotations

import logging
import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from overtone.errors import InputError, OvertoneError

PathLike = str | os.PathLike[str]
LIMIT_GIB = 4


class ContentFamily(Enum):
    """Family of a file's content, which determines the reader."""

    PICTURE = "picture"
    RECORDING = "recording"
    TIFF = "TIFF"
    NUMPY = "NumPy"
    ZIP = "zip"
    TEXT = "text"
    UNKNOWN = "unknown"
    OTHER = "other"


@dataclass(frozen=True)
class Content:
    """Content of a file by its first bytes.

    Attributes:
        words: The format with its article, in messages.
        family: The family of formats.
    """

    words: str
    family: ContentFamily

    def __str__(self) -> str:
        return self.words


_UNKNOWN = Content("unknown binary data", ContentFamily.UNKNOWN)
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", Content("a PNG picture", ContentFamily.PICTURE)),
    (b"\xff\xd8\xff", Content("a JPEG picture", ContentFamily.PICTURE)),
    (b"GIF8", Content("a GIF picture", ContentFamily.PICTURE)),
    (b"BM", Content("a BMP picture", ContentFamily.PICTURE)),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", Content("a JPEG 2000 picture", ContentFamily.PICTURE)),
    (b"\xff\x4f\xff\x51", Content("a JPEG 2000 picture", ContentFamily.PICTURE)),
    (b"qoif", Content("a QOI picture", ContentFamily.PICTURE)),
    (b"8BPS", Content("a Photoshop picture", ContentFamily.PICTURE)),
    (b"\x00\x00\x01\x00", Content("an icon picture", ContentFamily.PICTURE)),
    (b"II*\x00", Content("a TIFF file", ContentFamily.TIFF)),
    (b"MM\x00*", Content("a TIFF file", ContentFamily.TIFF)),
    (b"II+\x00", Content("a TIFF file", ContentFamily.TIFF)),
    (b"MM\x00+", Content("a TIFF file", ContentFamily.TIFF)),
    (b"fLaC", Content("a FLAC recording", ContentFamily.RECORDING)),
    (b"OggS", Content("an Ogg recording", ContentFamily.RECORDING)),
    (b"ID3", Content("an MP3 recording", ContentFamily.RECORDING)),
    (b"\xff\xfb", Content("an MP3 recording", ContentFamily.RECORDING)),
    (b"\xff\xfa", Content("an MP3 recording", ContentFamily.RECORDING)),
    (b"\xff\xf3", Content("an MP3 recording", ContentFamily.RECORDING)),
    (b"\xff\xf2", Content("an MP3 recording", ContentFamily.RECORDING)),
    (b"RF64", Content("a WAV recording", ContentFamily.RECORDING)),
    (b"BW64", Content("a WAV recording", ContentFamily.RECORDING)),
    (b"riff\x2e\x91\xcf\x11", Content("a W64 recording", ContentFamily.RECORDING)),
    (b".snd", Content("an AU recording", ContentFamily.RECORDING)),
    (b"caff", Content("a CAF recording", ContentFamily.RECORDING)),
    (b"Creative Voice File", Content("a VOC recording", ContentFamily.RECORDING)),
    (b"NIST_1A", Content("a NIST recording", ContentFamily.RECORDING)),
    (b"\x93NUMPY", Content("a NumPy array", ContentFamily.NUMPY)),
    (b"PK\x03\x04", Content("a zip archive", ContentFamily.ZIP)),
    (b"PK\x05\x06", Content("a zip archive", ContentFamily.ZIP)),
    (b"\x1f\x8b", Content("gzip data", ContentFamily.OTHER)),
    (b"\x89HDF\r\n", Content("an HDF5 file", ContentFamily.OTHER)),
    (b"%PDF", Content("a PDF document", ContentFamily.OTHER)),
    (b"\x80\x02", Content("a Python pickle", ContentFamily.OTHER)),
    (b"\x80\x03", Content("a Python pickle", ContentFamily.OTHER)),
    (b"\x80\x04", Content("a Python pickle", ContentFamily.OTHER)),
    (b"\x80\x05", Content("a Python pickle", ContentFamily.OTHER)),
)
_RIFF = {
    b"WEBP": Content("a WebP picture", ContentFamily.PICTURE),
    b"WAVE": Content("a WAV recording", ContentFamily.RECORDING),
    b"AVI ": Content("an AVI film", ContentFamily.OTHER),
}


def existing_file(path: PathLike) -> Path:
    """Return the path of an existing, readable, non-empty file.

    Raises:
        InputError: If it is not a path, or the file is missing, a directory, a pipe or device, locked or empty.
    """
    try:
        file = Path(path).expanduser()
    except TypeError as error:
        raise InputError("the path of a file", type(path).__name__, "pass its name", "path") from error
    if "\0" in str(file):
        raise InputError("the path of a file", "a name with a null character", "pass its name", "path")
    try:
        mode = file.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            # A pipe without a writer never answers, and what is read of one to recognise it is lost to its reader.
            kind = "a pipe" if stat.S_ISFIFO(mode) else "a device or socket"
            raise InputError("a file", kind, "save its content to a file first", str(path))
        with file.open("rb") as stream:
            first = stream.read(1)
    except FileNotFoundError as error:
        raise InputError("a file", "nothing at this path", "check its spelling", str(path)) from error
    except IsADirectoryError as error:
        zarr = any((file / name).exists() for name in ("zarr.json", ".zgroup", ".zarray"))
        do = "open it with xarray.open_zarr and pass one of its variables to signals.array"
        raise InputError(
            "a file",
            "a directory with a Zarr store" if zarr else "a directory",
            do if zarr else "name one file in it",
            str(path),
        ) from error
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


def content(path: Path) -> Content:
    """Describe a file by its first bytes: "a PNG picture", "text", "unknown binary data"."""
    with path.open("rb") as stream:
        head = stream.read(512)
    for magic, known in _MAGIC:
        if head.startswith(magic):
            return known
    if head[:1] == b"P" and head[1:2] in b"1234567Ff" and head[2:3].isspace():
        return Content("a Netpbm picture", ContentFamily.PICTURE)
    if head[4:12] in (b"ftypavif", b"ftypavis"):
        return Content("an AVIF picture", ContentFamily.PICTURE)
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], _UNKNOWN)
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC", b"8SVX", b"16SV"):
        aiff = head[8:12] in (b"AIFF", b"AIFC")
        return Content("an AIFF recording" if aiff else "an IFF recording", ContentFamily.RECORDING)
    # Text has no control characters other than tabs, line feeds and form feeds.
    binary = any(byte < 9 or 13 < byte < 32 for byte in head)
    return _UNKNOWN if binary else Content("text", ContentFamily.TEXT)


def is_tiff(path: Path) -> bool:
    """Return whether the file is a TIFF by its first bytes."""
    return content(path).family is ContentFamily.TIFF


def is_numpy(path: Path) -> bool:
    """Return whether the file is a `.npy` by its first bytes."""
    return content(path).family is ContentFamily.NUMPY


def is_zip(path: Path) -> bool:
    """Return whether the file is a zip archive, such as a `.npz`, by its first bytes."""
    return content(path).family is ContentFamily.ZIP


@contextmanager
def silenced_logger(name: str) -> Iterator[None]:
    """Silence a library's log messages on unusual headers, which readers convert to notes or errors.

    Args:
        name: Name of the library's logger.
    """
    log = logging.getLogger(name)
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)


@contextmanager
def decoding_errors(path: Path, expected: str) -> Iterator[None]:
    """Convert any exception of a decoding library to an InputError.

    Args:
        path: The file.
        expected: Expected content with its article ("a picture").

    Raises:
        InputError: In place of any exception of another library.
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
        # Decoders raise arbitrary exceptions for damaged files, so all exceptions are caught here and only
        # here.
        reason = " ".join(str(error).split()).rstrip(".")[:160] or type(error).__name__
        raise InputError(
            f"a complete file that contains {expected}",
            f"{content(path)} that could not be read ({reason})",
            "check that it is complete and that its suffix matches its content",
            str(path),
        ) from error


def check_size(shape: tuple[int, ...], itemsize: int, location: str) -> None:
    """Raise an error for a file whose header specifies more than `LIMIT_GIB` GiB, before decoding.

    Args:
        shape: Samples per axis according to the header.
        itemsize: Bytes per decoded sample.
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
