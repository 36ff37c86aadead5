"""A stationary kernel at all lags of a grid, in the order of a circulant matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from scipy.fft import next_fast_len
from torch import Tensor

from overtone.errors import InputError
from overtone.theory.ntk.infinite.inputs import Fourier, Inputs
from overtone.theory.ntk.infinite.network import Wide
from overtone.theory.ntk.operators.profile import Profile

_ROWS = 1 << 18
"""Lags whose features are held at once."""


def embedding(shape: Sequence[int], periodic: Sequence[bool]) -> tuple[int, ...]:
    """Size per axis of the circulant matrix that holds the kernel of a grid.

    Args:
        shape: Samples per axis.
        periodic: Whether the kernel has the period of the grid, per axis; then n suffices, else the least
            2 n - 1 or more that an FFT likes.
    """
    return tuple(
        n if around or n == 1 else int(next_fast_len(2 * n - 1, real=True))
        for n, around in zip(shape, periodic, strict=True)
    )


def offsets(shape: Sequence[int], device: torch.device | None = None) -> list[Tensor]:
    """Lag in samples of every entry, per axis: 0, 1, ..., then the negative ones as in `torch.fft.fftfreq`."""
    return [torch.fft.fftfreq(n, 1.0 / n, dtype=torch.float64, device=device or "cpu").round() for n in shape]


def lags(
    wide: Wide, shape: Sequence[int], spacing: Sequence[float], periodic: Sequence[bool] | None = None
) -> Tensor:
    """The tangent kernel of a wide network at all lags of a grid.

    With x - x' = lag * spacing, the product of the features is mean_j a_j^2 cos(2 pi b_j.(x - x')) / 2,
    which separates over the axes: one matrix product instead of a cosine per lag and frequency. It then goes
    through the network's layers by `Profile`.

    Args:
        wide: A wide network after a Fourier encoding, with the frequencies it has.
        shape: Samples per axis, 1 to 3 axes.
        spacing: Distance of neighbours per axis, in the unit of the encoding's coordinates.
        periodic: Whether the kernel has the grid's period, per axis; None for no axis.

    Returns:
        `embedding(shape, periodic)` float64, entry i for the lag `offsets`[i]; in kernel units.

    Raises:
        InputError: If the kernel is not stationary, the axes do not fit, or an axis is called periodic on
            which a frequency does not complete whole cycles.
    """
    around = (False,) * len(shape) if periodic is None else tuple(periodic)
    if not 1 <= len(shape) <= 3 or not len(shape) == len(spacing) == len(around):
        raise InputError(
            "1 to 3 axes, each with a size, a spacing and a border",
            f"{len(shape)}, {len(spacing)} and {len(around)}",
            "pass one of each per axis",
            "lags",
        )
    whole = whole_cycles(wide, shape, spacing)
    for axis, (claimed, found) in enumerate(zip(around, whole, strict=True)):
        if claimed and not found:
            raise InputError(
                f"whole cycles of every frequency along periodic axis {axis}",
                "others",
                "call the axis not periodic",
                "periodic",
            )
    return at_lags(wide, embedding(shape, around), spacing)


def at_lags(wide: Wide, sizes: Sequence[int], spacing: Sequence[float]) -> Tensor:
    """The tangent kernel at the lags of a circulant matrix of given `sizes`, see `lags`.

    Args:
        wide: A wide network after a Fourier encoding.
        sizes: Entries per axis.
        spacing: Distance of neighbours per axis, in the unit of the encoding's coordinates.

    Returns:
        (*sizes) float64, entry i for the lag `offsets`[i].

    Raises:
        InputError: If the kernel is not stationary.
    """
    profile = Profile(wide)
    device = wide.inputs.frequencies.device if isinstance(wide.inputs, Fourier) else None
    steps = [step * pitch for step, pitch in zip(offsets(sizes, device), spacing, strict=True)]
    half = len(steps[0]) // 2 + 1
    return _mirrored(profile(_products(wide.inputs, [steps[0][:half], *steps[1:]])), len(steps[0]))


def _mirrored(half: Tensor, rows: int) -> Tensor:
    """All rows from those that are not negative, by k(-lag) = k(lag)."""
    if rows <= 2:
        return half
    other = half[1 : (rows + 1) // 2]
    for axis in range(1, half.ndim):
        other = other.flip(axis).roll(1, axis)
    return torch.cat([half, other.flip(0)])


def whole_cycles(wide: Wide, shape: Sequence[int], spacing: Sequence[float]) -> tuple[bool, ...]:
    """Whether every frequency completes whole cycles along each axis, which makes the kernel periodic there.

    Args:
        wide: A wide network.
        shape: Samples per axis.
        spacing: Distance of neighbours per axis, in the unit of the encoding's coordinates.

    Returns:
        One answer per axis, to 1e-9 cycles.
    """
    if not isinstance(wide.inputs, Fourier):
        return (False,) * len(shape)
    frequencies = wide.inputs.frequencies
    if frequencies.shape[1] != len(shape):
        raise InputError(
            f"a grid of {frequencies.shape[1]} axes",
            f"{len(shape)}",
            "use an encoding of as many coordinates",
            "wide",
        )
    extent = torch.tensor(
        [n * s for n, s in zip(shape, spacing, strict=True)], dtype=torch.float64, device=frequencies.device
    )
    cycles = frequencies * extent
    return tuple(((cycles - cycles.round()).abs() < 1e-9).all(0).tolist())


def _products(inputs: Inputs, steps: list[Tensor]) -> Tensor:
    """gamma.gamma' / D at all lags of the product of `steps`."""
    if isinstance(inputs, Fourier):
        return _separated(inputs, steps)
    rows = torch.cartesian_prod(*steps).reshape(-1, len(steps))
    origin = rows.new_zeros(1, len(steps))
    parts = [inputs.product(origin, part)[0] for part in rows.split(_ROWS)]
    return torch.cat(parts).reshape([len(step) for step in steps])


def _separated(inputs: Fourier, steps: list[Tensor]) -> Tensor:
    """The same for known frequencies: cos(a + b) = cos a cos b - sin a sin b, the sum over j a matrix product."""
    phases = [
        2 * math.pi * torch.remainder(step[:, None] * inputs.frequencies[:, axis], 1.0)
        for axis, step in enumerate(steps)
    ]
    weights = inputs.amplitudes.square() / (2 * len(inputs.frequencies))
    last = torch.cat([phases[-1].cos(), -phases[-1].sin()], 1) if len(steps) > 1 else None
    if last is None:
        return phases[0].cos() @ weights
    if len(steps) == 2:
        first = torch.cat([phases[0].cos() * weights, phases[0].sin() * weights], 1)
        return first @ last.mT
    planes = []
    for row in phases[0]:
        angle = row + phases[1]
        planes.append(torch.cat([angle.cos() * weights, angle.sin() * weights], 1) @ last.mT)
    return torch.stack(planes)
