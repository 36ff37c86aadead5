"""Abstract base class of transforms from values at fixed samples to power per band of frequency."""

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

    Every transform obeys three laws, on which the record of a network's error relies:

    - Coefficients are linear: the coefficients of a residual f - g are c(f) - c(g).
    - `cross` is symmetric and bilinear, hence power(f - g) = power(f) - 2 cross(f, g) + power(g).
    - If `closes` is true, the power summed over the bands equals the mean square of the samples (Parseval).

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
        """Whether the power summed over the bands equals the mean square of the values (Parseval)."""
        return True

    @abstractmethod
    def coefficients(self, values: Tensor) -> Tensor:
        """Return the coefficients of each channel, linear in the values.

        Args:
            values: Real values with the channels last, in the shape that `field` returns.

        Raises:
            InputError: If the values do not match the transform's samples.
        """

    @abstractmethod
    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """Return the (band, channel) cross power of two fields, in squared units of the value.

        Args:
            coefficients: Result of `coefficients`, or a linear combination of such results.
            other: Coefficients of the other field.
        """

    def power(self, coefficients: Tensor) -> Tensor:
        """Return the (band, channel) power in squared units of the value.

        Args:
            coefficients: Result of `coefficients`, or a linear combination of such results.
        """
        return self.cross(coefficients, coefficients)

    def field(self, rows: Tensor) -> Tensor:
        """Reshape rows (samples, channels) to the shape that `coefficients` expects.

        Args:
            rows: One row per sample, in the transform's order.

        Raises:
            InputError: If the number of rows is not the number of samples.
        """
        return rows

    @final
    def per_position(self, channels: int) -> PositionwiseBands:
        """Extend this transform of (N, C) values to values (N, ..., C) with positions, such as pixels.

        Args:
            channels: Channels of the values.
        """
        return PositionwiseBands(self, channels)


@final
class PositionwiseBands(BandTransform):
    """Transform of (N, C) values applied at each position of (N, ..., C) values, with the mean power.

    Args:
        transform: The transform of the values at one position.
        channels: Channels of the values.
    """

    def __init__(self, transform: BandTransform, channels: int) -> None:
        self.bands = transform.bands
        self._transform, self._channels = transform, channels

    @property
    def closes(self) -> bool:
        """Whether the transform at one position satisfies Parseval's identity."""
        return self._transform.closes

    def coefficients(self, values: Tensor) -> Tensor:
        """Return the coefficients of each position and channel, linear in (N, ..., C) values."""
        return self._transform.coefficients(values.flatten(1))

    def power(self, coefficients: Tensor) -> Tensor:
        """Return the (band, channel) float64 power, the mean over the positions."""
        return self._mean(self._transform.power(coefficients))

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """Return the (band, channel) float64 cross power, the mean over the positions."""
        return self._mean(self._transform.cross(coefficients, other))

    def _mean(self, sums: Tensor) -> Tensor:
        # `coefficients` flattened positions and channels together, channels fastest.
        return sums.reshape(len(sums), -1, self._channels).mean(1)
