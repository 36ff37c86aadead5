"""Estimated duration of the choice of a bandwidth on this machine."""

from __future__ import annotations

import functools
import time

import torch

from overtone.planning._comparison import TRIAL_SHARE
from overtone.planning._shortlist import HELD_OUT_SAMPLES, SAMPLES
from overtone.signals import Geometry, Signal

CALIBRATION = 256
"""Side of the matrix whose eigenvalues are timed, which takes some hundredths of a second."""

CHOICE = 450.0
"""Time of the shortlist on as many samples as it takes at most, in decompositions of the calibration: measured on one
core of an x86 processor."""

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
    """Return about how many seconds the shortlist of `plan` takes for a signal on this machine, without its trials.

    Of larger signals some samples are compared; below, the cost grows about with their number.

    Args:
        signal: The signal.
    """
    share = min(1.0, signal.values.shape[0] / (SAMPLES + HELD_OUT_SAMPLES))
    return OTHER_SECONDS + CHOICE * machine_seconds() * share


def with_trials(seconds: float) -> float:
    """Return the seconds that are left to a run whose trials are paid from the same budget.

    Args:
        seconds: Seconds of run and trials together.
    """
    return seconds / (1 + TRIAL_SHARE)
