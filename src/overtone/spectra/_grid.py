"""Exact spectra on regular grids: every mode belongs to one band, and power sums to the mean square."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import final

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._band_transform import BandTransform
from overtone.spectra._bands import Bands, RadialSums
from overtone.spectra._grid_modes import GridModes, forward
from overtone.spectra._inputs import centred, channels_last, finite_mean
from overtone.spectra._spectrum import ROUNDING, Spectrum, check_share


@final
class GridTransform(BandTransform):
    """Transform from samples on a grid to power per radial band, reusable for many fields.

    Coefficients are orthonormal and linear in the values, so those of a residual f - g are c(f) - c(g). The
    power of a band is sum |c_k|^2 / N over its modes, and the cross power is Re sum c_k conj(d_k) / N. Summed
    over the bands, they equal mean(f^2) and mean(f g) over the N samples.

    Args:
        shape: Number of samples along each of 1 to 3 axes.
        spacing: Distance between neighbouring samples in units of the coordinate, a single value or one per
            axis; None for 1 / n per axis, which gives frequencies in cycles per array.
        periodic: Whether the axes wrap around, a single value or one per axis. Non-periodic axes are extended
            evenly about their half-sample borders.
        bands: Bands, or ascending edges from 0, in cycles per unit, extended to the highest mode of the grid;
            None for `Bands.log`.
        device: Device of the values.

    Attributes:
        lattice: The modes and their frequencies per axis.
        bands: The bands used.

    Raises:
        InputError: If the grid or the bands are invalid.

    Example:
        >>> import torch
        >>> from overtone.spectra import GridTransform
        >>> transform = GridTransform((4, 4), bands=[0, 0.6, 2])
        >>> field = torch.arange(16.0).reshape(4, 4, 1)
        >>> power = transform.power(transform.coefficients(field))
        >>> bool(torch.isclose(power.sum(), field.double().square().mean()))
        True
    """

    def __init__(
        self,
        shape: Sequence[int],
        spacing: float | Iterable[float] | None = None,
        periodic: bool | Iterable[bool] = False,
        bands: Bands | Sequence[float] | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        self.lattice = GridModes.of(shape, spacing, periodic)
        self.bands = covering(bands, self.lattice)
        self._sums = RadialSums(
            self.lattice, self.bands.cuts, None if device is None else torch.device(device)
        )

    @property
    def modes(self) -> Tensor:
        """(band,) int64 number of real modes per band; the numbers sum to the number of samples."""
        return self._sums.modes()

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples per axis."""
        return self.lattice.shape

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance between neighbouring samples per axis, in units of the coordinate."""
        return self.lattice.spacing

    @property
    def mode_frequency(self) -> Tensor:
        """(*stored,) float64 radial frequency sqrt(sum_i f_i^2) of each coefficient, on the CPU."""
        return self.lattice.radius()

    @property
    def mode_count(self) -> Tensor:
        """(*stored,) float64 real modes per coefficient, on the CPU; they sum to the number of samples."""
        return self.lattice.multiplicity()

    @property
    def mode_band(self) -> Tensor:
        """(*stored,) int64 band of each coefficient, on the CPU."""
        return self.bands.index(self.mode_frequency)

    def field(self, rows: Tensor) -> Tensor:
        """Reshape rows (samples, channels) in row-major order to (*shape, channels).

        Raises:
            InputError: If the number of rows is not the number of samples.
        """
        if len(rows) != self.lattice.samples:
            raise InputError(
                f"{self.lattice.samples} rows, one per sample of the grid {self.lattice.shape}",
                f"{len(rows)}",
                "pass the rows of all samples in row-major order",
                "targets",
            )
        return rows.reshape(*self.lattice.shape, rows.shape[1])

    def coefficients(self, values: Tensor) -> Tensor:
        """Return the orthonormal coefficients of each channel.

        The mean is subtracted before the transform and added to the coefficient of frequency 0 afterwards, so
        that a large mean leaves no rounding noise at other frequencies.

        Args:
            values: (*shape, C) real values.

        Returns:
            (*stored, C) coefficients in the precision of the values. They are real if no axis is periodic;
            otherwise they are complex, and the last periodic axis has only its n // 2 + 1 non-negative
            frequencies.

        Raises:
            InputError: If the shape is wrong, or a value is complex or not finite.
        """
        fields = self._fields(values, "values")
        modes = [self._channel(fields[..., c], c) for c in range(fields.shape[-1])]
        return torch.stack(modes).movedim(0, -1) if len(modes) > 1 else modes[0].unsqueeze(-1)

    def _fields(self, values: Tensor, argument: str) -> Tensor:
        fields = channels_last(values, -1, argument)
        if tuple(fields.shape[:-1]) != self.lattice.shape:
            raise InputError(
                f"values of shape {self.lattice.shape} and channels last",
                f"{tuple(fields.shape)}",
                "build the transform for this grid, or reshape the values",
                argument,
            )
        return fields

    def _channel(self, field: Tensor, channel: int, scratch: Tensor | None = None) -> Tensor:
        """Return the coefficients of one channel; the memory may be that of `scratch`."""
        centred_field, mean = centred(field, channel, scratch)
        modes = forward(centred_field, self.lattice.even, self.lattice.around)
        # The orthonormal coefficient of a constant m over N samples is m sqrt(N).
        modes[(0,) * modes.ndim] += mean * math.sqrt(self.lattice.samples)
        return modes

    def power(self, coefficients: Tensor) -> Tensor:
        """Return the (band, channel) float64 power in squared units of the value; it sums to the mean square.

        Args:
            coefficients: (*stored, C) result of `coefficients`, or a linear combination of such results.
        """
        self._check(coefficients, coefficients)
        return self._per_channel(
            [self._sums.products(coefficient) for coefficient in coefficients.unbind(-1)]
        )

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """Return the (band, channel) float64 cross power Re<f, g>; it sums to the mean of the product f g.

        Args:
            coefficients: (*stored, C) result of `coefficients`.
            other: Coefficients of the other field.

        Raises:
            InputError: If the coefficients do not match this grid.
        """
        self._check(coefficients, other)
        pairs = zip(coefficients.unbind(-1), other.unbind(-1), strict=True)
        return self._per_channel([self._sums.products(first, second) for first, second in pairs])

    def _per_channel(self, sums: list[Tensor]) -> Tensor:
        return torch.stack(sums, dim=-1) / self.lattice.samples

    def _check(self, coefficients: Tensor, other: Tensor) -> None:
        for field in (coefficients, other):
            if tuple(field.shape[:-1]) != self.lattice.stored or field.shape != coefficients.shape:
                raise InputError(
                    f"coefficients of shape {self.lattice.stored} with equal channels last",
                    f"{tuple(field.shape)}",
                    "pass the result of coefficients()",
                    "coefficients",
                )

    def spectrum(self, values: Tensor, reference: Tensor | None = None) -> Spectrum:
        """Return the spectrum of (*shape, C) values, computed one channel at a time.

        Args:
            values: (*shape, C) real values.
            reference: (*shape, C) values of the reference field for the cross power.

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
        # All channels share one buffer: memory use does not grow with the number of channels.
        scratch = torch.empty(self.lattice.shape, dtype=fields.dtype, device=fields.device)
        power, cross, reference_power = [], [], []
        for c, field in enumerate(fields.unbind(-1)):
            modes = self._channel(field, c, scratch)
            power.append(self._sums.products(modes))
            if target is not None:
                reference_modes = self._channel(target[..., c], c)
                cross.append(self._sums.products(modes, reference_modes))
                reference_power.append(self._sums.products(reference_modes))
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
    """Measure the spectrum of values on a regular grid, per band of radial frequency f = sqrt(sum_i f_i^2).

    The power of a band is the sum of |c_k|^2 / N over its modes, c the orthonormal coefficients (FFT along
    periodic axes, DCT-II along the others); a harmonic A cos(2 pi f x + phase) of the grid has power A^2 / 2.

    Args:
        values: Real array of 1 to 3 axes, plus a channel axis if `channel_axis` is set.
        spacing: Distance between neighbouring samples in units of the coordinate, a single value or one per
            axis; None for 1 / n per axis, which gives frequencies in cycles per array.
        periodic: Whether the axes wrap around, a single value or one per axis.
        channel_axis: The channel axis, or None for a single channel without an axis.
        bands: Bands, or ascending edges from 0, in cycles per unit; None for `Bands.log`.
        reference: Array of the same shape for the cross power, for instance the target of a prediction.

    Returns:
        The spectrum; its tensors are on the values' device.

    Raises:
        InputError: If the values are not real and finite, or an argument does not fit them.

    Example:
        >>> import numpy as np
        >>> from overtone import spectra
        >>> x = np.arange(32) / 32
        >>> spectrum = spectra.grid(1 + np.cos(2 * np.pi * 3 * x), periodic=True, bands=[0, 0.5, 2.5, 3.5, 16])
        >>> spectrum.power[:, 0].abs().round(decimals=6).tolist()
        [1.0, 0.0, 0.5, 0.0]
    """
    fields = channels_last(values, channel_axis)
    target = (
        None if reference is None else channels_last(reference, channel_axis, "reference").to(fields.device)
    )
    return GridTransform(fields.shape[:-1], spacing, periodic, bands, fields.device).spectrum(fields, target)


