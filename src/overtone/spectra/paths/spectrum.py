"""The spectrum of a function's outputs along many paths, and its mean frequency, with intervals over the paths."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra.bands import Bands
from overtone.spectra.evaluate import Outputs
from overtone.spectra.interval import Interval, bootstrap
from overtone.spectra.lattice import Lattice
from overtone.spectra.paths.path import Paths
from overtone.spectra.paths.unit import PathUnit, PerPath
from overtone.spectra.spectrum import ROUNDING, Spectrum
from overtone.spectra.transform import forward

_PER_PATH = PerPath()
_ENTRIES = 1 << 20


@final
@dataclass(frozen=True)
class PathSpectrum:
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
    def pooled_mean_frequency(self) -> Tensor:
        """(path,) the same with the powers of all channels added up, as for the logits of one network."""
        return self.moment.sum(1) / self.varying.sum(1)

    @property
    def spectrum(self) -> Spectrum:
        """The mean over paths as a `Spectrum`."""
        mean = self.power.mean(0)
        return Spectrum(self.bands, mean, mean.new_zeros(mean.shape[1]), self.estimator)

    def interval(self, level: float = 0.95, draws: int = 1000, seed: int = 0) -> Interval:
        """(band, channel) mean power over paths with its interval, see `overtone.spectra.interval.bootstrap`.

        Args:
            level: Probability that the interval is to hold the mean.
            draws: Draws of the bootstrap.
            seed: Seed of the draws.

        Raises:
            InputError: If there are fewer than two paths.
        """
        return bootstrap(self.power, level, draws, seed)

    def pooled_interval(self, level: float = 0.95, draws: int = 1000, seed: int = 0) -> Interval:
        """(band,) the same with the powers of all channels added up.

        Args:
            level: Probability that the interval is to hold the mean.
            draws: Draws of the bootstrap.
            seed: Seed of the draws.

        Raises:
            InputError: If there are fewer than two paths.
        """
        return bootstrap(self.power.sum(2), level, draws, seed)

    def mean_frequency_interval(self, level: float = 0.95, draws: int = 1000, seed: int = 0) -> Interval:
        """The pooled mean frequency, averaged over the paths along which the outputs vary, with its interval.

        Args:
            level: Probability that the interval is to hold the mean.
            draws: Draws of the bootstrap.
            seed: Seed of the draws.

        Raises:
            InputError: If the outputs vary along fewer than two paths.
        """
        found = self.pooled_mean_frequency
        return bootstrap(found[found.isfinite()], level, draws, seed)


def spectrum(
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
        unit: `PerPath()` or `PerLength()`.
        bands: Bands, or ascending edges from 0; what they do not reach is added at their end. None for `Bands.log`
            from the longest path's lowest frequency to the shortest path's highest. A path has no modes in bands below
            its own lowest frequency.
        batch: Most inputs a call; memory is that of `batch` inputs and of paths x n x C outputs in float64.

    Raises:
        InputError: If there are fewer than two samples, or the function's outputs are not as described.
    """
    if samples < 2:
        raise InputError("at least two samples a path", f"{samples}", "pass for instance 128", "samples")
    found = _along(function, paths, samples, batch)
    extents = unit.extent(paths.lengths).to(found.device)
    line = Lattice.of((samples,), periodic=paths.closed)
    chosen = _covering(bands, line, extents)
    frequency = line.frequencies(0, found.device) / extents[:, None]
    power = _power(found, line)
    index = chosen.index(frequency)[..., None].expand_as(power)
    banded = power.new_zeros(len(power), chosen.count, power.shape[2]).scatter_add(1, index, power)
    varying = power[:, 1:].sum(1)
    constant = varying <= ROUNDING * power[:, 0]
    moment = (power * frequency[..., None]).sum(1)
    return PathSpectrum(
        chosen,
        banded,
        torch.where(constant, 0.0, varying),
        torch.where(constant, 0.0, moment),
        paths.lengths,
        unit,
        f"paths: {'periodic' if paths.closed else 'even'}, {samples} samples",
    )


def _along(function: Callable[[Any], Any], paths: Paths, samples: int, batch: int) -> Tensor:
    """(path, sample, C) float64 outputs."""
    outputs = Outputs(function, paths.arrays, batch)
    parts = [outputs(paths.inputs(samples, rows)).double() for rows in outputs.chunks(len(paths) * samples)]
    return torch.cat(parts).reshape(len(paths), samples, -1)


def _power(values: Tensor, line: Lattice) -> Tensor:
    """(path, mode, C) float64 power of each mode, both signs of a frequency together."""
    n = line.samples
    weights = line.weights(0, values.device)[:, None]
    even, around = ((), (1,)) if line.periodic[0] else ((1,), ())
    parts = []
    for some in values.split(max(1, _ENTRIES // values[0].numel())):
        mean = some.mean(1, keepdim=True)
        modes = forward(some - mean, even, around)
        modes[:, 0] += mean[:, 0] * math.sqrt(n)
        parts.append(modes.abs().square() * weights / n)
    return torch.cat(parts)


def _covering(bands: Bands | Sequence[float] | None, line: Lattice, extents: Tensor) -> Bands:
    shortest, longest = float(extents.min()), float(extents.max())
    if bands is None:
        count = max(2, round(line.samples * longest / shortest))
        bands = Bands.log((count,), longest / count, periodic=line.periodic)
    given = bands if isinstance(bands, Bands) else Bands(tuple(bands))
    return given.reaching(line.nyquist / shortest, line.top / shortest)
