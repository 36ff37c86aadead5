"""Reader of any file: the suffix determines the reader, which validates the content."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from overtone.errors import InputError
from overtone.signals._geometry import Geometry
from overtone.signals._readers._array import NETCDF_SUFFIXES, array
from overtone.signals._readers._audio import AUDIO_SUFFIXES, audio
from overtone.signals._readers._columns import series, table
from overtone.signals._readers._files import ContentFamily, PathLike, content, existing_file
from overtone.signals._readers._image import image
from overtone.signals._readers._measured_file import KINDS, check_partners, measured_kind
from overtone.signals._readers._picture_files import PICTURES, picture_kind
from overtone.signals._readers._volume import VOLUMES, volume
from overtone.signals._signal import Signal

_READERS: dict[str, Callable[..., Signal]] = {
    **dict.fromkeys(PICTURES, image),
    **dict.fromkeys(AUDIO_SUFFIXES, audio),
    **dict.fromkeys(VOLUMES, volume),
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt"), series),
    **dict.fromkeys((".npy", ".npz", *NETCDF_SUFFIXES), array),
}
_OF_PICTURES: dict[str, Callable[..., Signal]] = {"picture": image, "volume": volume, "array": array}
_DOUBLE = tuple(suffix for suffix in _READERS if suffix.count(".") > 1)


_OF_FAMILIES: dict[ContentFamily, Callable[..., Signal]] = {
    ContentFamily.PICTURE: image,
    ContentFamily.RECORDING: audio,
    ContentFamily.NUMPY: array,
}
"""Content families that are recognised without a suffix."""


def read(path: PathLike, **options: Any) -> Signal[Geometry]:
    """Read a file by the reader of its suffix, or of its content for a picture or a recording.

    Pictures: .png .jpg .webp .avif .jp2 .bmp .gif .tga .ppm .pgm .tif and others that Pillow knows. A TIFF of
    several slices or times is a volume, and a raster of other quantities (heights, temperatures) is an array
    of these values. Recordings: .wav .flac .ogg .opus .mp3 .aiff .caf .au and others of libsndfile. Volumes:
    .nii .nii.gz .hdr .img .mgz. Series: .csv .tsv .txt; with `inputs`, tables. Arrays: .npy .npz .nc .h5.

    Args:
        path: The file.
        **options: Passed to the reader.

    Returns:
        The signal.

    Raises:
        InputError: If the suffix is unknown, the reader has no such option, or the content does not match the
            suffix.

    Example:
        >>> import pathlib, tempfile
        >>> import numpy as np
        >>> from overtone import signals
        >>> path = pathlib.Path(tempfile.mkdtemp(), "field.npy")
        >>> np.save(path, np.arange(6.0).reshape(2, 3))
        >>> signals.read(path).geometry.shape
        (2, 3)
    """
    file = existing_file(path)
    if "key" not in options:
        check_partners(file)
    if "key" not in options and (measurements := measured_kind(file)) is not None:
        raise InputError(
            "samples of a signal",
            f"measurements of one ({KINDS[measurements]})",
            "read them with signals.read_measured, or pass them to overtone fit or overtone compare",
            str(path),
        )
    name = file.name.lower()
    double = next((ending for ending in _DOUBLE if name.endswith(ending)), None)
    suffix = double or Path(name).suffix
    reader, kind = _READERS.get(suffix), content(file)
    by_content = _OF_FAMILIES.get(kind.family)
    if (
        by_content is not None
        and reader is not by_content
        and (reader is None or _foreign(reader, kind.family))
    ):
        note = f"read as {kind}, which its content is, though its name ends in {suffix!r}"
        signal = by_content(path, **_checked_options(by_content, options, path))
        return replace(signal, notes=(*signal.notes, note))
    if reader is None:
        raise InputError(
            f"a file of a known kind ({' '.join(_READERS)})",
            f"the suffix {suffix!r}" if suffix else "no suffix",
            "convert or rename it, or pass an array to signals.array",
            str(path),
        )
    if reader is series and "inputs" in options:
        return table(path, **_checked_options(table, options, path))
    # Only the header shows whether a TIFF is a picture, a stack or a raster of other quantities.
    if reader is image:
        reader = _OF_PICTURES[picture_kind(file, set(options))]
    return reader(path, **_checked_options(reader, options, path))


def _foreign(reader: Callable[..., Signal], family: ContentFamily) -> bool:
    """Return whether the reader does not support the content (text has no fixed first bytes)."""
    return not (reader is series or (reader is volume and family is ContentFamily.NUMPY))


class UnknownOptionError(InputError):
    """Error for an option that the reader of a file does not have.

    Args:
        expected: See `OvertoneError`.
        got: See `OvertoneError`.
        do: See `OvertoneError`.
        source: See `OvertoneError`.
        option: Name of the option.
    """

    def __init__(self, expected: str, got: str, do: str, source: str | None, option: str) -> None:
        super().__init__(expected, got, do, source)
        self.option = option

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        """Return the arguments of the constructor, so that the error can be pickled."""
        return type(self), (self.expected, self.got, self.do, self.source, self.option)


def _checked_options(
    reader: Callable[..., Signal[Geometry]], options: dict[str, Any], path: PathLike
) -> dict[str, Any]:
    """Return the options if the reader accepts all of them."""
    known = list(inspect.signature(reader).parameters)[1:]
    for option in options:
        if option not in known:
            expected = f"an option of signals.{reader.__name__} ({', '.join(known) or 'none'})"
            raise UnknownOptionError(expected, repr(option), "leave it out", str(path), option)
    return options
