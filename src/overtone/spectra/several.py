"""Spectra of many samples, one each: their mean, and how well it is known."""

from __future__ import annotations

from abc import ABC

from torch import Tensor

from overtone.spectra.bands import Bands
from overtone.spectra.interval import Interval, bootstrap
from overtone.spectra.spectrum import Spectrum


class SeveralSpectra(ABC):
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

    def interval(self, level: float = 0.95, draws: int = 1000, seed: int = 0) -> Interval:
        """(band, channel) mean power over the samples with its interval, see `overtone.spectra.interval.bootstrap`.

        Args:
            level: Probability that the interval is to hold the mean.
            draws: Draws of the bootstrap.
            seed: Seed of the draws.

        Raises:
            InputError: If there are fewer than two samples.
        """
        return bootstrap(self.power, level, draws, seed)
