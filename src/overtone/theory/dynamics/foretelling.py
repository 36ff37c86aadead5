"""How a prediction is made: pilot, stability, leaps, and the course beyond them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from overtone.signals import Signal
from overtone.theory.dynamics.beyond import Beyond
from overtone.theory.dynamics.cost import Meter
from overtone.theory.dynamics.course import Course
from overtone.theory.dynamics.growth import Kernels
from overtone.theory.dynamics.leaps import LONGEST, Leaps
from overtone.theory.dynamics.linear import Linearised, Rate
from overtone.theory.dynamics.optimizer import Schedule, rate_of
from overtone.theory.dynamics.pilot import Pilot
from overtone.theory.dynamics.rules import Descent, Rule
from overtone.theory.dynamics.scene import Scene
from overtone.theory.dynamics.span import Span
from overtone.theory.dynamics.stability import Stability, at_rest, ends, largest_rate, proof, sampled
from overtone.theory.dynamics.steps import log_steps
from overtone.theory.dynamics.trained import as_trained
from overtone.theory.dynamics.walk import Walk

HALF, QUARTER = 0.5, 0.25
"""Share of the growth seen so far that goes on, for a whole signal and for a window."""


@final
@dataclass(frozen=True)
class Found:
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

    span: Span
    stability: Stability
    pilot: int
    since: int
    clipped: float
    scatter: NDArray[np.float64] | None
    seconds: float | None


@final
@dataclass(frozen=True, eq=False)
class Foretelling:
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
    scene: Scene
    whole: bool
    rule: Rule
    batch: int | None
    schedule: Schedule
    steps: int
    ratio: float
    memory: float
    seed: int
    attrs: dict[str, Any]
    tell: Callable[[str], None]

    def run(self, pilot: int, beyond: Beyond) -> Found:
        """The prediction.

        Args:
            pilot: Steps to train a copy.
            beyond: What follows them.
        """
        return self._after(pilot, beyond) if pilot else self._at_once()

    def _at_once(self) -> Found:
        """From the network as it is."""
        taken = self._pilot(self.schedule)
        linear = taken.linearise(
            self.scene.x, self.scene.y, self.scene.train, mean_over=taken.samples, memory=self.memory
        )
        stability = self._foresight(taken, linear)
        scatter = self._scatter(linear, taken, stability)
        span = self._course(linear, 0, False, stability.diverges_at).span(None, self._told(stability, 0))
        return Found(span, stability, 0, 0, linear.clipped, scatter, None)

    def _after(self, pilot: int, beyond: Beyond) -> Found:
        """From where a pilot ends."""
        scene, taken, kernels = self.scene, self._pilot(self.schedule), Kernels()
        leaps = Leaps(taken, scene.x, scene.y, scene.train, self.rule, self._rate)

        meter = Meter(self.tell, pilot, self.steps)

        def look() -> None:
            began, pace = time.perf_counter(), taken.seconds / taken.step
            kernels.note(taken.step, leaps.view().linear.kernel)
            share = LONGEST if beyond is Beyond.LEAPS else math.inf
            meter.at_look(pace, time.perf_counter() - began, share)

        stability = self._survival(Walk(scene, taken, self._rows), pilot, look)
        trained, pace = taken.step, taken.seconds / max(1, taken.step)
        attrs = self._told(stability, trained)
        if stability.diverges_at is not None:
            record = scene.ledger.record(attrs).sel(step=slice(None, stability.diverges_at))
            span = Span(record, record, record, trained)
            return Found(span, stability, trained, trained, 0.0, None, pace)
        scatter = (
            self._scatter(leaps.view(taken.samples).linear, taken, stability)
            if self._scatters(taken)
            else None
        )
        if beyond is Beyond.LEAPS:
            linear, kernels = scene.leap(leaps, self._rows, self.steps, kernels, meter.at_leap)
        else:
            linear = leaps.view(taken.samples).linear
        growth = kernels.growth(linear.eigenvalues, linear.modes, taken.step)
        span = self._course(linear, taken.step, True, None).span(growth, attrs)
        return Found(span, stability, trained, taken.step, linear.clipped, scatter, pace)

    def _survival(self, walk: Walk, pilot: int, look: Callable[[], None]) -> Stability:
        """Train the pilot, and a rate beyond stability so long that a divergence would have been seen."""
        taken, last = walk.pilot, walk.to(pilot, look)
        if last is None:
            now = self.scene.rate(taken.step)
            largest = largest_rate(sampled(taken), self.rule, taken.batch)
            last = walk.to(max(pilot, min(proof(self.rule, now, largest), self.steps - 1)))
            if last is None:
                return Stability(now, largest)
        again = self._pilot(self.schedule)
        Walk(self.scene, again, ()).to(last)
        largest = largest_rate(at_rest(self._pilot(self.schedule)), self.rule, taken.batch)
        return Stability(self.scene.rate(last), largest, last, measured=True)

    def _foresight(self, taken: Pilot, linear: Linearised) -> Stability:
        """By the initial kernel alone."""
        seen = linear if self.whole else sampled(taken)
        last = ends(seen, self.rule, self._rate, taken.batch, self._rows)
        return Stability(self.scene.rate(last or 0), largest_rate(seen, self.rule, taken.batch), last)

    def _course(self, linear: Linearised, since: int, held: bool, until: int | None) -> Course:
        share = HALF if self.whole else QUARTER
        return Course(
            self.scene, linear, self.rule, self._rate, held, since, self.steps, until, self.ratio, share
        )

    def _scatters(self, taken: Pilot) -> bool:
        return taken.batch is not None and self.rule == Descent()

    def _scatter(self, linear: Linearised, taken: Pilot, stability: Stability) -> NDArray[np.float64] | None:
        if taken.batch is None or not self._scatters(taken):
            return None
        last = self.steps if stability.diverges_at is None else stability.diverges_at
        return self.scene.scatter(linear, self._rate, taken.batch, last, taken.step)

    def _told(self, stability: Stability, pilot: int) -> dict[str, Any]:
        return self.attrs | {"pilot": pilot} | stability.attrs

    @property
    def _rate(self) -> Rate:
        return rate_of(self.optimizer, self.schedule)

    @property
    def _rows(self) -> tuple[int, ...]:
        return log_steps(self.steps, self.ratio)

    def _pilot(self, schedule: Schedule) -> Pilot:
        """A pilot on all samples that are trained on, where and in what precision the scene is."""
        index = self.signal.train_index
        x = self.signal.geometry.coords(index).to(self.scene.x.device)
        y = self.signal.normalisation.apply(self.signal.values[index]).to(self.scene.y)
        network = as_trained(self.network)
        return Pilot(network, self.optimizer, x, y, batch=self.batch, schedule=schedule, seed=self.seed)
