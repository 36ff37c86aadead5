"""Lower bound on the error of shrinkage per band, for signal and noise with overlapping spectra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.theory._checks import non_negative


@final
@dataclass(frozen=True)
class WienerBound:
    """Minimum expected squared error of linear shrinkage per band, from the powers of signal and noise.

    Derivation. In a band the observed coefficients are y = s + e. A linear shrinkage retains h y. Its expected
    squared error, summed over the coefficients of the band, is E |s - h (s + e)|^2 = (1 - h)^2 S + h^2 N, if
    signal and noise are uncorrelated and S, N are their summed squared coefficients. The derivative in h
    vanishes at h = S / (S + N), where the error is S N / (S + N). So noise in a band of strong signal (S >> N)
    costs N: none of it can be removed. Noise in a band without signal costs 0: all of it can be removed.

    Assumptions. (1) Noise has mean 0 and is uncorrelated with the signal. (2) One factor acts on all coefficients of
    a band, regardless of their phases; finer bands can only lower the bound, because S N / (S + N) is concave. (3)
    The powers are known. If, in addition, the coefficients of a band are independent Gaussians of equal variance, the
    bound holds for every estimator, linear or not (it is the posterior variance). A prior with more information than
    powers, for instance that edges are sharp, can achieve a lower error.

    Attributes:
        signal: (band, ...) power of the clean signal, in value units squared.
        noise: (band, ...) power of the noise.
        gain: (band, ...) optimal shrinkage S / (S + N), in [0, 1]; 0 if both powers are 0.
        error: (band, ...) minimum expected squared error S N / (S + N).

    Source:
        Wiener 1949, "Extrapolation, interpolation and smoothing of stationary time series", chapter III.

    Example:
        >>> import torch
        >>> from overtone.theory import risk
        >>> bound = risk.WienerBound.of(torch.tensor([4.0, 0.0]), torch.tensor([1.0, 1.0]))
        >>> [round(error, 3) for error in bound.error.tolist()], round(float(bound.removable), 3)
        ([0.8, 0.0], 0.6)
    """

    signal: Tensor
    noise: Tensor
    gain: Tensor
    error: Tensor

    @staticmethod
    def of(signal_power: Tensor, noise_power: Tensor) -> WienerBound:
        """Return the bound for known powers, in float64.

        Args:
            signal_power: (band, ...) power of the clean signal, in value units squared.
            noise_power: Power of the noise, same shape.

        Raises:
            InputError: If shapes differ or a power is negative or not finite.
        """
        signal, noise = non_negative(signal_power, "signal_power"), non_negative(noise_power, "noise_power")
        if signal.shape != noise.shape:
            raise InputError(
                f"noise powers of shape {tuple(signal.shape)}",
                f"{tuple(noise.shape)}",
                "use the same bands",
                "noise_power",
            )
        both = signal + noise
        gain = torch.where(both > 0, signal / torch.where(both > 0, both, 1.0), 0.0)
        return WienerBound(signal, noise, gain, gain * noise)

    @staticmethod
    def from_observed(observed_power: Tensor, noise_power: Tensor) -> WienerBound:
        """Return the bound with the signal power estimated as max(observed - noise, 0).

        The estimate is unbiased as long as it is above zero.

        Args:
            observed_power: (band, ...) power of the noisy observations, in value units squared.
            noise_power: Expected power of the noise, same shape.

        Raises:
            InputError: If shapes differ or a power is negative or not finite.
        """
        observed = non_negative(observed_power, "observed_power")
        return WienerBound.of((observed - non_negative(noise_power, "noise_power")).clamp(min=0), noise_power)

    @property
    def total(self) -> Tensor:
        """(...) sum over bands of the minimum error, in value units squared."""
        return self.error.sum(dim=0)

    @property
    def removable(self) -> Tensor:
        """(...) removable share of the noise: 1 - total / sum of N; 1 without noise."""
        noise = self.noise.sum(dim=0)
        return torch.where(noise > 0, 1 - self.total / torch.where(noise > 0, noise, 1.0), 1.0)

    def error_of(self, gain: Tensor) -> Tensor:
        """Return the expected squared error per band of a smoother that retains the share h of each band.

        (1 - h)^2 S + h^2 N equals the minimum error plus (S + N) (h - S / (S + N))^2: the second term is the excess
        error of this smoother over the optimal one.

        Args:
            gain: Shares h, broadcastable to (..., band) or to the shape of `signal`.

        Returns:
            Expected squared error in value units squared, in the broadcast shape.
        """
        h = gain.double()
        return (1 - h).square() * self.signal + h.square() * self.noise
