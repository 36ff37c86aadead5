"""The Spectrum: power per band and channel, whatever the geometry it was estimated on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra.bands import Bands

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
        wanted = share * reached[-1]
        band = (reached < wanted).sum(0).clamp(max=len(low) - 1)
        inside = power.gather(0, band[None])[0]
        excess = reached.gather(0, band[None])[0] - wanted
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
