"""Legendre functions, and sums over them: from orders on rows of a sphere to coefficients of spherical harmonics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._band_transform import BandTransform
from overtone.spectra._bands import Bands

_BLOCK = 32
"""Orders whose Legendre functions are computed together."""

_STORED = 1 << 27
"""Bytes of Legendre functions that are stored; more are computed anew for each call."""

_UNSCALED = 1500
"""Degree up to which Legendre functions that underflow at the start never become relevant."""


@final
class LegendreSums:
    """Sums over Legendre functions on rows of latitude that lie symmetrically about the equator.

    Args:
        theta: (row,) colatitudes in radians.
        degree: Highest degree.
        mass: Matrices M with (1/2) int f g sin(theta) dtheta = f^T M g, for even and for odd order m; or their
            diagonals, the weights of a quadrature rule.
        device: Device of the values.
    """

    def __init__(
        self,
        theta: NDArray[np.float64],
        degree: int,
        mass: tuple[NDArray[np.float64], NDArray[np.float64]],
        device: torch.device,
    ) -> None:
        self._rows, self._degree, self._device = len(theta), degree, device
        self._north = (self._rows + 1) // 2
        self._mass = [[self._folded(matrix, sign) for sign in (1, -1)] for matrix in mass]
        self._cosine, self._sine = np.cos(theta[: self._north]), np.sin(theta[: self._north])
        self._stores = 4 * self._north * (degree + 1) ** 2 <= _STORED
        self._tables: list[Tensor] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the Legendre functions, which are computed again where they are used."""
        return self.__dict__ | {"_tables": None}

    def _folded(self, matrix: NDArray[np.float64], sign: int) -> Tensor:
        """Return the part of a mass matrix that acts on functions of one symmetry about the equator, on the north.

        Of a diagonal matrix this is the (north, 1) diagonal.
        """
        north = self._north
        if matrix.ndim == 2 and np.count_nonzero(matrix) == np.count_nonzero(matrix.diagonal()):
            matrix = matrix.diagonal()
        if matrix.ndim == 1:
            weights = matrix[:north].copy()
            if self._rows % 2:
                # The equator is added to itself.
                weights[-1] *= 0.5 if sign > 0 else 0.0
            return torch.from_numpy(weights[:, None]).to(self._device)
        folded = (matrix + sign * matrix[:, ::-1])[:north, :north].copy()
        if self._rows % 2:
            # The equator is its own mirror image.
            folded[:, -1] /= 2
            folded[-1] /= 2
        return torch.from_numpy(folded).to(self._device)

    def analysis(self, orders: Tensor) -> Tensor:
        """Return the (order, degree, C) complex128 coefficients of (row, order, C) Fourier coefficients."""
        channels, last = orders.shape[-1], self._degree + 1
        result = torch.zeros(last, last, 2 * channels, dtype=torch.float64, device=orders.device)
        folds = self._folds(orders)
        for first, table in enumerate(self._legendre()):
            begin = first * _BLOCK
            block = slice(begin, min(begin + _BLOCK, last))
            for offset, fold in enumerate(folds):
                # Degrees m, m + 2, ... are symmetric about the equator, m + 1, m + 3, ... antisymmetric.
                sums = torch.bmm(table[:, offset::2], fold[block])
                for row, m in enumerate(range(block.start, block.stop)):
                    target = result[m, m + offset :: 2]
                    target.copy_(sums[row, : len(target)])
        return torch.view_as_complex(result.reshape(last, last, channels, 2))

    def synthesis(self, coefficients: Tensor) -> Tensor:
        """Return the (row, order, C) Fourier coefficients of (order, degree, C) coefficients."""
        last, channels, south = self._degree + 1, coefficients.shape[-1], self._rows - self._north
        orders = coefficients.new_zeros(self._rows, last, channels)
        for first, table in enumerate(self._legendre()):
            block = slice(first * _BLOCK, min((first + 1) * _BLOCK, last))
            parts = []
            for offset in (0, 1):
                rows = [coefficients[m, m + offset :: 2] for m in range(block.start, block.stop)]
                padded = coefficients.new_zeros(len(rows), table[:, offset::2].shape[1], channels)
                for place, row in enumerate(rows):
                    padded[place, : len(row)] = row
                real = torch.view_as_real(padded).flatten(2)
                sums = torch.bmm(table[:, offset::2].transpose(1, 2), real)
                parts.append(torch.view_as_complex(sums.reshape(len(rows), self._north, channels, 2)))
            symmetric, antisymmetric = parts
            orders[: self._north, block] = (symmetric + antisymmetric).transpose(0, 1)
            mirrored = (symmetric - antisymmetric).transpose(0, 1)[:south]
            orders[self._north :, block] = mirrored.flip(0)
        return orders

    def _folds(self, orders: Tensor) -> list[Tensor]:
        """Return the (order, north, 2 C) weighted sums and differences of mirrored latitudes."""
        north = self._north
        top, bottom = orders[:north], orders[-north:].flip(0)
        results = []
        for place, mirrored in enumerate((top + bottom, top - bottom)):
            real = torch.view_as_real(mirrored).flatten(2)
            # Latitudes stay first, as the matrix products leave them; the sums over them take any strides.
            result = torch.empty_like(real)
            for parity in (0, 1):
                part = real[:, parity::2]
                mass, rows = self._mass[parity][place], part.reshape(north, -1)
                weighted = mass * rows if mass.shape[1] == 1 else mass @ rows
                result[:, parity::2] = weighted.reshape(part.shape)
            results.append(result.transpose(0, 1))
        return results

    def _legendre(self) -> Iterator[Tensor]:
        """Yield for each block of orders the (order, degree - order, north) Legendre functions."""
        if self._tables is not None:
            yield from self._tables
            return
        tables = []
        for first in range(0, self._degree + 1, _BLOCK):
            orders = np.arange(first, min(first + _BLOCK, self._degree + 1))
            table = legendre_functions(orders, self._degree, self._cosine, self._sine)
            block = torch.from_numpy(table).to(self._device).transpose(0, 1)
            if self._stores:
                tables.append(block)
            yield block
        if self._stores:
            self._tables = tables


