"""Interpolation that is exact at the training samples: linear and cubic, on lattices and between scattered samples."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.interpolate import (
    CloughTocher2DInterpolator,
    LinearNDInterpolator,
    RBFInterpolator,
    make_interp_spline,
)
from scipy.ndimage import map_coordinates
from scipy.spatial import Delaunay, QhullError, cKDTree

from overtone._utils import seeding as rng
from overtone.baselines._baseline import Baseline


@final
@dataclass(frozen=True)
class SampleLattice:
    """Every `step`-th sample from `start` to below `stop` along each axis.

    Attributes:
        parts: One slice per axis.
    """

    parts: tuple[slice, ...]

    def places(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        """Per axis the (n,) positions of all samples of a grid of `shape`, in steps of the lattice from its start."""
        return [(np.arange(n) - p.start) / p.step for n, p in zip(shape, self.parts, strict=True)]


def find_sample_lattice(present: np.ndarray) -> SampleLattice | None:
    """The lattice that the present samples form, if they form one with at least two samples along each axis.

    Args:
        present: (*shape) bool.
    """
    parts = []
    for axis, n in enumerate(present.shape):
        others = tuple(a for a in range(present.ndim) if a != axis)
        used = np.flatnonzero(present.any(axis=others))
        if len(used) < 2:
            if n == 1 and len(used) == 1:
                parts.append(slice(0, 1, 1))
                continue
            return None
        step = int(used[1] - used[0])
        if not np.array_equal(used, np.arange(used[0], used[-1] + 1, step)):
            return None
        parts.append(slice(int(used[0]), int(used[-1]) + 1, step))
    return SampleLattice(tuple(parts)) if present[tuple(parts)].all() else None


MARGIN = 8
"""Samples by which a periodic axis is continued beyond its borders."""

JITTER = 1e-6
"""Shift of each sample, in samples, that makes the triangulation of a lattice unique; it moves no value by more than
this share of the difference of neighbours."""


class GridInterpolation(Baseline):
    """Interpolates between training samples; beyond the outermost ones the nearest sample's value holds."""

    def fill(self, values: np.ndarray, present: np.ndarray, periodic: tuple[bool, ...]) -> np.ndarray:
        """See `Baseline.fill`."""
        wanted = np.argwhere(~present)
        if not len(wanted):
            return values
        lattice = find_sample_lattice(present)
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

    def _on_lattice(self, values: np.ndarray, lattice: SampleLattice) -> np.ndarray:
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


@final
class Linear(GridInterpolation):
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


NEIGHBOURS = 32
"""Samples that decide each value in a volume with gaps."""


@final
class Cubic(GridInterpolation):
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
