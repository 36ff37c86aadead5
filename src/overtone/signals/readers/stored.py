"""Numbers as a picture file stores them, before a reader makes a signal of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overtone.signals.readers.geotiff import Scaling
from overtone.signals.readers.physical import Distances
from overtone.signals.readers.pixels import Coverage, Pixels


@dataclass(frozen=True)
class Stored:
    """The picture or stack in a TIFF, upright, as stored.

    Attributes:
        samples: (*grid, bands) of the stored type; an alpha channel stands last.
        axes: One letter for each grid axis: X, Y and Z in space, T in time, I for pages of no stated meaning.
        coverage: Whether the last band is alpha.
        white: The stored number that means white, or None if the type has no full range.
        names: Names of the bands without alpha, or None for a number each.
        distances: How far apart neighbours are, of the axes whose distance is known.
        scaling: GDAL's scale, offset, unit and names of the bands.
        is_map: Whether the file says that it holds a map or measurements.
        notes: How it was read.
    """

    samples: np.ndarray
    axes: str
    coverage: Coverage
    white: float | None
    names: tuple[str, ...] | None
    distances: Distances
    scaling: Scaling
    is_map: bool
    notes: tuple[str, ...] = ()

    @staticmethod
    def of(pixels: Pixels) -> Stored:
        """The numbers of a picture of a format that has no more to say than its pixels."""
        bands = pixels.stored.shape[-1]
        plain = Scaling(np.ones(bands), np.zeros(bands), "", None)
        return Stored(
            pixels.stored, "YX", pixels.coverage, pixels.white, pixels.names, {}, plain, False, pixels.notes
        )
