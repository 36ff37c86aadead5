"""The eight ways in which a camera or scanner may have stored a picture."""

from __future__ import annotations

import numpy as np


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """Rows and columns in the order in which they are looked at.

    Args:
        stored: (H, W, ...) as stored.
        orientation: The number of TIFF and EXIF, 1 for upright; others than 1 to 8 count as 1.

    Returns:
        A view: (H, W, ...), or (W, H, ...) for 5 to 8.
    """
    if not 2 <= orientation <= 8:
        return stored
    turned = stored.swapaxes(0, 1) if orientation >= 5 else stored
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return turned
