"""How a prediction is made: pilot, stability, leaps, and the course beyond them."""

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
from overtone.theory._mode_dynamics import Descent, OptimizerDynamics
from overtone.theory.dynamics._extrapolation import Extrapolation, PredictionInterval
from overtone.theory.dynamics._findings import Continuation, CostMeter
from overtone.theory.dynamics._linearised import KernelHistory, Linearised, Rate, loss_bound
from overtone.theory.dynamics._optimizers import Schedule, effective_rate
from overtone.theory.dynamics._pilot_run import PilotRun, as_loss_sees_it
from overtone.theory.dynamics._problem import PredictionProblem
from overtone.theory.dynamics._relinearisation import MAX_STEP_SHARE, Relinearisation
from overtone.theory.dynamics._stability import (
    Stability,
    divergence_step,
    largest_rate,
    linearise_at_start,
    linearise_sample,
    steps_to_diverge,
)


@final
class RecordedPilot:
    """Trains a pilot and notes rows.

    Args:
        scene: What is predicted.
        pilot: At its first step.
        rows: Steps that are recorded.
    """

    def __init__(self, scene: PredictionProblem, pilot: PilotRun, rows: Sequence[int]) -> None:
        self.scene, self.pilot, self.rows = scene, pilot, rows
        loss = self._note()
        if not math.isfinite(loss):
            raise pilot.diverged(loss)
        self._largest = loss_bound(loss, float(scene.y[scene.train].square().mean()))

    def to(self, step: int, look: Callable[[], None] | None = None) -> int | None:
        """Train up to a step, whose row is noted too, and look at the network half way, if there is a half way.

        Args:
            step: Where to.
            look: Called half way from the beginning.

        Returns:
            The last step at which the loss was within bounds if it leaves them, or else None.
        """
        middle = step // 2 if look else 0
        now = self.pilot.step
        for stop in sorted({s for s in (*self.rows, middle, step) if now < s <= step}):
            if not self.pilot.survives(stop - self.pilot.step, self._largest):
                return self.pilot.step - 1
            if (stop in self.rows or stop == step) and not self._note() <= self._largest:
                return stop - 1
            if look and 1 <= stop == middle < step:
                look()
        return None

    def _note(self) -> float:
        """The loss now, noted with its row if it is finite."""
        scene, step = self.scene, self.pilot.step
        outputs = self.pilot.outputs(scene.x)
        loss = float((outputs - scene.y)[scene.train].square().mean())
        if not bool(outputs.isfinite().all()):
            return math.nan
        scene.ledger.add(step, outputs.cpu(), loss, scene.rate(step))
        return loss


HALF, QUARTER = 0.5, 0.25
"""Share of the growth seen so far that goes on, for a whole signal and for a window."""


@final
@dataclass(frozen=True)
class PredictionOutcome:
    """What was found out.

    Attributes:
        span: The predicted records.
        stability: Whether training bears its learning rate.
        pilot: Steps that the pilot took.
        since: Step up to which the network was linearised again and again.
        clipped: Largest negative eigenvalue of the last kernel, relative to the largest.
        scatter: (band, channel) power that minibatches add at the last step, or None if it is not known.
        seconds: What a step of the pilot took; None without one.
    """

    span: PredictionInterval
    stability: Stability
    pilot: int
    since: int
    clipped: float
    scatter: NDArray[np.float64] | None
    seconds: float | None


