"""Spectra of boxes with missing cells: differenced fields, corrected for the coupling of modes by the mask."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import final

import torch
from torch import Tensor

from overtone.spectra._bands import Bands
from overtone.spectra._grid import GridTransform
from overtone.spectra._grid_modes import GridModes
from overtone.spectra._masked import MaskedGeometry, band_sums, own_share
from overtone.spectra._windowed import hann, lowest_reliable

_ORDERS = (0, 1, 2, 3)
"""Orders of differences to choose from; those of higher order have too few cells whose neighbours are all valid."""

_LOW_WAVES = 24
"""Waves per box above which the subtraction of the mean changes nothing that matters in the field's coupling."""


@final
class MaskedBox(MaskedGeometry):
    """Differences of a field in a box, and how a mask couples their bands.

    With w the mask times a Hann window along open axes, D_i the differences of an order, T_i(q) their squared response
    and P(q) the power of mode q, the expected power of mode k of w D_i f is

        sum over i, q of |w_i(k - q)|^2 T_i(q) P(q)   (Hivon et al. 2002, ApJ 567, 2).

    Differences flatten steep spectra, so that little power leaks from large scales into small ones; they are taken only
    where all of their cells are valid. Order 0 is the field itself less its mean over the mask, whose effect is part of
    the coupling. Each band uses the order with the largest expected share of power from the band itself, if P
    follows a power law: order (p + 1) / 2 or so for E(f) ~ f^-p, less at the largest scales and with many small gaps.

    Args:
        shape: Samples along each of 1 to 3 axes.
        spacing: Distance between neighbouring samples, one value or one per axis.
        periodic: Whether the axes wrap around, one value or one per axis.
        bands: Bands, or ascending edges from 0; None for `Bands.log`.
        slope: Exponent p of the power law.
        device: Device of the values.
    """

    def __init__(
        self,
        shape: Sequence[int],
        spacing: float | Iterable[float] | None,
        periodic: bool | Iterable[bool],
        bands: Bands | Sequence[float] | None,
        slope: float,
        device: torch.device | str | None = None,
    ) -> None:
        self._box = GridModes.of(shape, spacing, periodic)
        self._periodic_grid = GridTransform(self._box.shape, self._box.spacing, True, bands, device)
        self.bands = self._periodic_grid.bands
        self.slope = slope
        self._device = torch.device(device or "cpu")
        self._axes = tuple(i for i, n in enumerate(self._box.shape) if n > 1)
        self._indicators: Tensor | None = None
        self._tables: dict[int, Tensor] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples per axis."""
        return self._box.shape

    @property
    def reliable_from(self) -> float:
        """Lowest reliable frequency, three waves per shortest open axis; 0 if all axes wrap around."""
        return lowest_reliable(self._box)

    @property
    def modes(self) -> Tensor:
        """(band,) int64 modes per band."""
        return self._periodic_grid.modes

    def with_bands(self, bands: Bands) -> MaskedBox:
        """Return the same geometry with other bands.

        Args:
            bands: The bands.
        """
        box = self._box
        return MaskedBox(box.shape, box.spacing, box.periodic, bands, self.slope, self._device)

    def choose_orders(self, mask: Tensor) -> None:
        """Choose the order of each band.

        Args:
            mask: (*shape) whether each cell is valid.
        """
        couplings = {order: self._coupling_of(order, mask) for order in _ORDERS}
        template = self.template()
        shares = torch.stack([own_share(couplings[order], template) for order in _ORDERS])
        # An order must be clearly better than a lower one, which has more valid cells.
        best = torch.zeros(self.bands.count, dtype=torch.int64, device=self._device)
        for order in _ORDERS[1:]:
            current = shares.gather(0, best[None])[0]
            best = torch.where(shares[order] > 1.1 * current, order, best)
        self.orders = tuple(int(order) for order in best)
        self._tables = {order: table for order, table in self._tables.items() if order in self.orders}

    def coefficients(self, values: Tensor, mask: Tensor) -> Tensor:
        """Return the coefficients of the weighted field and of its weighted differences.

        Args:
            values: (*shape, C) values; those outside the mask are ignored.
            mask: (*shape) whether each cell is valid.

        Returns:
            (component, *stored, C) complex128: of order 0, with the mean over the mask at 0, and of all orders in use.
        """
        dims = tuple(range(len(self.shape)))
        count = mask.sum().clamp(min=1)
        field = torch.where(mask[..., None], values.double(), 0.0)
        # A large common offset would round in the products below.
        offset = field.sum(dims) / count
        field = torch.where(mask[..., None], field - offset, 0.0)
        (plain,) = self._weights(0, mask)
        mean = (field * plain[..., None]).sum(dims) / plain.sum().clamp(min=1e-300)
        components = [(field - mean) * plain[..., None]]
        for order in sorted(set(self.orders) - {0}):
            differences = self._differences(order, field)
            weights = self._weights(order, mask)
            components += [d * w[..., None] for d, w in zip(differences, weights, strict=True)]
        modes = torch.stack([torch.fft.rfftn(component, dim=dims, norm="ortho") for component in components])
        modes.flatten(1, len(dims))[:, 0] = 0
        modes[(0,) * (len(dims) + 1)] = ((mean + offset) * math.sqrt(self._box.samples)).to(modes.dtype)
        return modes

    def products(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """Return the (band + 1, channel) uncorrected cross power per band, and the mean's as the last row.

        Args:
            coefficients: Result of `coefficients`.
            other: Coefficients of the other field.
        """
        powers = [self._periodic_grid.cross(a, b) for a, b in zip(coefficients, other, strict=True)]
        origin = (0,) * (len(self.shape) + 1)
        mean = (coefficients[origin] * other[origin].conj()).real / self._box.samples
        total = powers[0].clone()
        total[0] -= mean
        first = 1
        for order in sorted(set(self.orders) - {0}):
            parts = len(self._axes) if order % 2 else 1
            rows = torch.tensor([o == order for o in self.orders], device=total.device)
            total = torch.where(rows[:, None], torch.stack(powers[first : first + parts]).sum(0), total)
            first += parts
        return torch.cat([total, mean[None]])

    def coupling(self, mask: Tensor) -> Tensor:
        """Return the (band, band) expected uncorrected power of each row per unit of power of each band.

        Args:
            mask: (*shape) whether each cell is valid.
        """
        result = torch.zeros(self.bands.count, self.bands.count, dtype=torch.float64, device=self._device)
        for order in sorted(set(self.orders)):
            rows = torch.tensor([o == order for o in self.orders], device=self._device)
            result = torch.where(rows[:, None], self._coupling_of(order, mask), result)
        return result

    def simulated(self, samples: int, cutoff: float, seed: int) -> tuple[Tensor, Tensor]:
        """Return (*shape, sample) fields with the power law, and the same fields blurred.

        Boxes with open axes are cut out of periodic ones twice as long.

        Args:
            samples: Number of fields.
            cutoff: Frequency of the gain 1 / e.
            seed: Seed of the fields.
        """
        box = self._box
        shape = [n * (1 if wraps or n == 1 else 2) for n, wraps in zip(box.shape, box.periodic, strict=True)]
        steps = [
            torch.fft.fftfreq(n, s, dtype=torch.float64, device=self._device)
            for n, s in zip(shape, box.spacing, strict=True)
        ]
        radius = torch.stack([m.square() for m in torch.meshgrid(*steps, indexing="ij")]).sum(0).sqrt()
        exponent = -(self.slope + len(self._axes) - 1) / 2
        amplitude = (torch.where(radius > 0, radius, math.inf) / box.fundamental) ** exponent
        amplitude[(0,) * radius.ndim] = 0
        generator = torch.Generator(self._device).manual_seed(seed)
        noise = torch.randn(*shape, samples, generator=generator, dtype=torch.float64, device=self._device)
        dims = tuple(range(len(shape)))
        modes = torch.fft.fftn(noise, dim=dims) * amplitude[..., None]
        gain = torch.exp(-((radius / cutoff) ** 2))[..., None]
        part = tuple(slice(0, n) for n in box.shape)
        truth, blurred = (torch.fft.ifftn(m, dim=dims).real[part] for m in (modes, modes * gain))
        return truth, blurred

    def law(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return band, -1 for the mean, frequency and power of each mode by the power law."""
        radius = torch.stack([m.square() for m in self._mesh()]).sum(0).sqrt()
        index, law = self._power_law()
        return index, radius, law

    def template(self) -> Tensor:
        """Return the (band,) power of the power law."""
        index, law = self._power_law()
        return band_sums(index, law, self.bands.count)

    def _coupling_of(self, order: int, mask: Tensor) -> Tensor:
        if self._indicators is None:
            index, _ = self._power_law()
            self._indicators = torch.stack([self._octant(index == b) for b in range(self.bands.count)])
        weights = self._weights(order, mask)
        parts = [
            (self._indicators * self._correlation(weight)) @ table.T
            for weight, table in zip(weights, self._table(order), strict=True)
        ]
        result = torch.stack(parts).sum(0)
        return result + self._mean_removed(weights[0]) if order == 0 else result

    def _weights(self, order: int, mask: Tensor) -> list[Tensor]:
        """Return the weight of each component of the differences: 0 where one of their cells is missing."""
        window = torch.ones(self.shape, dtype=torch.float64, device=self._device)
        for axis in self._box.even:
            line = hann(self.shape[axis], self._device)
            window = window * line.reshape([-1 if i == axis else 1 for i in range(len(self.shape))])
        valid = mask
        for _ in range(order // 2):
            around = valid
            for axis in self._axes:
                around = around & self._moved(valid, -1, axis) & self._moved(valid, 1, axis)
            valid = around
        if order % 2:
            return [window * (valid & self._moved(valid, -1, axis)) for axis in self._axes]
        return [window * valid]

    def _moved(self, mask: Tensor, by: int, axis: int) -> Tensor:
        """Return a mask rolled along an axis; nothing comes in across an open border."""
        moved = mask.roll(by, axis)
        if axis in self._box.even:
            moved.select(axis, -1 if by < 0 else 0).fill_(False)
        return moved

    def _differences(self, order: int, values: Tensor) -> list[Tensor]:
        """Return the components of the differences: Laplacians, of odd orders also a difference along each axis."""
        steps = self._box.spacing
        for _ in range(order // 2):
            second = [
                (values.roll(-1, axis) + values.roll(1, axis) - 2 * values) / steps[axis] ** 2
                for axis in self._axes
            ]
            values = torch.stack(second).sum(0)
        if order % 2:
            return [(values.roll(-1, axis) - values) / steps[axis] for axis in self._axes]
        return [values]

    def _responses(self, order: int) -> list[Tensor]:
        """Return the (*shape) squared response of each component of the differences."""
        mesh, steps = self._mesh(), self._box.spacing
        squares = [
            (2 * torch.sin(math.pi * mesh[axis] * steps[axis]) / steps[axis]).square() for axis in self._axes
        ]
        laplacian = torch.stack(squares).sum(0) ** (2 * (order // 2))
        return [laplacian * square for square in squares] if order % 2 else [laplacian]

    def _mesh(self) -> tuple[Tensor, ...]:
        steps = [
            torch.fft.fftfreq(n, s, dtype=torch.float64, device=self._device)
            for n, s in zip(self.shape, self._box.spacing, strict=True)
        ]
        return torch.meshgrid(*steps, indexing="ij")

    def _power_law(self) -> tuple[Tensor, Tensor]:
        """Return the (*shape) band of each mode, -1 for the mean, and its power by the power law."""
        radius = torch.stack([m.square() for m in self._mesh()]).sum(0).sqrt()
        index = self.bands.index(radius)
        index[(0,) * radius.ndim] = -1
        # Relative to the lowest frequency, which no unit of the coordinate can make underflow.
        law = (torch.where(radius > 0, radius, math.inf) / self._box.fundamental) ** -(
            self.slope + len(self._axes) - 1
        )
        return index, law

    def _shares(self) -> tuple[Tensor, Tensor]:
        """Return the (*shape) band of each mode, -1 for the mean, and its share of the band's power."""
        index, law = self._power_law()
        return index, law / self.template().clamp(min=1e-300)[index]

    def _table(self, order: int) -> Tensor:
        """Return the (component, band, octant) transforms of the responses to each band's power law.

        They depend on the absolute frequency along each axis alone, so that their transforms are even along each axis.
        """
        if order not in self._tables:
            index, shares = self._shares()
            self._tables[order] = torch.stack(
                [
                    torch.stack([self._octant(shares * r * (index == b)) for b in range(self.bands.count)])
                    for r in self._responses(order)
                ]
            )
        return self._tables[order]

    def _octant(self, values: Tensor) -> Tensor:
        transformed = torch.fft.fftn(values.double()).real
        return transformed[tuple(slice(0, n // 2 + 1) for n in self.shape)].flatten()

    def _correlation(self, weight: Tensor) -> Tensor:
        """Return the mean of products of a weight with itself displaced, folded onto the octant, over all samples."""
        correlation = torch.fft.ifftn(torch.fft.fftn(weight).abs().square()).real / self._box.samples
        for axis, n in enumerate(self.shape):
            place = torch.arange(n // 2 + 1, device=self._device)
            mirrored = correlation.index_select(axis, (-place) % n)
            # The origin and the middle of an even axis are their own mirror images.
            twice = (2 * place % n > 0).double().reshape([-1 if i == axis else 1 for i in range(weight.ndim)])
            correlation = correlation.narrow(axis, 0, n // 2 + 1) + twice * mirrored
        return correlation.flatten() / self._box.samples

    def _mean_removed(self, weight: Tensor) -> Tensor:
        """Return what the subtraction of the mean over the mask changes in the coupling of the field itself.

        The coefficient of w (f - mean) at k is the sum over q of (w_(k - q) - w_k conj(w_q) / w_0) f_q.
        """
        modes = torch.fft.fftn(weight) / self._box.samples
        first = modes[(0,) * modes.ndim].real.clamp(min=1e-300)
        index, shares = self._shares()
        squares = modes.abs().square()
        shared = band_sums(index, squares * shares, self.bands.count)
        table = shared.new_zeros(self.bands.count, self.bands.count)
        for band in range(self.bands.count):
            if self.bands.low[band] > _LOW_WAVES * self._box.fundamental:
                break
            inside = index == band
            source = torch.where(inside, modes, torch.zeros_like(modes))
            # z_q = sum over k of w_(k - q) conj(w_k), the conjugate of a convolution, which is a product in space.
            z = torch.fft.fftn(torch.fft.ifftn(source) * weight).conj()
            middle = band_sums(index, (modes * z).real * shares, self.bands.count)
            table[band] = (squares * inside).sum() * shared / first**2 - 2 * middle / first
        return table
