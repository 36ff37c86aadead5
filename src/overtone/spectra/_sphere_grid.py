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

MISSING_ROWS = (
    "add the missing rows with NaN in their cells, which are measured as missing (.reindex in xarray)"
)
MISSING_COLUMNS = (
    "add the missing columns with NaN in their cells, which are measured as missing (.reindex in xarray)"
)
"""Advice on grids with missing lines."""


_CLOSURE = 0.1
"""Largest deviation of the last step of longitude, which leads back to the first column, in steps."""


class SphereGridKind(Enum):
    """Positions of the latitudes.

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
        absent: Of a grid with poles, whether the row of the pole before the first row, and behind the last one, is
            absent.

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
    absent: tuple[bool, bool] = (False, False)

    @staticmethod
    def of(latitude: ArrayLike, longitude: ArrayLike) -> SphereGrid:
        """Recognise a grid from its coordinates in degrees.

        Args:
            latitude: Ascending or descending, from -90 to 90.
            longitude: Ascending or descending, beginning anywhere; also in the convention -180 to 180, and with a jump
                by 360.

        Raises:
            InputError: If the coordinates do not cover the sphere, a row (but that of a pole) or column is missing, or
                the latitudes are none of the known grids.
        """
        kind, absent = _latitudes(np.asarray(latitude, dtype=np.float64))
        count, duplicated = _longitudes(np.asarray(longitude, dtype=np.float64))
        return SphereGrid(kind, np.size(latitude), count, duplicated, absent)

    @property
    def complete(self) -> SphereGrid:
        """The grid with the rows of both poles, if any are absent."""
        rows = self.latitudes + sum(self.absent)
        return SphereGrid(self.kind, rows, self.longitudes, self.duplicated)

    def poles(self) -> Array:
        """Return (absent pole, latitude) float64 weights of the rows' zonal means in the value at each absent pole.

        They make the highest cosines of the zonal mean vanish, which is exact for fields up to `degree`.
        """
        return _pole_weights(self.latitudes, self.absent)

    @property
    def degree(self) -> int:
        """Highest degree that the grid resolves exactly."""
        unknown = 1 if self.kind is not SphereGridKind.POLES or any(self.absent) else 2
        rows = self.latitudes - unknown
        return min(rows, (self.longitudes - 1) // 2)

    @property
    def colatitude(self) -> Array:
        """(latitude,) float64 angles from the first pole in radians, ascending."""
        return _present(colatitudes(self.kind, self.complete.latitudes), self.absent)

    @property
    def area(self) -> Array:
        """(latitude,) float64 share of the sphere's area that each row stands for; the shares sum to 1."""
        shares = self.mass()[0].sum(0)
        return _present(shares, self.absent) + shares[_absent_rows(self.absent)] @ self.poles()

    def mass(self) -> tuple[Array, Array]:
        """Return matrices M with (1/2) int f g sin(theta) dtheta = f^T M g, for even and for odd order m.

        Functions of colatitude that belong to an even order are continued evenly across the poles and those of an odd
        order oddly, which makes them trigonometric polynomials; their coefficients and the integrals of products are
        exact. With M = diag(w) this is a quadrature rule. The rows are those of the complete grid.
        """
        return _mass(self.kind, self.complete.latitudes)


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


def _present(rows: Array, absent: tuple[bool, bool]) -> Array:
    return rows[absent[0] : len(rows) - absent[1]]


def _absent_rows(absent: tuple[bool, bool]) -> list[int]:
    return [row for row, missing in zip((0, -1), absent, strict=True) if missing]


@cache
def _pole_weights(rows: int, absent: tuple[bool, bool]) -> Array:
    ends, n = _absent_rows(absent), rows + sum(absent)
    if not ends:
        return np.zeros((0, rows))
    # Cosine n - 1 and, without both poles, n - 2 of the even continuation vanish.
    cosines = np.cos(np.arange(n - 1, n - 1 - len(ends), -1)[:, None] * colatitudes(SphereGridKind.POLES, n))
    cosines[:, [0, -1]] /= 2
    weights = np.linalg.solve(cosines[:, ends], -_present(cosines.T, absent).T)
    return weights.astype(np.float64, copy=False)


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


def _latitudes(latitude: Array) -> tuple[SphereGridKind, tuple[bool, bool]]:
    """Return the kind of a grid, and whether the pole of its first and last row is absent."""
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
    check_each_once(ordered, "latitude", "rows")
    if not (steps > 0).all():
        raise InputError(
            "ascending or descending latitudes", "a change of direction", "sort the rows", "latitude"
        )
    colatitude = 90 - ordered
    for kind in SphereGridKind:
        if _close(colatitude, kind, n).all():
            return kind, (False, False)
    for north, south in ((True, False), (False, True), (True, True)):
        ideal = np.degrees(colatitudes(SphereGridKind.POLES, n + north + south))
        if np.abs(colatitude - ideal[north : north + n]).max() < _TOLERANCE * 180 / n:
            return SphereGridKind.POLES, (north, south) if latitude[0] > latitude[-1] else (south, north)
    raise _no_grid(ordered, steps)


def _close(colatitude: Array, kind: SphereGridKind, n: int) -> NDArray[np.bool_]:
    """Return for each of n ideal rows whether it is among the colatitudes, in degrees."""
    ideal = np.degrees(colatitudes(kind, n))
    return np.abs(ideal[:, None] - colatitude).min(1) < _TOLERANCE * 180 / n


