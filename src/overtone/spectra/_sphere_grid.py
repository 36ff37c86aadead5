"""Latitude-longitude grids of the whole sphere: recognised from their coordinates, with exact quadrature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overtone.errors import InputError

Array = NDArray[np.float64]

_TOLERANCE = 0.02
"""Largest deviation of a coordinate from its ideal place, in steps: files round; other grids are off by far more."""


class SphereGridKind(Enum):
    """Where the latitudes lie.

    POLES: equal steps from pole to pole. CELLS: equal steps, half a step away from the poles. GAUSS: the zeros of a
    Legendre polynomial.
    """

    POLES = "equiangular with poles"
    CELLS = "equiangular without poles"
    GAUSS = "Gauss"


@final
@dataclass(frozen=True)
class SphereGrid:
    """A grid of latitudes and equally spaced longitudes around the sphere.

    Attributes:
        kind: Where the latitudes lie.
        latitudes: Number of latitudes.
        longitudes: Number of different longitudes.
        duplicated: Whether a last longitude repeats the first one.

    Example:
        >>> import numpy as np
        >>> from overtone.spectra import SphereGrid
        >>> grid = SphereGrid.of(np.linspace(90, -90, 19), np.arange(0, 360, 10))
        >>> grid.kind.value, grid.degree
        ('equiangular with poles', 17)
    """

    kind: SphereGridKind
    latitudes: int
    longitudes: int
    duplicated: bool = False

    @staticmethod
    def of(latitude: ArrayLike, longitude: ArrayLike) -> SphereGrid:
        """Recognise a grid from its coordinates in degrees.

        Args:
            latitude: Ascending or descending, from -90 to 90.
            longitude: Ascending, beginning anywhere; also in the convention -180 to 180, and with a jump by 360.

        Raises:
            InputError: If the coordinates do not cover the sphere, a row or column is missing, or the latitudes are
                none of the known grids.
        """
        kind = _latitudes(np.asarray(latitude, dtype=np.float64))
        count, duplicated = _longitudes(np.asarray(longitude, dtype=np.float64))
        return SphereGrid(kind, np.size(latitude), count, duplicated)

    @property
    def degree(self) -> int:
        """Highest degree that the grid resolves exactly."""
        rows = self.latitudes - (2 if self.kind is SphereGridKind.POLES else 1)
        return min(rows, (self.longitudes - 1) // 2)

    @property
    def colatitude(self) -> Array:
        """(latitude,) float64 angles from the first pole in radians, ascending."""
        return colatitudes(self.kind, self.latitudes)

    @property
    def area(self) -> Array:
        """(latitude,) float64 share of the sphere's area that each row stands for; the shares sum to 1."""
        return self.mass()[0].sum(0)

    def mass(self) -> tuple[Array, Array]:
        """Return matrices M with (1/2) int f g sin(theta) dtheta = f^T M g, for even and for odd order m.

        Functions of colatitude that belong to an even order are continued evenly across the poles and those of an odd
        order oddly, which makes them trigonometric polynomials; their coefficients and the integrals of products are
        exact. With M = diag(w) this is a quadrature rule.
        """
        return _mass(self.kind, self.latitudes)


@cache
def colatitudes(kind: SphereGridKind, n: int) -> Array:
    """Return the ideal (n,) colatitudes of a grid in radians, ascending.

    Args:
        kind: The grid.
        n: Number of latitudes.
    """
    if kind is SphereGridKind.POLES:
        return np.arange(n, dtype=np.float64) * (math.pi / (n - 1))
    if kind is SphereGridKind.CELLS:
        return (np.arange(n, dtype=np.float64) + 0.5) * (math.pi / n)
    return np.arccos(gauss_legendre(n)[0][::-1])


@cache
def gauss_legendre(n: int) -> tuple[Array, Array]:
    """Return the (n,) nodes of Gauss-Legendre quadrature, ascending, and their weights."""
    from scipy.special import roots_legendre

    nodes, weights = roots_legendre(n)
    return nodes, weights


@cache
def _mass(kind: SphereGridKind, n: int) -> tuple[Array, Array]:
    if kind is SphereGridKind.GAUSS:
        diagonal = np.diag(gauss_legendre(n)[1] / 2)
        return diagonal, diagonal
    theta = colatitudes(kind, n)
    intervals = n - 1 if kind is SphereGridKind.POLES else n
    k = np.arange(n)
    cosine = np.cos(k[:, None] * theta) * (2 / intervals)
    cosine[0] /= 2
    if kind is SphereGridKind.POLES:
        cosine[-1] /= 2
        cosine[:, [0, -1]] /= 2
        sine = np.sin(k[1:-1, None] * theta) * (2 / intervals)
        orders = k[1:-1]
    else:
        orders = k + 1
        sine = np.sin(orders[:, None] * theta) * (2 / intervals)
        sine[-1] /= 2
    even = cosine.T @ (_cosine_integral(k[:, None] + k) + _cosine_integral(k[:, None] - k)) @ cosine / 4
    difference = _cosine_integral(orders[:, None] - orders) - _cosine_integral(orders[:, None] + orders)
    return even, sine.T @ difference @ sine / 4


