"""Spectra of fields on the sphere with missing cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from torch import Tensor

from overtone.spectra._bands import Bands
from overtone.spectra._masked import MaskedGeometry, band_sums, own_share
from overtone.spectra._sphere import SphereTransform
from overtone.spectra._sphere_grid import SphereGrid, gauss_legendre

_ORDERS = (0, 2)
"""The field itself, and its Laplacian; gradients have no power by degree of their own."""

_TAIL = 2
"""Degrees up to this multiple of the grid's highest one are added to the mask's power, which is cut off there."""


@final
class MaskedSphere(MaskedGeometry):
    """The Laplacian of a field on the sphere, and how a mask couples its degrees.

    With W_l the power of the mask at degree l and xi(x) = sum_l W_l P_l(x) its correlation, the expected power of
    degree l of the masked field is the sum over l' of

        M_ll' P_l',  M_ll' = (2 l + 1) / 2 int_-1^1 xi(x) P_l(x) P_l'(x) dx   (Hivon et al. 2002, ApJ 567, 2),

    which Gauss-Legendre quadrature gives without 3j symbols. The Laplacian is that of four neighbours at about equal
    distances: towards the poles the neighbours along a parallel are several columns away. Its squared response by
    degree follows from the correlation of its cells in a field of that degree.

    Args:
        grid: The grid.
        bands: Bands of degrees; None for those of `SphereTransform`.
        slope: Exponent p of the power law P_l ~ l^-p of the power per degree.
        device: Device of the values.
    """

    def __init__(
        self,
        grid: SphereGrid,
        bands: Bands | Sequence[float] | None,
        slope: float,
        device: torch.device | str | None = None,
    ) -> None:
        self.grid, self.slope = grid, slope
        # Rows of absent poles are missing cells.
        complete = grid.complete
        self._transform = SphereTransform(complete, bands, device)
        self.bands = self._transform.bands
        self._device = torch.device(device or "cpu")
        self._degree = complete.degree
        self._area = torch.from_numpy(complete.area).to(self._device)
        self._neighbours = [x.to(self._device) for x in _neighbours(complete)]
        self._stencil = _stencil(complete, self._device)
        degrees = torch.arange(self._degree + 1, dtype=torch.float64, device=self._device)
        self._index = self.bands.index(degrees)
        self._index[0] = -1
        self._law = torch.where(degrees > 0, degrees.clamp(min=1) ** -slope, 0.0)
        self._response: Tensor | None = None
        self._legendre: tuple[Tensor, Tensor] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns of the values."""
        rows, columns = self._transform.shape
        return rows - sum(self.grid.absent), columns

    def _padded(self, values: Tensor) -> Tensor:
        """Return values, or a mask, with rows of zeros at absent poles."""
        first, last = (values.new_zeros(int(absent), *values.shape[1:]) for absent in self.grid.absent)
        return torch.cat([first, values, last]) if any(self.grid.absent) else values

    @property
    def modes(self) -> Tensor:
        """(band,) int64 harmonics per band."""
        degrees = torch.arange(self._degree + 1, device=self._device)
        index = self.bands.index(degrees)
        return torch.zeros_like(degrees[: self.bands.count]).index_add(0, index, 2 * degrees + 1)

    def with_bands(self, bands: Bands) -> MaskedSphere:
        """Return the same geometry with other bands.

        Args:
            bands: The bands.
        """
        return MaskedSphere(self.grid, bands, self.slope, self._device)

    def simulated(self, samples: int, cutoff: float, seed: int) -> tuple[Tensor, Tensor]:
        """Return (latitude, longitude, sample) fields with the power law, and the same fields blurred.

        Args:
            samples: Number of fields.
            cutoff: Degree of the gain 1 / e.
            seed: Seed of the fields.
        """
        generator = torch.Generator(self._device).manual_seed(seed)
        size = (self._degree + 1, self._degree + 1, samples, 2)
        normal = torch.randn(size, generator=generator, dtype=torch.float64, device=self._device)
        degrees = torch.arange(self._degree + 1, dtype=torch.float64, device=self._device)
        normal[0, :, :, 1] = 0
        above = degrees[:, None] <= degrees
        # Two real numbers per order above 0, of half the variance each.
        scale = (
            above
            * (self._law / (2 * degrees + 1)).sqrt()
            / torch.where(degrees > 0, 2.0, 1.0).sqrt()[:, None]
        )
        coefficients = torch.view_as_complex(normal * scale[..., None, None])
        blurred = coefficients * torch.exp(-((degrees / cutoff) ** 2))[:, None]
        first = int(self.grid.absent[0])
        fields = (self._transform.synthesis(x) for x in (coefficients, blurred))
        plain, smooth = (values[first : first + self.shape[0]] for values in fields)
        return plain, smooth

    def law(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return band, -1 for the mean, frequency and power of each mode by the power law."""
        degrees = torch.arange(self._degree + 1, dtype=torch.float64, device=self._device)
        return self._index, degrees, self._law

    def template(self) -> Tensor:
        """Return the (band,) power of the power law."""
        return band_sums(self._index, self._law, self.bands.count)

    def choose_orders(self, mask: Tensor) -> None:
        """Choose the order of each band.

        Args:
            mask: (latitude, longitude) whether each cell is valid.
        """
        template, mask = self.template(), self._padded(mask)
        shares = [own_share(self._coupling_of(order, mask), template) for order in _ORDERS]
        better = (shares[1] > 1.1 * shares[0]).tolist()
        self.orders = tuple(2 if x else 0 for x in better)

    def coefficients(self, values: Tensor, mask: Tensor) -> Tensor:
        """Return the coefficients of the masked field less its mean over the mask, and of its masked Laplacian.

        Args:
            values: (latitude, longitude, C) values; those outside the mask are ignored.
            mask: (latitude, longitude) whether each cell is valid.

        Returns:
            (component, order, degree, C) complex128, with the mean over the mask at degree 0 of the first component.
        """
        values, mask = self._padded(values), self._padded(mask)
        weights = self._area[:, None] * mask
        field = torch.where(mask[..., None], values.double(), 0.0)
        total = weights.sum().clamp(min=1e-300)
        mean = (field * weights[..., None]).sum((0, 1)) / total
        field = torch.where(mask[..., None], field - mean, 0.0)
        result = [self._transform.coefficients(field)]
        if 2 in self.orders:
            inside = self._weight(2, mask)
            result.append(self._transform.coefficients(self._laplacian(field) * inside[..., None]))
        stacked = torch.stack(result)
        stacked[:, 0, 0] = 0
        stacked[0, 0, 0] = mean.to(stacked.dtype)
        return stacked

    def products(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """Return the (band + 1, channel) uncorrected cross power per band, and the mean's as the last row.

        Args:
            coefficients: Result of `coefficients`.
            other: Coefficients of the other field.
        """
        rows = torch.tensor([order == 2 for order in self.orders], device=self._device)[:, None]
        powers = [self._transform.by_degree(a, b) for a, b in zip(coefficients, other, strict=True)]
        sums = [
            p.new_zeros(self.bands.count + 1, p.shape[1]).index_add(0, self._index + 1, p)[1:] for p in powers
        ]
        total = torch.where(rows, sums[-1], sums[0])
        mean = (coefficients[0, 0, 0] * other[0, 0, 0].conj()).real
        return torch.cat([total, mean[None]])

    def coupling(self, mask: Tensor) -> Tensor:
        """Return the (band, band) expected uncorrected power of each row per unit of power of each band.

        Args:
            mask: (latitude, longitude) whether each cell is valid.
        """
        rows = torch.tensor([order == 2 for order in self.orders], device=self._device)[:, None]
        mask = self._padded(mask)
        plain = self._coupling_of(0, mask)
        return torch.where(rows, self._coupling_of(2, mask), plain) if 2 in self.orders else plain

    def _coupling_of(self, order: int, mask: Tensor) -> Tensor:
        weight = self._weight(order, mask)
        table = self._by_degree(weight)
        shares = self._law / self.template().clamp(min=1e-300)[self._index]
        if order:
            shares = shares * self._responses()
        rows = torch.zeros(self.bands.count + 1, table.shape[1], dtype=torch.float64, device=self._device)
        rows = rows.index_add(0, self._index + 1, table)[1:] * shares
        result = torch.zeros(self.bands.count, self.bands.count + 1, dtype=torch.float64, device=self._device)
        return result.index_add(1, self._index + 1, rows)[:, 1:]

    def _by_degree(self, weight: Tensor) -> Tensor:
        """Return the (degree, degree) coupling of a weight."""
        power = self._transform.by_degree(self._transform.coefficients(weight[..., None]))[:, 0]
        square = float((self._area[:, None] * weight.square()).mean(1).sum())
        # Sharp borders have power beyond the grid's degrees, which falls as l^-2.
        tail = torch.arange(self._degree + 1, _TAIL * self._degree + 1, device=self._device).double() ** -2
        power = torch.cat([power, tail / tail.sum() * max(square - float(power.sum()), 0.0)])
        nodes, functions = self._functions()
        correlation = nodes * (functions.T @ power)
        low = functions[: self._degree + 1]
        degrees = torch.arange(self._degree + 1, dtype=torch.float64, device=self._device)
        return (2 * degrees[:, None] + 1) / 2 * ((low * correlation) @ low.T)

    def _functions(self) -> tuple[Tensor, Tensor]:
        """Return weights and the (degree, node) Legendre polynomials at the nodes of Gauss-Legendre quadrature."""
        if self._legendre is None:
            highest = _TAIL * self._degree
            nodes, weights = gauss_legendre(2 * self._degree + 2)
            table = legendre_polynomials(highest, nodes)
            self._legendre = (
                torch.from_numpy(weights).to(self._device),
                torch.from_numpy(table).to(self._device),
            )
        return self._legendre

    def _weight(self, order: int, mask: Tensor) -> Tensor:
        """Return 1 where all cells of a difference are valid, else 0."""
        valid = mask
        if order:
            north, south, west, east = self._moved(mask)
            valid = mask & north & south & west & east
            valid = valid & (self._stencil[0] > 0)[:, None]
        return valid.double()

    def _moved(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the neighbours of each cell; those of the first and last row are not used."""
        rows, west, east = self._neighbours
        return (
            values.roll(1, 0),
            values.roll(-1, 0),
            values[rows, west],
            values[rows, east],
        )

    def _laplacian(self, values: Tensor) -> Tensor:
        _, centre, up, down, side = (x.reshape(-1, 1, 1) for x in self._stencil)
        north, south, west, east = self._moved(values)
        return centre * values + up * north + down * south + side * (west + east)

    def _responses(self) -> Tensor:
        """Return the (degree,) squared response of the Laplacian, averaged over the rows by area."""
        if self._response is None:
            self._response = torch.from_numpy(_response(self.grid.complete, self._degree)).to(self._device)
        return self._response


def legendre_polynomials(degree: int, x: np.ndarray) -> np.ndarray:
    """Return the (degree + 1, x) Legendre polynomials.

    Args:
        degree: Highest degree.
        x: Arguments in [-1, 1].
    """
    table = np.ones((degree + 1, len(x)))
    if degree:
        table[1] = x
    for n in range(2, degree + 1):
        table[n] = ((2 * n - 1) * x * table[n - 1] - (n - 1) * table[n - 2]) / n
    return table


def _columns_apart(grid: SphereGrid) -> np.ndarray:
    """Return the (latitude,) columns between neighbours along each parallel."""
    step = math.pi / grid.latitudes
    sine = np.sin(grid.colatitude)
    apart = np.round(step / np.maximum(sine, 1e-9) / (2 * math.pi / grid.longitudes))
    return np.clip(apart, 1, max(1, grid.longitudes // 4)).astype(np.int64)


def _neighbours(grid: SphereGrid) -> tuple[Tensor, Tensor, Tensor]:
    apart = torch.from_numpy(_columns_apart(grid))[:, None]
    column = torch.arange(grid.longitudes + grid.duplicated, device="cpu")
    rows = torch.arange(grid.latitudes, device="cpu")[:, None].expand(-1, len(column))
    return rows, (column - apart) % grid.longitudes, (column + apart) % grid.longitudes


def _coefficients(grid: SphereGrid) -> np.ndarray:
    """Return the (5, latitude) use of a row, and its factors of centre, north, south, and west and east."""
    theta = grid.colatitude
    width = _columns_apart(grid) * (2 * math.pi / grid.longitudes)
    result = np.zeros((5, len(theta)))
    up, down = theta[1:-1] - theta[:-2], theta[2:] - theta[1:-1]
    sine, cosine = np.sin(theta[1:-1]), np.cos(theta[1:-1])
    # Second and first derivative by the three latitudes, whose distances need not be equal.
    first = -down / (up * (up + down)), up / (down * (up + down))
    second = 2 / (up * (up + down)), 2 / (down * (up + down))
    slope = cosine / sine
    result[0, 1:-1] = 1
    result[2, 1:-1] = second[0] + slope * first[0]
    result[3, 1:-1] = second[1] + slope * first[1]
    # cos(m w) - 1 in place of -(m w)^2 / 2.
    result[4, 1:-1] = 1 / (sine * width[1:-1]) ** 2
    result[1] = -result[2] - result[3] - 2 * result[4]
    return result


def _stencil(grid: SphereGrid, device: torch.device) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(row).to(device) for row in _coefficients(grid))


def _response(grid: SphereGrid, degree: int) -> np.ndarray:
    """Return the mean over the rows in use of sum_ab c_a c_b P_l(cos of the angle between a and b)."""
    used, centre, up, down, side = _coefficients(grid)
    theta = grid.colatitude
    width = _columns_apart(grid) * (2 * math.pi / grid.longitudes)
    rows = np.flatnonzero(used)
    above, middle, below = theta[rows - 1], theta[rows], theta[rows + 1]
    zero = np.zeros(len(rows))
    places = [(middle, zero), (above, zero), (below, zero), (middle, width[rows]), (middle, -width[rows])]
    factors = [centre[rows], up[rows], down[rows], side[rows], side[rows]]
    area = np.sin(middle)
    total = np.zeros(degree + 1)
    for a, (theta_a, phi_a) in enumerate(places):
        for b, (theta_b, phi_b) in enumerate(places[: a + 1]):
            angle = np.cos(theta_a) * np.cos(theta_b)
            angle = angle + np.sin(theta_a) * np.sin(theta_b) * np.cos(phi_a - phi_b)
            weights = (1 if a == b else 2) * factors[a] * factors[b] * area / area.sum()
            total += legendre_polynomials(degree, np.clip(angle, -1, 1)) @ weights
    return np.maximum(total, 0.0)
