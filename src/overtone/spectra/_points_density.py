"""Density compensation: the share of the domain that each scattered sample stands for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._bands import Bands
from overtone.spectra._inputs import rows
from overtone.spectra._points_modes import Box, ball_volume, sign_flips

if TYPE_CHECKING:
    from scipy.spatial import cKDTree


class Density(ABC):
    """Weights of samples: the share of the domain that each one stands for.

    Example:
        >>> from overtone import spectra
        >>> spectrum = spectra.points([0.1, 0.4, 0.6, 0.9], [1.0, 2, 2, 1], bands=[0, 0.5], domain=(0, 1),
        ...     density=spectra.Density.known([0.25, 0.25, 0.25, 0.25]))
        >>> spectrum.bands.count
        1
    """

    @staticmethod
    def voronoi(resolution: int = 8) -> Density:
        """The part of the domain nearer to the sample than to any other.

        Args:
            resolution: Grid places per sample in 2 and 3 dimensions.
        """
        return Voronoi(resolution)

    @staticmethod
    def neighbours(count: int = 8) -> Density:
        """The volume of the ball that reaches to the sample's `count`-th neighbour; smoother than `voronoi`.

        Args:
            count: Number of neighbours.
        """
        return Neighbours(count)

    @staticmethod
    def known(volumes: ArrayLike) -> Density:
        """Known weights, for instance the volumes of a mesh's cells.

        Args:
            volumes: (N,) positive numbers, scaled to sum to 1.
        """
        return KnownVolumes(volumes)

    @abstractmethod
    def weights(self, coords: np.ndarray, box: Box, periodic: tuple[bool, ...]) -> np.ndarray:
        """(N,) positive shares of the domain, which sum to 1.

        Args:
            coords: (N, d) distinct places in the box.
            box: The domain.
            periodic: Whether it wraps around, per axis.
        """


@final
@dataclass(frozen=True)
class Voronoi(Density):
    """The part of the domain that is nearer to the sample than to any other.

    Exact on a line. In more dimensions it is found on a lattice of `resolution` places per sample, each given
    to its nearest sample, so a weight is off by about sqrt(w / resolution) mean weights, w in mean weights.

    Attributes:
        resolution: Lattice places per sample in 2 and 3 dimensions.
    """

    resolution: int = 8

    def weights(self, coords: np.ndarray, box: Box, periodic: tuple[bool, ...]) -> np.ndarray:
        """(N,) volumes of the cells over that of the domain."""
        from scipy.spatial import cKDTree

        if coords.shape[1] == 1:
            return _intervals(coords[:, 0], box, periodic[0])
        inside = wrapped(coords, box, periodic)
        per_length = (self.resolution * len(coords) / box.volume) ** (1 / coords.shape[1])
        sides = [max(1, round(per_length * length)) for length in box.extent]
        axes = [(np.arange(n) + 0.5) / n * length for n, length in zip(sides, box.extent, strict=True)]
        places = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(sides))
        periods = [length if wraps else 0.0 for length, wraps in zip(box.extent, periodic, strict=True)]
        # A volume is the count of grid places nearest to the sample: cells of any shape, on a torus too.
        owner = cKDTree(inside, boxsize=periods).query(places)[1]
        # A cell that holds no grid place still has a volume: half a place.
        cells = np.maximum(np.bincount(owner, minlength=len(coords)), 0.5)
        return cells / cells.sum()


@final
@dataclass(frozen=True)
class Neighbours(Density):
    """The volume of the ball that reaches to the sample's k-th neighbour; smoother than `Voronoi`.

    Attributes:
        count: k, the number of neighbours.
    """

    count: int = 8

    def weights(self, coords: np.ndarray, box: Box, periodic: tuple[bool, ...]) -> np.ndarray:
        """(N,) volumes of the balls, scaled to sum to 1."""
        count = min(self.count, len(coords) - 1)
        inside = wrapped(coords, box, periodic)
        radius = mirrored_tree(inside, box, periodic).query(inside, k=[count + 1])[0][:, 0]
        volume = radius ** coords.shape[1]
        return volume / volume.sum()


@final
@dataclass(frozen=True, eq=False)
class KnownVolumes(Density):
    """Weights that are known, for instance the volumes of a mesh's cells.

    Attributes:
        volumes: (N,) positive numbers, scaled to sum to 1.
    """

    volumes: ArrayLike

    def weights(self, coords: np.ndarray, box: Box, periodic: tuple[bool, ...]) -> np.ndarray:
        """The given volumes over their sum.

        Raises:
            InputError: If they are not one positive finite number a sample.
        """
        del box, periodic
        volumes = np.asarray(self.volumes, dtype=np.float64)
        if volumes.shape != (len(coords),) or not (np.isfinite(volumes) & (volumes > 0)).all():
            raise InputError(
                f"one positive weight a sample ({len(coords)})",
                f"weights of shape {volumes.shape}, least {volumes.min() if volumes.size else None}",
                "pass the volume that each sample stands for",
                "density",
            )
        return volumes / volumes.sum()


def wrapped(coords: np.ndarray, box: Box, periodic: tuple[bool, ...]) -> np.ndarray:
    """Coordinates from the box's lower corner, within [0, length) along periodic axes."""
    inside = coords - np.array(box.low)
    for axis, wraps in enumerate(periodic):
        if wraps:
            inside[:, axis] %= box.extent[axis]
            inside[inside[:, axis] >= box.extent[axis], axis] = 0.0
    return inside


