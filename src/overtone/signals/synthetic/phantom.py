"""A volume with sharp edges at known places."""

from __future__ import annotations

import numpy as np
import torch

from overtone.errors import InputError
from overtone.signals.geometry import Grid
from overtone.signals.signal import Signal
from overtone.signals.synthetic.make import grid_shape, signal

_ELLIPSOIDS = (
    ((0.0, 0.0, 0.0), (0.90, 0.80, 0.70), 1.0),
    ((0.0, 0.0, 0.0), (0.84, 0.73, 0.63), -0.7),
    ((0.1, -0.3, 0.2), (0.30, 0.20, 0.25), 0.4),
    ((-0.2, 0.3, 0.1), (0.40, 0.18, 0.22), -0.2),
    ((0.0, 0.1, -0.35), (0.12, 0.12, 0.12), 0.6),
    ((0.4, -0.1, -0.1), (0.06, 0.10, 0.06), 0.5),
    ((-0.45, -0.2, -0.2), (0.04, 0.05, 0.04), 0.6),
)


def phantom(
    shape: tuple[int, int, int] = (32, 32, 32),
    spacing: float | tuple[float, float, float] = 1.0,
    *,
    dtype: torch.dtype = torch.float32,
) -> Signal:
    """Nested ellipsoids of constant density: a shell, a filling and five bodies of different size within.

    Args:
        shape: Voxels per axis.
        spacing: Distance of voxels in mm, one or one per axis.
        dtype: Of the values.

    Returns:
        A signal of kind "volume" over mm.

    Raises:
        InputError: If the shape has not three axes.
    """
    sizes = grid_shape(shape, "shape")
    if len(sizes) != 3:
        raise InputError("three axes", f"shape {sizes}", "pass (slices, rows, columns)", "shape")
    axes = np.meshgrid(*((np.arange(n) + 0.5) / n * 2 - 1 for n in sizes), indexing="ij", sparse=True)
    density = np.zeros(sizes)
    for centre, half, value in _ELLIPSOIDS:
        inside = sum(((x - c) / h) ** 2 for x, c, h in zip(axes, centre, half, strict=True)) <= 1.0
        density += value * inside
    mm = (float(spacing),) * 3 if isinstance(spacing, int | float) else tuple(float(s) for s in spacing)
    geometry = Grid(sizes, mm, (0.0,) * 3, ("mm",) * 3, (False,) * 3)
    return signal(density, geometry, "ellipsoid phantom", dtype, kind="volume")