def covering(bands: Bands | Sequence[float] | None, lattice: GridModes) -> Bands:
    """Return the requested bands, extended to contain every mode of `lattice`; `Bands.log` for None."""
    if bands is None:
        return Bands.log(lattice.shape, lattice.spacing, periodic=lattice.periodic)
    requested = bands if isinstance(bands, Bands) else Bands(tuple(bands))
    return requested.extended_to(lattice.nyquist, lattice.top)


def describe(lattice: GridModes) -> str:
    """Return the estimator's name for records, with the extension of each axis."""
    return "grid: " + " x ".join("periodic" if wraps else "even" for wraps in lattice.periodic)


_CHUNK = 1 << 18


def axis_grid(
    values: Tensor | ArrayLike,
    axis: int,
    spacing: float | Iterable[float] | None = None,
    *,
    periodic: bool | Iterable[bool] = False,
    channel_axis: int | None = None,
    bands: Bands | Sequence[float] | None = None,
) -> Spectrum:
    """Measure the spectrum along one axis: power per band of |f_axis|, summed over all other frequencies.

    The power sums to the mean square, as for `grid`. The band of frequency 0 contains the mean and all
    variation along the other axes only.

    Args:
        values: Real array of 1 to 3 axes, plus a channel axis if `channel_axis` is set.
        axis: Index of the axis, not counting the channel axis.
        spacing: Distance between neighbouring samples, a single value or one per axis; None for 1 / n per
            axis.
        periodic: Whether the axes wrap around, a single value or one per axis.
        channel_axis: The channel axis, or None for a single channel without an axis.
        bands: Bands, or ascending edges from 0; None for `Bands.log` along this axis.

    Returns:
        The spectrum; its tensors are on the values' device.

    Raises:
        InputError: If the values are not real and finite, the axis has one sample, or an argument does not
            fit.

    Example:
        >>> import numpy as np
        >>> from overtone import spectra
        >>> wave = np.cos(2 * np.pi * 2 * np.arange(16) / 16)[:, None].repeat(4, 1)
        >>> spectrum = spectra.axis_grid(wave, 0, periodic=True, bands=[0, 1.5, 2.5, 8])
        >>> spectrum.power[:, 0].abs().round(decimals=6).tolist()
        [0.0, 0.5, 0.0]
    """
    fields = channels_last(values, channel_axis)
    lattice = GridModes.of(fields.shape[:-1], spacing, periodic)
    if not -len(lattice.shape) <= axis < len(lattice.shape):
        raise InputError(
            f"an axis below {len(lattice.shape)}", f"{axis}", "do not count the channel axis", "axis"
        )
    axis = axis % len(lattice.shape)
    line = _axis_modes(lattice, axis)
    line_bands = covering(bands, line)
    mean, power = _centred_power(fields, line, axis)
    index = line_bands.index(line.frequencies(0, fields.device))
    total = power.new_zeros(line_bands.count, power.shape[1]).index_add(0, index, power)
    total = torch.cat([total[:1] + mean.square(), total[1:]])
    return Spectrum(line_bands, total, total.new_zeros(total.shape[1]), f"{describe(line)}, axis {axis}")


