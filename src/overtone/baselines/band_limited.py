"""Band-limited interpolation: the waves below a cut-off that fit best."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np

from overtone.baselines.solve import conjugate_gradients
from overtone.baselines.tuned import Tuned
from overtone.baselines.waves import Waves


@final
class BandLimited(Tuned):
    """Least squares over all waves (cosines on open axes) below a cut-off along each axis.

    min |M (f - y)|^2 over f = P f, with M the mask of training samples and P the projection on the band: conjugate
    gradients on P M P f = P M y. The cut-off, from 1/32 to 3/8 cycles per sample, is chosen by samples set aside.

    Source:
        Feichtinger, Groechenig, Strohmer 1995, "Efficient numerical methods in non-uniform sampling theory", Numer.
        Math. 69, section 4.
    """

    LADDER: ClassVar[tuple[float, ...]] = (1 / 32, 1 / 20, 1 / 14, 1 / 10, 1 / 7, 1 / 5, 1 / 4, 3 / 8)

    def solve(
        self,
        waves: Waves,
        target: np.ndarray,
        present: np.ndarray,
        cut: float,
        start: np.ndarray,
        tolerance: float,
    ) -> np.ndarray:
        """See `Tuned.solve`."""
        band = np.ones(present.shape)
        for f in waves.frequency:
            band = band * (f < cut)
        mask = present[..., None]
        return conjugate_gradients(
            lambda field: waves.filtered(mask * field, band),
            waves.filtered(target, band),
            waves.filtered(start, band),
            tolerance=tolerance,
        )
