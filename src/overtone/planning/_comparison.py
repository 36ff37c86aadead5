"""Comparison of bandwidths: a ladder, a shortlist by ridge regression, and short real runs of the best."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, final

import torch

from overtone._config import Choosing, Decay, EncodingKind, TrainingConfig
from overtone._training import train
from overtone.errors import RunError
from overtone.nn import Field
from overtone.planning._held_out import tie_threshold_db
from overtone.planning._reasons import Reason, ReasonCode
from overtone.planning._shortlist import SAMPLES, RidgeScore, RidgeScorer
from overtone.signals import Geometry, Signal

LOWEST_CYCLES, RATIO = 0.25, 2.0
"""Cycles per extent of the lowest candidate, and the ratio of neighbouring ones."""

TOP_SHARE = 1 / 2
"""Part of the Nyquist frequency that no candidate exceeds."""

TRIAL_SHARE, MAX_TRIAL_STEPS, MIN_TRIAL_STEPS = 1 / 4, 150, 10
"""Share of the run that all trials together may take, and the largest and smallest number of steps of one trial."""

AGREEMENT_DB = 4.0
"""Standard deviation of the difference between trials and regressions of the trials' length, above which the
regressions are found not to rank this network, so that the trials alone decide."""

SHORTLIST_WEIGHT = 4.0
"""Weight of the shortlist's error against the trial's, both in dB: after few steps a trial shows speed more than
quality."""

MAX_AXES = 24
"""Axes up to which each is tried at another bandwidth."""

AXIS_FACTOR = 4.0
"""Factor by which one axis's bandwidth is changed against the others'."""

AROUND, LATER_DB = (0.5, 1.0, 2.0), 1.0
"""Factors of the spectrum's bandwidth that are tried where a signal is too large for the regressions, and what longer
training of so many samples gains at the higher bandwidths, in dB."""

TINY = 1e-300
"""Smallest error that is turned into dB."""


class Ranking(NamedTuple):
    """How networks of a kind are ranked.

    Attributes:
        name: Name in reasons.
        tried: Candidates that are trained for a while.
        regret: Mean regret in dB of the choice without trials, as measured; see the results.
        regret_with_trials: The same with trials.
    """

    name: str
    tried: int
    regret: float
    regret_with_trials: float


FOURIER = Ranking("fourier", 3, 0.7, 0.5)
"""Fourier features, or none, before layers without frequencies: the last hidden layer ranks well."""

PERIODIC = Ranking("periodic activation", 5, 2.2, 2.4)
"""Activations with frequencies of their own: hardly anything but training ranks."""

CELLS = Ranking("cells", 5, 2.9, 1.7)
"""Grids of trained values: hardly anything but training ranks."""

OWN = Ranking("own network", 5, 1.4, 1.4)
"""Networks of the caller, of any kind."""


@final
@dataclass(frozen=True)
class BandwidthCandidate:
    """A bandwidth that was compared.

    Attributes:
        encoding: The encoding; None for a network of the caller.
        bandwidth: Per axis, in cycles per unit.
        shortlist_psnr: Held-out quality of the ridge regression, in dB; None if it was not evaluated.
        shortlist_spread: Its standard error, in dB.
        trial_psnr: Held-out quality at the best moment of the trial, in dB; None if it was not tried.
        trial_spread: Its standard error, in dB.
        trial_steps: Steps of the trial; 0 if it was not tried.
        chosen: Whether it is the recommended one.
    """

    encoding: EncodingKind | None
    bandwidth: tuple[float, ...]
    shortlist_psnr: float | None = None
    shortlist_spread: float | None = None
    trial_psnr: float | None = None
    trial_spread: float | None = None
    trial_steps: int = 0
    chosen: bool = False

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
        error: Held-out mean squared error to expect of the chosen one at its best moment, in value units squared.
        baseline: The same of the training mean.
        held_out: Number of values that the errors are means of.
        trial_steps: Steps of all trials together.
        reasons: What was compared and why the choice was made.
    """

    candidates: tuple[BandwidthCandidate, ...]
    error: float
    baseline: float
    held_out: int
    trial_steps: int
    reasons: tuple[Reason, ...]

    @property
    def chosen(self) -> BandwidthCandidate:
        """The recommended candidate."""
        return next(candidate for candidate in self.candidates if candidate.chosen)


