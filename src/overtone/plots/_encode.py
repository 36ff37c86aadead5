"""Arrays as data URIs that a browser shows or plays without fetching anything."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from overtone._utils.optional import import_optional

LARGEST = 640
"""Longest side of an embedded picture in pixels; larger ones are reduced."""


def data_uri(content: bytes, mime: str) -> str:
    """Return `content` as a data URI of type `mime`."""
    return f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"


def picture_uri(pixels: np.ndarray, quality: int = 92) -> str:
    """Return (H, W) or (H, W, 3) uint8 pixels as a WebP data URI.

    The compression is lossy and pictures beyond 640 pixels a side are reduced: this is for looking, not for
    measuring. Small pictures are kept exactly (lossless), so that their pixels stay visible.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels))
    # Lossy compression would blur the few pixels of a small picture, which are compared one by one.
    small = max(image.size) <= 128
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=4, lossless=small)
    return data_uri(buffer.getvalue(), "image/webp")


def exact_uri(pixels: np.ndarray) -> str:
    """Return (H, W) or (H, W, 3) uint8 pixels as a PNG data URI, every one of them as it is."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", compress_level=1)
    return data_uri(buffer.getvalue(), "image/png")


def grey(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map values to uint8, `low` to black and `high` to white; values outside are clipped, NaN is black."""
    width = high - low if high > low else 1.0
    return (np.clip(np.nan_to_num((values - low) / width), 0, 1) * 255 + 0.5).astype(np.uint8)


def diverging(values: np.ndarray, limit: float) -> np.ndarray:
    """Map signed (H, W) values to (H, W, 3) uint8: white at 0, blue towards -limit, orange towards +limit."""
    share = np.clip(np.nan_to_num(values / limit) if limit > 0 else np.zeros_like(values), -1, 1)[..., None]
    # Blue and orange differ for colour-blind readers, too.
    low, mid, high = np.array([0, 90, 180.0]), np.array([255, 255, 255.0]), np.array([205, 95, 0.0])
    mixed = np.where(share < 0, mid + (mid - low) * share, mid + (high - mid) * share)
    return (mixed + 0.5).astype(np.uint8)


def sound_uri(values: np.ndarray, rate: int, seconds: float = 12.0) -> str:
    """Return (N, C) samples with full scale -1 to 1 as a FLAC data URI, clipped, and cut after `seconds`.

    Args:
        values: Samples; non-finite ones become silence.
        rate: Samples a second.
        seconds: Longest duration, so that a page stays small.
    """
    soundfile = import_optional("soundfile", "audio")

    # Integers wrap around: clipping keeps an overshoot from becoming a click.
    clipped = np.clip(np.nan_to_num(values[: max(1, int(seconds * rate))]), -1, 1)
    buffer = io.BytesIO()
    soundfile.write(buffer, clipped, rate, format="FLAC", subtype="PCM_16")
    return data_uri(buffer.getvalue(), "audio/flac")