@final
@dataclass(frozen=True, eq=False)
class PredictionRun:
    """One prediction in the making.

    Attributes:
        signal: What will be learned.
        network: The network, left as it is.
        optimizer: Its optimizer, left as it is.
        scene: What is predicted of the signal.
        whole: Whether that is all of it.
        rule: The optimizer's recursion.
        batch: Samples per step; all if None.
        schedule: Factor of the learning rate per step.
        steps: Last step.
        ratio: Growth from one recorded step to the next.
        memory: Budget in GiB.
        seed: Seeds the pilot's batches.
        attrs: Of the record.
        tell: Takes a sentence on what it will cost, as soon as that is known.
    """

    signal: Signal
    network: nn.Module
    optimizer: torch.optim.Optimizer
    scene: PredictionProblem
    whole: bool
    rule: OptimizerDynamics
    batch: int | None
    schedule: Schedule
    steps: int
    ratio: float
    memory: float
    seed: int
    attrs: dict[str, Any]
    tell: Callable[[str], None]

    def run(self, pilot: int, beyond: Continuation) -> PredictionOutcome:
        """The prediction.

        Args:
            pilot: Steps to train a copy.
            beyond: What follows them.
        """
        return self._after(pilot, beyond) if pilot else self._at_once()

    def _at_once(self) -> PredictionOutcome:
        """From the network as it is."""
        taken = self._pilot(self.schedule)
        linear = taken.linearise(
            self.scene.x, self.scene.y, self.scene.train, mean_over=taken.samples, memory=self.memory
        )
        stability = self._foresight(taken, linear)
        scatter = self._scatter(linear, taken, stability)
        span = self._course(linear, 0, False, stability.diverges_at).span(None, self._told(stability, 0))
        return PredictionOutcome(span, stability, 0, 0, linear.clipped, scatter, None)

    def _after(self, pilot: int, beyond: Continuation) -> PredictionOutcome:
        """From where a pilot ends."""
        scene, taken, kernels = self.scene, self._pilot(self.schedule), KernelHistory()
        leaps = Relinearisation(taken, scene.x, scene.y, scene.train, self.rule, self._rate)

        meter = CostMeter(self.tell, pilot, self.steps)

        def look() -> None:
            began, pace = time.perf_counter(), taken.seconds / taken.step
            kernels.note(taken.step, leaps.view().linear.kernel)
            share = MAX_STEP_SHARE if beyond is Continuation.LEAPS else math.inf
            meter.at_look(pace, time.perf_counter() - began, share)

        stability = self._survival(RecordedPilot(scene, taken, self._rows), pilot, look)
        trained, pace = taken.step, taken.seconds / max(1, taken.step)
        attrs = self._told(stability, trained)
        if stability.diverges_at is not None:
            record = scene.ledger.record(attrs).sel(step=slice(None, stability.diverges_at))
            span = PredictionInterval(record, record, record, trained)
            return PredictionOutcome(span, stability, trained, trained, 0.0, None, pace)
        scatter = (
            self._scatter(leaps.view(taken.samples).linear, taken, stability)
            if self._scatters(taken)
            else None
        )
        if beyond is Continuation.LEAPS:
            linear, kernels = scene.leap(leaps, self._rows, self.steps, kernels, meter.at_leap)
        else:
            linear = leaps.view(taken.samples).linear
        growth = kernels.growth(linear.eigenvalues, linear.modes, taken.step)
        span = self._course(linear, taken.step, True, None).span(growth, attrs)
        return PredictionOutcome(span, stability, trained, taken.step, linear.clipped, scatter, pace)

    def _survival(self, walk: RecordedPilot, pilot: int, look: Callable[[], None]) -> Stability:
        """Train the pilot, and a rate beyond stability so long that a divergence would have been seen."""
        taken, last = walk.pilot, walk.to(pilot, look)
        if last is None:
            now = self.scene.rate(taken.step)
            largest = largest_rate(linearise_sample(taken), self.rule, taken.batch)
            last = walk.to(max(pilot, min(steps_to_diverge(self.rule, now, largest), self.steps - 1)))
            if last is None:
                return Stability(now, largest)
        again = self._pilot(self.schedule)
        RecordedPilot(self.scene, again, ()).to(last)
        largest = largest_rate(linearise_at_start(self._pilot(self.schedule)), self.rule, taken.batch)
        return Stability(self.scene.rate(last), largest, last, measured=True)

    def _foresight(self, taken: PilotRun, linear: Linearised) -> Stability:
        """By the initial kernel alone."""
        seen = linear if self.whole else linearise_sample(taken)
        last = divergence_step(seen, self.rule, self._rate, taken.batch, self._rows)
        return Stability(self.scene.rate(last or 0), largest_rate(seen, self.rule, taken.batch), last)

    def _course(self, linear: Linearised, since: int, held: bool, until: int | None) -> Extrapolation:
        share = HALF if self.whole else QUARTER
        return Extrapolation(
            self.scene, linear, self.rule, self._rate, held, since, self.steps, until, self.ratio, share
        )

    def _scatters(self, taken: PilotRun) -> bool:
        return taken.batch is not None and self.rule == Descent()

    def _scatter(
        self, linear: Linearised, taken: PilotRun, stability: Stability
    ) -> NDArray[np.float64] | None:
        if taken.batch is None or not self._scatters(taken):
            return None
        last = self.steps if stability.diverges_at is None else stability.diverges_at
        return self.scene.scatter(linear, self._rate, taken.batch, last, taken.step)

    def _told(self, stability: Stability, pilot: int) -> dict[str, Any]:
        return self.attrs | {"pilot": pilot} | stability.attrs

    @property
    def _rate(self) -> Rate:
        return effective_rate(self.optimizer, self.schedule)

    @property
    def _rows(self) -> tuple[int, ...]:
        return log_steps(self.steps, self.ratio)

    def _pilot(self, schedule: Schedule) -> PilotRun:
        """A pilot on all samples that are trained on, where and in what precision the scene is."""
        index = self.signal.train_index
        x = self.signal.geometry.coords(index).to(self.scene.x.device)
        y = self.signal.normalisation.apply(self.signal.values[index]).to(self.scene.y)
        network = as_loss_sees_it(self.network)
        return PilotRun(network, self.optimizer, x, y, batch=self.batch, schedule=schedule, seed=self.seed)