class DegreeTransform(BandTransform, ABC):
    """Transform to (order, degree, C) coefficients of spherical harmonics, whose power is summed per band of degrees.

    Args:
        degree: Highest degree.
        bands: Bands of degrees, or ascending edges from 0; None for about 32 bands of whole degrees.
    """

    def __init__(self, degree: int, bands: Any) -> None:
        if bands is None:
            bands = degree_bands(degree)
        elif not isinstance(bands, Bands):
            bands = Bands(tuple(bands))
        self._degree = degree
        self.bands = bands.extended_to(degree + 0.5, degree + 0.5)

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of the values of one field."""

    @property
    @abstractmethod
    def angles(self) -> tuple[Tensor, Tensor]:
        """Float64 colatitudes and longitudes in radians, which broadcast to `shape`."""

    @property
    @abstractmethod
    def noise(self) -> float:
        """Power of degree l of white noise of mean square 1 over 2 l + 1, the sum of the squared weights."""

    @property
    def closes(self) -> bool:
        """False: values on a grid can have structure that no harmonic up to `degree` has."""
        return False

    @property
    def degree(self) -> int:
        """Highest degree."""
        return self._degree

    def by_degree(self, coefficients: Tensor, other: Tensor | None = None) -> Tensor:
        """Return the (degree + 1, channel) float64 power, or cross power with `other`, of each degree.

        Args:
            coefficients: Result of `coefficients`, or a linear combination of such results.
            other: Coefficients of the other field.

        Raises:
            InputError: If the coefficients do not match this grid.
        """
        size = (self._degree + 1, self._degree + 1)
        second = coefficients if other is None else other
        if coefficients.shape != second.shape or tuple(coefficients.shape[:2]) != size:
            raise InputError(
                f"coefficients of shape {size} with equal channels last",
                f"{tuple(second.shape)}",
                "pass the result of coefficients()",
                "coefficients",
            )
        # Coefficients of order m > 0 also stand for those of order -m.
        products = torch.addcmul(coefficients.real * second.real, coefficients.imag, second.imag)
        return 2 * products.sum(0) - products[0]

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """Return the (band, channel) float64 cross power; arguments as of `by_degree`."""
        powers = self.by_degree(coefficients, other)
        index = self.bands.index(torch.arange(self._degree + 1, device=powers.device))
        return powers.new_zeros(self.bands.count, powers.shape[1]).index_add(0, index, powers)


def degree_bands(degree: int, count: int = 32) -> Bands:
    """Return bands of whole degrees: [0, 0.5) with the mean, then of about equal ratio up to `degree` + 0.5.

    Args:
        degree: Highest degree.
        count: Maximum number of bands.
    """
    end, edges = degree + 0.5, [0.0, 0.5]
    for remaining in range(count - 1, 0, -1):
        if edges[-1] >= end:
            break
        edge = round(edges[-1] * (end / edges[-1]) ** (1 / remaining) - 0.5) + 0.5
        edges.append(min(max(edges[-1] + 1, edge), end))
    return Bands(tuple(edges))


def legendre_functions(
    orders: NDArray[np.int64], degree: int, cosine: NDArray[np.float64], sine: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return associated Legendre functions P_lm(cos theta), (1/2) int P_lm^2 sin(theta) dtheta = 1, without (-1)^m.

    Three-term recursion in the degree (Holmes, Featherstone 2002, J. Geodesy 76, equation 11), which is stable in this
    direction. Above degree 1500 the values are scaled, because those that become relevant underflow at the start.

    Args:
        orders: (order,) ascending orders m.
        degree: Highest degree L.
        cosine: (latitude,) cos(theta).
        sine: (latitude,) sin(theta), not negative.

    Returns:
        (L - m_0 + 1, order, latitude) float64; row k holds degree m + k, or 0 above L.
    """
    return _recursion(orders, degree, cosine, sine, degree > _UNSCALED)


