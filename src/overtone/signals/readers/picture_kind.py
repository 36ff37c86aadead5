"""Whether a picture file holds a picture, a stack, or a raster of other quantities."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from overtone.signals.readers.files import is_tiff
from overtone.signals.readers.netpbm import is_netpbm, read_netpbm
from overtone.signals.readers.tiff_file import read_tiff, tiff_outline

PICTURES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".avif", ".avifs", ".bmp", ".dib"),
    *(".gif", ".tif", ".tiff", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    *(".pbm", ".pgm", ".ppm", ".pnm", ".pam", ".pfm"),
    *(".tga", ".icb", ".vda", ".vst", ".pcx", ".sgi", ".rgb", ".rgba", ".bw", ".ras", ".qoi", ".dds", ".psd"),
    *(".ico", ".icns", ".cur", ".xbm", ".xpm"),
)
"""Endings of the names of picture files."""

_BEYOND = (-1.0, 2.0)
_OF_PICTURES = {"alpha", "background", "full_range"}
_OF_ARRAYS = {"unit", "channel_axis", "periodic"}


def picture_kind(path: Path, options: set[str]) -> str:
    """One of "picture", "volume" and "array": what the file's numbers are, unless the options ask for one.

    8-bit and 16-bit pixels make a picture, and so do floating-point ones near 0 to 1. Everything else is an array:
    other types, rasters of maps with more than 8 bits, and numbers with a scale of their own.

    Args:
        path: An existing picture file.
        options: Names of the options that were given.
    """
    if not is_tiff(path):
        floating = is_netpbm(path) and not options & _OF_PICTURES
        return _by_range(read_netpbm(path).stored) if floating else "picture"
    outline = tiff_outline(path)
    if len(outline.axes) == 2 and options & _OF_PICTURES:
        return "picture"
    if options & _OF_ARRAYS:
        return "array"
    if len(outline.axes) != 2:
        return "volume"
    bits, kind = 8 * outline.dtype.itemsize, outline.dtype.kind
    measured = outline.scales or (outline.is_map and outline.is_gray and bits > 8)
    if measured or kind not in "bfu" or (kind == "u" and bits > 16):
        return "array"
    return _by_range(read_tiff(path).samples) if kind == "f" else "picture"


def _by_range(stored: np.ndarray) -> str:
    """A picture unless floating-point numbers leave the range of one."""
    beyond = stored.dtype.kind == "f" and (stored.min() < _BEYOND[0] or stored.max() > _BEYOND[1])
    return "array" if beyond else "picture"
