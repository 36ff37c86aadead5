"""Spectra of fields with missing cells: mode coupling by masks, and its inversion."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Self, final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._band_transform import BandTransform
from overtone.spectra._bands import Bands
from overtone.spectra._sphere_grid import SphereGrid

_CLEAR = 0.5
"""Share of a band's expected power from the band itself, from which on it is not merged with a neighbour."""

_NEIGHBOUR = 0.5
"""Smallest power from a neighbour, relative to that of the band itself, for which the two are merged."""

_WIDEST, _LOW_WIDTH = 1.5, 10
"""Ratio of the edges of merged bands, and at low frequencies their width in units of the first edge, at most."""


class MaskedGeometry(ABC):
    """Relation between the power of a masked field and that of the whole field.

    The expected value of `products` is `coupling` times the power per band, and the power of the mean as the last row.

    Attributes:
        bands: The bands; the first one holds the mean.
        orders: Order of the differences that each band is measured by.
    """

    bands: Bands
    orders: tuple[int, ...]

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Samples per axis."""

    @abstractmethod
    def with_bands(self, bands: Bands) -> Self:
        """Return the same geometry with other bands, without orders."""

    @abstractmethod
    def choose_orders(self, mask: Tensor) -> None:
        """Choose the order of each band for a mask, once."""

    @abstractmethod
    def coefficients(self, values: Tensor, mask: Tensor) -> Tensor:
        """Return coefficients that are linear in the valid (*shape, C) values; those outside the mask are ignored."""

    @abstractmethod
    def products(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """Return the (band + 1, channel) uncorrected cross power per band, and the mean's as the last row."""

    @abstractmethod
    def coupling(self, mask: Tensor) -> Tensor:
        """Return the (band, band) expected uncorrected power of each row per unit of power of each column's band."""

    @abstractmethod
    def template(self) -> Tensor:
        """Return the (band,) power of a power law with the geometry's slope, in any unit."""

    @abstractmethod
    def simulated(self, samples: int, cutoff: float, seed: int) -> tuple[Tensor, Tensor]:
        """Return (*shape, sample) fields with the power law, and the same fields with the gain exp(-(f / cutoff)^2)."""

    @abstractmethod
    def law(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return band, -1 for the mean, frequency and power of each mode by the power law."""

    @final
    def prepared(self, mask: Tensor) -> Self:
        """Return this geometry with bands that the mask can tell apart, and orders chosen.

        Neighbouring bands are merged while one of them has less than half of its expected power from itself, and from
        the neighbour more than half as much: gaps couple frequencies within about one wave per gap.

        Args:
            mask: (*shape) whether each cell is valid.
        """
        geometry = self
        while True:
            geometry.choose_orders(mask)
            contributions = geometry.coupling(mask) * geometry.template()
            pair = _unclear_pair(contributions, geometry.bands)
            if pair is None:
                return geometry
            edges = geometry.bands.edges
            geometry = geometry.with_bands(
                replace(geometry.bands, edges=(*edges[: pair + 1], *edges[pair + 2 :]))
            )


def band_sums(index: Tensor, values: Tensor, count: int) -> Tensor:
    """Return the (count,) sums of values over the modes of each band; index -1 is left out.

    Args:
        index: Band of each mode.
        values: Values of the same shape.
        count: Number of bands.
    """
    sums = values.new_zeros(count + 1).index_add(0, index.flatten() + 1, values.flatten())
    return sums[1:]


def own_share(coupling: Tensor, template: Tensor) -> Tensor:
    """Return the (band,) share of each band's expected uncorrected power that comes from the band itself.

    Args:
        coupling: (band, band) coupling.
        template: (band,) power.
    """
    contributions = coupling * template
    return contributions.diagonal() / contributions.sum(1).clamp(min=1e-300)


def _unclear_pair(contributions: Tensor, bands: Bands) -> int | None:
    """Return the first of two neighbouring bands to merge, or None; those of the mean and of the corner stay."""
    last = bands.count - (2 if bands.corner else 1)
    total = contributions.sum(1)
    worst, pair = _CLEAR, None
    for band in range(1, last + 1):
        share = float(contributions[band, band] / total[band]) if float(total[band]) > 0 else 1.0
        sides = [s for s in (band - 1, band + 1) if 1 <= s <= last and _mergeable(bands, min(band, s))]
        if share >= worst or not sides:
            continue
        side = max(sides, key=lambda other: float(contributions[band, other]))
        if float(contributions[band, side]) > _NEIGHBOUR * float(contributions[band, band]):
            worst, pair = share, min(band, side)
    return pair


def _mergeable(bands: Bands, first: int) -> bool:
    """Return whether a band and the next one are narrow enough together for one power law within them."""
    low, high = bands.edges[first], bands.edges[first + 2]
    return high < _WIDEST * low or high - low < _LOW_WIDTH * bands.edges[1]


def unmixing(coupling: Tensor) -> Tensor:
    """Return the (band, band + 1) matrix from uncorrected powers and the mean's to powers; NaN rows without any cells.

    Args:
        coupling: (band, band) mean coupling.
    """
    empty = coupling.diagonal() <= 0
    # Bands without modes have power 0, whatever is measured.
    solvable = torch.where(
        empty[:, None] | empty,
        torch.eye(len(coupling), dtype=coupling.dtype, device=coupling.device),
        coupling,
    )
    inverse, failure = torch.linalg.inv_ex(solvable)
    if bool(failure):
        # Bands that the mask cannot tell apart at all share their power.
        inverse = torch.linalg.pinv(solvable)
    inverse = torch.where(empty[:, None] | empty, 0.0, inverse)
    result = torch.cat([inverse, inverse.new_zeros(len(inverse), 1)], 1)
    result[0, -1] = 1
    return result


@final
class MaskedTransform(BandTransform):
    """Transform from a field with missing cells to power per band of the whole field.

    The field's differences are weighted by the mask, and the coupling of modes by the mask is inverted (MASTER, Hivon
    et al. 2002, ApJ 567, 2): for fields whose statistics do not depend on place, the expected power of a band is that
    of the field without gaps. Estimates vary around it, and may be negative where a band has little power.

    Args:
        geometry: The geometry, such as `MaskedBox`.
        mask: (*shape) whether each cell is valid.

    Attributes:
        geometry: The geometry with its orders of differences, and with bands that the mask can tell apart.
        bands: The bands used.

    Raises:
        InputError: If the mask has another shape, or no valid cell.

    Example:
        >>> import torch
        >>> from overtone.spectra import MaskedTransform
        >>> mask = torch.ones(32, 32, dtype=torch.bool)
        >>> mask[5:11, 8:20] = False
        >>> transform = MaskedTransform.of_box(mask, periodic=True, slope=2)
        >>> x = torch.arange(32, dtype=torch.float64) / 32
        >>> wave = torch.cos(2 * torch.pi * 4 * x)[:, None].expand(32, 32)
        >>> power = transform.power(transform.coefficients(torch.where(mask, wave, torch.nan)[..., None]))
        >>> abs(float(power.sum()) - 0.5) < 0.05
        True
    """

    def __init__(self, geometry: MaskedGeometry, mask: Tensor) -> None:
        self._mask = mask.bool()
        if tuple(mask.shape) != geometry.shape:
            raise InputError(
                f"a mask of shape {geometry.shape}",
                f"{tuple(mask.shape)}",
                "pass one value per cell",
                "mask",
            )
        if not bool(self._mask.any()):
            raise InputError("a mask with valid cells", "none", "mark valid cells with True", "mask")
        self.geometry = geometry.prepared(self._mask)
        self.bands = self.geometry.bands
        self._matrix = unmixing(self.geometry.coupling(self._mask))

    @staticmethod
    def of_box(
        mask: Tensor,
        spacing: float | Iterable[float] | None = None,
        periodic: bool | Iterable[bool] = False,
        bands: Bands | Sequence[float] | None = None,
        slope: float = 3.0,
    ) -> MaskedTransform:
        """Return the transform of a box.

        Args:
            mask: (*shape) whether each cell is valid.
            spacing: Distance between neighbouring samples; None for frequencies in cycles per array.
            periodic: Whether the axes wrap around; those that do not have a Hann window.
            bands: Bands, or ascending edges from 0; None for `Bands.log`.
            slope: Exponent p of E(f) ~ f^-p, roughly; it decides the order of the differences.

        Raises:
            InputError: If an argument is invalid, or the mask has no valid cell.
        """
        from overtone.spectra._masked_box import MaskedBox

        return MaskedTransform(MaskedBox(mask.shape, spacing, periodic, bands, slope, mask.device), mask)

    @staticmethod
    def of_sphere(
        mask: Tensor,
        grid: SphereGrid,
        bands: Bands | Sequence[float] | None = None,
        slope: float = 2.0,
    ) -> MaskedTransform:
        """Return the transform of a grid of the sphere.

        Args:
            mask: (latitude, longitude) whether each cell is valid.
            grid: The grid.
            bands: Bands of degrees, or ascending edges from 0; None for those of `SphereTransform`.
            slope: Exponent p of the power per degree P_l ~ l^-p, roughly; it decides the order of the differences.

        Raises:
            InputError: If the mask has another shape, or no valid cell.
        """
        from overtone.spectra._masked_sphere import MaskedSphere

        return MaskedTransform(MaskedSphere(grid, bands, slope, mask.device), mask)

    @property
    def closes(self) -> bool:
        """False: what the missing cells hold is not known."""
        return False

    def field(self, rows: Tensor) -> Tensor:
        """Reshape rows (samples, channels) in row-major order to (*shape, channels).

        Raises:
            InputError: If the number of rows is not the number of samples.
        """
        if len(rows) != self._mask.numel():
            raise InputError(
                f"{self._mask.numel()} rows, one per cell",
                f"{len(rows)}",
                "pass the rows of all cells in row-major order",
                "targets",
            )
        return rows.reshape(*self.geometry.shape, rows.shape[1])

    def coefficients(self, values: Tensor) -> Tensor:
        """Return the coefficients of the weighted field and of its weighted differences.

        Args:
            values: (*shape, C) real values; those outside the mask are ignored.

        Raises:
            InputError: If the shape is wrong, or a value within the mask is not finite.
        """
        if values.ndim != self._mask.ndim + 1 or tuple(values.shape[:-1]) != self.geometry.shape:
            raise InputError(
                f"values of shape {self.geometry.shape} and channels last",
                f"{tuple(values.shape)}",
                "reshape the values",
                "values",
            )
        if not bool(torch.isfinite(values[self._mask]).all()):
            raise InputError(
                "finite values within the mask",
                "missing or infinite ones",
                "leave these cells out of the mask",
                "values",
            )
        return self.geometry.coefficients(values, self._mask)

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """Return the (band, channel) float64 cross power of two fields, in squared units of the value.

        Args:
            coefficients: Result of `coefficients`, or a linear combination of such results.
            other: Coefficients of the other field.
        """
        return self._matrix @ self.geometry.products(coefficients, other)