def _recursion(
    orders: NDArray[np.int64],
    degree: int,
    cosine: NDArray[np.float64],
    sine: NDArray[np.float64],
    scaled: bool,
) -> NDArray[np.float64]:
    m = orders.astype(np.float64)[:, None]
    i = np.arange(1, int(orders[-1]) + 1)
    factors = np.concatenate([[0.0], np.cumsum(np.log1p(1 / (2 * i)))])[orders] / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = factors[:, None] + np.where(m > 0, m * np.log(sine), 0.0)
    table = np.zeros((degree - int(orders[0]) + 1, len(orders), len(cosine)))
    if scaled:
        current, scale = np.ones_like(exponent), exponent
    else:
        # Smaller values stay irrelevant up to the degree; as denormal numbers they would only be slow.
        current, scale = np.where(exponent > -690, np.exp(exponent), 0.0), np.zeros_like(exponent)
    previous = np.zeros_like(current)
    factor = np.exp(scale)
    for k in range(len(table)):
        if k:
            n = m + k
            a = np.sqrt((4 * n * n - 1) / (n * n - m * m))
            b = np.sqrt(np.maximum((n - 1) ** 2 - m * m, 0) / (4 * (n - 1) ** 2 - 1))
            current, previous = a * (cosine * current - b * previous), current
            if scaled and np.abs(current).max() > 1e100:
                large = np.abs(current) > 1e100
                current, previous = (np.where(large, x * 1e-100, x) for x in (current, previous))
                scale = scale + np.where(large, 100 * np.log(10), 0.0)
                factor = np.exp(scale)
        table[k] = current * factor if scaled else current
    # Rows of higher orders run beyond the degree.
    for column, order in enumerate(orders - orders[0]):
        if order:
            table[len(table) - order :, column] = 0
    return table
