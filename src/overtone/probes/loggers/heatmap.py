"""The learning order as pixels, for trackers that take no figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

_COLOURS = np.array(
    [(0, 32, 77), (60, 77, 110), (124, 123, 120), (187, 173, 108), (255, 234, 70)], dtype=np.float64
)
"""Cividis at 0, 1/4, 1/2, 3/4 and 1: readable without red and green, and in grey."""
_GREY = (225, 225, 225)
_LEFT, _TOP, _WIDTH, _HEIGHT, _BELOW = 64, 22, 480, 288, 22


def heatmap(
    steps: Sequence[int], edges: NDArray[np.float64], error: NDArray[np.float64], unit: str
) -> NDArray[np.uint8]:
    """Relative error per band and step: dark is learned (0), bright is not (1 and above), grey is unknown.

    Args:
        steps: (S,) recorded steps, ascending; drawn evenly, in order.
        edges: (B + 1,) edges of the bands; drawn evenly, the lowest band at the bottom.
        error: (S, B) relative errors, NaN where unknown.
        unit: Unit of the edges.

    Returns:
        (height, width, 3) pixels with the first and last step below and the lowest and highest edge at the side.
    """
    place = np.clip(np.nan_to_num(error.T[::-1]), 0, 1) * (len(_COLOURS) - 1)
    colours = np.stack([np.interp(place, range(len(_COLOURS)), c) for c in _COLOURS.T], -1)
    colours[np.isnan(error.T[::-1])] = _GREY
    map_ = Image.fromarray(colours.round().astype(np.uint8))
    sheet = Image.new("RGB", (_LEFT + _WIDTH + 8, _TOP + _HEIGHT + _BELOW), "white")
    sheet.paste(map_.resize((_WIDTH, _HEIGHT), Image.Resampling.NEAREST), (_LEFT, _TOP))
    draw = ImageDraw.Draw(sheet)
    below, right = _TOP + _HEIGHT, _LEFT + _WIDTH
    draw.text((_LEFT, 5), f"relative error: dark 0, bright 1; frequency in {unit}", fill="black")
    draw.text((_LEFT - 6, _TOP), f"{edges[-1]:.3g}", fill="black", anchor="ra")
    draw.text((_LEFT - 6, below), f"{edges[0]:.3g}", fill="black", anchor="rd")
    draw.text((_LEFT, below + 5), f"step {steps[0]}", fill="black")
    draw.text((right, below + 5), f"{steps[-1]}", fill="black", anchor="ra")
    return np.asarray(sheet)
