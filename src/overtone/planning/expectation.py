"""What quality to expect of a network before it is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

GAIN_DB, LEAST_DB, MOST_DB = 1.0, -1.5, 3.0
"""What trained networks gained on their twins on clean samples: usually, at the least, at the most."""


@final
@dataclass(frozen=True)
class Expected:
    """Peak signal-to-noise ratio to expect on the held-out samples, in dB.

    Attributes:
        psnr: The middle.
        low: Lower end.
        high: Upper end.
    """

    psnr: float
    low: float
    high: float


def expected(error: float, noise: float, held_out: int, peak: float) -> Expected:
    """From the twin's held-out error to the trained network's.

    The error on noisy samples is the noise's variance plus the error against the clean signal. The latter is what
    learning features changes: by -1.5 to +3 dB for networks of 256 units, +1 dB in the middle, seen on pictures.
    The mean of n squared errors is known to 2 sqrt(2 / n) of itself.

    Args:
        error: The twin's mean squared held-out error, in value units squared.
        noise: Variance of the noise in the held-out samples, in value units squared; 0 for none.
        held_out: Number of held-out values behind the error.
        peak: The range that the ratio refers to, in value units.

    Returns:
        The expectation; infinite where nothing is wrong.
    """
    clean = max(error - noise, 0.02 * error)
    noisy = error - clean
    spread = 2 * math.sqrt(2 / max(held_out, 1))

    def psnr(gain: float, factor: float) -> float:
        wrong = factor * (clean * 10 ** (-gain / 10) + noisy)
        return 10 * math.log10(peak**2 / wrong) if wrong > 0 else math.inf

    return Expected(psnr(GAIN_DB, 1.0), psnr(LEAST_DB, 1 + spread), psnr(MOST_DB, 1 / (1 + spread)))
