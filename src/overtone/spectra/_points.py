"""The spectrum of scattered samples: a Spectrum that says how far the sampling supports it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone._utils.seeding import numpy_generator
from overtone.errors import InputError
from overtone.spectra._band_transform import BandTransform
from overtone.spectra._bands import Bands
from overtone.spectra._inputs import rows
from overtone.spectra._points_density import (
    Density,
    Voronoi,
    check_distinct,
    check_inside,
    checked_coordinates,
    log_bands,
    supported,
)
from overtone.spectra._points_methods import LeastSquares, PointsMethod, Sampling
from overtone.spectra._points_modes import Box, Modes, evaluate
from overtone.spectra._spectrum import Spectrum


@final
@dataclass(frozen=True, kw_only=True)
class PointsSpectrum(Spectrum):
    """Power per band of a function known at scattered places.

    `mean_square` is that of the fitted function over the domain plus the weighted mean square of what the fit
    left over; `missing` is the left-over plus what lies beyond the last band. The left-over of a quadrature is
    large where its modes are far from orthogonal on the samples.

    Attributes:
        supported: The frequency up to which the sampling supports an answer, in cycles per unit.
        domain: The box whose modes were taken.
    """

    supported: float
    domain: Box

    @property
    def trusted(self) -> np.ndarray:
        """(band,) bool, True for the bands that end within the supported frequency."""
        return self.bands.high <= self.supported * (1 + 1e-9)

    @property
    def unplaced(self) -> Tensor:
        """(channel,) float64 share of the mean square that no band holds; 0 for a signal of zeros."""
        return self.missing / self.mean_square.clamp(min=1e-300)


Domain = Box | Sequence[float] | Sequence[Sequence[float]]


@final
class PointsTransform(BandTransform):
    """Transform from scattered samples to power per radial band, built once and used for many fields.

    The function is sought among the modes of the domain's box with |f| <= F, for least squares F the end of the
    bands or the supported frequency, whichever is higher: what lies between is not taken for something lower. With
    coefficients c_k the power of a band is the sum of |c_k|^2 over its modes, the mean of the square of that
    part over the domain.

    Args:
        coords: (N, d) places, d from 1 to 3, or (N,) on a line.
        bands: Bands, or ascending edges from 0, in cycles per unit of the coordinates; None for bands of equal
            ratio up to the supported frequency.
        domain: The box the samples stand for: a `Box`, (low, high), or (low, high) per axis. None for the
            roundest box that the places were plausibly drawn from (`Box.around`).
        periodic: Whether the function wraps around at the domain's ends, one or one per axis; the other axes
            are continued by their mirror image, as in `overtone.spectra._grid`.
        method: `LeastSquares()` or `Quadrature()`.
        density: The weights: `Voronoi()`, `Neighbours()` or `Given(volumes)`.

    Attributes:
        bands: The bands used, exactly those asked for.
        domain: The box.
        supported: The frequency up to which the sampling supports an answer, in cycles per unit.

    Raises:
        InputError: If places coincide, lie on a line or outside the domain, or are too few for the bands.

    Example:
        >>> import numpy as np
        >>> from overtone.spectra import PointsTransform
        >>> x = np.random.default_rng(0).random(60)
        >>> transform = PointsTransform(x, [0, 0.5, 2.5, 4.5], domain=(0, 1))
        >>> power = transform.power(transform.coefficients(np.cos(2 * np.pi * 2 * x)))
        >>> power[:, 0].round(decimals=4).abs().tolist()
        [0.0, 0.5, 0.0]
    """

    def __init__(
        self,
        coords: Tensor | ArrayLike,
        bands: Bands | Sequence[float] | None = None,
        *,
        domain: Domain | None = None,
        periodic: bool | Iterable[bool] = True,
        method: PointsMethod | None = None,
        density: Density | None = None,
    ) -> None:
        locations = checked_coordinates(coords)
        axes = locations.shape[1]
        wraps = (periodic,) * axes if isinstance(periodic, bool) else tuple(bool(p) for p in periodic)
        if len(wraps) != axes:
            raise InputError(f"periodic for {axes} axes", f"{len(wraps)}", "pass one per axis", "periodic")
        self.domain = Box.around(locations) if domain is None else Box.of(domain, axes)
        check_inside(locations, self.domain)
        check_distinct(locations, self.domain, wraps)
        self.supported = supported(locations, self.domain, wraps)
        self.bands = _chosen(bands, self.domain, wraps, self.supported)
        asked = Modes(self.domain, wraps, self.bands.edges[-1])
        if asked.unknowns > len(locations):
            raise InputError(
                f"at least {asked.unknowns} samples for frequencies up to {self.bands.edges[-1]:g}",
                f"{len(locations)}",
                f"ask for bands that end by {self.supported:.4g}, which the samples support",
                "bands",
            )
        self._method = method or LeastSquares()
        # Modes beyond the bands are fitted too: otherwise their power would be taken for that of lower
        # ones.
        modes = Modes(self.domain, wraps, self._method.top_frequency(self.bands.edges[-1], self.supported))
        weights = (density or Voronoi()).weights(locations, self.domain, wraps)
        self._sampling = Sampling(modes, modes.angles(locations), torch.from_numpy(weights))
        index = self.bands.index(modes.frequency)
        above_bands = modes.frequency > self.bands.edges[-1] * (1 + 1e-9)
        self._band = torch.where(above_bands, self.bands.count, index)

    @property
    def closes(self) -> bool:
        """No: power beyond the last band belongs to none; `spectrum` reports it as `missing`."""
        return False

    @property
    def modes(self) -> Tensor:
        """(band,) int64 number of stored modes per band, counting k and -k."""
        return torch.bincount(self._band, minlength=self.bands.count + 1)[: self.bands.count]

    @property
    def frequency(self) -> Tensor:
        """(mode,) float64 radial frequency of each coefficient, in cycles per unit."""
        return self._sampling.modes.frequency

    def coefficients(self, values: Tensor | ArrayLike) -> Tensor:
        """Coefficients of each channel, linear in the values up to the method's tolerance.

        The weighted mean is taken off before and added to the coefficient of frequency 0 afterwards. Computed
        in float64 on the processor; no gradient flows through them.

        Args:
            values: (N, C) real values, or (N,).

        Returns:
            (mode, C) complex128, on the values' device.

        Raises:
            InputError: If the values are not numbers, not finite, or not one row a sample.
        """
        table = rows(values, "values", len(self._sampling.weights))
        # The weights sum to 1, so this is the mean over the domain.
        level = self._sampling.weights @ table.cpu()
        coefficients = self._method.coefficients(self._sampling, table.cpu() - level)
        coefficients[self.frequency == 0] += level
        return coefficients.to(table.device)

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """(band, channel) float64 Re<f, g>, the mean over the domain of the product of two fields' parts.

        Args:
            coefficients: (mode, C) from `coefficients`.
            other: The same for the other field.

        Raises:
            InputError: If the coefficients are not those of this transform.
        """
        return self._sums(coefficients, other)[:-1]

    def noise_power(self, seed: int = 0, draws: int = 8) -> Tensor:
        """(band,) float64 power that white noise of variance 1 in the values adds to each band.

        The mean over `draws` samples of noise sent through the transform. Times the noise's variance it is the
        bias of `power`; a value above the band's share of N samples means gaps in the sampling.

        Args:
            seed: Seed of the noise.
            draws: How much noise; the relative error is about sqrt(2 / (draws * unknowns of the band)).
        """
        noise = numpy_generator(seed, "points", "noise").normal(size=(len(self._sampling.weights), draws))
        coefficients = self.coefficients(noise)
        return self.power(coefficients).mean(1)

    def reconstruct(self, coefficients: Tensor) -> Tensor:
        """(N, C) float64 values at the samples of the function with these coefficients."""
        modes = self._sampling.modes
        block = modes.spread(coefficients.cpu().to(torch.complex128))
        return evaluate(self._sampling.angles, block).real.T.to(coefficients.device)

    def spectrum(
        self, values: Tensor | ArrayLike, reference: Tensor | ArrayLike | None = None
    ) -> PointsSpectrum:
        """The spectrum of values at the samples.

        Args:
            values: (N, C) real values, or (N,).
            reference: The same of the field to take the cross power with.

        Raises:
            InputError: If a table is not numbers, not finite, or not one row a sample.
        """
        table = rows(values, "values", len(self._sampling.weights))
        coefficients = self.coefficients(table)
        sums = self._sums(coefficients, coefficients)
        remainder = table - self.reconstruct(coefficients)
        left = self._sampling.weights.to(table.device) @ remainder.square()
        reference_coefficients = None
        if reference is not None:
            target = rows(reference, "reference", len(table))
            if target.shape != table.shape:
                raise InputError(
                    f"a reference of the values' shape {tuple(table.shape)}",
                    f"{tuple(target.shape)}",
                    "pass the same samples of both",
                    "reference",
                )
            reference_coefficients = self.coefficients(target.to(table.device))
        axes = ("periodic" if wraps else "even" for wraps in self._sampling.modes.periodic)
        return PointsSpectrum(
            self.bands,
            sums[:-1],
            sums[-1] + left,
            f"points, {self._method.name}: {' x '.join(axes)}",
            None if reference_coefficients is None else self.cross(coefficients, reference_coefficients),
            None if reference_coefficients is None else self.power(reference_coefficients),
            supported=self.supported,
            domain=self.domain,
        )

    def _sums(self, first: Tensor, second: Tensor) -> Tensor:
        """(band + 1, C): the bands, and what lies beyond the last."""
        if first.shape != second.shape or first.ndim != 2 or len(first) != len(self._band):
            raise InputError(
                f"coefficients of {len(self._band)} modes with equal channels last",
                f"{tuple(first.shape)} and {tuple(second.shape)}",
                "pass what coefficients() returned",
                "coefficients",
            )
        product = (first * second.conj()).real
        total = product.new_zeros(self.bands.count + 1, product.shape[1])
        return total.index_add(0, self._band.to(product.device), product)


def points(
    coords: Tensor | ArrayLike,
    values: Tensor | ArrayLike,
    *,
    edges: Bands | Sequence[float] | None = None,
    bands: Bands | Sequence[float] | None = None,
    domain: Domain | None = None,
    periodic: bool | Iterable[bool] = True,
    method: PointsMethod | None = None,
    density: Density | None = None,
    reference: Tensor | ArrayLike | None = None,
) -> PointsSpectrum:
    """Measure the spectrum of values at scattered places, per band of radial frequency f = sqrt(sum_i f_i^2).

    A harmonic A cos(2 pi f x + phase) that the domain holds gives A^2 / 2. Assumes that what lies beyond the
    bands and the supported frequency is small; it is reported as `missing`, and the part of it that the samples
    cannot tell from lower frequencies is bias, as is noise: about its power times `PointsTransform.noise_power`.

    Args:
        coords: (N, d) places, d from 1 to 3, or (N,) on a line.
        values: (N, C) real values, or (N,).
        edges: Ascending edges of the bands from 0, in cycles per unit; another name for `bands`.
        bands: Bands, or ascending edges; None for bands of equal ratio up to the supported frequency.
        domain: The box the samples stand for, (low, high) or one per axis; None for `Box.around`.
        periodic: Whether the function wraps around, one or one per axis; other axes are mirrored.
        method: `LeastSquares()` (the default) or `Quadrature()`.
        density: The weights: `Voronoi()` (the default), `Neighbours()` or `Given(volumes)`.
        reference: Values at the same places to take the cross power with, for instance the target.

    Returns:
        The spectrum, with `.supported` and `.missing`; its tensors are on the values' device.

    Raises:
        InputError: If a table is not numbers or not finite, or places coincide, lie on a line or outside the
            domain, or are too few for the bands.

    Example:
        >>> import numpy as np
        >>> from overtone import spectra
        >>> x = np.random.default_rng(0).random(80)
        >>> spectrum = spectra.points(x, 2 + np.cos(2 * np.pi * 3 * x), edges=[0, 0.5, 5], domain=(0, 1))
        >>> spectrum.power[:, 0].round(decimals=4).tolist()
        [4.0, 0.5]
    """
    if edges is not None and bands is not None:
        raise InputError("edges or bands", "both", "pass one of them", "bands")
    transform = PointsTransform(
        coords,
        bands if edges is None else edges,
        domain=domain,
        periodic=periodic,
        method=method,
        density=density,
    )
    return transform.spectrum(values, reference)


def _chosen(bands: Bands | Sequence[float] | None, box: Box, periodic: tuple[bool, ...], top: float) -> Bands:
    if bands is None:
        return log_bands(box, periodic, top)
    return bands if isinstance(bands, Bands) else Bands(tuple(bands))
