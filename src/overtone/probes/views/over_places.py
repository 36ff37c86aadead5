"""Transforms over samples of targets with many places each, such as pictures: power is averaged over the places."""

from __future__ import annotations

from typing import final

from torch import Tensor

from overtone.probes.views.rest import ModesAndRest
from overtone.spectra.bands import Bands


@final
class OverPlaces:
    """A transform of (N, C) values, applied to each place of values (N, ..., C).

    Args:
        transform: For the samples.
        channels: C.
    """

    def __init__(self, transform: ModesAndRest, channels: int) -> None:
        self._transform, self._channels = transform, channels

    @property
    def bands(self) -> Bands:
        """Those of the transform."""
        return self._transform.bands

    def coefficients(self, values: Tensor) -> Tensor:
        """Coefficients of each place and channel, linear in (N, ..., C) values."""
        return self._transform.coefficients(values.flatten(1))

    def power(self, coefficients: Tensor) -> Tensor:
        """(band, C) float64 power, the mean over the places."""
        return self._mean(self._transform.power(coefficients))

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """(band, C) float64 mean product of two fields' parts in each band, the mean over the places."""
        return self._mean(self._transform.cross(coefficients, other))

    def _mean(self, found: Tensor) -> Tensor:
        return found.reshape(len(found), -1, self._channels).mean(1)
