"""Cubic interpolation."""

from __future__ import annotations

from typing import final

import numpy as np
from scipy.interpolate import CloughTocher2DInterpolator, RBFInterpolator, make_interp_spline

from overtone.baselines.interpolation import Interpolation, triangulated

NEIGHBOURS = 32
"""Samples that decide each value in a volume with gaps."""


@final
class Cubic(Interpolation):
    """Cubic splines on a line and on lattices; scattered samples by the piecewise cubic of Clough and Tocher.

    Scattered samples in three dimensions, for which there is no such piecewise cubic, by the radial function r^3 of the
    32 nearest.

    Source:
        Alfeld 1984, "A trivariate Clough-Tocher scheme for tetrahedral data", section 2 (the scheme in two
        dimensions); de Boor 1978, "A Practical Guide to Splines", chapter 4.
    """

    @property
    def degree(self) -> int:
        """Of the splines on a lattice."""
        return 3

    def _on_line(self, where: np.ndarray, known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        spline = make_interp_spline(where, known, k=3 if len(where) > 3 else 1)
        return spline(np.clip(wanted, where[0], where[-1]))

    def _scattered(self, where: np.ndarray, known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        mesh = triangulated(where)
        if mesh is None:
            return np.full((len(wanted), known.shape[1]), np.nan)
        if where.shape[1] == 2:
            return CloughTocher2DInterpolator(mesh, known)(wanted)
        near = min(NEIGHBOURS, len(where))
        found = RBFInterpolator(where, known, neighbors=near, kernel="cubic", degree=1)(wanted)
        found[mesh.find_simplex(wanted) < 0] = np.nan
        return found