Entry = tuple[EncodingKind | None, tuple[float, ...]]
"""Encoding and bandwidth per axis, in cycles per unit."""

BuildEntry = Callable[[Entry, int], Field]
"""Builds the untrained network of an entry for a seed."""


@final
class BandwidthComparison:
    """Compares bandwidths of one kind of network on one signal.

    1. The ladder: bandwidths a factor of 2 apart, of each given shape. 2. Each is scored by ridge regression on the
    last hidden layer of untrained copies (`RidgeScorer`). 3. Each axis in turn is tried at a fourth and at four times
    its bandwidth, and keeps what is better than chance explains. 4. The best few are trained for real, together for at
    most a quarter of the run. 5. Where regressions at the trial's length agree with the trials, the error is
    extrapolated from the trial's by the ratio of two of them, of the whole run's length and of the trial's, and judged
    together with the shortlist's; where they do not, they do not rank this network, and the trial decides.

    Args:
        signal: With samples held out.
        build: Builds the untrained network of an entry.
        ranking: How networks of this kind are ranked.
        training: Settings of the run, with its steps.
        choose: Whether to try the shortlist for real.
        seed: Seeds draws and trials.
        device: Device of the training.
    """

    def __init__(
        self,
        signal: Signal[Geometry],
        build: BuildEntry,
        ranking: Ranking,
        training: TrainingConfig,
        choose: Choosing,
        seed: int,
        device: torch.device | str,
    ) -> None:
        steps = training.max_steps
        assert steps is not None
        self._signal, self._build, self._ranking = signal, build, ranking
        self._training, self._seed, self._device = training, seed, torch.device(device)
        self._scorer = RidgeScorer(signal, steps, seed, device)
        self._steps, self._choose = steps, choose
        self._scores: dict[Entry, RidgeScore] = {}
        self._trials: dict[Entry, _Trial] = {}
        self._unit = float(signal.normalisation.scale.double().square().mean())

    @property
    def varies(self) -> bool:
        """Whether the held-out values differ from the training mean."""
        return self._scorer.baseline > 0

    @property
    def tolerance_db(self) -> float:
        """Difference that chance makes of two errors."""
        return tie_threshold_db(self._scorer.held_out)

    def compare(
        self,
        ladder: Sequence[Entry],
        others: Callable[[Entry], Sequence[Entry]] | None = None,
        spectrum: tuple[float, ...] | None = None,
    ) -> Comparison:
        """Compare a ladder of bandwidths.

        Args:
            ladder: The candidates.
            others: Further entries that are tried beside the best of the ladder, whatever the shortlist says of them.
            spectrum: The bandwidth that the spectrum recommends. Of signals too large for the regressions it is tried
                as well.
        """
        others_of = others or (lambda _: ())
        around = self._around(ladder[0], spectrum)
        tried = len(around) or self._ranking.tried + len(others_of(ladder[0]))
        trial_steps = self._trial_steps(tried)
        for entry in around or ladder:
            self._score(entry, trial_steps)
        axis_reasons = [] if around else self._refine_axes(trial_steps)
        ranked = sorted(self._scores, key=lambda entry: self._scores[entry].error)
        finalists = around or ranked[: self._ranking.tried]
        extra = [entry for entry in others_of(ranked[0]) if entry not in finalists]
        for entry in extra:
            self._score(entry, trial_steps)
        finalists = list(dict.fromkeys([*finalists, *extra]))
        if trial_steps:
            for entry in finalists:
                self._trials[entry] = self._try(entry, trial_steps)
        # Without trials nothing ranks the entries of a large signal; the spectrum's is the estimate.
        chosen = self._latest(around) if around else min(finalists, key=self._combined_db)
        return self._result(chosen, axis_reasons)

    def _around(self, first: Entry, spectrum: tuple[float, ...] | None) -> list[Entry]:
        """Entries around the spectrum's bandwidth, for signals too large for the regressions; else none.

        A few hundred random features cannot represent the detail of many samples, which training learns: regressions
        then rank smoothness. Overfitting, which they see, is no danger with so many samples.
        """
        if spectrum is None or not self.is_large:
            return []
        return [(first[0], tuple(factor * b for b in spectrum)) for factor in AROUND]

    def _latest(self, around: Sequence[Entry]) -> Entry:
        """The highest entry whose trial is within `LATER_DB` of the best; without trials that of the spectrum."""
        if not self._trials:
            return around[AROUND.index(1.0)]
        best = min(_db(self._trials[entry].error) for entry in around)
        close = [entry for entry in around if _db(self._trials[entry].error) <= best + LATER_DB]
        return close[-1]

    @property
    def is_large(self) -> bool:
        """Whether the network has Fourier features and the signal too many samples for the regressions."""
        return self._ranking is FOURIER and self._signal.train_index.numel() > SAMPLES

    def _trial_steps(self, count: int) -> int:
        """Steps of one of so many trials; 0 where none is to be or can be made."""
        if self._choose is Choosing.QUICK:
            return 0
        steps = min(MAX_TRIAL_STEPS, math.floor(TRIAL_SHARE * self._steps / count))
        return steps if steps >= MIN_TRIAL_STEPS else 0

    def _score(self, entry: Entry, trial_steps: int) -> None:
        if entry not in self._scores:
            self._scores[entry] = self._scorer.score(lambda seed: self._build(entry, seed), trial_steps)

    def _refine_axes(self, trial_steps: int) -> list[Reason]:
        """Try each axis of the best entry at a fourth and at four times its bandwidth; clear gains stay."""
        best = min(self._scores, key=lambda entry: self._scores[entry].error)
        kind, bandwidth = best
        axes = len(bandwidth)
        if axes == 1 or self._ranking in (PERIODIC, CELLS) or kind is None:
            return []
        if axes > MAX_AXES:
            return [Reason(ReasonCode.TOO_MANY_AXES, {"axes": axes})]
        changed: dict[int, float] = {}
        for axis in range(axes):
            for factor in (1 / AXIS_FACTOR, AXIS_FACTOR):
                tried = (kind, tuple(b * (factor if a == axis else 1.0) for a, b in enumerate(best[1])))
                self._score(tried, trial_steps)
                if _db(self._scores[best].error) - _db(self._scores[tried].error) > self.tolerance_db:
                    changed[axis] = tried[1][axis]
                    best = tried
                    break
        if changed:
            # The new shape has its own best size, within a factor of 2 of the one found for the old shape.
            for factor in (1 / RATIO, RATIO):
                self._score((kind, tuple(b * factor for b in best[1])), trial_steps)
        units = self._signal.geometry.units
        names = units if len(set(units)) == axes else tuple(f"axis {axis}" for axis in range(axes))
        values = {
            "axes": tuple(names[axis] for axis in changed),
            "bandwidth": tuple(changed.values()),
            "tolerance_db": self.tolerance_db,
        }
        return [Reason(ReasonCode.AXIS_BANDWIDTHS, values)]

    def _try(self, entry: Entry, steps: int) -> _Trial:
        """Train the network that the run would train, with the run's own settings, for some steps."""
        field = self._build(entry, self._seed).to(self._device)
        # A constant rate: a decay that ends with the trial would not be the beginning of the run's.
        options = replace(self._training, steps=steps, seconds=None, decay=Decay.CONSTANT, compile=False)
        held = self._signal.held_out_index
        coords = self._signal.geometry.coords(held).to(self._device)
        truth = self._signal.normalisation.apply(self._signal.values[held].double()).cpu()
        best = _Trial(math.inf, 0.0, steps)

        def observe(step: int, *_: object) -> None:
            nonlocal best
            if not step:
                return
            with torch.no_grad():
                output = torch.cat([field.normalised(part) for part in coords.split(8192)]).double().cpu()
            square = (output - truth).square().mean(1)
            error = float(square.mean())
            if error < best.error:
                relative = float(square.std(correction=0)) / max(error, TINY) / math.sqrt(max(1, len(square)))
                best = _Trial(error, 10 / math.log(10) * relative, steps)

        marks = {steps, round(0.75 * steps), round(0.5 * steps), round(0.3 * steps)}
        try:
            train(field, self._signal, options, observe, wants=lambda step: step in marks)
        except RunError:
            # A network that diverges within the trial is no candidate; the others decide.
            return best
        return best

    @property
    def _shortlist_counts(self) -> bool:
        """Whether the regressions predict the trials well enough to be judged together with them."""
        if self.is_large:
            return False
        differences = [
            _db(trial.error) - _db(self._scores[entry].trial_error)
            for entry, trial in self._trials.items()
            if math.isfinite(trial.error) and math.isfinite(self._scores[entry].trial_error)
        ]
        return len(differences) < 2 or statistics.pstdev(differences) < AGREEMENT_DB

    def _combined_db(self, entry: Entry) -> float:
        """What the choice minimises, in dB."""
        score, trial = self._scores[entry], self._trials.get(entry)
        if trial is None:
            return _db(score.error)
        if not self._shortlist_counts:
            return _db(trial.error)
        growth = _db(score.error) - _db(score.trial_error)
        return _db(trial.error) + growth + SHORTLIST_WEIGHT * _db(score.error)

    def _result(self, chosen: Entry, axis_reasons: list[Reason]) -> Comparison:
        candidates = tuple(self._candidate(entry, entry == chosen) for entry in self._scores)
        score, trial = self._scores[chosen], self._trials.get(chosen)
        error = min(score.best_error, math.inf if trial is None else trial.error)
        spent = sum(trial.steps for trial in self._trials.values())
        return Comparison(
            candidates,
            error * self._unit,
            self._scorer.baseline * self._unit,
            self._scorer.held_out,
            spent,
            (self._reason(chosen, spent), *axis_reasons),
        )

    def _candidate(self, entry: Entry, chosen: bool) -> BandwidthCandidate:
        score, trial = self._scores[entry], self._trials.get(entry)
        return BandwidthCandidate(
            *entry,
            self._psnr(score.error),
            score.spread_db if math.isfinite(score.spread_db) else None,
            None if trial is None else self._psnr(trial.error),
            None if trial is None else trial.spread_db,
            0 if trial is None else trial.steps,
            chosen,
        )

    def _psnr(self, error: float) -> float | None:
        if not math.isfinite(error):
            return None
        return 10 * math.log10(self._signal.peak**2 / max(error * self._unit, TINY))

    def _reason(self, chosen: Entry, spent: int) -> Reason:
        """Results of shortlist and trials, in numbers."""
        finite = [e for e in self._scores if math.isfinite(self._scores[e].error)]
        ascending = sorted(finite or self._scores, key=lambda entry: math.prod(entry[1]))
        worst = max(ascending, key=lambda entry: self._scores[entry].error)
        tried = sorted(self._trials, key=self._combined_db)
        shortest = math.ceil(MIN_TRIAL_STEPS * self._ranking.tried / TRIAL_SHARE)
        values = {
            "candidates": len(self._scores),
            "first": ascending[0][1],
            "last": ascending[-1][1],
            "chosen": chosen[1],
            "worst": worst[1],
            "worst_db": _db(self._scores[worst].error) - _db(self._scores[chosen].error),
            "samples": self._scorer.samples,
            "held_out": self._scorer.held_out,
            "tried": tuple(entry[1] for entry in tried),
            "trial_psnr": tuple(self._psnr(self._trials[entry].error) for entry in tried),
            "trial_steps": max((trial.steps for trial in self._trials.values()), default=0),
            "spent_steps": spent,
            "steps": self._steps,
            "ranking": self._ranking.name,
            "shortlist_counts": self._shortlist_counts,
            "uncertainty_db": self._ranking.regret_with_trials if spent else self._ranking.regret,
            "quick": self._choose is Choosing.QUICK,
            "large": self.is_large,
            "enough_steps": shortest,
        }
        return Reason(ReasonCode.CANDIDATES, values, self._signal.geometry.frequency_unit)


class _Trial(NamedTuple):
    """Smallest held-out error of a trial in normalised units, its standard error in dB, and the trial's steps."""

    error: float
    spread_db: float
    steps: int


def _db(error: float) -> float:
    return 10 * math.log10(max(error, TINY)) if error < math.inf else math.inf


def ladder_cycles(lowest: float, highest: float) -> list[float]:
    """Return ascending cycles per extent, a factor of 2 apart, from the lowest up to the highest.

    Example:
        >>> ladder_cycles(0.25, 3.0)
        [0.25, 0.5, 1.0, 2.0]
    """
    count = max(0, math.floor(math.log2(max(highest, lowest) / lowest) + 1e-9))
    return [lowest * RATIO**k for k in range(count + 1)]