def mirrored_tree(inside: np.ndarray, box: Box, periodic: tuple[bool, ...]) -> cKDTree:
    """A search tree of the samples on the torus on which even axes are continued by their mirror image."""
    from scipy.spatial import cKDTree

    period = np.array([p if wraps else 2 * p for p, wraps in zip(box.extent, periodic, strict=True)])
    images = np.concatenate([inside * signs for signs in sign_flips(periodic)]) % period
    return cKDTree(np.where(images >= period, 0.0, images), boxsize=period)


def local_density(
    coords: np.ndarray, box: Box, periodic: tuple[bool, ...], count: int, places: np.ndarray
) -> np.ndarray:
    """Samples per unit volume around each place (P, d) of the box, from the distance of the `count`-th nearest."""
    inside = wrapped(coords, box, periodic)
    radius = mirrored_tree(inside, box, periodic).query(places, k=[count])[0][:, 0]
    return count / (ball_volume(coords.shape[1]) * radius ** coords.shape[1])


def _intervals(x: np.ndarray, box: Box, wraps: bool) -> np.ndarray:
    order = np.argsort(x)
    low, high = box.low[0], box.high[0]
    first, last = x[order[0]], x[order[-1]]
    before, after = (
        (last - (high - low), first + (high - low)) if wraps else (2 * low - first, 2 * high - last)
    )
    gaps = np.diff(np.concatenate([[before], x[order], [after]]))
    weights = np.empty(len(x))
    weights[order] = (gaps[1:] + gaps[:-1]) / (2 * (high - low))
    return weights


_NEAREST = 16
_PLACES = 2048
_SPARSEST = 0.05
_SUPPORT_MARGIN = 0.75
_AMPLIFIED = 10.0


def supported(coords: np.ndarray, box: Box, periodic: tuple[bool, ...]) -> float:
    """The frequency F up to which samples determine a band-limited function stably, in cycles per unit.

    A function of frequencies |f| <= F has v F^d degrees of freedom per unit volume, v the volume of the unit
    ball, and nowhere fewer samples than that may lie (Landau 1967, Necessary density conditions for sampling
    and interpolation of certain entire functions). The density is that of the 16 nearest samples, taken where
    it is exceeded in 95 % of the domain, and a quarter of it is kept as margin: for places drawn uniformly
    this is the frequency whose rate the samples exceed about 2 times.

    A single hole can be too wide although it is small beside the domain: the function that hides best in a hole of
    diameter g has all but 4 sqrt(pi c) exp(-2 c) of its power there, c = pi F g (Fuchs 1964, On the eigenvalues of an
    integral equation arising in the theory of band-limited signals), and noise on the rest is amplified accordingly.
    F g is kept so low that this one function receives no more than ten times the variance of white noise.

    Args:
        coords: (N, d) places in the box.
        box: The domain.
        periodic: Whether it wraps around, per axis.
    """
    axes = coords.shape[1]
    # Multiples of irrational steps fill the box evenly without lining up with the samples.
    steps = np.sqrt(np.array([2.0, 3.0, 5.0])[:axes])
    spots = (np.arange(1, _PLACES + 1)[:, None] * steps) % 1 * np.array(box.extent)
    density = local_density(coords, box, periodic, min(_NEAREST, len(coords)), spots)
    dense = (_SUPPORT_MARGIN * np.quantile(density, _SPARSEST) / ball_volume(axes)) ** (1 / axes)
    nearest = local_density(coords, box, periodic, 1, spots)
    # The largest empty ball; local_density with one neighbour is its inverse volume.
    hole = 2 * (1 / (ball_volume(axes) * nearest.min())) ** (1 / axes)
    return float(min(dense, _hidden(len(coords)) / (np.pi * hole)))


