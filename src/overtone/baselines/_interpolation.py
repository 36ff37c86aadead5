"""Linear and cubic interpolation of training samples, on lattices and between scattered samples."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from overtone._utils.seeding import numpy_generator
from overtone.baselines._baseline import Baseline

if TYPE_CHECKING:
    from scipy.spatial import Delaunay


@final
@dataclass(frozen=True)
class SampleLattice:
    """Every `step`-th sample from `start` to below `stop` along each axis.

    Attributes:
        parts: Slice of each axis.
    """

    parts: tuple[slice, ...]

    def places(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        """Return per axis the (n,) positions of a grid's samples, in lattice steps from its start."""
        return [(np.arange(n) - p.start) / p.step for n, p in zip(shape, self.parts, strict=True)]


def find_sample_lattice(present: np.ndarray) -> SampleLattice | None:
    """Return the lattice of the present samples, or None if they form none with two samples along each axis.

    Args:
        present: (*shape) bool, True for present samples.
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
"""Number of samples by which a periodic axis is extended beyond its borders."""

JITTER = 1e-6
"""Shift of each sample, in samples, that makes the triangulation of a lattice unique; it changes no value by more
than this share of the difference of neighbours."""


class GridInterpolation(Baseline):
    """Interpolation between training samples, with constant extrapolation by the nearest sample."""

    def fill(self, values: np.ndarray, present: np.ndarray, periodic: tuple[bool, ...]) -> np.ndarray:
        """See `Baseline.fill`."""
        from scipy.spatial import cKDTree

        missing = np.argwhere(~present)
        if not len(missing):
            return values
        # On a lattice of every n-th sample, a tensor-product spline is exact and fast without triangulation.
        lattice = find_sample_lattice(present)
        field = values.copy()
        if lattice is not None and not any(periodic):
            field[~present] = self._on_lattice(values, lattice)[~present]
            return field
        positions, known = _continued(np.argwhere(present), values[present], present.shape, periodic)
        if present.ndim == 1:
            field[~present] = self._on_line(positions[:, 0], known, missing[:, 0])
            return field
        predicted = self._scattered(positions, known, missing)
        # No simplex exists outside the convex hull; the nearest sample extrapolates by a constant.
        outside = np.isnan(predicted).any(axis=1)
        if outside.any():
            predicted[outside] = known[cKDTree(positions).query(missing[outside])[1]]
        field[~present] = predicted
        return field

    def _on_lattice(self, values: np.ndarray, lattice: SampleLattice) -> np.ndarray:
        from scipy.ndimage import map_coordinates

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
        """Degree of the splines on a lattice."""

    @abstractmethod
    def _on_line(self, positions: np.ndarray, known: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return (K, C) values at the (K,) `targets`, from (M, C) `known` at the ascending (M,) `positions`."""

    @abstractmethod
    def _scattered(self, positions: np.ndarray, known: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return (K, C) values at the (K, d) `targets`, NaN outside, from (M, C) `known` at the (M, d) `positions`."""


def triangulated(positions: np.ndarray) -> Delaunay | None:
    """Return the Delaunay triangulation of (M, d) samples of a grid, or None if they span no volume."""
    # Four samples of a square lie on one circle and have two triangulations; a reproducible shift selects
    # one.
    from scipy.spatial import Delaunay, QhullError

    moved = positions + numpy_generator(0, "baselines", "jitter").uniform(-JITTER, JITTER, positions.shape)
    flat = (
        len(positions) <= positions.shape[1]
        or np.linalg.matrix_rank(positions - positions[0]) < positions.shape[1]
    )
    try:
        return None if flat else Delaunay(moved)
    except QhullError:
        return None


def _continued(
    positions: np.ndarray, known: np.ndarray, shape: tuple[int, ...], periodic: tuple[bool, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Add copies beyond the borders of periodic axes; positions ascend along the first axis."""
    for axis, (n, around) in enumerate(zip(shape, periodic, strict=True)):
        if not around:
            continue
        # A copy of a whole period on a line, because splines are global; a margin in more dimensions, because
        # simplices are local.
        margin = n if len(shape) == 1 else MARGIN
        low, high = positions[:, axis] < margin, positions[:, axis] >= n - margin
        shift = np.eye(len(shape), dtype=positions.dtype)[axis] * n
        positions, known = (
            np.concatenate([positions[high] - shift, positions, positions[low] + shift]),
            np.concatenate([known[high], known, known[low]]),
        )
    return positions, known


@final
class Linear(GridInterpolation):
    """Linear interpolation: between neighbours on a line, multilinear on lattices, else on Delaunay simplices.

    Example:
        >>> from overtone import baselines, signals
        >>> signal = signals.array([0.0, 5.0, 4.0, 6.0]).with_held_out([False, True, False, False])
        >>> baselines.Linear().predict(signal)[:, 0].tolist()
        [0.0, 2.0, 4.0, 6.0]
    """

    @property
    def degree(self) -> int:
        """Degree of the splines on a lattice."""
        return 1

    def _on_line(self, positions: np.ndarray, known: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return np.stack([np.interp(targets, positions, channel) for channel in known.T], axis=-1)

    def _scattered(self, positions: np.ndarray, known: np.ndarray, targets: np.ndarray) -> np.ndarray:
        from scipy.interpolate import LinearNDInterpolator

        mesh = triangulated(positions)
        if mesh is None:
            return np.full((len(targets), known.shape[1]), np.nan)
        return LinearNDInterpolator(mesh, known)(targets)


NEIGHBOURS = 32
"""Number of samples that determine each value in a volume with gaps."""


@final
class Cubic(GridInterpolation):
    """Cubic interpolation: splines on a line and on lattices, the Clough-Tocher scheme between scattered samples.

    In three dimensions, for which that scheme is not defined, the radial basis function r^3 of the 32 nearest
    samples is used.

    Source:
        Alfeld 1984, "A trivariate Clough-Tocher scheme for tetrahedral data", section 2 (the scheme in two
        dimensions); de Boor 1978, "A Practical Guide to Splines", chapter 4.

    Example:
        >>> from overtone import baselines, signals
        >>> signal = signals.array([0.0, 1.0, 8.0, 27.0, 64.0]).with_held_out([False, False, True, False, False])
        >>> round(float(baselines.Cubic().predict(signal)[2, 0]), 4)
        8.0
    """

    @property
    def degree(self) -> int:
        """Degree of the splines on a lattice."""
        return 3

    def _on_line(self, positions: np.ndarray, known: np.ndarray, targets: np.ndarray) -> np.ndarray:
        from scipy.interpolate import make_interp_spline

        spline = make_interp_spline(positions, known, k=3 if len(positions) > 3 else 1)
        return spline(np.clip(targets, positions[0], positions[-1]))

    def _scattered(self, positions: np.ndarray, known: np.ndarray, targets: np.ndarray) -> np.ndarray:
        from scipy.interpolate import CloughTocher2DInterpolator, RBFInterpolator

        mesh = triangulated(positions)
        if mesh is None:
            return np.full((len(targets), known.shape[1]), np.nan)
        if positions.shape[1] == 2:
            return CloughTocher2DInterpolator(mesh, known)(targets)
        near = min(NEIGHBOURS, len(positions))
        result = RBFInterpolator(positions, known, neighbors=near, kernel="cubic", degree=1)(targets)
        result[mesh.find_simplex(targets) < 0] = np.nan
        return result
