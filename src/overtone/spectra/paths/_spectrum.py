"""Spectrum and mean frequency of a function's outputs along paths, with intervals over the paths."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._band_transform import BandTransform
from overtone.spectra._bands import Bands
from overtone.spectra._grid_modes import GridModes, forward
from overtone.spectra._outputs import Outputs
from overtone.spectra._spectrum import ROUNDING, ConfidenceInterval, SampleSpectra, bootstrap
from overtone.spectra.paths._paths import Paths, PathUnit, PerPath

_UNIT = PerPath()
_ENTRIES = 1 << 20


@final
class PathTransform(BandTransform):
    """Transform from outputs along paths to power per band; see `path_spectrum` for definition and bias.

    Coefficients are linear in the outputs; power and cross power are averaged over the paths.

    Args:
        paths: The paths.
        samples: Number n of positions per path.
        unit: `PathUnit.per_path()` or `PathUnit.per_length()`.
        bands: Bands, or ascending edges from 0, extended to the highest mode; None for `Bands.log` from the
            lowest frequency of the longest path to the highest of the shortest path.

    Attributes:
        paths: The paths.
        samples: Number n of positions per path.
        unit: Unit of length of the frequencies.
        bands: The bands, in cycles per `unit`.
        frequency: (path, mode) float64, in cycles per `unit`.
        estimator: Name of the estimator in records.

    Raises:
        InputError: If there are fewer than two samples per path or the bands are invalid.
    """

    def __init__(
        self,
        paths: Paths,
        samples: int = 128,
        *,
        unit: PathUnit = _UNIT,
        bands: Bands | Sequence[float] | None = None,
    ) -> None:
        if samples < 2:
            raise InputError(
                "at least two samples per path", f"{samples}", "pass for instance 128", "samples"
            )
        self.paths, self.samples, self.unit = paths, samples, unit
        self._line = GridModes.of((samples,), periodic=paths.closed)
        extents = unit.extent(paths.lengths)
        self.bands = _extended_bands(bands, self._line, extents)
        self.frequency = self._line.frequencies(0, extents.device) / extents[:, None]
        self._band = self.bands.index(self.frequency)
        self.estimator = f"paths: {'periodic' if paths.closed else 'even'}, {samples} samples"

    def coefficients(self, values: Tensor) -> Tensor:
        """Return the coefficients of each path and channel, in ascending order of frequency.

        Args:
            values: (path x n, C) outputs in the order of `Paths.inputs`, or (path, n, C).

        Returns:
            (path, mode, C), complex for closed paths, in float64. Squared moduli sum over the modes to the
            path's mean square; for closed paths, each includes both signs of the frequency.

        Raises:
            InputError: If the number of outputs per path is not n.
        """
        n, count = self.samples, len(self.paths)
        if values.numel() % (n * count) or values.shape[0] not in (count, n * count):
            raise InputError(
                f"{count * n} outputs, {n} for each of {count} paths",
                f"shape {tuple(values.shape)}",
                "pass the outputs at all positions, path after path",
                "values",
            )
        field = values.double().reshape(count, n, -1)
        scale = (self._line.weights(0, field.device) / n).sqrt()[:, None]
        even, around = ((), (1,)) if self.paths.closed else ((1,), ())
        parts = []
        # Blocks of about a million entries bound the memory of the transform, which copies its input.
        for block in field.split(max(1, _ENTRIES // field[0].numel())):
            mean = block.mean(1, keepdim=True)
            modes = forward(block - mean, even, around)
            modes[:, 0] += mean[:, 0] * math.sqrt(n)
            parts.append(modes * scale)
        return torch.cat(parts)

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """Return the (band, C) float64 Re<f, g> of two sets of outputs, averaged over the paths."""
        return self.banded((coefficients * other.conj()).real).mean(0)

    def banded(self, modes: Tensor) -> Tensor:
        """Return the (path, band, C) sums over the modes of each band.

        Args:
            modes: (path, mode, C) one number per mode.
        """
        band = self._band.to(modes.device)[..., None].expand_as(modes)
        total = modes.new_zeros(len(modes), self.bands.count, modes.shape[2])
        return total.scatter_add(1, band, modes)


def _extended_bands(bands: Bands | Sequence[float] | None, line: GridModes, extents: Tensor) -> Bands:
    shortest, longest = float(extents.min()), float(extents.max())
    if bands is None:
        count = max(2, round(line.samples * longest / shortest))
        bands = Bands.log((count,), longest / count, periodic=line.periodic)
    requested = bands if isinstance(bands, Bands) else Bands(tuple(bands))
    return requested.extended_to(line.nyquist / shortest, line.top / shortest)


_PER_PATH = PerPath()


@final
@dataclass(frozen=True)
class PathSpectrum(SampleSpectra):
    """Power of a function's outputs per path, band and channel; it sums over bands to the mean square.

    Attributes:
        bands: The bands, in cycles per `unit`.
        power: (path, band, channel) float64, in squared units of the outputs.
        varying: (path, channel) float64 power without the mean along the path.
        moment: (path, channel) float64 sum of frequency times power over the modes.
        lengths: (path,) float64 lengths of the paths, in units of the inputs.
        unit: Unit of length of the frequencies.
        estimator: Name of the estimator in records.
    """

    bands: Bands
    power: Tensor
    varying: Tensor
    moment: Tensor
    lengths: Tensor
    unit: PathUnit
    estimator: str

    @property
    def frequency_unit(self) -> str:
        """Unit of all frequencies, "cycles per ..."."""
        return f"cycles per {self.unit.name}"

    @property
    def mean_frequency(self) -> Tensor:
        """(path, channel) float64 sum_k f_k P_k / sum_k P_k without the mean; NaN where the output is constant."""
        return self.moment / self.varying

    @property
    def pooled(self) -> PathSpectrum:
        """The spectrum with the powers of all channels summed, for instance over the logits of a network."""
        power, varying, moment = (
            part.sum(-1, keepdim=True) for part in (self.power, self.varying, self.moment)
        )
        return replace(self, power=power, varying=varying, moment=moment)

    def mean_frequency_interval(
        self, level: float = 0.95, draws: int = 1000, seed: int = 0
    ) -> ConfidenceInterval:
        """Return the pooled mean frequency, averaged over paths with varying outputs, with its interval.

        Args:
            level: Coverage probability of the interval.
            draws: Number of bootstrap samples.
            seed: Seed of the bootstrap.

        Raises:
            InputError: If the outputs vary along fewer than two paths.
        """
        frequencies = self.pooled.mean_frequency[:, 0]
        return bootstrap(frequencies[frequencies.isfinite()], level, draws, seed)


def path_spectrum(
    function: Callable[[Any], Any],
    paths: Paths,
    samples: int = 128,
    *,
    unit: PathUnit = _PER_PATH,
    bands: Bands | Sequence[float] | None = None,
    batch: int = 1024,
) -> PathSpectrum:
    """Measure the power per band of a function's outputs along paths.

    Such paths are the logit paths of Fridovich-Keil et al. 2022 (arXiv 2110.02424). Let g(s), 0 <= s <= L, be
    the outputs at arc length s of a path of length L, sampled at the midpoints of n equal intervals. Then P_k
    = |c_k|^2 / n with c the orthonormal DCT-II of the samples, at the frequencies k / (2 L), k = 0 .. n - 1.
    This is the Fourier series of g extended by its mirror image, so unequal ends do not leak and the power
    sums to the mean square. For closed paths it is the Fourier series at k / L. A harmonic A cos(2 pi f s +
    phase) with a whole number of half cycles and extrema at the ends has power A^2 / 2.

    Bias: the mirror image has a kink at each end, which adds power that decays as f^-4; a straight line has a
    mean frequency of 0.518 cycles per path (7 zeta(3) / 16 over pi^4 / 96). Frequencies beyond n / (2 L)
    are aliased; increase the number of samples until the result does not change. A straight path measures
    only the component of a frequency along the path: for a wave of frequency f in d dimensions, a random
    path has about f / sqrt(d) cycles per unit of length. The frequency changes abruptly at the vertices
    of a path.

    Args:
        function: Function from inputs (B, *shape) to outputs (B, C) or (B,), in evaluation mode. It receives
            tensors, or NumPy arrays if the paths were created from arrays, and is called without gradients.
        paths: The paths.
        samples: Number n of positions per path.
        unit: `PathUnit.per_path()` or `PathUnit.per_length()`.
        bands: Bands, or ascending edges from 0, extended to the highest mode; None for `Bands.log` from the
            lowest frequency of the longest path to the highest of the shortest path. A path has no modes in
            bands below its lowest frequency.
        batch: Maximum number of inputs per call; memory use is that of `batch` inputs and of paths x n x C
            float64 outputs.

    Raises:
        InputError: If there are fewer than two samples, or the function's outputs do not have the required
            form.

    Example:
        >>> import torch
        >>> from overtone.spectra.paths import Paths, path_spectrum
        >>> paths = Paths.straight(torch.zeros(1, 2), torch.ones(1, 2))
        >>> spectrum = path_spectrum(lambda x: torch.cos(2 * torch.pi * 4 * x[:, 0]), paths, 64)
        >>> round(float(spectrum.mean_frequency), 3)
        4.0
    """
    transform = PathTransform(paths, samples, unit=unit, bands=bands)
    coefficients = transform.coefficients(_along(function, paths, samples, batch))
    power = (coefficients * coefficients.conj()).real
    varying = power[:, 1:].sum(1)
    # The power of constant outputs is rounding noise, which has no meaningful mean frequency.
    constant = varying <= ROUNDING * power[:, 0]
    moment = (power * transform.frequency.to(power.device)[..., None]).sum(1)
    return PathSpectrum(
        transform.bands,
        transform.banded(power),
        torch.where(constant, 0.0, varying),
        torch.where(constant, 0.0, moment),
        paths.lengths,
        unit,
        transform.estimator,
    )


def _along(function: Callable[[Any], Any], paths: Paths, samples: int, batch: int) -> Tensor:
    """Return the (path, sample, C) float64 outputs."""
    outputs = Outputs(function, paths.arrays, batch)
    parts = [outputs(paths.inputs(samples, rows)).double() for rows in outputs.chunks(len(paths) * samples)]
    return torch.cat(parts).reshape(len(paths), samples, -1)