def bandwidth(
    values: Tensor | ArrayLike,
    spacing: float | Iterable[float] | None = None,
    *,
    periodic: bool | Iterable[bool] = False,
    channel_axis: int | None = None,
    share: float = 0.9,
) -> Tensor:
    """Return the frequency below which `share` of the power lies, per axis, resolved to single modes.

    Per axis, it is the lowest mode frequency F with sum_{|f_axis| <= F} power >= share * total, where the
    total is the power without the mean. Variation along the other axes only counts as frequency 0 of this
    axis. A constant signal has bandwidth 0.

    Args:
        values: Real array of 1 to 3 axes, plus a channel axis if `channel_axis` is set.
        spacing: Distance between neighbouring samples, a single value or one per axis; None for 1 / n per
            axis.
        periodic: Whether the axes wrap around, a single value or one per axis.
        channel_axis: The channel axis, or None for a single channel without an axis.
        share: Fraction of the power, in (0, 1].

    Returns:
        (axis, channel) float64, in cycles per unit of each axis.

    Raises:
        InputError: If the values are not real and finite, or an argument does not fit them.

    Example:
        >>> import numpy as np
        >>> from overtone import spectra
        >>> wave = np.cos(2 * np.pi * 5 * np.arange(32) / 32)
        >>> spectra.bandwidth(wave, periodic=True).round(decimals=6).tolist()
        [[5.0]]
    """
    check_share(share)
    fields = channels_last(values, channel_axis)
    lattice = GridModes.of(fields.shape[:-1], spacing, periodic)
    rows = []
    for axis, n in enumerate(lattice.shape):
        if n == 1:
            rows.append(torch.zeros(fields.shape[-1], dtype=torch.float64, device=fields.device))
            continue
        line = _axis_modes(lattice, axis)
        mean, power = _centred_power(fields, line, axis)
        # The first mode at which the cumulative power attains the share; the strict comparison resolves ties
        # in favour of the lower frequency.
        cumulative = power.cumsum(0)
        first = (cumulative < share * cumulative[-1]).sum(0)
        varies = cumulative[-1] > ROUNDING * mean.square()
        rows.append(torch.where(varies, line.frequencies(0, fields.device)[first], 0.0))
    return torch.stack(rows)


