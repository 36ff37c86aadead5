"""The slowest modes of a graph with a last band for all that they do not hold, so that power closes."""

from __future__ import annotations

import math
from typing import Any, final

import torch
from torch import Tensor

from overtone.spectra.bands import Bands
from overtone.spectra.clouds.graph import GraphTransform


@final
class ModesAndRest:
    """The bands of a `GraphTransform`, then one for what lies beyond its modes.

    With V the modes, y - V V^T y is what they miss of a field y. The last band holds its mean square and the modes
    beyond the other bands, so all bands together hold the mean square of the field. It is open and drawn an octave
    wide.

    Args:
        transform: For the samples.

    Attributes:
        bands: The bands.
    """

    def __init__(self, transform: GraphTransform) -> None:
        self._modes = transform
        edges = transform.bands.edges
        self.bands = Bands((*edges, 2 * edges[-1]))

    def coefficients(self, values: Tensor | Any) -> Tensor:
        """(mode + N, C) float64 coefficients, then the rest of (N, C) values over sqrt(N); linear in them."""
        field = values.double()
        own = self._modes.coefficients(field)
        rest = field.to(own.device) / math.sqrt(len(field)) - self._modes.vectors @ own
        return torch.cat([own, rest])

    def power(self, coefficients: Tensor) -> Tensor:
        """(band, C) float64 power; summed over the bands, the mean square."""
        return self.cross(coefficients, coefficients).clamp(min=0)

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """(band, C) float64 mean product of two fields' parts in each band."""
        inside = self._modes.cross(*(c[: len(self._modes.frequency)] for c in (coefficients, other)))
        rest = (coefficients * other).sum(0, keepdim=True) - inside.sum(0, keepdim=True)
        return torch.cat([inside, rest])
