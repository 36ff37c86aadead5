"""Steps of a prediction: pilot, stability, relinearisation, and the extrapolation beyond them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from overtone._utils.steps import log_steps
from overtone.signals import Signal
from overtone.theory._mode_dynamics import OptimizerDynamics
from overtone.theory.dynamics._cost import Cost, CostMeter, WorkBudget, WorkCounter, eigensystem_seconds
from overtone.theory.dynamics._extrapolation import Extrapolation, PredictionInterval
from overtone.theory.dynamics._findings import Continuation
from overtone.theory.dynamics._linearised import KernelHistory, Linearised, Rate, loss_bound
from overtone.theory.dynamics._optimizers import Schedule, effective_rate
from overtone.theory.dynamics._pilot_run import PilotRun, as_loss_sees_it
from overtone.theory.dynamics._problem import PredictionProblem
from overtone.theory.dynamics._relinearisation import MAX_STEP_SHARE, Relinearisation
from overtone.theory.dynamics._stability import (
    Stability,
    divergence_step,
    largest_rate,
    largest_rate_of_pilot,
    linearise_sample,
    pilot_at_rest,
    steps_to_diverge,
)

HALF, QUARTER = 0.5, 0.25
"""Share of the earlier growth that continues, for a whole signal and for a window."""


RECORDS = 0.8
"""Nominal seconds of the largest stable rate, of the records and of their evaluation."""


SMALLEST = 0.6
"""Nominal seconds of the same for a small network, by which a cost above its limit is estimated."""


MARGIN = 0.5
"""Share of the limit on cost that nominal work may use: expansions are bound by memory more than training steps are."""


TIMED = 3
"""Steps that are timed before a prediction."""


KERNELS = 2
"""Kernels that every prediction with a pilot computes: half way through the pilot and at its end."""


@final
class RecordedPilot:
    """A pilot whose rows are added to the record of a problem.

    Args:
        problem: The prediction problem.
        pilot: Pilot at its first step.
        rows: Recorded steps.

    Raises:
        RunError: If the loss is not finite at the start.
    """

    def __init__(self, problem: PredictionProblem, pilot: PilotRun, rows: Sequence[int]) -> None:
        self.problem, self.pilot, self.rows = problem, pilot, rows
        loss = self._record()
        if not math.isfinite(loss):
            raise pilot.diverged(loss)
        self._largest = loss_bound(loss, float(problem.y[problem.train].square().mean()))

    def train_and_record(self, step: int, at_half: Callable[[], None] | None = None) -> int | None:
        """Train up to a step, and record that step too.

        Args:
            step: Last step.
            at_half: Function that is called half way from the beginning, if there is such a step.

        Returns:
            The last step at which the loss was within bounds if it leaves them, otherwise None.
        """
        middle = step // 2 if at_half else 0
        now = self.pilot.step
        for stop in sorted({s for s in (*self.rows, middle, step) if now < s <= step}):
            if not self.pilot.survives(stop - self.pilot.step, self._largest):
                return self.pilot.step - 1
            # The loss of a minibatch may stay small when that of all samples does not: rows contain both.
            if (stop in self.rows or stop == step) and not self._record() <= self._largest:
                return stop - 1
            if at_half and 1 <= stop == middle < step:
                at_half()
        return None

    def _record(self) -> float:
        """Add the current row if it is finite; return the loss."""
        problem, step = self.problem, self.pilot.step
        outputs = self.pilot.outputs(problem.x)
        loss = float((outputs - problem.y)[problem.train].square().mean())
        if not bool(outputs.isfinite().all()):
            return math.nan
        problem.builder.add(step, outputs.cpu(), loss, problem.rate(step))
        return loss


@final
@dataclass(frozen=True)
class PredictionOutcome:
    """Outcome of a prediction.

    Attributes:
        interval: The predicted records.
        stability: Stability of the training.
        pilot: Steps of the pilot.
        since: Step up to which the network was relinearised.
        clipped: Largest negative eigenvalue of the last kernel, relative to the largest.
        scatter: (band, channel) power that minibatches add at the last step, or None if it is not known.
        seconds: Seconds of a step of the pilot; None without one.
        limited: Whether the limit on cost ended relinearisation.
    """

    interval: PredictionInterval
    stability: Stability
    pilot: int
    since: int
    clipped: float
    scatter: NDArray[np.float64] | None
    seconds: float | None
    limited: bool = False


@final
@dataclass(frozen=True, eq=False)
class PredictionRun:
    """One prediction in progress.

    Attributes:
        signal: Signal of the training.
        network: The network, which is not changed.
        optimizer: Optimizer of the network, which is not changed.
        problem: The prediction problem.
        whole: Whether the problem covers the whole signal.
        rule: The optimizer's recursion.
        batch: Samples per step; all if None.
        schedule: Factor of the learning rate per step.
        steps: Last step.
        ratio: Growth from one recorded step to the next.
        memory: Budget in GiB.
        seed: Seed of the pilot's batches.
        attrs: Attributes of the record.
        callback: Function that receives the estimated cost as soon as it is known.
        max_cost: Largest cost after a pilot, as a share of the training's; infinite for no limit.
    """

    signal: Signal
    network: nn.Module
    optimizer: torch.optim.Optimizer
    problem: PredictionProblem
    whole: bool
    rule: OptimizerDynamics
    batch: int | None
    schedule: Schedule
    steps: int
    ratio: float
    memory: float
    seed: int
    attrs: dict[str, Any]
    callback: Callable[[Cost], None]
    max_cost: float = math.inf

    def run(self, pilot: int, continuation: Continuation) -> PredictionOutcome:
        """Run the prediction.

        Args:
            pilot: Training steps of the copy.
            continuation: Method used after the pilot.
        """
        return self._from_pilot(pilot, continuation) if pilot else self._from_start()

    def _from_start(self) -> PredictionOutcome:
        """Predict from the initial network only."""
        pilot = self._pilot_run(self.schedule)
        linear = pilot.linearise(
            self.problem.x,
            self.problem.y,
            self.problem.train,
            mean_over=pilot.samples,
            memory=self.memory,
        )
        stability = self._stability_at_start(pilot, linear)
        until = stability.diverges_at
        interval = self._extrapolation(linear, 0, False, until).interval(
            None, self._record_attrs(stability, 0)
        )
        scatter = self._scatter(linear, pilot, stability)
        return PredictionOutcome(interval, stability, 0, 0, linear.clipped, scatter, None)

    def _from_pilot(self, steps: int, continuation: Continuation) -> PredictionOutcome:
        """Predict from the end of a pilot."""
        problem, pilot, history = self.problem, self._pilot_run(self.schedule), KernelHistory()
        relinearisation = Relinearisation(
            pilot, problem.x, problem.y, problem.train, self.rule, self._effective_rate
        )
        meter = CostMeter(self.callback, steps, self.steps, self.max_cost)
        budget = self._budget(steps, meter)

        def at_half() -> None:
            # The kernel half way is needed for its growth, and its time provides the first estimate of the cost.
            start, pace = time.perf_counter(), pilot.seconds / pilot.step
            expansion = budget.spend("first expansion", relinearisation.expand)
            history.add(pilot.step, expansion.linear.kernel)
            share = MAX_STEP_SHARE if continuation is Continuation.RELINEARISED else math.inf
            meter.after_half_pilot(pace, time.perf_counter() - start, share)

        stability = self._train_pilot(RecordedPilot(problem, pilot, self._rows), steps, at_half)
        trained, pace = pilot.step, pilot.seconds / max(1, pilot.step)
        attrs = self._record_attrs(stability, trained)
        if stability.diverges_at is not None:
            record = problem.builder.record(attrs).sel(step=slice(None, stability.diverges_at))
            interval = PredictionInterval(record, record, record, trained, False)
            return PredictionOutcome(interval, stability, trained, trained, 0.0, None, pace)
        scatter = (
            self._scatter(relinearisation.expand(pilot.samples).linear, pilot, stability)
            if self._has_scatter(pilot)
            else None
        )
        if continuation is Continuation.RELINEARISED:
            linear, history = problem.relinearise(
                relinearisation, self._rows, self.steps, history, budget, meter.after_expansion
            )
        else:
            linear = relinearisation.expand_verified(pilot.samples).linear
        growth = history.growth(linear.eigenvalues, linear.modes, pilot.step)
        interval = self._extrapolation(linear, pilot.step, True, None).interval(growth, attrs)
        return PredictionOutcome(
            interval, stability, trained, pilot.step, linear.clipped, scatter, pace, budget.exhausted
        )

    def _budget(self, pilot: int, meter: CostMeter) -> WorkBudget:
        """Return the work that is left after the pilot, counted on a few steps of a copy, and report their time."""
        if math.isinf(self.max_cost):
            return WorkBudget(math.inf)
        # The first step also creates the optimizer's state; the second is counted, the next are timed.
        copied = self._pilot_run(self.schedule)
        copied.survives(1, math.inf)
        with WorkCounter() as counter:
            copied.survives(1, math.inf)
        times = []
        for _ in range(TIMED):
            before = copied.seconds
            copied.survives(1, math.inf)
            times.append(copied.seconds - before)
        share = max(0.0, self.max_cost * self.steps - pilot)
        work = MARGIN * share * counter.seconds - RECORDS
        # Two kernels are computed in any case: where they exceed the limit, only their estimate is true.
        kernels = KERNELS * eigensystem_seconds(self.problem.y[self.problem.train].numel())
        # The fastest is least disturbed by what else runs.
        seconds = min(times)
        if work >= kernels:
            meter.before_pilot(seconds)
        else:
            meter.before_pilot(seconds, pilot * seconds + kernels + SMALLEST)
        return WorkBudget(work)

    def _train_pilot(self, recorded: RecordedPilot, steps: int, at_half: Callable[[], None]) -> Stability:
        """Train the pilot; at an unstable rate continue until a divergence would have been visible."""
        pilot, last = recorded.pilot, recorded.train_and_record(steps, at_half)
        if last is None:
            rate = self.problem.rate(pilot.step)
            largest = largest_rate_of_pilot(pilot, self.rule, pilot.batch)
            enough = min(steps_to_diverge(self.rule, rate, largest), self.steps - 1)
            last = recorded.train_and_record(max(steps, enough))
            if last is None:
                return Stability(rate, largest)
        # The divergence may have been detected steps after the last row: train once more to add the row of `last`.
        again = self._pilot_run(self.schedule)
        RecordedPilot(self.problem, again, ()).train_and_record(last)
        largest = largest_rate_of_pilot(pilot_at_rest(self._pilot_run(self.schedule)), self.rule, pilot.batch)
        return Stability(self.problem.rate(last), largest, last, measured=True)

    def _stability_at_start(self, pilot: PilotRun, linear: Linearised) -> Stability:
        """Return the stability by the initial kernel only."""
        representative = linear if self.whole else linearise_sample(pilot)
        last = divergence_step(representative, self.rule, self._effective_rate, pilot.batch, self._rows)
        largest = largest_rate(representative, self.rule, pilot.batch)
        return Stability(self.problem.rate(last or 0), largest, last)

    def _extrapolation(
        self, linear: Linearised, since: int, at_edge: bool, until: int | None
    ) -> Extrapolation:
        share = HALF if self.whole else QUARTER
        return Extrapolation(
            self.problem,
            linear,
            self.rule,
            self._effective_rate,
            at_edge,
            since,
            self.steps,
            until,
            self.ratio,
            share,
        )

    def _has_scatter(self, pilot: PilotRun) -> bool:
        return pilot.batch is not None and self.rule.plain_descent

    def _scatter(
        self, linear: Linearised, pilot: PilotRun, stability: Stability
    ) -> NDArray[np.float64] | None:
        if pilot.batch is None or not self._has_scatter(pilot):
            return None
        last = self.steps if stability.diverges_at is None else stability.diverges_at
        return self.problem.scatter(linear, self._effective_rate, pilot.batch, last, pilot.step)

    def _record_attrs(self, stability: Stability, pilot: int) -> dict[str, Any]:
        return self.attrs | {"pilot": pilot} | stability.attrs

    @property
    def _effective_rate(self) -> Rate:
        return effective_rate(self.optimizer, self.schedule)

    @property
    def _rows(self) -> tuple[int, ...]:
        return log_steps(self.steps, self.ratio)

    def _pilot_run(self, schedule: Schedule) -> PilotRun:
        """Return a pilot on all trained samples, on the device and in the precision of the problem."""
        index = self.signal.train_index
        x = self.signal.geometry.coords(index).to(self.problem.x.device)
        y = self.signal.normalisation.apply(self.signal.values[index]).to(self.problem.y)
        network = as_loss_sees_it(self.network)
        return PilotRun(network, self.optimizer, x, y, batch=self.batch, schedule=schedule, seed=self.seed)
