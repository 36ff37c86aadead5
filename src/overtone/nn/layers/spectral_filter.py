"""Filtering of grids by a response per frequency, exact under either continuation of the border."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Response = Callable[[list[Tensor]], Tensor]
"""From the frequencies of each axis, broadcastable to each other, to the factor of each mode."""


def filtered(values: Tensor, axes: int, periodic: bool, response: Response) -> Tensor:
    """Values whose modes along the last `axes` axes are multiplied by a real response.

    Modes are those of the FFT if `periodic`, else of the DCT-II: the grid is mirrored about its half-sample
    borders, which leaves no jump there. Computed in float32 at least.

    Args:
        values: (..., *shape), real.
        axes: Number of axes of the grid.
        periodic: Whether the grid wraps around.
        response: Its factors; it is given unsigned frequencies in cycles per sample.

    Returns:
        (..., *shape) in the values' precision.
    """
    last = list(range(-axes, 0))
    exact = values.to(torch.promote_types(values.dtype, torch.float32))
    if not periodic:
        for axis in last:
            exact = torch.cat([exact, exact.flip(axis)], dim=axis)
    shape = [exact.shape[axis] for axis in last]
    modes = torch.fft.rfftn(exact, dim=last)
    factors = response(frequencies(shape, exact))
    out = torch.fft.irfftn(modes * factors.to(exact.dtype), s=shape, dim=last)
    if not periodic:
        for axis in last:
            out = out.narrow(axis, 0, values.shape[axis])
    return out.to(values.dtype)


def frequencies(shape: Sequence[int], like: Tensor) -> list[Tensor]:
    """Unsigned frequencies of the real FFT's modes per axis, in cycles per sample, broadcastable."""
    found = []
    for axis, n in enumerate(shape):
        make = torch.fft.rfftfreq if axis == len(shape) - 1 else torch.fft.fftfreq
        own = make(n, dtype=like.dtype, device=like.device).abs()
        found.append(own.reshape(-1, *[1] * (len(shape) - 1 - axis)))
    return found
