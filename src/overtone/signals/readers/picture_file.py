"""The pixels of any picture file, by whichever library keeps all of them."""

from __future__ import annotations

from pathlib import Path

from overtone.errors import InputError
from overtone.signals.readers.files import is_tiff
from overtone.signals.readers.netpbm import is_netpbm, read_netpbm
from overtone.signals.readers.pillow_file import read_pillow
from overtone.signals.readers.pixels import Pixels
from overtone.signals.readers.tiff_file import Outline, read_tiff, tiff_outline


def read_picture(path: Path) -> Pixels:
    """The pixels as stored, with their physical size where the file has one.

    Args:
        path: An existing file.

    Raises:
        InputError: If it holds a stack, is damaged or too large, or is no picture that is known here.
    """
    if not is_tiff(path):
        return read_netpbm(path) if is_netpbm(path) else read_pillow(path)
    outline = tiff_outline(path)
    if len(outline.axes) != 2:
        raise InputError("one picture", *_other(outline), str(path))
    stored = read_tiff(path)
    row, column = stored.distances.get("Y"), stored.distances.get("X")
    size, unit = None, "mm"
    if row is not None and column is not None:
        size, unit = (row[0], column[0]), row[1]
    notes = stored.notes + ("the file's own scale of values is not applied",) * stored.scaling.scales
    return Pixels(stored.samples, stored.coverage, size, unit, stored.white, stored.names, notes)


def _other(outline: Outline) -> tuple[str, str]:
    """What a TIFF of more axes holds, and what to do about it."""
    axes, first = outline.axes, outline.shape[0]
    if len(axes) > 3:
        return f"a stack of {len(axes)} axes ({axes})", "save one slice at one moment"
    what = f"a series of {first} pictures over time" if "T" in axes else f"a stack of {first} slices"
    return what, "read it with signals.volume, or save one of them"
