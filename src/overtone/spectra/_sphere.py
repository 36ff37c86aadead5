"""Spectra on the sphere: power by degree of spherical harmonics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._bands import Bands
from overtone.spectra._inputs import channels_last, finite_means
from overtone.spectra._legendre import DegreeTransform, LegendreSums
from overtone.spectra._sphere_grid import SphereGrid


@final
class SphereTransform(DegreeTransform):
    """Transform from a latitude-longitude grid of the whole sphere to power per band of degrees.

    With harmonics of unit mean square, f = sum_lm c_lm Y_lm, the power of degree l is sum_m |c_lm|^2, and the powers
    sum to the area-weighted mean square of f. This is exact to rounding for fields without degrees above `degree`; a
    field with finer structure has aliases in the highest degrees, as on any grid, and `closes` is false.

    The FFT along the longitudes gives functions of colatitude for each order m; these are integrated exactly against
    Legendre functions (see `SphereGrid.mass`) by matrix products. All arithmetic is float64, because float32 would hide
    the high degrees of steep spectra.

    Args:
        grid: The grid. Rows may run from north to south or from south to north; a repeated last column is ignored.
        bands: Bands of degrees, or ascending edges from 0; None for about 32 bands of whole degrees, [0, 0.5) with
            the mean, and then of about equal ratio.
        device: Device of the values.

    Attributes:
        grid: The grid.
        bands: The bands, in degrees.

    Example:
        >>> import numpy as np
        >>> import torch
        >>> from overtone.spectra import SphereGrid, SphereTransform
        >>> latitude, longitude = np.linspace(90, -90, 19), np.arange(0, 360, 10)
        >>> transform = SphereTransform(SphereGrid.of(latitude, longitude))
        >>> sine = torch.from_numpy(np.sin(np.radians(latitude)))[:, None, None].expand(19, 36, 1)
        >>> transform.power(transform.coefficients(2 + sine))[:3, 0].round(decimals=6).tolist()
        [4.0, 0.333333, 0.0]
    """

    def __init__(
        self,
        grid: SphereGrid,
        bands: Bands | Sequence[float] | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(grid.degree, bands)
        self.grid = grid
        self._device = torch.device(device or "cpu")
        complete = grid.complete
        self._rows = complete.latitudes
        self._sums = LegendreSums(complete.colatitude, grid.degree, complete.mass(), self._device)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the values."""
        return (self.grid.latitudes, self.grid.longitudes + self.grid.duplicated)

    @property
    def angles(self) -> tuple[Tensor, Tensor]:
        """Float64 colatitude from the first row and longitude from the first column in radians, of rows and columns."""
        theta = torch.from_numpy(self.grid.colatitude).to(self._device)[:, None]
        columns = torch.arange(self.shape[1], dtype=torch.float64, device=self._device)
        return theta, columns * (2 * math.pi / self.grid.longitudes)

    @property
    def noise(self) -> float:
        """Power of degree l of white noise of mean square 1 over 2 l + 1, the sum of the squared weights."""
        return float((self.grid.area**2).sum()) / self.grid.longitudes

    def field(self, rows: Tensor) -> Tensor:
        """Reshape rows (samples, channels) in row-major order to (latitude, longitude, channels).

        Raises:
            InputError: If the number of rows is not that of the grid.
        """
        if len(rows) != self.shape[0] * self.shape[1]:
            raise InputError(
                f"{self.shape[0] * self.shape[1]} rows, one per sample of the grid",
                f"{len(rows)}",
                "pass the rows of all samples in row-major order",
                "targets",
            )
        return rows.reshape(*self.shape, rows.shape[1])

    def coefficients(self, values: Tensor) -> Tensor:
        """Return the coefficients c_lm of orders m >= 0, apart from the phase of the first longitude.

        Args:
            values: (latitude, longitude, C) real values.

        Returns:
            (order, degree, C) complex128, 0 where the order exceeds the degree.

        Raises:
            InputError: If the shape is wrong, or a value is complex or not finite.
        """
        orders, means = self._orders(values)
        result = self._sums.analysis(orders)
        result[0, 0] += means
        return result

    def _orders(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (latitude, order, C) Fourier coefficients along the longitudes, and the (C,) means taken off."""
        fields = channels_last(values, -1, "values")
        if tuple(fields.shape[:-1]) != self.shape:
            raise InputError(
                f"values of shape {self.shape} and channels last",
                f"{tuple(fields.shape)}",
                "build the transform for this grid, or reshape the values",
                "values",
            )
        fields = fields[:, : self.grid.longitudes].double()
        means = finite_means(fields)
        orders = torch.fft.rfft(fields - means, dim=1, norm="forward")[:, : self._degree + 1]
        return self._with_poles(orders), means

    def _with_poles(self, orders: Tensor) -> Tensor:
        """Return the Fourier coefficients with the rows of absent poles, where all orders but 0 vanish."""
        if not any(self.grid.absent):
            return orders
        weights = torch.from_numpy(self.grid.poles()).to(orders)
        poles = orders.new_zeros(len(weights), *orders.shape[1:])
        poles[:, 0] = weights @ orders[:, 0]
        first = int(self.grid.absent[0])
        return torch.cat([poles[:first], orders, poles[first:]])

    def synthesis(self, coefficients: Tensor) -> Tensor:
        """Return the (latitude, longitude, C) float64 values of a field, which `coefficients` turns back.

        Args:
            coefficients: (order, degree, C) complex128; real at order 0.
        """
        orders = self._sums.synthesis(coefficients)
        orders = orders[self.grid.absent[0] : self._rows - self.grid.absent[1]]
        values = torch.fft.irfft(orders, n=self.grid.longitudes, dim=1, norm="forward")
        return torch.cat([values, values[:, :1]], 1) if self.grid.duplicated else values

    def mean_square(self, values: Tensor) -> Tensor:
        """Return the (C,) float64 area-weighted mean square of values up to order `degree`.

        Args:
            values: (latitude, longitude, C) real values.

        Raises:
            InputError: If the shape is wrong, or a value is complex or not finite.
        """
        orders, means = self._orders(values)
        orders[:, 0] += means
        total = torch.zeros_like(means)
        for parity, matrix in enumerate(self.grid.mass()):
            part = orders[:, parity::2]
            weighted = torch.from_numpy(matrix).to(part) @ part.reshape(len(part), -1)
            squares = (part.conj() * weighted.reshape(part.shape)).real.sum(0)
            total = total + 2 * squares.sum(0) - (squares[0] if parity == 0 else 0)
        return total
