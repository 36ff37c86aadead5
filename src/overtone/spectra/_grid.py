"""Spectra on regular grids, exact: every mode of the grid belongs to one band and the power closes."""

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
    """Transform from samples on a grid to power per radial band, built once and used for many fields.

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
        """(band,) int64 number of real modes per band; they sum to the number of samples."""
        return self._sums.modes()

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples per axis."""
        return self.lattice.shape

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance of neighbours per axis, in units of the coordinate."""
        return self.lattice.spacing

    @property
    def mode_frequency(self) -> Tensor:
        """(*stored,) float64 radial frequency sqrt(sum_i f_i^2) of each coefficient, on the processor."""
        return self.lattice.radius()

    @property
    def mode_count(self) -> Tensor:
        """(*stored,) float64 real modes per coefficient, on the processor; they sum to the number of samples."""
        return self.lattice.multiplicity()

    @property
    def mode_band(self) -> Tensor:
        """(*stored,) int64 band of each coefficient, on the processor."""
        return self.bands.index(self.mode_frequency)

    def field(self, rows: Tensor) -> Tensor:
        """Rows (samples, channels) in row-major order as (*shape, channels).

        Raises:
            InputError: If there are not as many rows as samples.
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
        """Coefficients of one channel; they may lie in `scratch`."""
        centred_field, mean = centred(field, channel, scratch)
        modes = forward(centred_field, self.lattice.even, self.lattice.around)
        # The orthonormal coefficient of a constant m over N samples is m sqrt(N).
        modes[(0,) * modes.ndim] += mean * math.sqrt(self.lattice.samples)
        return modes

    def power(self, coefficients: Tensor) -> Tensor:
        """(band, channel) float64 power in squared units of the value; it sums to the mean square.

        Args:
            coefficients: (*stored, C) from `coefficients`, or a linear combination of such.
        """
        self._check(coefficients, coefficients)
        return self._per_channel(
            [self._sums.products(coefficient) for coefficient in coefficients.unbind(-1)]
        )

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
        return self._per_channel([self._sums.products(first, second) for first, second in pairs])

    def _per_channel(self, sums: list[Tensor]) -> Tensor:
        return torch.stack(sums, dim=-1) / self.lattice.samples

    def _check(self, coefficients: Tensor, other: Tensor) -> None:
        for field in (coefficients, other):
            if tuple(field.shape[:-1]) != self.lattice.stored or field.shape != coefficients.shape:
                raise InputError(
                    f"coefficients of shape {self.lattice.stored} with equal channels last",
                    f"{tuple(field.shape)}",
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
        # One channel at a time in one buffer: memory does not grow with the channels.
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
    """The requested bands, completed so that they hold every mode of `lattice`; `Bands.log` for None."""
    if bands is None:
        return Bands.log(lattice.shape, lattice.spacing, periodic=lattice.periodic)
    requested = bands if isinstance(bands, Bands) else Bands(tuple(bands))
    return requested.reaching(lattice.nyquist, lattice.top)


def describe(lattice: GridModes) -> str:
    """The estimator's name for records: which extension each axis had."""
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
    """Measure the spectrum along one axis: power per band of |f_axis|, summed over the frequencies of the other axes.

    It closes to the mean square like `grid`. The band of frequency 0 holds the mean and everything that
    varies along the other axes only.

    Args:
        values: Real array of 1 to 3 axes, and a channel axis if named.
        axis: The axis, counted without the channel axis.
        spacing: Distance of neighbours, one or one per axis; None for 1 / n per axis.
        periodic: Whether the axes wrap around, one or one per axis.
        channel_axis: The axis of the channels, or None if there is none.
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
            f"an axis below {len(lattice.shape)}", f"{axis}", "count without the channel axis", "axis"
        )
    axis = axis % len(lattice.shape)
    line = _along(lattice, axis)
    chosen = covering(bands, line)
    mean, power = _centred_power(fields, line, axis)
    index = chosen.index(line.frequencies(0, fields.device))
    total = power.new_zeros(chosen.count, power.shape[1]).index_add(0, index, power)
    total = torch.cat([total[:1] + mean.square(), total[1:]])
    return Spectrum(chosen, total, total.new_zeros(total.shape[1]), f"{describe(line)}, axis {axis}")


def bandwidth(
    values: Tensor | ArrayLike,
    spacing: float | Iterable[float] | None = None,
    *,
    periodic: bool | Iterable[bool] = False,
    channel_axis: int | None = None,
    share: float = 0.9,
) -> Tensor:
    """Return the frequency below which `share` of the power lies, per axis, resolved to single modes.

    For each axis the least frequency F of a mode with sum_{|f_axis| <= F} power >= share * total, where the
    total is the power without the mean. What varies along the other axes only counts as frequency 0 of this
    one: it needs no bandwidth here. A constant signal has bandwidth 0.

    Args:
        values: Real array of 1 to 3 axes, and a channel axis if named.
        spacing: Distance of neighbours, one or one per axis; None for 1 / n per axis.
        periodic: Whether the axes wrap around, one or one per axis.
        channel_axis: The axis of the channels, or None if there is none.
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
        line = _along(lattice, axis)
        mean, power = _centred_power(fields, line, axis)
        # The first mode at which the cumulative power reaches the share; ties go to the lower frequency.
        reached = power.cumsum(0)
        first = (reached < share * reached[-1]).sum(0)
        varies = reached[-1] > ROUNDING * mean.square()
        rows.append(torch.where(varies, line.frequencies(0, fields.device)[first], 0.0))
    return torch.stack(rows)


def _along(lattice: GridModes, axis: int) -> GridModes:
    if lattice.shape[axis] < 2:
        raise InputError("at least two samples along the axis", "1", "choose another axis", f"axis {axis}")
    return GridModes((lattice.shape[axis],), (lattice.spacing[axis],), (lattice.periodic[axis],))


def _centred_power(fields: Tensor, line: GridModes, axis: int) -> tuple[Tensor, Tensor]:
    """Mean (C,) and power (mode, C) along `axis` of the fields without their mean, both float64."""
    n = line.shape[0]
    weights = line.weights(0, fields.device)
    # Lines go through the transform in chunks; the whole field is never copied.
    tall = max(1, _CHUNK // n)
    even, around = ((), (1,)) if line.periodic[0] else ((1,), ())
    means, powers = [], []
    for c in range(fields.shape[-1]):
        # The mean is taken off first, so that its rounding does not show at other frequencies.
        shift = finite_mean(fields[..., c], c)
        lines = fields[..., c].movedim(axis, -1).reshape(-1, n)
        power = weights.new_zeros(line.stored[0])
        level = weights.new_zeros(())
        for row in range(0, len(lines), tall):
            modes = forward(lines[row : row + tall] - shift, even, around)
            exact = torch.view_as_real(modes).double() if modes.is_complex() else modes.double()[..., None]
            power = power + exact.square().sum(dim=(0, 2))
            level = level + exact[:, 0, 0].sum()
        # What rounding left of the mean after the shift; it belongs to frequency 0 of all axes.
        offset = level / (len(lines) * math.sqrt(n))
        power = power * weights / (len(lines) * n)
        means.append(shift.double() + offset)
        powers.append(torch.cat([(power[:1] - offset.square()).clamp(min=0), power[1:]]))
    return torch.stack(means), torch.stack(powers, dim=-1)
