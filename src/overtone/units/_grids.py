"""Bandwidth of values interpolated between the nodes of regular lattices, one lattice a level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from overtone.units._bandwidth import BANDWIDTH_SHARE, _whole
from overtone.units._frequency import positive

Array = NDArray[np.float64]


class Interpolation(Enum):
    """How values between nodes are found; t is the distance from the node below, in cells.

    LINEAR: 1 - t and t; no second derivatives. SMOOTHSTEP: s = t^2 (3 - 2 t) in the place of t; slopes are
    continuous and second derivatives exist between the nodes. CUBIC: the cubic B-spline over four nodes per axis;
    second derivatives are continuous.
    """

    LINEAR = "linear"
    SMOOTHSTEP = "smoothstep"
    CUBIC = "cubic"

    @property
    def taps(self) -> int:
        """Nodes per axis that a value is made of."""
        return 4 if self is Interpolation.CUBIC else 2


@cache
def _cumulative(kernel: Interpolation) -> tuple[Array, Array]:
    """Frequencies in cycles per cell, and the share of the kernel's power below them."""
    f = np.linspace(0, 8, 8001)
    match kernel:
        case Interpolation.LINEAR:
            shape = np.sinc(f) ** 2
        case Interpolation.CUBIC:
            shape = np.sinc(f) ** 4
        case Interpolation.SMOOTHSTEP:
            t = (np.arange(512) + 0.5) / 512
            shape = np.cos(2 * math.pi * f[:, None] * t) @ (1 - t * t * (3 - 2 * t))
    total = np.cumsum(shape**2) - shape**2 / 2 - shape[0] ** 2 / 2
    return f, total / total[-1]


def lattice_bandwidth(
    resolutions: Sequence[float], kernel: Interpolation, weights: Sequence[float] | None = None
) -> float:
    """Bandwidth along one axis of independent node values, interpolated, all levels together.

    The spectrum of a level of N cells per unit is |k(f / N)|^2, k the Fourier transform of the interpolation kernel
    (linear: sinc^2), and levels have equal power. For one level of linear interpolation it is 0.425 N.

    Args:
        resolutions: Cells per unit of each level along the axis.
        kernel: The interpolation.
        weights: Power of each level; equal unless given.

    Returns:
        The bandwidth in cycles per unit; 0 if all weights are.

    Raises:
        InputError: If a resolution is not positive and finite.
    """
    cells = np.array([positive(n, "resolutions") for n in resolutions])
    power = np.ones(len(cells)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not power.sum() > 0:
        return 0.0
    f, share = _cumulative(kernel)
    low, high = 0.0, float(cells.max() * f[-1])
    for _ in range(60):
        middle = (low + high) / 2
        if np.interp(middle / cells, f, share) @ power < BANDWIDTH_SHARE * power.sum():
            low = middle
        else:
            high = middle
    return high


def lattice_levels(coarsest: float, finest: float, levels: int) -> tuple[float, ...]:
    """Resolutions growing by a constant factor from `coarsest` to `finest`; the finest alone for one level.

    Args:
        coarsest: Cells per unit of the first level.
        finest: Cells per unit of the last level.
        levels: How many.
    """
    ratio = finest / coarsest
    below = (finest * ratio ** (level / max(levels - 1, 1) - 1) for level in range(levels - 1))
    return (*below, finest)


def lattice_range(
    bandwidth: float, coarsest: float, levels: int, kernel: Interpolation
) -> tuple[float, float]:
    """The coarsest and finest resolution with a wanted bandwidth.

    Args:
        bandwidth: In cycles per unit.
        coarsest: Cells per unit of the first level; where that is too fine for the bandwidth, it is lowered and all
            levels have one resolution.
        levels: How many levels.
        kernel: The interpolation.

    Returns:
        (coarsest, finest) in cells per unit.

    Raises:
        InputError: If a number is not positive and finite.
    """
    target, first = positive(bandwidth, "bandwidth"), positive(coarsest, "coarsest")
    count = _whole(levels, "levels", 1)
    alone = target / lattice_bandwidth([1.0], kernel)
    if count == 1 or alone <= first:
        return alone, alone
    low, high = first, first
    while lattice_bandwidth(lattice_levels(first, high, count), kernel) < target:
        high *= 2
    for _ in range(60):
        middle = math.sqrt(low * high)
        if lattice_bandwidth(lattice_levels(first, middle, count), kernel) < target:
            low = middle
        else:
            high = middle
    return first, high
