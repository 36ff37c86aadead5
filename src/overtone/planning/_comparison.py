"""Comparison of bandwidths: a ladder, a shortlist by ridge regression, and short trainings of the best."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import final

import torch

from overtone._config import Choosing, EncodingKind, TrainingConfig
from overtone.nn import Field
from overtone.planning._candidates import RATIO, BandwidthCandidate, Comparison
from overtone.planning._held_out import EXTRAPOLATED, EXTRAPOLATED_WAVES, REGRESSION_ONLY, tie_threshold_db
from overtone.planning._ranking import (
    CELLS,
    FINER,
    FOURIER,
    GABOR,
    LOCALISED,
    OF_ACTIVATIONS,
    OWN,
    PERIODIC,
    Ranking,
)
from overtone.planning._reasons import Reason, ReasonCode
from overtone.planning._shortlist import DRAWS, SAMPLES, RidgeScore, RidgeScorer
from overtone.planning._trials import TINY, Trial, TrialRunner
from overtone.signals import Geometry, Signal

TRIAL_SHARE, ONE_TRIAL_SHARE = 1 / 4, 1 / 12
"""Shares of the run that all trials together may take, and one of them."""

LATE = 2.0
"""Multiple of their share of the run's time limit after which trials are given up: a machine may become busy after its
steps were timed."""

MAX_TRIAL_STEPS, MIN_TRIAL_STEPS = 150, 10
"""Largest and smallest number of steps of one trial."""

AGREEMENT_DB = 4.0
"""Standard deviation of the difference between trials and regressions of the trials' length, above which the
regressions do not rank this network, so that the trials alone decide."""

CLOSE_DB = 1.0
"""Difference of errors of a single draw of weights up to which the other draws are made as well: levels of draws differ
by a standard deviation of 0.2 dB (median), and no design case has another shortlist than with all draws for all."""

LOWER_DB = 0.5
"""Difference of outlooks up to which the lower of two bandwidths is taken: it learns more slowly, so that its trial
understates it."""

MAX_AXES = 24
"""Axes up to which each is tried at another bandwidth."""

AXIS_FACTOR = 4.0
"""Factor by which one axis's bandwidth is changed against the others'."""

AROUND, LATER_DB = (0.5, 1.0, 2.0), 1.0
"""Factors of the spectrum's bandwidth that are tried where a signal is too large for the regressions, and what longer
training of so many samples gains at the higher bandwidths, in dB."""


Entry = tuple[EncodingKind | None, tuple[float, ...]]
"""Encoding and bandwidth per axis, in cycles per unit."""

BuildEntry = Callable[[Entry, int], Field]
"""Builds the untrained network of an entry for a seed."""


@final
class BandwidthComparison:
    """Compares bandwidths of one kind of network on one signal.

    1. The ladder: bandwidths a factor of 2 apart, of each shape. 2. Each is scored by ridge regression on the last
    hidden layer of untrained copies (`RidgeScorer`). 3. Each axis in turn is tried at a fourth and at four times its
    bandwidth; a change stays if it lowers the error by more than chance does. 4. The best few are trained briefly, for
    at most a quarter of the run in all (trials). 5. If regressions for the trials' length agree with the trials, the
    error of the whole run is estimated as the trial's times the ratio of two regressions, for the whole run and for
    the trial, and weighed with the shortlist's error. If they do not agree, regressions do not rank this network, and
    the trials alone decide.

    Args:
        signal: With samples held out.
        build: Builds the untrained network of an entry.
        ranking: How networks of this kind are ranked.
        training: Settings of the run, with its steps; if it has a limit of seconds, trials that exceed their share are
            given up.
        choose: Whether to train the shortlist briefly.
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
        self._seed = seed
        self._runner = TrialRunner(signal, training, seed, torch.device(device))
        self._seconds = None if training.seconds is None else LATE * TRIAL_SHARE * training.seconds
        self._is_late = False
        self._steps, self._counted = steps, min(steps, ranking.counted_steps or steps)
        self._scorer, self._choose = RidgeScorer(signal, self._counted, seed, device), choose
        self._scores: dict[Entry, RidgeScore] = {}
        self._trials: dict[Entry, Trial] = {}
        self._trained: dict[Entry, Field] = {}
        self._extrapolated: set[Entry] = set()
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
            others: Returns further entries to try with the best of the ladder, however the shortlist ranks them.
            spectrum: The bandwidth that the spectrum recommends; tried if the signal is too large for the regressions.
        """
        others_of = others or (lambda _: ())
        around = self._around(ladder[0], spectrum)
        tried = len(around) or self._ranking.tried + len(others_of(ladder[0]))
        trial_steps = self._trial_steps(tried)
        # Where nothing is ranked, one draw says all that untrained copies can.
        self._score(
            around or ladder, trial_steps, -math.inf if self._ranking.is_fixed and not around else None
        )
        axis_reasons, reshaped = ([], []) if around else self._refine_axes(trial_steps)
        # Unlike axes that were tried and not kept are no candidates: in seven of the design cases one of them was
        # trained and chosen all the same, and lost 2 dB on average.
        entries = dict.fromkeys([*(around or ladder), *reshaped])
        ranked = sorted(entries, key=lambda entry: self._scores[entry].error)
        finalists = around or self._finalists(ranked)
        extra = [entry for entry in others_of(ranked[0]) if entry not in finalists]
        self._score(extra, trial_steps)
        finalists = list(dict.fromkeys([*finalists, *extra]))
        if trial_steps:
            self._try(finalists, trial_steps)
        # Without trials nothing ranks the entries of a large signal; the spectrum's is the estimate.
        if around:
            chosen = self._latest(around)
        elif self._ranking.octaves_below and not self._shortlist_counts:
            chosen = self._lowest(finalists) if self._trials else _below(ranked, self._ranking.untried_below)
        else:
            chosen = min(finalists, key=self._combined_db)
        if not around:
            self._extrapolate(chosen)
        return self._result(chosen, axis_reasons)

    def _try(self, entries: Sequence[Entry], steps: int) -> None:
        """Train entries briefly; none counts if time runs out, as trials of different lengths cannot be compared."""
        end = None if self._seconds is None else time.perf_counter() + self._seconds
        for entry in entries:
            left = None if end is None else max(TINY, end - time.perf_counter())
            self._trained[entry] = self._build(entry, self._seed)
            self._trials[entry] = self._runner.run(self._trained[entry], steps, left)
            if self._trials[entry].steps < steps:
                self._is_late = True
                self._trials.clear()
                self._extrapolated.clear()
                return
            if self._ranking.by_outlook:
                self._extrapolate(entry)

    def _extrapolate(self, entry: Entry) -> None:
        """Extrapolate a trial by the tangent kernel of its trained network, once."""
        if (
            entry in self._trials
            and entry not in self._extrapolated
            and math.isfinite(self._trials[entry].error)
        ):
            self._trials[entry] = self._runner.extrapolate(self._trained[entry], self._trials[entry])
            self._extrapolated.add(entry)

    def _finalists(self, ranked: Sequence[Entry]) -> list[Entry]:
        """Entries to train briefly, among those that the regressions rank, best first."""
        below = self._ranking.octaves_below
        if not below:
            return list(ranked[: self._ranking.tried])
        # Where the ladder ends below, networks of the caller are tried at the next ones above instead.
        above = range(-1, -len(below) - 1, -1) if self._ranking is OWN else ()
        return list(dict.fromkeys(_below(ranked, octaves) for octaves in (*below, *above)))[: len(below)]

    def _lowest(self, finalists: Sequence[Entry]) -> Entry:
        """The lowest finalist whose outlook is within `LOWER_DB` of the best."""
        best = min(_db(self._trials[entry].outlook) for entry in finalists)
        return next(
            (entry for entry in finalists if _db(self._trials[entry].outlook) <= best + LOWER_DB),
            finalists[0],
        )

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
        steps = min(MAX_TRIAL_STEPS, math.floor(_trial_share(count) * self._steps + 1e-9))
        return steps if steps >= MIN_TRIAL_STEPS else 0

    def _score(self, entries: Sequence[Entry], trial_steps: int, limit_db: float | None = None) -> None:
        """Score entries, those beyond a limit by a single draw of weights.

        Args:
            entries: What to score.
            trial_steps: Length of a trial.
            limit_db: Level of the error in dB beyond which an entry is out of the question; `CLOSE_DB` above the worst
                of the finalists if None.
        """
        for entry in entries:
            if entry not in self._scores:
                self._draw(entry, trial_steps, 1)
        if limit_db is None:
            # Where trials decide, the regressions say at most where to look.
            exact = self._ranking.regressions_count and not self._ranking.octaves_below
            count = self._ranking.tried if exact else 1
            errors = sorted(self._scores[entry].error for entry in entries)[:count]
            limit_db = _db(errors[-1]) + CLOSE_DB if errors else math.inf
        for entry in entries:
            if self._scores[entry].draws < DRAWS and _db(self._scores[entry].error) <= limit_db:
                self._draw(entry, trial_steps, DRAWS)

    def _draw(self, entry: Entry, trial_steps: int, draws: int) -> None:
        self._scores[entry] = self._scorer.score(
            lambda seed: self._build(entry, seed),
            trial_steps,
            draws=draws,
            begun=self._scores.get(entry),
            stopped_earlier=False,
        )

    def _refine_axes(self, trial_steps: int) -> tuple[list[Reason], list[Entry]]:
        """Try each axis of the best entry at a fourth and at four times its bandwidth; clear gains stay.

        Returns:
            What changed as a reason, and the entries of the new shape, none if no axis changed.
        """
        best = min(self._scores, key=lambda entry: self._scores[entry].error)
        kind, bandwidth = best
        axes = len(bandwidth)
        if axes == 1 or self._ranking in (*OF_ACTIVATIONS, CELLS) or kind is None:
            return [], []
        if axes > MAX_AXES:
            return [Reason(ReasonCode.TOO_MANY_AXES, {"axes": axes})], []
        changed: dict[int, float] = {}
        for axis in range(axes):
            for factor in (1 / AXIS_FACTOR, AXIS_FACTOR):
                tried = (kind, tuple(b * (factor if a == axis else 1.0) for a, b in enumerate(best[1])))
                self._score([tried], trial_steps, _db(self._scores[best].error) + CLOSE_DB)
                if _db(self._scores[best].error) - _db(self._scores[tried].error) > self.tolerance_db:
                    changed[axis] = tried[1][axis]
                    best = tried
                    break
        reshaped: list[Entry] = []
        if changed:
            # The new shape has its own best size, within a factor of 2 of the one found for the old shape.
            reshaped = [(kind, tuple(b * factor for b in best[1])) for factor in (1 / RATIO, 1.0, RATIO)]
            self._score(reshaped, trial_steps)
        units = self._signal.geometry.units
        names = units if len(set(units)) == axes else tuple(f"axis {axis}" for axis in range(axes))
        values = {
            "axes": tuple(names[axis] for axis in changed),
            "bandwidth": tuple(changed.values()),
            "tolerance_db": self.tolerance_db,
        }
        return [Reason(ReasonCode.AXIS_BANDWIDTHS, values)], reshaped

    @property
    def _shortlist_counts(self) -> bool:
        """Whether the regressions predict the trials well enough to be judged together with them."""
        if self.is_large or not self._ranking.regressions_count:
            return False
        differences = [
            _db(trial.error) - _db(self._scores[entry].trial_error)
            for entry, trial in self._trials.items()
            if math.isfinite(trial.error) and math.isfinite(self._scores[entry].trial_error)
        ]
        return len(differences) < 2 or statistics.pstdev(differences) < AGREEMENT_DB

    def _combined_db(self, entry: Entry) -> float:
        """Quantity that the choice minimises, in dB."""
        score, trial = self._scores[entry], self._trials.get(entry)
        if trial is None:
            return _db(score.error)
        if not self._shortlist_counts:
            return _db(trial.outlook)
        growth = _db(score.error) - _db(score.trial_error)
        return _db(trial.error) + growth + self._ranking.weight * _db(score.error)

    def _result(self, chosen: Entry, axis_reasons: list[Reason]) -> Comparison:
        candidates = tuple(self._candidate(entry, entry == chosen) for entry in self._scores)
        trial = self._trials.get(chosen)
        if trial is not None and chosen in self._extrapolated:
            error = trial.outlook
        elif self._ranking.is_fixed and not self.is_large:
            error = self._scores[chosen].error
        else:
            error = self._scorer.score(lambda seed: self._build(chosen, seed)).best_error
            error = error if trial is None else min(error, trial.error)
        spent = sum(trial.steps for trial in self._trials.values())
        return Comparison(
            candidates,
            error * self._unit,
            self._scorer.baseline * self._unit,
            self._scorer.held_out,
            spent,
            (self._reason(chosen, spent), *axis_reasons),
            (EXTRAPOLATED_WAVES if self._ranking in OF_ACTIVATIONS else EXTRAPOLATED)
            if chosen in self._extrapolated
            else REGRESSION_ONLY,
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
            None if trial is None or entry not in self._extrapolated else self._psnr(trial.outlook),
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
        shortest = math.ceil(MIN_TRIAL_STEPS / _trial_share(self._ranking.tried) - 1e-9)
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
            "counted_steps": self._counted,
            "ranking": self._ranking.name,
            "shortlist_counts": self._shortlist_counts,
            "outlook_psnr": tuple(
                self._psnr(self._trials[entry].outlook) for entry in tried if self._ranking.by_outlook
            ),
            "takes_lowest": bool(self._ranking.octaves_below) and not self._shortlist_counts,
            "multiplies_frequencies": self._ranking in (PERIODIC, FINER),
            "localised": self._ranking in (LOCALISED, GABOR),
            "untried_octaves": self._ranking.untried_below,
            "fixed": self._ranking.is_fixed,
            "best_by_regression": min(self._scores, key=lambda entry: self._scores[entry].error)[1],
            "uncertainty_db": self._ranking.regret_with_trials if spent else self._ranking.regret,
            "quick": self._choose is Choosing.QUICK,
            "large": self.is_large,
            "enough_steps": shortest,
            "late": self._is_late,
        }
        return Reason(ReasonCode.CANDIDATES, values, self._signal.geometry.frequency_unit)


def _db(error: float) -> float:
    return 10 * math.log10(max(error, TINY)) if error < math.inf else math.inf


def _below(ranked: Sequence[Entry], octaves: int) -> Entry:
    """The entry some rungs below the first of the ranked ones, as far as the ladder goes; above it if negative."""
    ascending = sorted(ranked, key=lambda entry: math.prod(entry[1]))
    return ascending[min(max(0, ascending.index(ranked[0]) - octaves), len(ascending) - 1)]


def _trial_share(count: int) -> float:
    """Part of the run that each of so many trials takes."""
    return min(ONE_TRIAL_SHARE, TRIAL_SHARE / count)
