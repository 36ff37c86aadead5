"""How good a candidate is, and by how much one is better than another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import scipy.stats

from overtone._utils.text import number
from overtone.comparing._candidates import MEAN

CONFIDENCE = 0.9
"""Probability with which an interval holds its value, were the deviations normal."""

CLEAR = 0.1
"""Differences in dB below this are not worth a word."""

CELLS = 64
"""Boxes into which a grid is cut, about: errors within one are taken to hang together, those of two not."""

PER_DECIBEL = 10 / math.log(10)


@final
@dataclass(frozen=True)
class Score:
    """A candidate's quality on the held-out samples.

    Attributes:
        name: Of the candidate.
        trained: Whether it is a network.
        psnr: In dB, one per seed: 10 log10(peak^2 / mean square error).
        low: Lower end of Student's interval of 90 % over seeds; the value itself where no seed enters.
        high: Upper end.
        seconds: It took, mean over seeds.
        parameters: Of the network, or None.
        note: How it came about, for the first seed.
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
    """By how many dB one candidate is better than another.

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
        """Whether the first is surely better, by a tenth of a decibel or more."""
        return self.low > 0 and self.mean >= CLEAR

    def __str__(self) -> str:
        digits = 2 if 0 < abs(self.mean) < CLEAR else 1
        return f"{self.mean:.{digits}f} dB ({self.low:.1f} to {self.high:.1f})"


def student(values: np.ndarray) -> float:
    """Half the width of Student's interval of the mean; 0 for a single value.

    t(0.95, n - 1) s / sqrt(n).
    """
    if values.size < 2:
        return 0.0
    quantile = scipy.stats.t.ppf(0.5 + CONFIDENCE / 2, values.size - 1)
    return float(quantile * values.std(ddof=1) / math.sqrt(values.size))


def grid_cells(shape: tuple[int, ...]) -> np.ndarray:
    """(N,) number of the box, out of about 64, in which each sample of a grid lies."""
    side = max(1, round(CELLS ** (1 / len(shape))))
    parts = [np.arange(n) * min(side, n) // n for n in shape]
    box = np.zeros(shape, dtype=np.int64)
    for axis, part in enumerate(parts):
        box = box * side + part.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return box.reshape(-1)


def psnr_margin(first: np.ndarray, second: np.ndarray, box: np.ndarray) -> Margin:
    """How much better the first is, in dB.

    The difference of the mean PSNRs, whose interval adds in squares what seeds and what held-out samples leave open.
    Seeds: Student's half-widths of both. Samples: to first order 10 log10(b / a) varies as 10 / ln 10 times the mean of
    e_b / b - e_a / a over samples, with e the squared errors and a, b their means; its standard error is taken over
    boxes of neighbouring samples.

    Args:
        first: (seeds, M) squared error of each held-out sample.
        second: (seeds', M) likewise.
        box: (M,) which box each sample lies in.
    """
    tiny = float(np.finfo(np.float64).tiny)
    levels = [10 * np.log10(np.maximum(e.mean(1), tiny)) for e in (first, second)]
    mean = float(levels[1].mean() - levels[0].mean())
    a, b = first.mean(0), second.mean(0)
    deviation = b / max(float(b.mean()), tiny) - a / max(float(a.mean()), tiny)
    sums = np.bincount(box, weights=deviation)
    boxes = int(np.count_nonzero(np.bincount(box)))
    spread = math.sqrt(float(np.square(sums).sum()) * boxes / (boxes - 1 or 1)) / len(box)
    samples = PER_DECIBEL * spread * float(scipy.stats.norm.ppf(0.5 + CONFIDENCE / 2))
    half = math.hypot(samples, *(student(level) for level in levels))
    return Margin(mean, mean - half, mean + half)


@final
@dataclass(frozen=True)
class ComparisonVerdict:
    """What follows from the scores.

    Attributes:
        winner: The candidate to take. A network only where it is surely better than all that is no network.
        worth_a_network: Whether one is; None if more seeds are needed to tell.
        sentences: Why.
    """

    winner: str
    worth_a_network: bool | None
    sentences: tuple[str, ...]


def decide_winner(scores: Sequence[Score], against: Mapping[tuple[str, str], Margin]) -> ComparisonVerdict:
    """Judge.

    Args:
        scores: Of all candidates, best first, `mean` among them.
        against: Margins of (better, worse) pairs, at least those of the best network, the best other candidate, the
            best of all and the second, and the mean.
    """
    by_name = {score.name: score for score in scores}
    best, plain = scores[0], next(s for s in scores if not s.trained)
    if best.name == MEAN or not against[best.name, MEAN].clear:
        text = (
            "Do not fit this: nothing predicts the held-out samples surely better than their mean "
            f"({by_name[MEAN].mean:.1f} dB). What it holds is noise, or finer than its samples."
        )
        return ComparisonVerdict(MEAN, False, (text,))
    network = next((s for s in scores if s.trained), None)
    ahead = network is best and against[best.name, plain.name].mean >= CLEAR
    worth = ahead and against[best.name, plain.name].clear
    winner = best if worth else plain
    others = [s for s in scores if s is not winner]
    sentences = [f"{winner.name} wins with {_level(winner)}.", _lead(winner, others[0], against)]
    if network is not None:
        sentences.append(_worth(network, plain, worth, ahead, against))
    return ComparisonVerdict(winner.name, None if ahead and not worth else worth, tuple(sentences))


def _lead(winner: Score, other: Score, against: Mapping[tuple[str, str], Margin]) -> str:
    if (winner.name, other.name) not in against:
        found = against[other.name, winner.name]
        return f"{other.name} is {found} above it, too uncertain to count on."
    found = against[winner.name, other.name]
    if found.clear:
        return f"That is {found} above {other.name}."
    return f"It cannot be told from {other.name}, which is {found} below."


def _worth(
    network: Score, plain: Score, worth: bool, ahead: bool, against: Mapping[tuple[str, str], Margin]
) -> str:
    cost = f"{number(network.seconds)} s against {number(plain.seconds)} s"
    if worth:
        gain = against[network.name, plain.name]
        return f"A network is worth it: {gain} above {plain.name}, the best without one, for {cost}."
    if ahead:
        return (
            f"Whether a network is worth it is open: {network.name} reaches {_level(network)}, in {cost}. Try more "
            "seeds or a larger budget."
        )
    return (
        f"No network is worth training here: the best one, {network.name}, reaches {_level(network)} and "
        f"{plain.name} {_level(plain)}, in {cost}."
    )


def _level(score: Score) -> str:
    if score.high > score.low:
        return f"{score.mean:.1f} dB ({score.low:.1f} to {score.high:.1f} over {len(score.psnr)} seeds)"
    return f"{score.mean:.1f} dB"
