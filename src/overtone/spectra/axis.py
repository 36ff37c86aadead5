"""Spectra along one axis of a grid, at the full resolution of its modes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra.bands import Bands
from overtone.spectra.fields import channels_last, finite_mean
from overtone.spectra.grid import covering, describe
from overtone.spectra.lattice import Lattice
from overtone.spectra.spectrum import ROUNDING, Spectrum, check_share
from overtone.spectra.transform import forward

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
    """The spectrum along one axis: power per band of |f_axis|, summed over the frequencies of the other axes.

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
    """
    fields = channels_last(values, channel_axis)
    lattice = Lattice.of(fields.shape[:-1], spacing, periodic)
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
    """The frequency below which `share` of the power lies, per axis, resolved to single modes.

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
    """
    check_share(share)
    fields = channels_last(values, channel_axis)
    lattice = Lattice.of(fields.shape[:-1], spacing, periodic)
    rows = []
    for axis, n in enumerate(lattice.shape):
        if n == 1:
            rows.append(torch.zeros(fields.shape[-1], dtype=torch.float64, device=fields.device))
            continue
        line = _along(lattice, axis)
        mean, power = _centred_power(fields, line, axis)
        reached = power.cumsum(0)
        first = (reached < share * reached[-1]).sum(0)
        varies = reached[-1] > ROUNDING * mean.square()
        rows.append(torch.where(varies, line.frequencies(0, fields.device)[first], 0.0))
    return torch.stack(rows)


def _along(lattice: Lattice, axis: int) -> Lattice:
    if lattice.shape[axis] < 2:
        raise InputError("at least two samples along the axis", "1", "choose another axis", f"axis {axis}")
    return Lattice((lattice.shape[axis],), (lattice.spacing[axis],), (lattice.periodic[axis],))


def _centred_power(fields: Tensor, line: Lattice, axis: int) -> tuple[Tensor, Tensor]:
    """Mean (C,) and power (mode, C) along `axis` of the fields without their mean, both float64."""
    n = line.shape[0]
    weights = line.weights(0, fields.device)
    tall = max(1, _CHUNK // n)
    even, around = ((), (1,)) if line.periodic[0] else ((1,), ())
    means, powers = [], []
    for c in range(fields.shape[-1]):
        shift = finite_mean(fields[..., c], c)
        lines = fields[..., c].movedim(axis, -1).reshape(-1, n)
        power = weights.new_zeros(line.stored[0])
        level = weights.new_zeros(())
        for row in range(0, len(lines), tall):
            modes = forward(lines[row : row + tall] - shift, even, around)
            exact = torch.view_as_real(modes).double() if modes.is_complex() else modes.double()[..., None]
            power = power + exact.square().sum(dim=(0, 2))
            level = level + exact[:, 0, 0].sum()
        offset = level / (len(lines) * math.sqrt(n))
        power = power * weights / (len(lines) * n)
        means.append(shift.double() + offset)
        powers.append(torch.cat([(power[:1] - offset.square()).clamp(min=0), power[1:]]))
    return torch.stack(means), torch.stack(powers, dim=-1)
