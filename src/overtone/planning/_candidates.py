"""Candidate bandwidths: the ladder of those to compare, their scores, and the result of the comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

from overtone._config import EncodingKind
from overtone.planning._held_out import Gain
from overtone.planning._reasons import Reason

LOWEST_CYCLES, RATIO = 0.25, 2.0
"""Cycles per extent of the lowest candidate, and the ratio of neighbouring ones."""

TOP_SHARE = 1 / 2
"""Part of the Nyquist frequency that no candidate exceeds."""


@final
@dataclass(frozen=True)
class BandwidthCandidate:
    """A bandwidth that was compared, with its scores.

    Attributes:
        encoding: The encoding; None for a network of the caller.
        bandwidth: Per axis, in cycles per unit.
        shortlist_psnr: Held-out quality of the ridge regression, in dB; None if it was not evaluated.
        shortlist_spread: Its standard error, in dB.
        trial_psnr: Held-out quality at the best moment of the trial, in dB; None if it was not tried.
        trial_spread: Its standard error, in dB.
        trial_steps: Steps of the trial; 0 if it was not tried.
        chosen: Whether it is the recommended one.
        outlook_psnr: Held-out quality of regressions with the trained network's kernel, which extrapolate the trial,
            in dB; None if there were none.
    """

    encoding: EncodingKind | None
    bandwidth: tuple[float, ...]
    shortlist_psnr: float | None = None
    shortlist_spread: float | None = None
    trial_psnr: float | None = None
    trial_spread: float | None = None
    trial_steps: int = 0
    chosen: bool = False
    outlook_psnr: float | None = None

    @property
    def psnr(self) -> float:
        """Quality of the trial, or of the ridge regression where there was none; -inf where neither was evaluated."""
        known = [level for level in (self.trial_psnr, self.shortlist_psnr) if level is not None]
        return known[0] if known else -math.inf

    def to_json(self) -> dict[str, Any]:
        """The candidate as values that JSON can hold."""
        return {
            "encoding": None if self.encoding is None else self.encoding.value,
            "bandwidth": list(self.bandwidth),
            "shortlist_psnr": self.shortlist_psnr,
            "shortlist_spread": self.shortlist_spread,
            "trial_psnr": self.trial_psnr,
            "trial_spread": self.trial_spread,
            "trial_steps": self.trial_steps,
            "chosen": self.chosen,
            "outlook_psnr": self.outlook_psnr,
        }

    @staticmethod
    def from_json(plain: dict[str, Any]) -> BandwidthCandidate:
        """The inverse of `to_json`."""
        kind = plain["encoding"]
        return BandwidthCandidate(
            **plain
            | {
                "encoding": None if kind is None else EncodingKind(kind),
                "bandwidth": tuple(plain["bandwidth"]),
            }
        )


@final
@dataclass(frozen=True)
class Comparison:
    """Result of a comparison.

    Attributes:
        candidates: All that were compared, in the order of the search, the chosen one marked.
        error: Expected held-out mean squared error of the chosen one at its best step, in squared value units.
        baseline: Held-out mean squared error of the training mean, in squared value units.
        held_out: Number of values that the errors are means of.
        trial_steps: Steps of all trials together.
        reasons: What was compared and why the choice was made.
        gain: How much lower the error after training is than this one, in dB.
    """

    candidates: tuple[BandwidthCandidate, ...]
    error: float
    baseline: float
    held_out: int
    trial_steps: int
    reasons: tuple[Reason, ...]
    gain: Gain

    @property
    def chosen(self) -> BandwidthCandidate:
        """The recommended candidate."""
        return next(candidate for candidate in self.candidates if candidate.chosen)


def ladder_cycles(lowest: float, highest: float) -> list[float]:
    """Return ascending cycles per extent, a factor of 2 apart, from the lowest up to the highest.

    Example:
        >>> ladder_cycles(0.25, 3.0)
        [0.25, 0.5, 1.0, 2.0]
    """
    count = max(0, math.floor(math.log2(max(highest, lowest) / lowest) + 1e-9))
    return [lowest * RATIO**k for k in range(count + 1)]
