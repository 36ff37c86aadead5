"""The form of every transform: from values at fixed samples to power per band of frequency."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

from torch import Tensor

from overtone.spectra._bands import Bands


class BandTransform(ABC):
    """A linear map from values at fixed samples to coefficients, each of which belongs to a band of frequency.

    With c_k(f) the coefficients of a field f and w_k a weight that the transform fixes,

        cross_b(f, g) = sum over the coefficients k of band b of w_k Re c_k(f) conj(c_k(g)),
        power_b(f) = cross_b(f, f).

    Three laws hold for every transform and are what a record of a network's error rests on:

    - Coefficients are linear: those of a residual f - g are the difference of two.
    - `cross` is symmetric and bilinear, hence power(f - g) = power(f) - 2 cross(f, g) + power(g).
    - Where `closes` is true, the bands hold everything: power summed over them is the mean square of the samples.

    Attributes:
        bands: The bands, in cycles per unit of the coordinate, time, path or feature.

    Example:
        >>> import torch
        >>> from overtone import spectra
        >>> transform: spectra.BandTransform = spectra.GridTransform((8,), periodic=True, bands=[0, 0.5, 1.5, 4])
        >>> wave = torch.cos(2 * torch.pi * torch.arange(8) / 8).double()[:, None]
        >>> transform.power(transform.coefficients(wave)).flatten().round(decimals=6).tolist()
        [0.0, 0.5, 0.0]
    """

    bands: Bands

    @property
    def closes(self) -> bool:
        """Whether power summed over the bands is the mean square of the samples, whatever the values."""
        return True

    @abstractmethod
    def coefficients(self, values: Tensor) -> Tensor:
        """Coefficients of each channel, linear in the values.

        Args:
            values: Real values with the channels last, in the shape that `field` gives.

        Raises:
            InputError: If the values are not those of the transform's samples.
        """

    @abstractmethod
    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """(band, channel) cross power of two fields, in squared units of the value.

        Args:
            coefficients: From `coefficients`, or a linear combination of such.
            other: The same for the other field.
        """

    def power(self, coefficients: Tensor) -> Tensor:
        """(band, channel) power in squared units of the value.

        Args:
            coefficients: From `coefficients`, or a linear combination of such.
        """
        return self.cross(coefficients, coefficients)

    def field(self, rows: Tensor) -> Tensor:
        """Rows (samples, channels) in the shape that `coefficients` takes.

        Args:
            rows: One row per sample, in the transform's order.

        Raises:
            InputError: If there are not as many rows as samples.
        """
        return rows

    @final
    def placewise(self, channels: int) -> PlacewiseBands:
        """This transform of (N, C) values, for values (N, ..., C) that have places, such as pictures.

        Args:
            channels: Channels of the values.
        """
        return PlacewiseBands(self, channels)


@final
class PlacewiseBands(BandTransform):
    """A transform of (N, C) values, applied to each place of values (N, ..., C); power is the mean over the places.

    Args:
        transform: The transform of one place's values.
        channels: Channels of the values.
    """

    def __init__(self, transform: BandTransform, channels: int) -> None:
        self.bands = transform.bands
        self._transform, self._channels = transform, channels

    @property
    def closes(self) -> bool:
        """As the transform of one place."""
        return self._transform.closes

    def coefficients(self, values: Tensor) -> Tensor:
        """Coefficients of each place and channel, linear in (N, ..., C) values."""
        return self._transform.coefficients(values.flatten(1))

    def power(self, coefficients: Tensor) -> Tensor:
        """(band, channel) float64 power, the mean over the places."""
        return self._mean(self._transform.power(coefficients))

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """(band, channel) float64 cross power, the mean over the places."""
        return self._mean(self._transform.cross(coefficients, other))

    def _mean(self, sums: Tensor) -> Tensor:
        # Places and channels were flattened together, channels fastest.
        return sums.reshape(len(sums), -1, self._channels).mean(1)
