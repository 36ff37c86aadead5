"""Fields on HEALPix grids: power by degree of spherical harmonics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._bands import Bands
from overtone.spectra._inputs import channels_last, finite_means
from overtone.spectra._legendre import DegreeTransform, LegendreSums

_LOW, _HIGH = 0.85, 1.05
"""Interval that holds the eigenvalues of quadrature after synthesis, 0.871 to 1.043 for 8 to 64 pixels a side."""

_ITERATIONS = 6
"""Corrections; each reduces the largest error by a factor of 20, so that 1e-8 is left."""

SCHEMES = ("ring", "nested")
"""Orders of the pixels."""


@final
@dataclass(frozen=True)
class HealpixGrid:
    """A grid of 12 nside^2 pixels of equal area on rings of latitude (Gorski et al. 2005, ApJ 622, 759).

    Attributes:
        nside: Pixels along a side of each of the 12 base pixels.
        nested: Whether the pixels are in nested order, for which `nside` is a power of two; else ring by ring.

    Raises:
        InputError: If `nside` is not suitable.

    Example:
        >>> from overtone.spectra import HealpixGrid
        >>> grid = HealpixGrid.of_size(768)
        >>> grid.nside, grid.degree
        (8, 15)
    """

    nside: int
    nested: bool = False

    def __post_init__(self) -> None:
        if self.nside < 1 or (self.nested and self.nside & (self.nside - 1)):
            expected = "a power of two" if self.nested else "a positive number"
            raise InputError(expected, f"{self.nside}", "check the order of the pixels", "nside")

    @staticmethod
    def of_size(pixels: int, nested: bool = False) -> HealpixGrid:
        """Return the grid with a number of pixels.

        Args:
            pixels: Number of pixels.
            nested: Whether they are in nested order.

        Raises:
            InputError: If no grid has this number.
        """
        nside = math.isqrt(max(pixels, 0) // 12)
        if not nside or 12 * nside**2 != pixels:
            raise InputError(
                "12 nside^2 values along the axis of pixels",
                f"{pixels}",
                "pass all pixels of the sphere, those without value as NaN",
                "healpix",
            )
        return HealpixGrid(nside, nested)

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return 12 * self.nside**2

    @property
    def degree(self) -> int:
        """Highest degree that is measured, 2 nside - 1."""
        return 2 * self.nside - 1

    def rings(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Return of each ring from north to south the number of pixels, the colatitude, and the first longitude."""
        n = self.nside
        ring = np.arange(1, 4 * n)
        # Rings from the nearer pole.
        place = np.minimum(ring, 4 * n - ring)
        cap = place < n
        height = np.where(cap, 1 - place**2 / (3 * n * n), 4 / 3 - 2 * place / (3 * n))
        count = 4 * np.minimum(place, n)
        # In the belt every second ring begins at longitude 0.
        shift = np.where(cap | ((place - n) % 2 == 0), 0.5, 0.0)
        return count, np.arccos(np.where(ring > 2 * n, -height, height)), shift * 2 * math.pi / count

    def positions(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the (pixel,) colatitudes and longitudes of the pixels' centres in radians."""
        count, theta, first = self.rings()
        longitude = np.concatenate(
            [f + 2 * math.pi / n * np.arange(n) for f, n in zip(first, count, strict=True)]
        )
        colatitude = np.repeat(theta, count)
        if not self.nested:
            return colatitude, longitude
        order = nested_to_ring(self.nside)
        return colatitude[order], longitude[order]


@cache
def nested_to_ring(nside: int) -> NDArray[np.int64]:
    """Return the number in ring order of each pixel in nested order.

    The bits of the number within a base pixel are, alternately, those of the coordinates towards north-east and towards
    north-west.

    Args:
        nside: A power of two.
    """
    pixel = np.arange(12 * nside**2)
    base, inside = np.divmod(pixel, nside**2)
    east, west = np.zeros_like(pixel), np.zeros_like(pixel)
    for bit in range(nside.bit_length() - 1):
        east |= ((inside >> (2 * bit)) & 1) << bit
        west |= ((inside >> (2 * bit + 1)) & 1) << bit
    row = base // 4
    # Rings count from the north; the southern corner of base row 0 lies on the equator's ring 2 nside.
    ring = (row + 2) * nside - east - west - 1
    place = np.minimum(ring, 4 * nside - ring)
    length = np.minimum(place, nside)
    # Columns of base pixels in units of an eighth of a turn: 1, 3, 5, 7 in the caps and 0, 2, 4, 6 in the belt.
    column = 2 * (base % 4) + (row != 1)
    shifted = np.where(place >= nside, (ring - nside) % 2, 0)
    along = (column * length + east - west + 1 + shifted) // 2
    along = (along - 1) % (4 * length)
    counts = 4 * np.minimum(np.minimum(np.arange(1, 4 * nside), 4 * nside - np.arange(1, 4 * nside)), nside)
    before = np.concatenate([[0], np.cumsum(counts)])
    return (before[ring - 1] + along).astype(np.int64)


@final
class HealpixTransform(DegreeTransform):
    """Transform from the pixels of a HEALPix grid to power per band of degrees.

    With harmonics of unit mean square, f = sum_lm c_lm Y_lm, the power of degree l is sum_m |c_lm|^2. The FFT along
    each ring and sums over Legendre functions with equal weights are a first estimate, whose error is up to 13 %. It is
    corrected by a fixed number of Chebyshev iterations, quadrature of what the synthesis of the estimate leaves; fields
    without degrees above `degree` are measured within 1e-7 of their coefficients. All arithmetic is float64.

    Args:
        grid: The grid.
        bands: Bands of degrees, or ascending edges from 0; None for about 32 bands of whole degrees, [0, 0.5) with
            the mean, and then of about equal ratio.
        device: Device of the values.

    Attributes:
        grid: The grid.
        bands: The bands, in degrees.

    Example:
        >>> import torch
        >>> from overtone.spectra import HealpixGrid, HealpixTransform
        >>> grid = HealpixGrid(4, nested=True)
        >>> transform = HealpixTransform(grid)
        >>> height = torch.from_numpy(grid.positions()[0]).cos()[:, None]
        >>> transform.power(transform.coefficients(2 + height))[:3, 0].round(decimals=6).tolist()
        [4.0, 0.333333, 0.0]
    """

    def __init__(
        self,
        grid: HealpixGrid,
        bands: Bands | Sequence[float] | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(grid.degree, bands)
        self.grid = grid
        self._device = torch.device(device or "cpu")
        count, theta, first = grid.rings()
        weights = count / grid.pixels
        self._sums = LegendreSums(theta, grid.degree, (weights, weights), self._device)
        self._count = count.tolist()
        self._starts = np.concatenate([[0], np.cumsum(count)]).tolist()
        orders = np.arange(grid.degree + 1)
        self._phase = torch.from_numpy(np.exp(1j * first[:, None] * orders)).to(self._device)
        self._order = torch.from_numpy(nested_to_ring(grid.nside)).to(self._device) if grid.nested else None

    @property
    def shape(self) -> tuple[int]:
        """Number of pixels."""
        return (self.grid.pixels,)

    @property
    def angles(self) -> tuple[Tensor, Tensor]:
        """Float64 colatitudes and longitudes of the pixels in radians."""
        theta, phi = self.grid.positions()
        return torch.from_numpy(theta).to(self._device), torch.from_numpy(phi).to(self._device)

    @property
    def noise(self) -> float:
        """Power of degree l of white noise of mean square 1 over 2 l + 1."""
        return 1 / self.grid.pixels

    def field(self, rows: Tensor) -> Tensor:
        """Return rows (pixels, channels) as they are.

        Raises:
            InputError: If the number of rows is not that of the pixels.
        """
        self._check(rows)
        return rows

    def _check(self, values: Tensor) -> None:
        if tuple(values.shape[:-1]) != self.shape:
            raise InputError(
                f"values of {self.grid.pixels} pixels, channels last",
                f"shape {tuple(values.shape)}",
                "build the transform for this grid, or reshape the values",
                "values",
            )

    def coefficients(self, values: Tensor) -> Tensor:
        """Return the coefficients c_lm of orders m >= 0.

        Args:
            values: (pixel, C) real values.

        Returns:
            (order, degree, C) complex128, 0 where the order exceeds the degree.

        Raises:
            InputError: If the shape is wrong, or a value is complex or not finite.
        """
        fields = channels_last(values, -1, "values")
        self._check(fields)
        fields = fields.double()
        means = finite_means(fields)
        rings = fields - means
        if self._order is not None:
            rings = torch.zeros_like(rings).index_copy(0, self._order, rings)
        result = self._corrected(self._quadrature(rings))
        result[0, 0] += means
        return result

    def _corrected(self, first: Tensor) -> Tensor:
        """Return the solution c of A S c = q, with A the quadrature and S the synthesis, from q.

        Chebyshev iterations for eigenvalues in an interval (Saad 2003, "Iterative methods for sparse linear systems",
        algorithm 12.1), a fixed number, so that the result is linear in q.
        """
        middle, half = (_HIGH + _LOW) / 2, (_HIGH - _LOW) / 2
        ratio = middle / half
        factor = 1 / ratio
        step = first / middle
        result = step
        residual = first
        for _ in range(_ITERATIONS):
            residual = residual - self._quadrature(self._rings(step))
            successor = 1 / (2 * ratio - factor)
            step = successor * factor * step + 2 * successor / half * residual
            factor = successor
            result = result + step
        return result

    def _quadrature(self, rings: Tensor) -> Tensor:
        """Return the (order, degree, C) sums over (pixel, C) values in ring order, with equal weights."""
        last = self._degree + 1
        orders = torch.zeros(
            len(self._count), last, rings.shape[-1], dtype=torch.complex128, device=rings.device
        )
        for first, stop in self._groups():
            count = self._count[first]
            values = rings[self._starts[first] : self._starts[stop]].unflatten(0, (-1, count))
            modes = torch.fft.fft(values, dim=1, norm="forward")
            # Orders from the number of pixels on are measured as lower ones.
            orders[first:stop] = modes[:, torch.arange(last, device=rings.device) % count]
        return self._sums.analysis(orders * self._phase.conj()[..., None])

    def _rings(self, coefficients: Tensor) -> Tensor:
        """Return the (pixel, C) values in ring order of (order, degree, C) coefficients."""
        last = self._degree + 1
        orders = self._sums.synthesis(coefficients) * self._phase[..., None]
        # Orders of both signs.
        orders = torch.cat([orders, orders[:, 1:].conj()], 1)
        places = torch.arange(last, device=orders.device)
        parts = []
        for first, stop in self._groups():
            count = self._count[first]
            index = torch.cat([places % count, -places[1:] % count])
            modes = orders.new_zeros(stop - first, count, orders.shape[-1])
            modes = modes.index_add(1, index, orders[first:stop])
            parts.append(torch.fft.ifft(modes, dim=1, norm="forward").real.flatten(0, 1))
        return torch.cat(parts)

    def _groups(self) -> list[tuple[int, int]]:
        """Return neighbouring rings of equally many pixels: single ones in the caps, and those of the belt."""
        n, rings = self.grid.nside, len(self._count)
        north = [(ring, ring + 1) for ring in range(n - 1)]
        south = [(ring, ring + 1) for ring in range(rings - n + 1, rings)]
        return [*north, (n - 1, rings - n + 1), *south]

    def synthesis(self, coefficients: Tensor) -> Tensor:
        """Return the (pixel, C) float64 values of a field, which `coefficients` turns back.

        Args:
            coefficients: (order, degree, C) complex128; real at order 0.
        """
        rings = self._rings(coefficients)
        return rings if self._order is None else rings[self._order]
