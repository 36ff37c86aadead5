"""Interpolation: exact at the training samples, and three ways between them by how these lie."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.spatial import Delaunay, QhullError, cKDTree

from overtone._utils import seeding as rng
from overtone.baselines.baseline import Baseline
from overtone.baselines.lattice import Lattice, lattice_of

MARGIN = 8
"""Samples by which a periodic axis is continued beyond its borders."""

JITTER = 1e-6
"""Shift of each sample, in samples, that makes the triangulation of a lattice unique; it moves no value by more than
this share of the difference of neighbours."""


class Interpolation(Baseline):
    """Interpolates between training samples; beyond the outermost ones the nearest sample's value holds."""

    def fill(self, values: np.ndarray, present: np.ndarray, periodic: tuple[bool, ...]) -> np.ndarray:
        """See `Baseline.fill`."""
        wanted = np.argwhere(~present)
        if not len(wanted):
            return values
        lattice = lattice_of(present)
        field = values.copy()
        if lattice is not None and not any(periodic):
            field[~present] = self._on_lattice(values, lattice)[~present]
            return field
        where, known = _continued(np.argwhere(present), values[present], present.shape, periodic)
        if present.ndim == 1:
            field[~present] = self._on_line(where[:, 0], known, wanted[:, 0])
            return field
        found = self._scattered(where, known, wanted)
        outside = np.isnan(found).any(axis=1)
        if outside.any():
            found[outside] = known[cKDTree(where).query(wanted[outside])[1]]
        field[~present] = found
        return field

    def _on_lattice(self, values: np.ndarray, lattice: Lattice) -> np.ndarray:
        coarse, shape = values[lattice.parts], values.shape[:-1]
        places = np.meshgrid(*lattice.places(shape), indexing="ij")
        return np.stack(
            [
                map_coordinates(channel, places, order=self.degree, mode="nearest")
                for channel in np.moveaxis(coarse, -1, 0)
            ],
            axis=-1,
        )

    @property
    @abstractmethod
    def degree(self) -> int:
        """Of the splines on a lattice."""

    @abstractmethod
    def _on_line(self, where: np.ndarray, known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """(K, C) values at the (K,) `wanted`, from (M, C) `known` at the ascending (M,) `where`."""

    @abstractmethod
    def _scattered(self, where: np.ndarray, known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """(K, C) values at the (K, d) `wanted`, NaN outside, from (M, C) `known` at the (M, d) `where`."""


def triangulated(where: np.ndarray) -> Delaunay | None:
    """The Delaunay triangulation of (M, d) samples of a grid; None if they span no volume."""
    moved = where + rng.generator(0, "baselines", "jitter").uniform(-JITTER, JITTER, where.shape)
    flat = len(where) <= where.shape[1] or np.linalg.matrix_rank(where - where[0]) < where.shape[1]
    try:
        return None if flat else Delaunay(moved)
    except QhullError:
        return None


def _continued(
    where: np.ndarray, known: np.ndarray, shape: tuple[int, ...], periodic: tuple[bool, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Samples with copies beyond the borders of periodic axes, ascending along the first axis."""
    for axis, (n, around) in enumerate(zip(shape, periodic, strict=True)):
        if not around:
            continue
        margin = n if len(shape) == 1 else MARGIN
        low, high = where[:, axis] < margin, where[:, axis] >= n - margin
        shift = np.eye(len(shape), dtype=where.dtype)[axis] * n
        where, known = (
            np.concatenate([where[high] - shift, where, where[low] + shift]),
            np.concatenate([known[high], known, known[low]]),
        )
    return where, known
