"""The Spectrum: power per band and channel, whatever the geometry it was estimated on."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone._utils.seeding import numpy_generator
from overtone._utils.statistics import normal_quantile
from overtone.errors import InputError
from overtone.spectra._bands import Bands

ROUNDING = 1e-26
"""Power without the mean that is this small beside the mean's is rounding: the signal is constant."""


@dataclass(frozen=True)
class Spectrum:
    """Power of a signal per band of frequency; `power.sum(0) + missing` is the mean square of the signal.

    Attributes:
        bands: The bands, in cycles per unit of the coordinate.
        power: (band, channel) float64, in squared units of the value.
        missing: (channel,) float64 part of the mean square that the estimator could not give to any band, in
            squared units of the value; 0 on a grid.
        estimator: How the power was found, for records.
        cross: (band, channel) float64 Re<signal, reference>, the mean of their product per band, or None.
        reference_power: (band, channel) float64 power of the reference, or None.

    Example:
        >>> import numpy as np
        >>> from overtone import spectra
        >>> spectrum = spectra.grid(3 * np.cos(2 * np.pi * np.arange(8) / 8), periodic=True, bands=[0, 0.5, 1.5, 4])
        >>> round(float(spectrum.amplitude[1, 0]), 6), round(float(spectrum.mean_square[0]), 6)
        (3.0, 4.5)
    """

    bands: Bands
    power: Tensor
    missing: Tensor
    estimator: str
    cross: Tensor | None = None
    reference_power: Tensor | None = None

    @property
    def mean_square(self) -> Tensor:
        """(channel,) float64 mean square of the signal."""
        return self.power.sum(0) + self.missing

    @property
    def amplitude(self) -> Tensor:
        """(band, channel) float64 amplitude of the one harmonic that would carry the band's power.

        A cos(2 pi f x) has power A^2 / 2, so this is sqrt(2 power); for the band of the mean, sqrt(power).
        """
        factor = torch.full((self.bands.count, 1), 2.0, dtype=torch.float64, device=self.power.device)
        factor[0] = 1.0
        return (factor * self.power).sqrt()

    def bandwidth(self, share: float = 0.9) -> Tensor:
        """(channel,) float64 frequency below which `share` of the power without the first band lies.

        Inside a band the power is taken to be spread evenly over frequency, so the answer is as fine as the
        bands; `overtone.spectra.bandwidth` resolves single modes. A constant signal has bandwidth 0.

        Args:
            share: Fraction of the power, in (0, 1].

        Raises:
            InputError: If `share` is not in (0, 1].
        """
        check_share(share)
        if self.bands.count == 1:
            return torch.zeros_like(self.missing)
        power = self.power[1:]
        low = torch.from_numpy(self.bands.low[1:]).to(power.device)
        high = torch.from_numpy(self.bands.high[1:]).to(power.device)
        reached = power.cumsum(0)
        threshold = share * reached[-1]
        band = (reached < threshold).sum(0).clamp(max=len(low) - 1)
        inside = power.gather(0, band[None])[0]
        excess = reached.gather(0, band[None])[0] - threshold
        # Linear within the band: the power of a band is taken as evenly spread over its frequencies.
        part = 1 - torch.where(inside > 0, excess / inside, 0.0)
        varies = reached[-1] > ROUNDING * self.power[0]
        return torch.where(varies, low[band] + part * (high - low)[band], 0.0)


def check_share(share: float) -> None:
    """Refuse a share of the power outside (0, 1].

    Raises:
        InputError: If it is.
    """
    if not 0 < share <= 1:
        raise InputError("a share of the power in (0, 1]", f"{share}", "pass for instance 0.9", "share")


_COLUMNS = 1 << 10


@final
@dataclass(frozen=True)
class ConfidenceInterval:
    """A mean and the ends of its interval, each a float64 tensor of the same shape.

    Attributes:
        mean: The estimate.
        low: Lower end.
        high: Upper end.
    """

    mean: Tensor
    low: Tensor
    high: Tensor


