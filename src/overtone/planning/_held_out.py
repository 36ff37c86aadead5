"""What quality to expect of a network before it is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar, final

from overtone._utils.seeding import derive
from overtone.signals import Geometry, Signal, masks
from overtone.theory.kernel_regression._compare import TIE_DB

GAIN_DB, LEAST_DB, MOST_DB = 1.0, -1.5, 3.0
"""What trained networks gained on their twins on clean samples: usually, at the least, at the most."""


@final
@dataclass(frozen=True)
class ExpectedPSNR:
    """Peak signal-to-noise ratio to expect on the held-out samples, in dB.

    Attributes:
        psnr: The middle.
        low: Lower end.
        high: Upper end.
    """

    psnr: float
    low: float
    high: float


def expected_psnr(error: float, noise: float, held_out: int, peak: float) -> ExpectedPSNR:
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

    return ExpectedPSNR(psnr(GAIN_DB, 1.0), psnr(LEAST_DB, 1 + spread), psnr(MOST_DB, 1 / (1 + spread)))


FRACTION = 0.1
"""Part of the samples held out where none are."""

FEWEST = 32
"""Samples below which none can be spared for judging."""

G = TypeVar("G", bound=Geometry)


def ensure_held_out(signal: Signal[G], seed: int) -> Signal[G] | None:
    """The signal with samples held out, or None if it has too few to spare any.

    Args:
        signal: What will be learned.
        seed: Seeds the draw.
    """
    if len(signal.held_out_index):
        return signal
    if len(signal.values) < FEWEST:
        return None
    drawn = masks.random(signal.geometry, FRACTION, derive(seed, "choose")).to(signal.values.device)
    if signal.ignored is None:
        return signal.with_held_out(drawn)
    held = drawn & ~signal.ignored
    return signal.with_split(~(signal.ignored | held), held) if bool(held.any()) else None


def tie_threshold_db(held_out: int) -> float:
    """How far apart in dB two errors on the same held-out values may lie by chance: max(0.15, 4.34 / sqrt(n)).

    Args:
        held_out: n, the number of values.
    """
    return max(TIE_DB, 10 / math.log(10) / math.sqrt(held_out))
