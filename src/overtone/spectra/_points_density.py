"""Density compensation: the share of the domain that each scattered sample represents."""

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
    """Quadrature weights of samples: the share of the domain that each sample represents.

    Example:
        >>> from overtone import spectra
        >>> spectrum = spectra.points([0.1, 0.4, 0.6, 0.9], [1.0, 2, 2, 1], bands=[0, 0.5], domain=(0, 1),
        ...     density=spectra.Density.known([0.25, 0.25, 0.25, 0.25]))
        >>> spectrum.bands.count
        1
    """

    @staticmethod
    def voronoi(resolution: int = 8) -> Density:
        """Return weights by the volumes of the Voronoi cells of the samples.

        Args:
            resolution: Grid points per sample in 2 and 3 dimensions.
        """
        return Voronoi(resolution)

    @staticmethod
    def neighbours(count: int = 8) -> Density:
        """Return weights by the volume of the ball up to the `count`-th neighbour, smoother than `voronoi`.

        Args:
            count: Number of neighbours.
        """
        return Neighbours(count)

    @staticmethod
    def known(volumes: ArrayLike) -> Density:
        """Return weights from known volumes, for instance of the cells of a mesh.

        Args:
            volumes: (N,) positive numbers, scaled to sum to 1.
        """
        return KnownVolumes(volumes)

    @abstractmethod
    def weights(self, coords: np.ndarray, box: Box, periodic: tuple[bool, ...]) -> np.ndarray:
        """Return the (N,) positive shares of the domain, which sum to 1.

        Args:
            coords: (N, d) distinct coordinates in the box.
            box: The domain.
            periodic: Whether each axis wraps around.
        """


@final
@dataclass(frozen=True)
class Voronoi(Density):
    """Volume of the Voronoi cell: the part of the domain nearer to the sample than to any other sample.

    It is exact on a line. In more dimensions, each of `resolution` lattice points per sample is assigned to
    its nearest sample, with an error of about sqrt(w / resolution) for a weight w, both in units of the mean
    weight.

    Attributes:
        resolution: Lattice points per sample in 2 and 3 dimensions.
    """

    resolution: int = 8

    def weights(self, coords: np.ndarray, box: Box, periodic: tuple[bool, ...]) -> np.ndarray:
        """Return the (N,) volumes of the cells over that of the domain."""
        from scipy.spatial import cKDTree

        if coords.shape[1] == 1:
            return _intervals(coords[:, 0], box, periodic[0])
        inside = wrapped(coords, box, periodic)
        per_length = (self.resolution * len(coords) / box.volume) ** (1 / coords.shape[1])
        sides = [max(1, round(per_length * length)) for length in box.extent]
        axes = [(np.arange(n) + 0.5) / n * length for n, length in zip(sides, box.extent, strict=True)]
        lattice = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(sides))
        periods = [length if wraps else 0.0 for length, wraps in zip(box.extent, periodic, strict=True)]
        # Counting the nearest lattice points handles cells of any shape, also on a torus.
        owner = cKDTree(inside, boxsize=periods).query(lattice)[1]
        # A cell without lattice points gets half a point, so that every weight is positive.
        cells = np.maximum(np.bincount(owner, minlength=len(coords)), 0.5)
        return cells / cells.sum()


@final
@dataclass(frozen=True)
class Neighbours(Density):
    """Volume of the ball up to the sample's k-th neighbour, smoother than `Voronoi`.

    Attributes:
        count: k, the number of neighbours.
    """

    count: int = 8

    def weights(self, coords: np.ndarray, box: Box, periodic: tuple[bool, ...]) -> np.ndarray:
        """Return the (N,) volumes of the balls, scaled to sum to 1."""
        count = min(self.count, len(coords) - 1)
        inside = wrapped(coords, box, periodic)
        radius = mirrored_tree(inside, box, periodic).query(inside, k=[count + 1])[0][:, 0]
        volume = radius ** coords.shape[1]
        return volume / volume.sum()


@final
@dataclass(frozen=True, eq=False)
class KnownVolumes(Density):
    """Known weights, for instance the volumes of the cells of a mesh.

    Attributes:
        volumes: (N,) positive numbers, scaled to sum to 1.
    """

    volumes: ArrayLike

    def weights(self, coords: np.ndarray, box: Box, periodic: tuple[bool, ...]) -> np.ndarray:
        """Return the known volumes divided by their sum.

        Raises:
            InputError: If they are not one positive finite number per sample.
        """
        del box, periodic
        volumes = np.asarray(self.volumes, dtype=np.float64)
        if volumes.shape != (len(coords),) or not (np.isfinite(volumes) & (volumes > 0)).all():
            raise InputError(
                f"one positive weight per sample ({len(coords)})",
                f"weights of shape {volumes.shape}, minimum {volumes.min() if volumes.size else None}",
                "pass the volume that each sample represents",
                "density",
            )
        return volumes / volumes.sum()


def wrapped(coords: np.ndarray, box: Box, periodic: tuple[bool, ...]) -> np.ndarray:
    """Return coordinates relative to the box's lower corner, wrapped to [0, length) along periodic axes."""
    inside = coords - np.array(box.low)
    for axis, wraps in enumerate(periodic):
        if wraps:
            inside[:, axis] %= box.extent[axis]
            inside[inside[:, axis] >= box.extent[axis], axis] = 0.0
    return inside