def _axis_modes(lattice: GridModes, axis: int) -> GridModes:
    if lattice.shape[axis] < 2:
        raise InputError("at least two samples along the axis", "1", "choose another axis", f"axis {axis}")
    return GridModes((lattice.shape[axis],), (lattice.spacing[axis],), (lattice.periodic[axis],))


def _centred_power(fields: Tensor, line: GridModes, axis: int) -> tuple[Tensor, Tensor]:
    """Return the mean (C,) and the power (mode, C) along `axis` of the centred fields, both float64."""
    n = line.shape[0]
    weights = line.weights(0, fields.device)
    # Lines are transformed in chunks, so the whole field is never copied.
    chunk_rows = max(1, _CHUNK // n)
    even, around = ((), (1,)) if line.periodic[0] else ((1,), ())
    means, powers = [], []
    for c in range(fields.shape[-1]):
        # The mean is subtracted first, so that its rounding does not appear at other frequencies.
        shift = finite_mean(fields[..., c], c)
        lines = fields[..., c].movedim(axis, -1).reshape(-1, n)
        power = weights.new_zeros(line.stored[0])
        level = weights.new_zeros(())
        for row in range(0, len(lines), chunk_rows):
            modes = forward(lines[row : row + chunk_rows] - shift, even, around)
            exact = torch.view_as_real(modes).double() if modes.is_complex() else modes.double()[..., None]
            power = power + exact.square().sum(dim=(0, 2))
            level = level + exact[:, 0, 0].sum()
        # Remainder of the mean after the shift, due to rounding; it belongs to frequency 0 of all axes.
        offset = level / (len(lines) * math.sqrt(n))
        power = power * weights / (len(lines) * n)
        means.append(shift.double() + offset)
        powers.append(torch.cat([(power[:1] - offset.square()).clamp(min=0), power[1:]]))
    return torch.stack(means), torch.stack(powers, dim=-1)