def _no_grid(ordered: Array, steps: Array) -> InputError:
    """Return the refusal of latitudes of no grid, with the rows that are missing if there is such a grid."""
    n, step = ordered.size, float(np.median(steps))
    got = f"{n} latitudes from {ordered[-1]:g} to {ordered[0]:g} in steps of about {step:.4g}"
    if n * step < 90:
        return InputError("latitudes of the whole sphere", got, "verify the region as a box", "latitude")
    intervals = round(180 / step)
    for kind, count in (
        (SphereGridKind.POLES, intervals + 1),
        (SphereGridKind.CELLS, intervals),
        *((SphereGridKind.GAUSS, intervals + change) for change in (-1, 0, 1)),
    ):
        present = _close(90 - ordered, kind, count)
        if present.sum() == n and count > n:
            missing = 90 - np.degrees(colatitudes(kind, count))[~present]
            return InputError(
                f"all {count} latitudes of the {kind.value} grid",
                f"{got}, without {_listed(missing)}",
                MISSING_ROWS,
                "latitude",
            )
    if np.abs(steps - step).max() < _TOLERANCE * step:
        return InputError(
            "equal steps of latitude that begin and end at the poles, one step or half a step away from them",
            got,
            "interpolate to such a grid",
            "latitude",
        )
    return InputError(
        "latitudes in equal steps or those of a Gauss grid", got, "interpolate to such a grid", "latitude"
    )


def _longitudes(longitude: Array) -> tuple[int, bool]:
    """Return the number of different longitudes, and whether the last one repeats the first."""
    n = longitude.size
    if longitude.ndim != 1 or n < 4 or not np.isfinite(longitude).all():
        raise InputError(
            "at least four longitudes in degrees", f"{n}", "pass the longitudes of the columns", "longitude"
        )
    # Steps are taken modulo 360, so that a jump from 180 to -180 is no gap.
    steps = wrapped_degrees(np.diff(longitude))
    steps = steps if np.median(steps) > 0 else -steps
    step = float(np.median(steps))
    got = f"{n} longitudes from {longitude[0]:g} to {longitude[-1]:g} in steps of about {step:.4g}"
    if not (steps > 0).all():
        place = int(np.argmax(steps <= 0))
        again = abs(steps[place]) < _TOLERANCE * step
        raise InputError(
            "each longitude once, in one direction",
            f"{got}, with {longitude[place + 1]:g} after {longitude[place]:g}",
            "remove the repeated columns" if again else "sort the columns",
            "longitude",
        )
    check_no_gap(longitude, steps, "longitude", "longitudes in equal steps around the sphere", got)
    # Columns of the last step, which leads back to the first longitude.
    columns = (360 - float(steps.sum())) / step
    if abs(columns - 1) < _CLOSURE:
        return n, False
    if abs(columns) < _CLOSURE:
        return n - 1, True
    if abs(columns - round(columns)) > _CLOSURE:
        raise InputError(
            "a step of longitude that divides 360 degrees",
            got,
            "interpolate to such a grid",
            "longitude",
        )
    if columns < 0:
        repeated = 1 - round(columns)
        raise InputError(
            "each longitude once",
            f"{got}, where the last {repeated} repeat the first ones",
            "remove them (array[..., :n]; .isel in xarray)",
            "longitude",
        )
    raise InputError(
        "longitudes in equal steps around the sphere",
        f"{got}, which cover {n * step:.6g} of 360 degrees",
        MISSING_COLUMNS if n * step > 180 else "verify the region as a box",
        "longitude",
    )


def _listed(values: Array) -> str:
    """Return the first values as text, and how many others there are."""
    texts = [f"{value + 0.0:.6g}" for value in values]
    return ", ".join(texts) if len(texts) <= 4 else f"{', '.join(texts[:3])} and {len(texts) - 3} others"


def wrapped_degrees(angles: Array) -> Array:
    """Return angles in degrees from -180 (included) to 180."""
    return np.mod(angles + 180.0, 360.0) - 180.0


def check_each_once(coordinate: Array, name: str, lines: str) -> None:
    """Refuse neighbours of the same coordinate.

    Args:
        coordinate: Its values.
        name: Its name.
        lines: Rows or columns.

    Raises:
        InputError: If there are any.
    """
    same = np.flatnonzero(np.diff(coordinate) == 0)
    if len(same):
        raise InputError(
            f"each {name} once", f"{coordinate[same[0]]:g} twice", f"remove the repeated {lines}", name
        )


def check_no_gap(coordinate: Array, steps: Array, name: str, expected: str, got: str) -> None:
    """Refuse steps that differ, and say where places are missing if some are multiples of the others.

    Args:
        coordinate: Its values in degrees.
        steps: Positive steps between them.
        name: Its name.
        expected: What is expected.
        got: Description of the coordinate.

    Raises:
        InputError: If a step differs by more than 2 %.
    """
    step = float(np.median(steps))
    factors = np.round(steps / step)
    uneven = np.abs(steps - step) > _TOLERANCE * step
    if not uneven.any():
        return
    place = int(np.argmax(uneven))
    if (factors >= 1).all() and (np.abs(steps - factors * step) < _TOLERANCE * step * factors).all():
        missing = MISSING_ROWS if name == "latitude" else MISSING_COLUMNS
        raise InputError(
            expected,
            f"{got}, without {int((factors - 1).sum())} of them, the first after {coordinate[place]:g}",
            missing,
            name,
        )
    raise InputError(
        expected,
        f"{got}, with another step after {coordinate[place]:g}",
        "interpolate to a regular grid",
        name,
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
    width = np.median(np.abs(wrapped_degrees(np.diff(columns))))
    near_poles = 90 - rows.max() < 2.5 * step and rows.min() + 90 < 2.5 * step
    places = np.sort(np.mod(columns, 360.0))
    gap = np.diff(places, append=places[0] + 360).max()
    return bool(near_poles and gap < 3.5 * width)
