"""Pictures through Pillow, at the depth they are stored in, the right way up."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from overtone.errors import InputError
from overtone.signals.readers.files import decoding
from overtone.signals.readers.pixels import Coverage, Pixels

_KEPT = {"L": Coverage.NONE, "LA": Coverage.STRAIGHT, "RGB": Coverage.NONE, "RGBA": Coverage.STRAIGHT}
_ORIENTATION = 0x0112
_DEEP = ("I;16", "I;16B", "I;16L", "I", "F")


def read(path: Path) -> Pixels:
    """Decode the first frame of a picture file.

    Palettes are looked up; CMYK, YCbCr, Lab and HSV are converted to RGB; EXIF orientation is applied;
    embedded colour profiles are not.

    Args:
        path: An existing file.

    Returns:
        The pixels as stored, without a pixel size.

    Raises:
        InputError: If the file is no picture Pillow knows, is damaged, or exceeds Pillow's limit on pixels.
    """
    with decoding(path, "a picture"), _within_pixel_limit(path):
        with Image.open(path) as opened:
            frames = getattr(opened, "n_frames", 1)
            turned = opened.getexif().get(_ORIENTATION, 1) != 1
            upright = _upright(opened)
            notes = [f"first of {frames} frames"] * (frames > 1) + ["orientation applied"] * turned
            stored = _deep_colour(path, upright)
            if stored is not None:
                return Pixels(stored, _KEPT[upright.mode], notes=tuple(notes))
            converted, changed = _plain(upright)
        notes += [f"converted from {upright.mode} to {converted.mode}"] * changed
        stored = np.asarray(converted)
        coverage = _KEPT.get(converted.mode, Coverage.NONE)
        return Pixels(stored if stored.ndim == 3 else stored[..., None], coverage, notes=tuple(notes))


def _upright(picture: Image.Image) -> Image.Image:
    picture.load()
    ImageOps.exif_transpose(picture, in_place=True)
    return picture


def _plain(picture: Image.Image) -> tuple[Image.Image, bool]:
    stored_alpha = picture.mode in ("LA", "RGBA")
    if picture.mode in _DEEP or stored_alpha or (picture.mode in _KEPT and not picture.has_transparency_data):
        return picture, False
    gray = picture.mode in ("1", "L", "La")
    if picture.has_transparency_data:
        return picture.convert("LA" if gray else "RGBA"), picture.mode not in ("L", "RGB")
    return picture.convert("L" if gray else "RGB"), True


def _deep_colour(path: Path, upright: Image.Image) -> np.ndarray | None:
    """Both bytes of 16-bit colour: Pillow keeps the high one, so the low one is decoded in its place too."""
    with Image.open(path) as low:
        layout = str(low.tile[0].args) if low.format == "PNG" and low.tile else ""
        if layout not in ("RGB;16B", "RGBA;16B"):
            return None
        low.tile = [part._replace(args=layout.replace("16B", "16L")) for part in low.tile]
        stored = np.asarray(upright).astype(np.uint16)
        stored <<= 8
        stored |= np.asarray(_upright(low))
        return stored


@contextmanager
def _within_pixel_limit(path: Path) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            limit = Image.MAX_IMAGE_PIXELS or 0
            raise InputError(
                f"a picture of at most {limit / 1e6:.0f} million pixels",
                "a larger one, which may be a decompression bomb",
                "reduce it, or decode it yourself and pass the array",
                str(path),
            ) from error