def bootstrap(values: Tensor, level: float = 0.95, draws: int = 1000, seed: int = 0) -> ConfidenceInterval:
    """Mean over the first axis with its percentile bootstrap interval (Efron, Tibshirani 1993, chapter 13).

    The rows are drawn with replacement `draws` times; the ends are the quantiles of the means of these draws. Assumes
    that rows are independent draws of the quantity in question. With few rows the interval is too narrow, by about
    1 / (2 N) of its width and by Student's factor.

    Args:
        values: (N, ...) one row a path or picture, at least two.
        level: Probability that the interval is to hold the mean, in (0, 1).
        draws: How many times.
        seed: Seed of the draws.

    Returns:
        Tensors of shape (...).

    Raises:
        InputError: If there are fewer than two rows or the level is not in (0, 1).
    """
    check_level(level)
    if len(values) < 2:
        raise InputError(
            "at least two rows to tell how far they differ", f"{len(values)}", "pass more", "interval"
        )
    if draws < 2:
        raise InputError("at least two draws", f"{draws}", "pass for instance 1000", "draws")
    flat = values.double().reshape(len(values), -1)
    # Drawing N rows with replacement is drawing their counts: one matrix product gives all redrawn means.
    counts = numpy_generator(seed, "bootstrap").multinomial(
        len(flat), [1 / len(flat)] * len(flat), size=draws
    )
    weights = torch.from_numpy(counts).to(flat) / len(flat)
    ends = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64, device="cpu").to(flat)
    # In columns, so that the draws times entries never lie in memory at once.
    low, high = torch.cat([(weights @ some).quantile(ends, dim=0) for some in flat.split(_COLUMNS, 1)], 1)
    shape = values.shape[1:]
    return ConfidenceInterval(flat.mean(0).reshape(shape), low.reshape(shape), high.reshape(shape))


def wilson(rate: Tensor, trials: Tensor, level: float = 0.95) -> ConfidenceInterval:
    """A rate with its score interval (Wilson 1927, J. Am. Stat. Assoc. 22).

    With z the normal quantile, the ends are (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n). They
    stay within [0, 1], and rates of 0 and 1 have an interval too. Trials have to be independent.

    Args:
        rate: Share of the trials, in [0, 1]; NaN where there were none.
        trials: How many; need not be whole.
        level: Probability that the interval is to hold the rate, in (0, 1).

    Returns:
        Float64 tensors of the rate's shape; [0, 1] where there were no trials.

    Raises:
        InputError: If the level is not in (0, 1).
    """
    check_level(level)
    p, n = rate.double(), trials.double()
    z = normal_quantile(level)
    middle = p + z * z / (2 * n)
    half_width = z * (p * (1 - p) / n + (z / (2 * n)).square()).sqrt()
    scale = 1 + z * z / n
    low, high = (middle - half_width) / scale, (middle + half_width) / scale
    # Without trials the rate is NaN, and all of [0, 1] is possible.
    known = n > 0
    return ConfidenceInterval(
        p,
        torch.where(known, low.clamp(0, 1), 0.0).double(),
        torch.where(known, high.clamp(0, 1), 1.0).double(),
    )


def check_level(level: float) -> None:
    """Refuse a level outside (0, 1).

    Raises:
        InputError: If it is.
    """
    if not 0 < level < 1:
        raise InputError("a level in (0, 1)", f"{level}", "pass for instance 0.95", "level")


class SampleSpectra(ABC):
    """Power of each of many samples, paths or pictures for instance.

    Attributes:
        bands: The bands.
        power: (sample, band, channel) float64; over the bands it sums to the sample's mean square.
        estimator: How the power was found, for records.
    """

    bands: Bands
    power: Tensor
    estimator: str

    @property
    def spectrum(self) -> Spectrum:
        """The mean over the samples as a `Spectrum`."""
        mean = self.power.mean(0)
        return Spectrum(self.bands, mean, mean.new_zeros(mean.shape[1]), self.estimator)

    def interval(self, level: float = 0.95, draws: int = 1000, seed: int = 0) -> ConfidenceInterval:
        """(band, channel) mean power over the samples with its interval, see `overtone.spectra._spectrum.bootstrap`.

        Args:
            level: Probability that the interval is to hold the mean.
            draws: Draws of the bootstrap.
            seed: Seed of the draws.

        Raises:
            InputError: If there are fewer than two samples.
        """
        return bootstrap(self.power, level, draws, seed)