def _cosine_integral(k: NDArray[np.int64]) -> Array:
    """Return int_0^pi cos(k theta) sin(theta) dtheta."""
    return np.where(k % 2 == 0, 2.0 / (1.0 - np.where(k % 2 == 0, k, 0).astype(np.float64) ** 2), 0.0)


def _latitudes(latitude: Array) -> SphereGridKind:
    n = latitude.size
    if latitude.ndim != 1 or n < 3 or not np.isfinite(latitude).all() or np.abs(latitude).max() > 90.01:
        raise InputError(
            "at least three latitudes from -90 to 90 degrees",
            f"{n} from {latitude.min():g} to {latitude.max():g}" if n else "none",
            "pass the latitudes of the rows",
            "latitude",
        )
    ordered = latitude if latitude[0] > latitude[-1] else latitude[::-1]
    steps = -np.diff(ordered)
    if not (steps > 0).all():
        raise InputError(
            "ascending or descending latitudes", "a change of direction", "sort the rows", "latitude"
        )
    colatitude = 90 - ordered
    for kind in SphereGridKind:
        ideal = np.degrees(colatitudes(kind, n))
        if np.abs(colatitude - ideal).max() < _TOLERANCE * 180 / n:
            return kind
    step = float(np.median(steps))
    got = f"{n} latitudes from {ordered[-1]:g} to {ordered[0]:g} in steps of about {step:.4g}"
    ends = (90 - ordered[0], ordered[-1] + 90)
    if np.abs(steps - step).max() < _TOLERANCE * step and abs(n * step - 180) < _TOLERANCE * step:
        missing = "south" if ends[1] > ends[0] else "north"
        raise InputError(
            "all latitudes from pole to pole",
            f"{got}: the row of the {missing} pole is missing",
            "add it, or interpolate to another grid",
            "latitude",
        )
    if max(ends) > 1.5 * step:
        raise InputError("latitudes of the whole sphere", got, "verify the region as a box", "latitude")
    raise InputError(
        "latitudes in equal steps or those of a Gauss grid", got, "interpolate to such a grid", "latitude"
    )


def _longitudes(longitude: Array) -> tuple[int, bool]:
    n = longitude.size
    if longitude.ndim != 1 or n < 4 or not np.isfinite(longitude).all():
        raise InputError(
            "at least four longitudes in degrees", f"{n}", "pass the longitudes of the columns", "longitude"
        )
    steps = np.mod(np.diff(longitude), 360.0)
    step = float(np.median(steps))
    uneven = np.abs(steps - step) > _TOLERANCE * step
    # Steps are taken modulo 360, so that a jump from 180 to -180 is no gap.
    around = n * step
    got = f"{n} longitudes from {longitude[0]:g} to {longitude[-1]:g} in steps of about {step:.4g}"
    if uneven.any():
        place = int(np.argmax(uneven))
        raise InputError(
            "longitudes in equal steps around the sphere",
            f"{got}, with another step after {longitude[place]:g}",
            "add the missing columns or remove the repeated ones",
            "longitude",
        )
    if abs(around - 360) < _TOLERANCE * step * n**0.5:
        return n, False
    if abs(around - 360 - step) < _TOLERANCE * step * n**0.5:
        return n - 1, True
    raise InputError(
        "longitudes in equal steps around the sphere",
        f"{got}, which cover {around:.6g} of 360 degrees",
        "add the missing columns, or verify the region as a box",
        "longitude",
    )


def covers_sphere(latitude: ArrayLike, longitude: ArrayLike) -> bool:
    """Return whether coordinates are those of a globe, if a faulty one: within about two steps of poles and full turn.

    Args:
        latitude: In degrees.
        longitude: In degrees.
    """
    rows, columns = (np.asarray(x, dtype=np.float64) for x in (latitude, longitude))
    if rows.size < 3 or columns.size < 4:
        return False
    step = np.median(np.abs(np.diff(rows)))
    width = np.median(np.mod(np.diff(columns), 360.0))
    near_poles = 90 - rows.max() < 2.5 * step and rows.min() + 90 < 2.5 * step
    return bool(near_poles and columns.size * width > 360 - 2.5 * width)
