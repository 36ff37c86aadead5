"""Powers along one direction as bands, one per harmonic."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from overtone.spectra.bands import Bands
from overtone.spectra.clouds.directions import DirectionTransform


@final
class Along:
    """The first direction of a `DirectionTransform`; band k is half a harmonic wide to both sides of f_k.

    Args:
        transform: For the samples.

    Attributes:
        bands: The bands.
    """

    def __init__(self, transform: DirectionTransform) -> None:
        self._transform = transform
        first, count = float(transform.frequency[0, 1]), transform.frequency.shape[1]
        self.bands = Bands((0.0, *((k + 0.5) * first for k in range(count))))

    def coefficients(self, values: Tensor) -> Tensor:
        """(band, C) complex128, linear in (N, C) values."""
        return self._transform.coefficients(values)[0]

    def power(self, coefficients: Tensor) -> Tensor:
        """(band, C) float64, A^2 / 2 for a harmonic of amplitude A along the direction."""
        return self.cross(coefficients, coefficients)

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """(band, C) float64 Re<f, g>: F_0 G_0 and 2 Re F_k conj(G_k)."""
        product = (coefficients * other.conj()).real
        return torch.cat([product[:1], 2 * product[1:]])
