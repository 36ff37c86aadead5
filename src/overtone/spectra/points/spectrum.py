"""The spectrum of scattered samples: a Spectrum that says how far the sampling supports it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from torch import Tensor

from overtone.spectra.points.box import Box
from overtone.spectra.spectrum import Spectrum


@final
@dataclass(frozen=True, kw_only=True)
class PointsSpectrum(Spectrum):
    """Power per band of a function known at scattered places.

    `mean_square` is that of the fitted function over the domain plus the weighted mean square of what the fit
    left over; `missing` is the left-over plus what lies beyond the last band. The left-over of a quadrature is
    large where its modes are far from orthogonal on the samples.

    Attributes:
        supported: The frequency up to which the sampling supports an answer, in cycles per unit.
        domain: The box whose modes were taken.
    """

    supported: float
    domain: Box

    @property
    def trusted(self) -> np.ndarray:
        """(band,) bool, True for the bands that end within the supported frequency."""
        return self.bands.high <= self.supported * (1 + 1e-9)

    @property
    def unplaced(self) -> Tensor:
        """(channel,) float64 share of the mean square that no band holds; 0 for a signal of zeros."""
        return self.missing / self.mean_square.clamp(min=1e-300)
