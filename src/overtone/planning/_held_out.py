"""Held-out samples of a plan: the split, differences by chance, and the quality to expect on them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, TypeVar, final

from overtone._config import Optimizer, TrainingConfig
from overtone._utils.seeding import derive_seed
from overtone._utils.statistics import psnr_from_error
from overtone.planning._run_size import LEARNING_RATE
from overtone.signals import Geometry, Signal, masks

FRACTION = 0.1
"""Part of the samples held out where none are."""

MIN_SAMPLES = 32
"""Samples below which none can be spared for validation."""


class Gain(NamedTuple):
    """Gain of trained networks on an estimate of their held-out error, in dB: median, smallest and largest."""

    middle: float
    smallest: float
    largest: float


EXTRAPOLATED, EXTRAPOLATED_WAVES, REGRESSION_ONLY = (
    Gain(1.0, -1.0, 8.0),
    Gain(0.5, -4.0, 7.0),
    Gain(2.0, -1.5, 15.0),
)
"""Gains on extrapolated trials, on those of activations with frequencies, and on regressions of untrained copies alone.
The last do not show what learning features gains, up to 20 dB on clean band-limited signals.

Set on the design cases of `benchmarks.steer` so that 85 to 95 % of them end inside; see the results for other cases.
"""

UNIT_TRAVEL, STATED_FROM, UNKNOWN_WIDTH = 3.0, 25, 30
"""How far the inputs of an activation must be able to move before a quality can be stated, the least number of steps,
and the width taken for networks of the caller. Regressions and kernels solve for the weights, however far away these
are. Adam moves each by at most its rate in a step, so that the sum over the units of a layer moves by at most rate x
steps x units; below 2 to 3 runs end below their intervals, at widths of 32 to 256 and rates of 1e-4 to 1e-2."""

MIN_CLEAN_SHARE = 0.02
"""Part of a held-out error that is taken as learnable even where the noise estimate explains all of it."""

G = TypeVar("G", bound=Geometry)


def ensure_held_out(signal: Signal[G], seed: int) -> Signal[G] | None:
    """Return the signal with samples held out, or None if it has too few to spare any.

    Args:
        signal: The signal to learn.
        seed: Seeds the draw.
    """
    if len(signal.held_out_index):
        return signal
    if len(signal.values) < MIN_SAMPLES:
        return None
    mask = masks.random(signal.geometry, FRACTION, derive_seed(seed, "choose")).to(signal.values.device)
    if signal.ignored is None:
        return signal.with_held_out(mask)
    # Ignored samples may be drawn as well; they stay out of both sets, which leaves fewer than a tenth.
    held_out = mask & ~signal.ignored
    return signal.with_split(~(signal.ignored | held_out), held_out) if bool(held_out.any()) else None


def tie_threshold_db(held_out: int) -> float:
    """Largest difference in dB that chance makes of two errors on the same held-out values.

    max(0.15, 4.34 / sqrt(n)) for n values: 10 / ln 10 times the relative standard error 1 / sqrt(n) of their ratio.

    Args:
        held_out: n, the number of values.
    """
    from overtone.theory.kernel_regression._compare import TIE_DB

    return max(TIE_DB, 10 / math.log(10) / math.sqrt(held_out))


def stated_from(training: TrainingConfig, width: int) -> int:
    """Steps from which on the quality of a run can be stated: max(25, 3 / (rate x units)).

    Args:
        training: Settings of the run; SGD counts as Adam at 0.001.
        width: Units of a layer; 0 if they are not known.
    """
    rate = training.learning_rate if training.optimizer is Optimizer.ADAM else LEARNING_RATE
    return max(STATED_FROM, math.ceil(UNIT_TRAVEL / (rate * (width or UNKNOWN_WIDTH)) - 1e-9))


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


def expected_psnr(
    error: float, noise: float, held_out: int, peak: float, gain: Gain = EXTRAPOLATED
) -> ExpectedPSNR:
    """Estimate the trained network's quality on held-out samples from an estimate of its error there.

    The error on noisy samples is the noise's variance plus the error against the clean signal. The latter is what the
    estimate does not show of training: gains as measured. The mean of n squared errors is known
    to 2 sqrt(2 / n) of itself.

    Args:
        error: Estimate of the mean squared held-out error, in value units squared.
        noise: Variance of the noise in the held-out samples, in value units squared; 0 for none.
        held_out: Number of held-out values behind the error.
        peak: The range that the ratio refers to, in value units.
        gain: What training gains on such an estimate.

    Returns:
        The expectation; infinite for an error of 0.
    """
    # The noise estimate may exceed the error by chance; something is always left to learn.
    clean = max(error - noise, MIN_CLEAN_SHARE * error)
    noisy = error - clean
    spread = 2 * math.sqrt(2 / max(held_out, 1))

    def level(gain_db: float, factor: float) -> float:
        return psnr_from_error(factor * (clean * 10 ** (-gain_db / 10) + noisy), peak)

    return ExpectedPSNR(
        level(gain.middle, 1.0), level(gain.smallest, 1 + spread), level(gain.largest, 1 / (1 + spread))
    )
