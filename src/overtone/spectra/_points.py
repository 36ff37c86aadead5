"""Spectra of scattered samples, with the frequency up to which the sampling supports them."""

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
@dataclass(frozen=True, kw_only=True, repr=False)
class PointsSpectrum(Spectrum):
    """Power per band of a function known at scattered points.

    `mean_square` is the mean square of the fitted function over the domain plus the weighted mean square of
    the fit's residual; `missing` is the latter plus the power beyond the last band. The residual of a
    quadrature is large if its modes are far from orthogonal on the samples.

    Attributes:
        supported: Highest frequency that the sampling supports, in cycles per unit.
        domain: The box whose modes were fitted.
    """

    supported: float
    domain: Box

    @property
    def trusted(self) -> np.ndarray:
        """(band,) bool, True for the bands that end within the supported frequency."""
        return self.bands.high <= self.supported * (1 + 1e-9)

    @property
    def missing_share(self) -> Tensor:
        """(channel,) float64 share of the mean square outside all bands; 0 for a signal of zeros."""
        return self.missing / self.mean_square.clamp(min=1e-300)


Domain = Box | Sequence[float] | Sequence[Sequence[float]]


@final
class PointsTransform(BandTransform):
    """Transform from scattered samples to power per radial band, reusable for many fields.

    The function is fitted by the modes of the domain's box with |f| <= F. For least squares, F is the end of
    the bands or the supported frequency, whichever is higher, so that power between the two is not aliased to
    lower bands. With coefficients c_k, the power of a band is the sum of |c_k|^2 over its modes: the mean
    square over the domain of the band's part of the function.

    Args:
        coords: (N, d) coordinates, d from 1 to 3, or (N,) on a line.
        bands: Bands, or ascending edges from 0, in cycles per unit of the coordinates; None for bands of equal
            ratio up to the supported frequency.
        domain: The box that the samples represent: a `Box`, (low, high), or (low, high) per axis. None for a
            box with round bounds close to the outermost samples (`Box.around`).
        periodic: Whether the function is periodic in the domain, a single value or one per axis; along
            non-periodic axes it is extended by its mirror image, as in `grid`.
        method: `PointsMethod.least_squares()` (the default) or `PointsMethod.quadrature()`.
        density: The weights: `Density.voronoi()` (the default), `Density.neighbours()` or
            `Density.known(volumes)`.

    Attributes:
        bands: The bands, unchanged if specified.
        domain: The box.
        supported: Highest frequency that the sampling supports, in cycles per unit.

    Raises:
        InputError: If points coincide, are collinear or outside the domain, or are too few for the bands.

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
        self.bands = _resolve_bands(bands, self.domain, wraps, self.supported)
        requested = Modes(self.domain, wraps, self.bands.edges[-1])
        if requested.unknowns > len(locations):
            raise InputError(
                f"at least {requested.unknowns} samples for frequencies up to {self.bands.edges[-1]:g}",
                f"{len(locations)}",
                f"pass bands that end at or below {self.supported:.4g}, which the samples support",
                "bands",
            )
        self._method = method or LeastSquares()
        # Modes beyond the bands are fitted too: otherwise their power would be aliased to lower modes.
        modes = Modes(self.domain, wraps, self._method.top_frequency(self.bands.edges[-1], self.supported))
        weights = (density or Voronoi()).weights(locations, self.domain, wraps)
        self._sampling = Sampling(modes, modes.angles(locations), torch.from_numpy(weights))
        index = self.bands.index(modes.frequency)
        above_bands = modes.frequency > self.bands.edges[-1] * (1 + 1e-9)
        self._band = torch.where(above_bands, self.bands.count, index)

    @property
    def closes(self) -> bool:
        """False: power beyond the last band is in no band; `spectrum` reports it as `missing`."""
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
        """Return the coefficients of each channel, linear in the values up to the method's tolerance.

        The weighted mean is subtracted before the transform and added to the coefficient of frequency 0
        afterwards. The computation is in float64 on the CPU and does not propagate gradients.

        Args:
            values: (N, C) real values, or (N,).

        Returns:
            (mode, C) complex128, on the values' device.

        Raises:
            InputError: If the values are not numeric, not finite, or not one row per sample.
        """
        table = rows(values, "values", len(self._sampling.weights))
        # The weights sum to 1, so this is the mean over the domain.
        mean = self._sampling.weights @ table.cpu()
        coefficients = self._method.coefficients(self._sampling, table.cpu() - mean)
        coefficients[self.frequency == 0] += mean
        return coefficients.to(table.device)

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """Return the (band, channel) float64 Re<f, g>: the mean product over the domain of two fields' parts.

        Args:
            coefficients: (mode, C) result of `coefficients`.
            other: Coefficients of the other field.

        Raises:
            InputError: If the coefficients do not match this transform.
        """
        return self._sums(coefficients, other)[:-1]

    def noise_power(self, seed: int = 0, draws: int = 8) -> Tensor:
        """Return the (band,) float64 power that white noise of variance 1 in the values adds to each band.

        It is the mean over `draws` realisations of noise. Multiplied by the variance of the noise, it is the
        bias of `power`; a value above the band's number of modes over N indicates gaps in the sampling.

        Args:
            seed: Seed of the noise.
            draws: Number of realisations; the relative error is about sqrt(2 / (draws * unknowns of the
                band)).
        """
        noise = numpy_generator(seed, "points", "noise").normal(size=(len(self._sampling.weights), draws))
        coefficients = self.coefficients(noise)
        return self.power(coefficients).mean(1)

    def reconstruct(self, coefficients: Tensor) -> Tensor:
        """Return the (N, C) float64 values at the samples of the function with these coefficients."""
        modes = self._sampling.modes
        block = modes.spread(coefficients.cpu().to(torch.complex128))
        return evaluate(self._sampling.angles, block).real.T.to(coefficients.device)

    def spectrum(
        self, values: Tensor | ArrayLike, reference: Tensor | ArrayLike | None = None
    ) -> PointsSpectrum:
        """Return the spectrum of values at the samples.

        Args:
            values: (N, C) real values, or (N,).
            reference: Values of the reference field for the cross power.

        Raises:
            InputError: If a table is not numeric, not finite, or not one row per sample.
        """
        table = rows(values, "values", len(self._sampling.weights))
        coefficients = self.coefficients(table)
        sums = self._sums(coefficients, coefficients)
        remainder = table - self.reconstruct(coefficients)
        residual_power = self._sampling.weights.to(table.device) @ remainder.square()
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
            sums[-1] + residual_power,
            f"points, {self._method.name}: {' x '.join(axes)}",
            None if reference_coefficients is None else self.cross(coefficients, reference_coefficients),
            None if reference_coefficients is None else self.power(reference_coefficients),
            supported=self.supported,
            domain=self.domain,
        )

    def _sums(self, first: Tensor, second: Tensor) -> Tensor:
        """Return (band + 1, C) sums: those of the bands and that beyond the last band."""
        if first.shape != second.shape or first.ndim != 2 or len(first) != len(self._band):
            raise InputError(
                f"coefficients of {len(self._band)} modes with equal channels last",
                f"{tuple(first.shape)} and {tuple(second.shape)}",
                "pass the result of coefficients()",
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
    """Measure the spectrum of values at scattered points, per band of radial frequency f = sqrt(sum_i f_i^2).

    A harmonic A cos(2 pi f x + phase) of the domain has power A^2 / 2. The method assumes that the power
    beyond the bands and the supported frequency is small. That power is reported as `missing`; its aliased
    part biases the bands. Noise adds a bias of about its power times `PointsTransform.noise_power`.

    Args:
        coords: (N, d) coordinates, d from 1 to 3, or (N,) on a line.
        values: (N, C) real values, or (N,).
        edges: Ascending edges of the bands from 0, in cycles per unit; another name for `bands`.
        bands: Bands, or ascending edges; None for bands of equal ratio up to the supported frequency.
        domain: The box that the samples represent, (low, high) or one pair per axis; None for `Box.around`.
        periodic: Whether the function is periodic, a single value or one per axis; other axes are mirrored.
        method: `PointsMethod.least_squares()` (the default) or `PointsMethod.quadrature()`.
        density: The weights: `Density.voronoi()` (the default), `Density.neighbours()` or
            `Density.known(volumes)`.
        reference: Values at the same points for the cross power, for instance the target.

    Returns:
        The spectrum, with `.supported` and `.missing`; its tensors are on the values' device.

    Raises:
        InputError: If a table is not numeric or not finite, or points coincide, are collinear or outside the
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


def _resolve_bands(
    bands: Bands | Sequence[float] | None, box: Box, periodic: tuple[bool, ...], top: float
) -> Bands:
    if bands is None:
        return log_bands(box, periodic, top)
    return bands if isinstance(bands, Bands) else Bands(tuple(bands))