def _hidden(samples: int) -> float:
    """The c at which 4 sqrt(pi c) exp(-2 c) = 1 / (10 samples), by fixed-point iteration."""
    c = 1.0
    for _ in range(20):
        c = max(1.0, 0.5 * np.log(4 * np.sqrt(np.pi * c) * samples * _AMPLIFIED))
    return float(c)


def log_bands(box: Box, periodic: tuple[bool, ...], top: float) -> Bands:
    """`Bands.log` of the axis with the lowest fundamental frequency, up to `top`.

    Raises:
        InputError: If `top` does not reach that frequency.
    """
    periods = [length if wraps else 2 * length for length, wraps in zip(box.extent, periodic, strict=True)]
    axis = int(np.argmax(periods))
    length = box.extent[axis]
    count = int(2 * top * length)
    if top * periods[axis] < 1 or count < 2:
        raise InputError(
            f"samples that support the lowest frequency of the domain, {1 / periods[axis]:.3g}",
            f"samples that support {top:.3g}",
            "pass more samples",
            "coords",
        )
    edges = Bands.log((count,), length / count, periodic=periodic[axis]).edges
    inner = [edge for edge in edges if edge < top * (1 - 1e-9)]
    return Bands((*inner, top))


_FLAT = 1e-9
_FEWEST = 4


def checked_coordinates(coords: Tensor | ArrayLike) -> np.ndarray:
    """Coordinates as (N, d) float64.

    Raises:
        InputError: If they are not 1 to 3 finite numbers a sample, too few, or do not vary along every axis.
    """
    array = rows(coords, "coords").cpu().numpy()
    axes = array.shape[1]
    if not 1 <= axes <= 3:
        raise InputError(
            "1 to 3 coordinates a sample", f"{axes}", "use overtone.spectra.clouds for more", "coords"
        )
    if len(array) < _FEWEST:
        raise InputError(f"at least {_FEWEST} samples", f"{len(array)}", "pass more samples", "coords")
    spread = np.ptp(array, axis=0)
    if not (spread > 0).all():
        axis = int(np.argmin(spread > 0))
        raise InputError(
            "coordinates that vary along every axis",
            f"{array[0, axis]:g} throughout axis {axis}",
            "leave that axis out",
            "coords",
        )
    if axes > 1:
        _check_spanning((array - array.mean(0)) / spread)
    return array


def check_inside(coords: np.ndarray, box: Box) -> None:
    """Refuse samples outside the domain.

    Raises:
        InputError: If there are such; names the first.
    """
    outside = ((coords < np.array(box.low)) | (coords > np.array(box.high))).any(1)
    if outside.any():
        first = int(np.argmax(outside))
        raise InputError(
            f"samples within {box.low} to {box.high}",
            f"{int(outside.sum())} outside, first sample {first} at {tuple(coords[first].tolist())}",
            "pass a larger domain or leave them out",
            "coords",
        )


def check_distinct(coords: np.ndarray, box: Box, periodic: tuple[bool, ...]) -> None:
    """Refuse two samples at one place, or at places that a periodic domain makes one.

    Raises:
        InputError: If there are such; names the first two.
    """
    inside = wrapped(coords, box, periodic)
    _, first, counts = np.unique(inside, axis=0, return_index=True, return_counts=True)
    if (counts > 1).any():
        one = int(first[counts > 1].min())
        two = int(np.nonzero((inside == inside[one]).all(1))[0][1])
        same = (coords[one] == coords[two]).all()
        raise InputError(
            "samples at distinct places",
            f"{int((counts - 1).sum())} duplicate points, first samples {one} and {two}"
            + ("" if same else ", which the periodic domain makes one place"),
            "keep one of each, with the mean of their values",
            "coords",
        )


def _check_spanning(centred: np.ndarray) -> None:
    size = np.linalg.svd(centred, compute_uv=False)
    rank = int((size > _FLAT * size[0]).sum())
    if rank < centred.shape[1]:
        raise InputError(
            f"points that spread in {centred.shape[1]} dimensions",
            "collinear points" if rank == 1 else "points in one plane",
            f"pass their {rank} coordinate{'s' * (rank > 1)} along it",
            "coords",
        )
