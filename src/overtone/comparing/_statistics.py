"""Scores of candidates, margins between them, and the resulting verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np

from overtone._utils.statistics import normal_quantile, student_half_width

CONFIDENCE = 0.9
"""Probability that an interval covers the true value, for normal deviations."""

CLEAR = 0.1
"""Differences in dB below this count as zero."""

CELLS = 64
"""Approximate number of boxes into which a grid is divided: errors in one box count as dependent, others do not."""

PER_DECIBEL = 10 / math.log(10)

MEAN = "mean"
"""Name of the candidate that predicts the mean."""


@final
@dataclass(frozen=True)
class Score:
    """A candidate's quality on the held-out samples.

    Attributes:
        name: Name of the candidate.
        trained: Whether it is a network.
        psnr: 10 log10(peak^2 / mean square error) in dB, one per seed.
        low: Lower end of Student's interval of 90 % over seeds; the value itself for one seed.
        high: Upper end.
        seconds: Time to fit and predict, mean over seeds.
        parameters: Trainable parameters of the network, or None.
        note: Reason for the end of the fit, for the first seed.
    """

    name: str
    trained: bool
    psnr: tuple[float, ...]
    low: float
    high: float
    seconds: float
    parameters: int | None
    note: str

    @property
    def mean(self) -> float:
        """PSNR in dB, mean over seeds."""
        return float(np.mean(self.psnr))


@final
@dataclass(frozen=True)
class Margin:
    """Difference in dB by which one candidate is better than another.

    Attributes:
        mean: Difference of the PSNRs.
        low: Lower end of an interval of 90 %, over seeds and over held-out samples.
        high: Upper end.
    """

    mean: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the first is better by at least a tenth of a decibel, and significantly."""
        return self.low > 0 and self.mean >= CLEAR

    def __str__(self) -> str:
        digits = 2 if 0 < abs(self.mean) < CLEAR else 1
        return f"{self.mean:.{digits}f} dB ({self.low:.1f} to {self.high:.1f})"


def grid_cells(shape: tuple[int, ...]) -> np.ndarray:
    """Return (N,) the index of the box, out of about 64, that contains each sample of a grid."""
    side = max(1, round(CELLS ** (1 / len(shape))))
    parts = [np.arange(n) * min(side, n) // n for n in shape]
    box = np.zeros(shape, dtype=np.int64)
    for axis, part in enumerate(parts):
        box = box * side + part.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return box.reshape(-1)


def psnr_margin(first: np.ndarray, second: np.ndarray, box: np.ndarray) -> Margin:
    """Return by how many dB the first candidate is better.

    The margin is the difference of the mean PSNRs; its interval adds the squared uncertainties of seeds and held-out
    samples. Seeds: Student's half-widths of both. Samples: to first order 10 log10(b / a) varies as 10 / ln 10 times
    the mean of e_b / b - e_a / a over samples, with e the squared errors and a, b their means; its standard error is
    computed over boxes of neighbouring samples.

    Args:
        first: (seeds, M) squared error of each held-out sample.
        second: (seeds', M) squared errors of the second candidate.
        box: (M,) index of the box that contains each sample.
    """
    tiny = float(np.finfo(np.float64).tiny)
    levels = [10 * np.log10(np.maximum(e.mean(1), tiny)) for e in (first, second)]
    mean = float(levels[1].mean() - levels[0].mean())
    a, b = first.mean(0), second.mean(0)
    deviation = b / max(float(b.mean()), tiny) - a / max(float(a.mean()), tiny)
    # Neighbouring errors are correlated: sums over boxes are the independent terms of the standard error.
    sums = np.bincount(box, weights=deviation)
    boxes = int(np.count_nonzero(np.bincount(box)))
    spread = math.sqrt(float(np.square(sums).sum()) * boxes / (boxes - 1 or 1)) / len(box)
    samples = PER_DECIBEL * spread * normal_quantile(CONFIDENCE)
    half = math.hypot(samples, *(student_half_width(level, CONFIDENCE) for level in levels))
    return Margin(mean, mean - half, mean + half)


@final
@dataclass(frozen=True)
class ComparisonVerdict:
    """Verdict of a comparison.

    Attributes:
        winner: The recommended candidate; a network only if it is significantly better than every other kind.
        network_recommended: Whether training a network is recommended; None if more seeds are needed to decide.
        runner_up: The best candidate except the winner; None if no candidate is better than the mean.
        network: The best network; None if none finished, or no candidate is better than the mean.
        simple: The best candidate other than networks; None if no candidate is better than the mean.
        undertrained: Networks with too few steps for a verdict, with the number of steps.
    """

    winner: str
    network_recommended: bool | None
    runner_up: str | None = None
    network: str | None = None
    simple: str | None = None
    undertrained: Mapping[str, int] = field(default_factory=dict)


def decide_winner(scores: Sequence[Score], margins: Mapping[tuple[str, str], Margin]) -> ComparisonVerdict:
    """Choose the winner, and decide whether a network is recommended.

    Args:
        scores: Scores of all candidates, best first, including `mean`.
        margins: Margins of (better, worse) pairs, at least for the best network, the best other candidate, the best
            and second of all, and the mean.
    """
    best, simple = scores[0], next(s for s in scores if not s.trained)
    # 1. Without a clear lead over the mean no candidate has generalised.
    if best.name == MEAN or not margins[best.name, MEAN].clear:
        return ComparisonVerdict(MEAN, False)
    # 2. A network costs training time: it wins only with a clear lead over the best candidate without one.
    network = next((s for s in scores if s.trained), None)
    ahead = network is best and margins[best.name, simple.name].mean >= CLEAR
    recommended = ahead and margins[best.name, simple.name].clear
    winner = best if recommended else simple
    runner_up = next(s for s in scores if s is not winner)
    return ComparisonVerdict(
        winner.name,
        None if ahead and not recommended else recommended,
        runner_up.name,
        None if network is None else network.name,
        simple.name,
    )
