"""Density compensation: the share of the domain that each scattered sample stands for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from overtone.errors import InputError
from overtone.spectra.points.box import Box
from overtone.spectra.points.modes import ball_volume, sign_flips


class Density(ABC):
    """How densely the samples lie, told as weights."""

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
        if coords.shape[1] == 1:
            return _intervals(coords[:, 0], box, periodic[0])
        inside = wrapped(coords, box, periodic)
        wanted = (self.resolution * len(coords) / box.volume) ** (1 / coords.shape[1])
        sides = [max(1, round(wanted * length)) for length in box.extent]
        axes = [(np.arange(n) + 0.5) / n * length for n, length in zip(sides, box.extent, strict=True)]
        places = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(sides))
        turns = [length if wraps else 0.0 for length, wraps in zip(box.extent, periodic, strict=True)]
        owner = cKDTree(inside, boxsize=turns).query(places)[1]
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
class Given(Density):
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
        given = np.asarray(self.volumes, dtype=np.float64)
        if given.shape != (len(coords),) or not (np.isfinite(given) & (given > 0)).all():
            raise InputError(
                f"one positive weight a sample ({len(coords)})",
                f"weights of shape {given.shape}, least {given.min() if given.size else None}",
                "pass the volume that each sample stands for",
                "density",
            )
        return given / given.sum()


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
