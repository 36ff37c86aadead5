"""Spectra of boxes without periodic borders: plane detrend and Hann window along the open axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import final

import torch
from torch import Tensor

from overtone.spectra._band_transform import BandTransform
from overtone.spectra._bands import Bands
from overtone.spectra._grid import GridTransform
from overtone.spectra._grid_modes import GridModes
from overtone.spectra._inputs import finite_means


@final
class WindowedTransform(BandTransform):
    """Transform from a box cut out of a larger field to power per radial band, for steep spectra.

    The mean and the least-squares plane are subtracted, each open axis is multiplied by a Hann window
    w_j = sin^2(pi (j + 1/2) / n) scaled to mean(w^2) = 1, and the orthonormal FFT follows. The mean returns as the
    coefficient of frequency 0. For fields whose statistics do not depend on place, the expected power of a band is
    that of the larger field, apart from the window's leakage to neighbouring harmonics. The plane takes power from
    the lowest harmonics, so that bands below `reliable_from` are not to be used, and the sum of the bands is
    not the mean square of the box (`closes` is false).

    The even extension of `GridTransform` closes and varies less from sample to sample, but the kinks at its borders
    add power proportional to f^-4 in one dimension, which exceeds that of steeper fields.

    Args:
        shape: Number of samples along each of 1 to 3 axes.
        spacing: Distance between neighbouring samples in units of the coordinate, a single value or one per axis;
            None for 1 / n per axis, which gives frequencies in cycles per array.
        periodic: Whether the axes wrap around, a single value or one per axis. Those that do have no window.
        bands: Bands, or ascending edges from 0, in cycles per unit, extended to the highest mode of the grid; None for
            `Bands.log`.
        device: Device of the values.

    Attributes:
        bands: The bands used.

    Raises:
        InputError: If the grid or the bands are invalid.

    Example:
        >>> import torch
        >>> from overtone.spectra import WindowedTransform
        >>> transform = WindowedTransform((64,), bands=[0, 0.5, 5.5, 10.5, 32])
        >>> wave = torch.cos(2 * torch.pi * 8 * torch.arange(64) / 64 + 1).double()[:, None]
        >>> transform.power(transform.coefficients(wave + 3)).flatten().round(decimals=2).tolist()
        [9.0, 0.0, 0.5, 0.0]
    """

    def __init__(
        self,
        shape: Sequence[int],
        spacing: float | Iterable[float] | None = None,
        periodic: bool | Iterable[bool] = False,
        bands: Bands | Sequence[float] | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        box = GridModes.of(shape, spacing, periodic)
        self._box = box
        # Windowed values vanish at the borders, so their Fourier series is that of a periodic box.
        self._grid = GridTransform(box.shape, box.spacing, True, bands, device)
        self.bands = self._grid.bands

    @property
    def closes(self) -> bool:
        """False: the plane's power is in no band, and the window weights the samples."""
        return False

    @property
    def modes(self) -> Tensor:
        """(band,) int64 number of real modes per band."""
        return self._grid.modes

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples per axis."""
        return self._box.shape

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance between neighbouring samples per axis, in units of the coordinate."""
        return self._box.spacing

    @property
    def reliable_from(self) -> float:
        """Lowest reliable frequency, three waves per shortest open axis; 0 if all axes wrap around."""
        return lowest_reliable(self._box)

    def field(self, rows: Tensor) -> Tensor:
        """Reshape rows (samples, channels) in row-major order to (*shape, channels).

        Raises:
            InputError: If the number of rows is not the number of samples.
        """
        return self._grid.field(rows)

    def coefficients(self, values: Tensor) -> Tensor:
        """Return the orthonormal coefficients of the detrended and windowed values, with the mean at frequency 0.

        Args:
            values: (*shape, C) real values.

        Returns:
            (*stored, C) complex coefficients in the precision of the values.

        Raises:
            InputError: If the shape is wrong, or a value is complex or not finite.
        """
        fields = self._grid._fields(values, "values")
        means = finite_means(fields)
        centred = fields - means
        windowed = centred
        for axis in self._box.even:
            n = self._box.shape[axis]
            place = torch.arange(n, dtype=torch.float64, device=fields.device) - (n - 1) / 2
            shape = [n if i == axis else 1 for i in range(fields.ndim)]
            line = place.to(fields.dtype).reshape(shape)
            # Coordinates along different axes of a grid are orthogonal, so each slope is a projection of its own.
            if n > 1:
                dims = tuple(range(fields.ndim - 1))
                slope = (centred * line).sum(dims) / (line.square().sum() * (self._box.samples // n))
                windowed = windowed - line * slope
        for axis in self._box.even:
            n = self._box.shape[axis]
            shape = [n if i == axis else 1 for i in range(fields.ndim)]
            windowed = windowed * hann(n, fields.device).to(fields.dtype).reshape(shape)
        axes = tuple(range(fields.ndim - 1))
        modes = torch.fft.rfftn(windowed, dim=axes, norm="ortho")
        # Windowing gives the detrended field a mean again, which is no mean of the box.
        modes[(0,) * len(axes)] = (means * math.sqrt(self._box.samples)).to(modes.dtype)
        return modes

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """Return the (band, channel) float64 cross power Re<f, g>.

        Args:
            coefficients: (*stored, C) result of `coefficients`.
            other: Coefficients of the other field.

        Raises:
            InputError: If the coefficients do not match this grid.
        """
        return self._grid.cross(coefficients, other)

    def power(self, coefficients: Tensor) -> Tensor:
        """Return the (band, channel) float64 power in squared units of the value.

        Args:
            coefficients: (*stored, C) result of `coefficients`, or a linear combination of such results.

        Raises:
            InputError: If the coefficients do not match this grid.
        """
        return self._grid.power(coefficients)


WAVES = 3
"""Waves per open axis below which neither estimator of a box is reliable."""


def lowest_reliable(box: GridModes) -> float:
    """Return the frequency of three waves per shortest open axis; 0 if no axis is open."""
    lengths = [box.shape[axis] * box.spacing[axis] for axis in box.even if box.shape[axis] > 1]
    return WAVES / min(lengths) if lengths else 0.0


def hann(n: int, device: torch.device) -> Tensor:
    """Return the (n,) float64 Hann window with mean square 1; 1 for a single sample."""
    window = torch.sin(math.pi * (torch.arange(n, dtype=torch.float64, device=device) + 0.5) / n).square()
    return window / window.square().mean().sqrt()
