"""A smoothing spline on the grid: what noisy samples leave after as much smoothing as pays."""

from __future__ import annotations

import math
from typing import ClassVar, final

import numpy as np

from overtone.baselines.solve import conjugate_gradients
from overtone.baselines.tuned import Tuned
from overtone.baselines.waves import Waves


@final
class Smoothing(Tuned):
    """The field of least |M (f - y)|^2 + |D f|^2 with D = (2 pi |k|)^2 / (2 pi cut)^2 in the basis of waves.

    A thin-plate smoothing spline (cubic on a line). Smoothing begins at the cut-off, chosen by samples set aside from
    1/64 cycles per sample, which blurs, to 2, which interpolates. Conjugate gradients, preconditioned by the solution
    for a mask that is grey everywhere.

    Source:
        Garcia 2010, "Robust smoothing of gridded data in one and higher dimensions with missing values", Comput. Stat.
        Data Anal. 54, equations 6 and 13; the choice here is by hold-out.
    """

    LADDER: ClassVar[tuple[float, ...]] = (
        1 / 64,
        1 / 40,
        1 / 24,
        1 / 16,
        1 / 10,
        1 / 6,
        1 / 4,
        1 / 2,
        1.0,
        2.0,
    )

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
        squared = np.zeros(present.shape)
        for f in waves.frequency:
            squared = squared + np.square(2 * math.pi * f)
        penalty = np.square(squared / (2 * math.pi * cut) ** 2)
        mask, near = present[..., None], 1 / (present.mean() + penalty)
        return conjugate_gradients(
            lambda field: mask * field + waves.filtered(field, penalty),
            target,
            start,
            lambda field: waves.filtered(field, near),
            tolerance=tolerance,
        )
