"""Bandwidth of values that are interpolated between the nodes of lattices, one lattice per level."""

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
    """Interpolation between nodes; t is the distance from the node below, in cells.

    LINEAR: weights 1 - t and t; no second derivatives. SMOOTHSTEP: s = t^2 (3 - 2 t) in place of t; slopes are
    continuous and second derivatives exist between the nodes. CUBIC: the cubic B-spline over four nodes per axis;
    second derivatives are continuous.

    Example:
        >>> from overtone.nn.encodings import Interpolation
        >>> Interpolation.LINEAR.taps, Interpolation.CUBIC.taps
        (2, 4)
    """

    LINEAR = "linear"
    SMOOTHSTEP = "smoothstep"
    CUBIC = "cubic"

    @property
    def taps(self) -> int:
        """Nodes per axis on which a value depends."""
        return 4 if self is Interpolation.CUBIC else 2


@cache
def _cumulative(kernel: Interpolation) -> tuple[Array, Array]:
    """Return frequencies in cycles per cell, and the share of the kernel's power below each of them."""
    f = np.linspace(0, 8, 8001)
    match kernel:
        case Interpolation.LINEAR:
            shape = np.sinc(f) ** 2
        case Interpolation.CUBIC:
            shape = np.sinc(f) ** 4
        case Interpolation.SMOOTHSTEP:
            # The kernel is even, and has no closed transform: midpoints over half of its support.
            t = (np.arange(512) + 0.5) / 512
            shape = np.cos(2 * math.pi * f[:, None] * t) @ (1 - t * t * (3 - 2 * t))
    # Trapezoids: half of the first and of the last cell of each partial sum is subtracted.
    total = np.cumsum(shape**2) - shape**2 / 2 - shape[0] ** 2 / 2
    return f, total / total[-1]


def lattice_bandwidth(
    resolutions: Sequence[float], kernel: Interpolation, weights: Sequence[float] | None = None
) -> float:
    """Return the bandwidth along one axis of independent, interpolated node values, all levels together.

    The spectrum of a level of N cells per unit is |k(f / N)|^2, k the Fourier transform of the interpolation kernel
    (linear: sinc^2), and levels have equal power. The bandwidth of one level of linear interpolation is 0.425 N.

    Args:
        resolutions: Cells per unit of each level along the axis.
        kernel: The interpolation.
        weights: Power of each level; equal by default.

    Returns:
        The bandwidth in cycles per unit; 0 if all weights are 0.

    Raises:
        InputError: If a resolution is not positive and finite.
    """
    cells = np.array([positive(n, "resolutions") for n in resolutions])
    power = np.ones(len(cells)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not power.sum() > 0:
        return 0.0
    f, share = _cumulative(kernel)
    # Bisection: the share of the power below a frequency grows with the frequency.
    low, high = 0.0, float(cells.max() * f[-1])
    for _ in range(60):
        middle = (low + high) / 2
        if np.interp(middle / cells, f, share) @ power < BANDWIDTH_SHARE * power.sum():
            low = middle
        else:
            high = middle
    return high


def lattice_levels(coarsest: float, finest: float, levels: int) -> tuple[float, ...]:
    """Return resolutions that grow by a constant factor from `coarsest` to `finest`; one level has the finest.

    Args:
        coarsest: Cells per unit of the first level.
        finest: Cells per unit of the last level.
        levels: Number of levels.
    """
    ratio = finest / coarsest
    below = (finest * ratio ** (level / max(levels - 1, 1) - 1) for level in range(levels - 1))
    return (*below, finest)


def lattice_range(
    bandwidth: float, coarsest: float, levels: int, kernel: Interpolation
) -> tuple[float, float]:
    """Return the coarsest and finest resolution of a grid with a bandwidth.

    Args:
        bandwidth: In cycles per unit.
        coarsest: Cells per unit of the first level; if that is too fine for the bandwidth, all levels have one lower
            resolution.
        levels: Number of levels.
        kernel: The interpolation.

    Returns:
        (coarsest, finest) in cells per unit.

    Raises:
        InputError: If a number is not positive and finite.

    Example:
        >>> from overtone import units
        >>> from overtone.nn.encodings import Interpolation
        >>> coarsest, finest = units.lattice_range(40.0, 16.0, levels=4, kernel=Interpolation.LINEAR)
        >>> coarsest, round(finest)
        (16.0, 165)
    """
    target, coarsest_cells = positive(bandwidth, "bandwidth"), positive(coarsest, "coarsest")
    count = _whole(levels, "levels", 1)
    single_level = target / lattice_bandwidth([1.0], kernel)
    if count == 1 or single_level <= coarsest_cells:
        return single_level, single_level
    low, high = coarsest_cells, coarsest_cells
    # Doubling brackets the finest resolution; bisection of its logarithm then finds it.
    while lattice_bandwidth(lattice_levels(coarsest_cells, high, count), kernel) < target:
        high *= 2
    for _ in range(60):
        middle = math.sqrt(low * high)
        if lattice_bandwidth(lattice_levels(coarsest_cells, middle, count), kernel) < target:
            low = middle
        else:
            high = middle
    return coarsest_cells, high
