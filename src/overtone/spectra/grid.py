"""Spectra on regular grids, exact: every mode of the grid belongs to one band and the power closes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import final

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra.bands import Bands
from overtone.spectra.fields import centred, channels_last
from overtone.spectra.lattice import Lattice
from overtone.spectra.radial import RadialSums
from overtone.spectra.spectrum import Spectrum
from overtone.spectra.transform import forward


@final
class GridTransform:
    """From samples on a grid to power per radial band, built once and used for many fields.

    Coefficients are orthonormal and linear in the values, so those of a residual are the difference of two.
    With <f, g> = mean(f g) over the N samples, the power of a band is sum |c_k|^2 / N over its modes and the
    cross power Re sum c_k conj(d_k) / N: summed over the bands they give mean(f^2) and mean(f g).

    Args:
        shape: Samples per axis, 1 to 3 axes.
        spacing: Distance of neighbours, one or one per axis, in units of the coordinate; None for 1 / n per
            axis, so that frequencies are in cycles per array.
        periodic: Whether the axes wrap around, one or one per axis. The others are extended evenly about
            their half-sample borders.
        bands: Bands, or ascending edges from 0, in cycles per unit; what they do not reach is added at their
            end. None for `Bands.log`.
        device: Where the values will be.

    Attributes:
        lattice: The modes and their frequencies per axis.
        bands: The bands used.

    Raises:
        InputError: If the grid or the bands are impossible.
    """

    def __init__(
        self,
        shape: Sequence[int],
        spacing: float | Iterable[float] | None = None,
        periodic: bool | Iterable[bool] = False,
        bands: Bands | Sequence[float] | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        self.lattice = Lattice.of(shape, spacing, periodic)
        self.bands = covering(bands, self.lattice)
        self._sums = RadialSums(
            self.lattice, self.bands.cuts, None if device is None else torch.device(device)
        )

    @property
    def modes(self) -> Tensor:
        """(band,) int64 number of real modes per band; they sum to the number of samples."""
        return self._sums.modes()

    def coefficients(self, values: Tensor) -> Tensor:
        """Orthonormal coefficients of each channel.

        The mean is subtracted before the transform and added to the coefficient of frequency 0 afterwards, so
        that a large mean leaves no rounding noise at other frequencies.

        Args:
            values: (*shape, C) real values.

        Returns:
            (*stored, C) coefficients in the values' precision: real if no axis is periodic, else complex with
            the last periodic axis of length n cut to its n // 2 + 1 non-negative frequencies.

        Raises:
            InputError: If the shape is wrong, or a value is complex or not finite.
        """
        fields = self._fields(values, "values")
        modes = [self._channel(fields[..., c], c) for c in range(fields.shape[-1])]
        return torch.stack(modes).movedim(0, -1) if len(modes) > 1 else modes[0].unsqueeze(-1)

    def _fields(self, values: Tensor, where: str) -> Tensor:
        fields = channels_last(values, -1, where)
        if tuple(fields.shape[:-1]) != self.lattice.shape:
            raise InputError(
                f"values of shape {self.lattice.shape} and channels last",
                f"{tuple(fields.shape)}",
                "build the transform for this grid, or reshape the values",
                where,
            )
        return fields

    def _channel(self, field: Tensor, channel: int, scratch: Tensor | None = None) -> Tensor:
        """Coefficients of one channel; they may lie in `scratch`."""
        rest, mean = centred(field, channel, scratch)
        modes = forward(rest, self.lattice.even, self.lattice.around)
        modes[(0,) * modes.ndim] += mean * math.sqrt(self.lattice.samples)
        return modes

    def power(self, coefficients: Tensor) -> Tensor:
        """(band, channel) float64 power in squared units of the value; it sums to the mean square.

        Args:
            coefficients: (*stored, C) from `coefficients`, or a linear combination of such.
        """
        self._check(coefficients, coefficients)
        return self._per_channel([self._sums.products(own) for own in coefficients.unbind(-1)])

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """(band, channel) float64 Re<f, g> of two fields; it sums to the mean of their product.

        Args:
            coefficients: (*stored, C) from `coefficients`.
            other: The same for the other field.

        Raises:
            InputError: If the coefficients are not those of this grid.
        """
        self._check(coefficients, other)
        pairs = zip(coefficients.unbind(-1), other.unbind(-1), strict=True)
        return self._per_channel([self._sums.products(own, theirs) for own, theirs in pairs])

    def _per_channel(self, sums: list[Tensor]) -> Tensor:
        return torch.stack(sums, dim=-1) / self.lattice.samples

    def _check(self, coefficients: Tensor, other: Tensor) -> None:
        for given in (coefficients, other):
            if tuple(given.shape[:-1]) != self.lattice.stored or given.shape != coefficients.shape:
                raise InputError(
                    f"coefficients of shape {self.lattice.stored} with equal channels last",
                    f"{tuple(given.shape)}",
                    "pass what coefficients() returned",
                    "coefficients",
                )

    def spectrum(self, values: Tensor, reference: Tensor | None = None) -> Spectrum:
        """The spectrum of (*shape, C) values, one channel in memory at a time.

        Args:
            values: (*shape, C) real values.
            reference: The same of the field to take the cross power with.

        Raises:
            InputError: If a shape is wrong, or a value is complex or not finite.
        """
        fields = self._fields(values, "values")
        target = None if reference is None else self._fields(reference, "reference")
        if target is not None and target.shape != fields.shape:
            raise InputError(
                f"a reference of the values' shape {tuple(fields.shape)}",
                f"{tuple(target.shape)}",
                "pass the same samples of both",
                "reference",
            )
        scratch = torch.empty(self.lattice.shape, dtype=fields.dtype, device=fields.device)
        power, cross, reference_power = [], [], []
        for c, field in enumerate(fields.unbind(-1)):
            own = self._channel(field, c, scratch)
            power.append(self._sums.products(own))
            if target is not None:
                theirs = self._channel(target[..., c], c)
                cross.append(self._sums.products(own, theirs))
                reference_power.append(self._sums.products(theirs))
        return Spectrum(
            self.bands,
            self._per_channel(power),
            torch.zeros(len(power), dtype=torch.float64, device=fields.device),
            describe(self.lattice),
            self._per_channel(cross) if cross else None,
            self._per_channel(reference_power) if cross else None,
        )


def grid(
    values: Tensor | ArrayLike,
    spacing: float | Iterable[float] | None = None,
    *,
    periodic: bool | Iterable[bool] = False,
    channel_axis: int | None = None,
    bands: Bands | Sequence[float] | None = None,
    reference: Tensor | ArrayLike | None = None,
) -> Spectrum:
    """The spectrum of values on a regular grid, per band of radial frequency f = sqrt(sum_i f_i^2).

    The power of a band is the sum of |c_k|^2 / N over its modes, c the orthonormal coefficients (FFT along
    periodic axes, DCT-II along the others); a harmonic A cos(2 pi f x + phase) that the grid holds gives
    A^2 / 2.

    Args:
        values: Real array of 1 to 3 axes, and a channel axis if named.
        spacing: Distance of neighbours, one or one per axis, in units of the coordinate; None for 1 / n per
            axis, so that frequencies are in cycles per array.
        periodic: Whether the axes wrap around, one or one per axis.
        channel_axis: The axis of the channels, or None if there is none.
        bands: Bands, or ascending edges from 0, in cycles per unit; None for `Bands.log`.
        reference: Array of the values' shape to take the cross power with, for instance the target of a
            prediction.

    Returns:
        The spectrum; its tensors are on the values' device.

    Raises:
        InputError: If the values are not real and finite, or an argument does not fit them.
    """
    fields = channels_last(values, channel_axis)
    target = (
        None if reference is None else channels_last(reference, channel_axis, "reference").to(fields.device)
    )
    return GridTransform(fields.shape[:-1], spacing, periodic, bands, fields.device).spectrum(fields, target)


def covering(bands: Bands | Sequence[float] | None, lattice: Lattice) -> Bands:
    """The bands asked for, completed so that they hold every mode of `lattice`; `Bands.log` for None."""
    if bands is None:
        return Bands.log(lattice.shape, lattice.spacing, periodic=lattice.periodic)
    given = bands if isinstance(bands, Bands) else Bands(tuple(bands))
    return given.reaching(lattice.nyquist, lattice.top)


def describe(lattice: Lattice) -> str:
    """The estimator's name for records: which extension each axis had."""
    return "grid: " + " x ".join("periodic" if wraps else "even" for wraps in lattice.periodic)
