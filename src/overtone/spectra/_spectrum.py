"""Spectrum of a signal: power per band and channel, with confidence intervals."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone._utils.display import Displayed
from overtone._utils.seeding import numpy_generator
from overtone._utils.statistics import normal_quantile
from overtone._utils.text import plural
from overtone.errors import InputError
from overtone.spectra._bands import Bands

ROUNDING = 1e-26
"""Ratio of the power without the mean to that of the mean below which a signal counts as constant."""


@dataclass(frozen=True, repr=False)
class Spectrum(Displayed):
    """Power of a signal per band of frequency; `power.sum(0) + missing` is the mean square of the signal.

    Attributes:
        bands: The bands, in cycles per unit of the coordinate.
        power: (band, channel) float64, in squared units of the value.
        missing: (channel,) float64 part of the mean square that the estimator could not assign to a band, in
            squared units of the value; 0 on a grid.
        estimator: Name of the estimator in records.
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

    _display = "spectrum_display"

    def __repr__(self) -> str:
        bands, channels = self.power.shape
        return (
            f"<{type(self).__name__} of {bands} bands up to {float(self.bands.high[-1]):.4g} cycles per unit, "
            f"{plural(channels, 'channel')}>"
        )

    @property
    def mean_square(self) -> Tensor:
        """(channel,) float64 mean square of the signal."""
        return self.power.sum(0) + self.missing

    @property
    def amplitude(self) -> Tensor:
        """(band, channel) float64 amplitude of a single harmonic with the band's power.

        A cos(2 pi f x) has power A^2 / 2, so the amplitude is sqrt(2 power); for the first band, that of the
        mean, it is sqrt(power).
        """
        factor = torch.full((self.bands.count, 1), 2.0, dtype=torch.float64, device=self.power.device)
        factor[0] = 1.0
        return (factor * self.power).sqrt()

    def bandwidth(self, share: float = 0.9) -> Tensor:
        """Return the (channel,) frequency below which `share` of the power beyond the first band lies.

        The power of a band is assumed to be uniform over its frequencies, so the resolution is that of the
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
        cumulative = power.cumsum(0)
        threshold = share * cumulative[-1]
        band = (cumulative < threshold).sum(0).clamp(max=len(low) - 1)
        band_power = power.gather(0, band[None])[0]
        excess = cumulative.gather(0, band[None])[0] - threshold
        # Interpolate linearly: the power of a band is assumed to be uniform over its frequencies.
        fraction = 1 - torch.where(band_power > 0, excess / band_power, 0.0)
        varies = cumulative[-1] > ROUNDING * self.power[0]
        return torch.where(varies, low[band] + fraction * (high - low)[band], 0.0)


def check_share(share: float) -> None:
    """Raise an error for a share of the power outside (0, 1].

    Raises:
        InputError: If the share is outside (0, 1].
    """
    if not 0 < share <= 1:
        raise InputError("a share of the power in (0, 1]", f"{share}", "pass for instance 0.9", "share")


_COLUMNS = 1 << 10


@final
@dataclass(frozen=True)
class ConfidenceInterval:
    """Mean and ends of its confidence interval, each a float64 tensor of the same shape.

    Attributes:
        mean: The estimate.
        low: Lower end.
        high: Upper end.
    """

    mean: Tensor
    low: Tensor
    high: Tensor


def bootstrap(values: Tensor, level: float = 0.95, draws: int = 1000, seed: int = 0) -> ConfidenceInterval:
    """Return the mean over the first axis with its percentile bootstrap interval.

    The rows are resampled with replacement `draws` times; the ends of the interval are quantiles of the means
    (Efron, Tibshirani 1993, chapter 13). Rows are assumed to be independent samples of the quantity. With few
    rows the interval is too narrow, by about 1 / (2 N) of its width and by Student's factor.

    Args:
        values: (N, ...) values, one row per path or picture, at least two rows.
        level: Coverage probability of the interval, in (0, 1).
        draws: Number of bootstrap samples.
        seed: Seed of the bootstrap.

    Returns:
        Tensors of shape (...).

    Raises:
        InputError: If there are fewer than two rows or the level is not in (0, 1).
    """
    check_level(level)
    if len(values) < 2:
        raise InputError("at least two rows for an interval", f"{len(values)}", "pass more rows", "interval")
    if draws < 2:
        raise InputError("at least two draws", f"{draws}", "pass for instance 1000", "draws")
    flat = values.double().reshape(len(values), -1)
    # Resampling N rows with replacement is sampling their counts, so one matrix product gives all means.
    counts = numpy_generator(seed, "bootstrap").multinomial(
        len(flat), [1 / len(flat)] * len(flat), size=draws
    )
    weights = torch.from_numpy(counts).to(flat) / len(flat)
    ends = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64, device="cpu").to(flat)
    # Columns are processed in blocks, which bounds the memory for draws x entries.
    low, high = torch.cat([(weights @ block).quantile(ends, dim=0) for block in flat.split(_COLUMNS, 1)], 1)
    shape = values.shape[1:]
    return ConfidenceInterval(flat.mean(0).reshape(shape), low.reshape(shape), high.reshape(shape))


def wilson(rate: Tensor, trials: Tensor, level: float = 0.95) -> ConfidenceInterval:
    """Return a rate with its score interval (Wilson 1927, J. Am. Stat. Assoc. 22).

    With z the normal quantile, the ends are (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 /
    n). They are within [0, 1], and rates of 0 and 1 have a proper interval. Trials must be independent.

    Args:
        rate: Share of successful trials, in [0, 1]; NaN without trials.
        trials: Number of trials, not necessarily whole.
        level: Coverage probability of the interval, in (0, 1).

    Returns:
        Float64 tensors of the rate's shape; the interval is [0, 1] without trials.

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
    # Without trials the rate is NaN and the interval is [0, 1].
    has_trials = n > 0
    return ConfidenceInterval(
        p,
        torch.where(has_trials, low.clamp(0, 1), 0.0).double(),
        torch.where(has_trials, high.clamp(0, 1), 1.0).double(),
    )


def check_level(level: float) -> None:
    """Raise an error for a level outside (0, 1).

    Raises:
        InputError: If the level is outside (0, 1).
    """
    if not 0 < level < 1:
        raise InputError("a level in (0, 1)", f"{level}", "pass for instance 0.95", "level")


class SampleSpectra(ABC):
    """Power spectra of many samples, for instance paths or pictures.

    Attributes:
        bands: The bands.
        power: (sample, band, channel) float64; it sums over the bands to the sample's mean square.
        estimator: Name of the estimator in records.
    """

    bands: Bands
    power: Tensor
    estimator: str

    @property
    def spectrum(self) -> Spectrum:
        """Mean over the samples as a `Spectrum`."""
        mean = self.power.mean(0)
        return Spectrum(self.bands, mean, mean.new_zeros(mean.shape[1]), self.estimator)

    def interval(self, level: float = 0.95, draws: int = 1000, seed: int = 0) -> ConfidenceInterval:
        """Return the (band, channel) mean power over the samples with its bootstrap confidence interval.

        Args:
            level: Coverage probability of the interval.
            draws: Number of bootstrap samples.
            seed: Seed of the bootstrap.

        Raises:
            InputError: If there are fewer than two samples.
        """
        return bootstrap(self.power, level, draws, seed)
