"""The spectrum of a function's outputs along many paths, and its mean frequency, with intervals over the paths."""

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

    Coefficients are linear in the outputs; power and cross power are means over the paths.

    Args:
        paths: The paths.
        samples: n, positions a path.
        unit: `PathUnit.per_path()` or `PathUnit.per_length()`.
        bands: Bands, or ascending edges from 0; what they do not reach is added at their end. None for `Bands.log`
            from the longest path's lowest frequency to the shortest path's highest.

    Attributes:
        paths: The paths.
        samples: n.
        unit: What frequencies are cycles per.
        bands: The bands, in cycles per `unit`.
        frequency: (path, mode) float64, in cycles per `unit`.
        estimator: How the power is found, for records.

    Raises:
        InputError: If there are fewer than two samples a path or the bands are impossible.
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
            raise InputError("at least two samples a path", f"{samples}", "pass for instance 128", "samples")
        self.paths, self.samples, self.unit = paths, samples, unit
        self._line = GridModes.of((samples,), periodic=paths.closed)
        extents = unit.extent(paths.lengths)
        self.bands = _covering(bands, self._line, extents)
        self.frequency = self._line.frequencies(0, extents.device) / extents[:, None]
        self._band = self.bands.index(self.frequency)
        self.estimator = f"paths: {'periodic' if paths.closed else 'even'}, {samples} samples"

    def coefficients(self, values: Tensor) -> Tensor:
        """Coefficients of each path and channel, the mean first.

        Args:
            values: (path x n, C) outputs, path after path as `Paths.inputs` gives their places, or (path, n, C).

        Returns:
            (path, mode, C), complex for closed paths, in float64. Squared moduli sum over the modes to the path's mean
            square; those of closed paths hold both signs of a frequency.

        Raises:
            InputError: If there are other than n outputs a path.
        """
        n, count = self.samples, len(self.paths)
        if values.numel() % (n * count) or values.shape[0] not in (count, n * count):
            raise InputError(
                f"{count * n} outputs, {n} for each of {count} paths",
                f"shape {tuple(values.shape)}",
                "pass the outputs at all places, path after path",
                "values",
            )
        field = values.double().reshape(count, n, -1)
        scale = (self._line.weights(0, field.device) / n).sqrt()[:, None]
        even, around = ((), (1,)) if self.paths.closed else ((1,), ())
        parts = []
        # In parts of about a million entries: the transform copies what it is given.
        for some in field.split(max(1, _ENTRIES // field[0].numel())):
            mean = some.mean(1, keepdim=True)
            modes = forward(some - mean, even, around)
            modes[:, 0] += mean[:, 0] * math.sqrt(n)
            parts.append(modes * scale)
        return torch.cat(parts)

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """(band, C) float64 Re<f, g> of two sets of outputs, mean over the paths."""
        return self.banded((coefficients * other.conj()).real).mean(0)

    def banded(self, modes: Tensor) -> Tensor:
        """(path, band, C) sums over the modes of each band.

        Args:
            modes: (path, mode, C) a number for each mode.
        """
        band = self._band.to(modes.device)[..., None].expand_as(modes)
        total = modes.new_zeros(len(modes), self.bands.count, modes.shape[2])
        return total.scatter_add(1, band, modes)


def _covering(bands: Bands | Sequence[float] | None, line: GridModes, extents: Tensor) -> Bands:
    shortest, longest = float(extents.min()), float(extents.max())
    if bands is None:
        count = max(2, round(line.samples * longest / shortest))
        bands = Bands.log((count,), longest / count, periodic=line.periodic)
    requested = bands if isinstance(bands, Bands) else Bands(tuple(bands))
    return requested.reaching(line.nyquist / shortest, line.top / shortest)


_PER_PATH = PerPath()


@final
@dataclass(frozen=True)
class PathSpectrum(SampleSpectra):
    """Power of a function's outputs per path, band and channel; over the bands it sums to the path's mean square.

    Attributes:
        bands: The bands, in cycles per `unit`.
        power: (path, band, channel) float64, in squared units of the outputs.
        varying: (path, channel) float64 power without the mean along the path.
        moment: (path, channel) float64 sum of frequency times power over the modes.
        lengths: (path,) float64 lengths of the paths, in units of the inputs.
        unit: What frequencies are cycles per.
        estimator: How the power was found, for records.
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
        """The unit of all frequencies, "cycles per ..."."""
        return f"cycles per {self.unit.name}"

    @property
    def mean_frequency(self) -> Tensor:
        """(path, channel) float64 sum_k f_k P_k / sum_k P_k without the mean; NaN where the output is constant."""
        return self.moment / self.varying

    @property
    def pooled(self) -> PathSpectrum:
        """The same with the powers of all channels added up to one, as for the logits of one network."""
        power, varying, moment = (
            part.sum(-1, keepdim=True) for part in (self.power, self.varying, self.moment)
        )
        return replace(self, power=power, varying=varying, moment=moment)

    def mean_frequency_interval(
        self, level: float = 0.95, draws: int = 1000, seed: int = 0
    ) -> ConfidenceInterval:
        """The pooled mean frequency, averaged over the paths along which the outputs vary, with its interval.

        Args:
            level: Probability that the interval is to hold the mean.
            draws: Draws of the bootstrap.
            seed: Seed of the draws.

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
    """Power per band of a function's outputs along paths (Fridovich-Keil et al. 2022, arXiv 2110.02424, logit paths).

    With g(s), 0 <= s <= L, the outputs along a path of length L by distance walked, sampled at the middles of n equal
    parts, P_k = |c_k|^2 / n with c the orthonormal DCT-II of the samples, at the frequencies k / (2 L), k = 0 .. n - 1:
    the Fourier series of g continued by its mirror image, so that unequal ends do not leak and power closes. Along
    closed paths, which have no ends, the plain Fourier series at k / L is taken instead. A harmonic
    A cos(2 pi f s + phase) with a whole number of half cycles at its turning points has the power A^2 / 2.

    Bias: the mirror image has a kink at each end, which gives every g a tail of power that falls with f^-4; a straight
    line has the mean frequency 0.518 cycles per path (7 zeta(3) / 16 over pi^4 / 96). Frequencies beyond n / (2 L) are
    folded back; take more samples and see that nothing changes. A straight path sees the component of a frequency
    along itself only: of a wave of frequency f in d dimensions a random path shows about f / sqrt(d) per unit of
    length. At the corners of a polyline the frequency along it jumps.

    Args:
        function: From inputs (B, *shape) to outputs (B, C) or (B,), in evaluation mode; given tensors, or NumPy arrays
            if the paths were made of these. Called without gradients.
        paths: The paths.
        samples: n, positions a path.
        unit: `PathUnit.per_path()` or `PathUnit.per_length()`.
        bands: Bands, or ascending edges from 0; what they do not reach is added at their end. None for `Bands.log`
            from the longest path's lowest frequency to the shortest path's highest. A path has no modes in bands below
            its own lowest frequency.
        batch: Maximum number of inputs per call; memory is that of `batch` inputs and paths x n x C float64 outputs.

    Raises:
        InputError: If there are fewer than two samples, or the function's outputs are not as described.

    Example:
        >>> import torch
        >>> from overtone.spectra.paths import Paths, path_spectrum
        >>> paths = Paths.straight(torch.zeros(1, 2), torch.ones(1, 2))
        >>> found = path_spectrum(lambda x: torch.cos(2 * torch.pi * 4 * x[:, 0]), paths, 64)
        >>> round(float(found.mean_frequency), 3)
        4.0
    """
    transform = PathTransform(paths, samples, unit=unit, bands=bands)
    coefficients = transform.coefficients(_along(function, paths, samples, batch))
    power = (coefficients * coefficients.conj()).real
    varying = power[:, 1:].sum(1)
    # Outputs that do not vary have rounding noise at all frequencies, and no mean frequency.
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
    """(path, sample, C) float64 outputs."""
    outputs = Outputs(function, paths.arrays, batch)
    parts = [outputs(paths.inputs(samples, rows)).double() for rows in outputs.chunks(len(paths) * samples)]
    return torch.cat(parts).reshape(len(paths), samples, -1)