def mirrored_tree(inside: np.ndarray, box: Box, periodic: tuple[bool, ...]) -> cKDTree:
    """Return a search tree of the samples on the torus, with mirror images along non-periodic axes."""
    from scipy.spatial import cKDTree

    period = np.array([p if wraps else 2 * p for p, wraps in zip(box.extent, periodic, strict=True)])
    images = np.concatenate([inside * signs for signs in sign_flips(periodic)]) % period
    return cKDTree(np.where(images >= period, 0.0, images), boxsize=period)


def local_density(
    coords: np.ndarray, box: Box, periodic: tuple[bool, ...], count: int, points: np.ndarray
) -> np.ndarray:
    """Return the samples per unit volume around each point (P, d), by the `count`-th nearest sample."""
    inside = wrapped(coords, box, periodic)
    radius = mirrored_tree(inside, box, periodic).query(points, k=[count])[0][:, 0]
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
_DENSITY_QUANTILE = 0.05
_SUPPORT_MARGIN = 0.75
_MAX_AMPLIFICATION = 10.0


def supported(coords: np.ndarray, box: Box, periodic: tuple[bool, ...]) -> float:
    """Return the frequency F, in cycles per unit, up to which samples stably determine a function.

    A function of frequencies |f| <= F has v F^d degrees of freedom per unit volume, with v the volume of the
    unit ball, and the density of samples must be at least that everywhere (Landau 1967, Necessary density
    conditions for sampling and interpolation of certain entire functions). The density is estimated from the
    16 nearest samples. Its 5 % quantile over the domain is used, less a margin of a quarter: uniformly random
    samples oversample the resulting F by a factor of about 2.

    A single gap can be too wide although it is small compared with the domain: the function best concentrated
    in a gap of diameter g has all but 4 sqrt(pi c) exp(-2 c) of its power there, c = pi F g (Fuchs 1964, On
    the eigenvalues of an integral equation arising in the theory of band-limited signals), and noise on the
    remainder is amplified accordingly. F g is limited such that this function receives at most ten times the
    variance of white noise.

    Args:
        coords: (N, d) coordinates in the box.
        box: The domain.
        periodic: Whether each axis wraps around.
    """
    axes = coords.shape[1]
    # Multiples of irrational steps fill the box evenly without alignment with the samples.
    steps = np.sqrt(np.array([2.0, 3.0, 5.0])[:axes])
    probes = (np.arange(1, _PLACES + 1)[:, None] * steps) % 1 * np.array(box.extent)
    density = local_density(coords, box, periodic, min(_NEAREST, len(coords)), probes)
    density_limit = (_SUPPORT_MARGIN * np.quantile(density, _DENSITY_QUANTILE) / ball_volume(axes)) ** (
        1 / axes
    )
    nearest = local_density(coords, box, periodic, 1, probes)
    # Diameter of the largest empty ball; the density with one neighbour is its inverse volume.
    gap = 2 * (1 / (ball_volume(axes) * nearest.min())) ** (1 / axes)
    return float(min(density_limit, _concentration_limit(len(coords)) / (np.pi * gap)))


def _concentration_limit(samples: int) -> float:
    """Solve 4 sqrt(pi c) exp(-2 c) = 1 / (10 samples) for c by fixed-point iteration."""
    c = 1.0
    for _ in range(20):
        c = max(1.0, 0.5 * np.log(4 * np.sqrt(np.pi * c) * samples * _MAX_AMPLIFICATION))
    return float(c)


def log_bands(box: Box, periodic: tuple[bool, ...], top: float) -> Bands:
    """Return the `Bands.log` of the axis with the lowest fundamental frequency, up to `top`.

    Raises:
        InputError: If `top` is below that frequency.
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
_MIN_SAMPLES = 4


def checked_coordinates(coords: Tensor | ArrayLike) -> np.ndarray:
    """Convert coordinates to (N, d) float64.

    Raises:
        InputError: If they are not 1 to 3 finite numbers per sample, are too few, or do not vary along every
            axis.
    """
    array = rows(coords, "coords").cpu().numpy()
    axes = array.shape[1]
    if not 1 <= axes <= 3:
        raise InputError(
            "1 to 3 coordinates per sample", f"{axes}", "use overtone.spectra.clouds for more", "coords"
        )
    if len(array) < _MIN_SAMPLES:
        raise InputError(f"at least {_MIN_SAMPLES} samples", f"{len(array)}", "pass more samples", "coords")
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
    """Raise an error for samples outside the domain.

    Raises:
        InputError: If any sample is outside; the message contains the first.
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
    """Raise an error for samples that coincide, also modulo the periods of the domain.

    Raises:
        InputError: If samples coincide; the message contains the first two.
    """
    inside = wrapped(coords, box, periodic)
    _, first, counts = np.unique(inside, axis=0, return_index=True, return_counts=True)
    if (counts > 1).any():
        first_sample = int(first[counts > 1].min())
        second_sample = int(np.nonzero((inside == inside[first_sample]).all(1))[0][1])
        same = (coords[first_sample] == coords[second_sample]).all()
        raise InputError(
            "samples at distinct points",
            f"{int((counts - 1).sum())} duplicate points, first samples {first_sample} and {second_sample}"
            + ("" if same else ", which coincide in the periodic domain"),
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
