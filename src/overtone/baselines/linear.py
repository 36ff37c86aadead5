"""Linear interpolation."""

from __future__ import annotations

from typing import final

import numpy as np
from scipy.interpolate import LinearNDInterpolator

from overtone.baselines.interpolation import Interpolation, triangulated


@final
class Linear(Interpolation):
    """Linear between neighbours on a line, multilinear on lattices, linear on Delaunay simplices of others."""

    @property
    def degree(self) -> int:
        """Of the splines on a lattice."""
        return 1

    def _on_line(self, where: np.ndarray, known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        return np.stack([np.interp(wanted, where, channel) for channel in known.T], axis=-1)

    def _scattered(self, where: np.ndarray, known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        mesh = triangulated(where)
        if mesh is None:
            return np.full((len(wanted), known.shape[1]), np.nan)
        return LinearNDInterpolator(mesh, known)(wanted)
