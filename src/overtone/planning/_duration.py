"""How long the choice of a bandwidth takes on this machine."""

from __future__ import annotations

import functools
import time

import torch

from overtone.planning._grid_plan import TILE
from overtone.signals import Geometry, Signal

CALIBRATION = 256
"""Side of the matrix whose eigenvalues are timed, which takes some hundredths of a second."""

CHOICE = 450.0
"""Time of the choice on two tiles, in decompositions of the calibration: measured on one core of an x86 processor."""

OTHER_SECONDS = 0.4
"""Time of what does not grow with the samples, in the unit of a second of that processor."""


@functools.cache
def machine_seconds() -> float:
    """Return the seconds of one symmetric eigendecomposition of 256 x 256 float64 numbers, the fastest of three."""
    steps = torch.arange(CALIBRATION, dtype=torch.float64, device="cpu")
    # A kernel matrix, like those that the choice decomposes.
    matrix = torch.exp(-(steps[:, None] - steps).abs() / 16)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        torch.linalg.eigh(matrix)
        times.append(time.perf_counter() - began)
    return min(times)


def choice_seconds(signal: Signal[Geometry]) -> float:
    """Return about how many seconds `plan` takes for a signal on this machine.

    Larger signals are compared on tiles of up to 2 x 2048 samples; below, the cost grows about with their square.

    Args:
        signal: The signal.
    """
    share = min(1.0, signal.values.shape[0] / (2 * TILE))
    return OTHER_SECONDS + CHOICE * machine_seconds() * share**2
