"""Which frequencies a network will have learned at which step, predicted as the record that a probe would measure."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from overtone.errors import InputError
from overtone.nn import Field
from overtone.records import derived
from overtone.signals import Signal
from overtone.spectra import Bands, NoiseFloor
from overtone.theory.agreement import Limit
from overtone.theory.dynamics.beyond import Beyond
from overtone.theory.dynamics.cost import Cost
from overtone.theory.dynamics.growth import Growth, Kernels
from overtone.theory.dynamics.leaps import Leaps
from overtone.theory.dynamics.linear import CALM, Linearised, Rate, propagate
from overtone.theory.dynamics.optimizer import Schedule, constant, rate_of, rule_of
from overtone.theory.dynamics.pilot import Pilot
from overtone.theory.dynamics.rules import Descent, Flow, Rule
from overtone.theory.dynamics.scene import Normalised, Scene
from overtone.theory.dynamics.sentences import Findings
from overtone.theory.dynamics.span import TRUST, Span
from overtone.theory.dynamics.steps import log_steps

if TYPE_CHECKING:
    import xarray

LARGEST = 4096
"""Outputs (samples times channels) up to which a kernel is diagonalised: 128 MiB a matrix, some minutes."""


@final
@dataclass(frozen=True, eq=False)
class Prediction:
    """A predicted course of training.

    Attributes:
        record: As a measured one, with `origin` "predicted", `pilot` and `sentences` among its attributes. Rows
            up to the pilot's end are measured on the pilot. NaN where the theory cannot tell.
        pilot: Steps that a copy of the network was trained before it was linearised.
        earliest: (band,) learning step if the kernel goes on growing as before; NaN if not learned within four
            times the steps asked for. Bands learned by the end of pilot and leaps have but one step.
        latest: (band,) learning step if the kernel stays what it is after pilot and leaps; NaN likewise.
        holds_until: Where these two begin to differ; None if they do not, or without a pilot of two steps to tell.
        diverges_at: The last step before a predicted divergence, or None.
        scatter: (band, channel) power that minibatches add to the residual at the last step on average, in squared
            physical units, if the kernel stays as it is at the pilot's end; None if all samples make a step, or for
            momentum and Adam, whose scatter is not known.
        cost: What it took, and what training would take.
        sentences: What to know about it.
    """

    record: xarray.Dataset
    pilot: int
    earliest: NDArray[np.float64]
    latest: NDArray[np.float64]
    holds_until: Limit | None
    diverges_at: int | None
    scatter: NDArray[np.float64] | None
    cost: Cost
    sentences: tuple[str, ...]


def predict(
    signal: Signal,
    network: Field,
    optimizer: torch.optim.Optimizer,
    steps: int,
    *,
    pilot: int = 0,
    flow: bool = False,
    part: Signal | None = None,
    batch: int | None = None,
    schedule: Schedule = constant,
    bands: Bands | None = None,
    noise: NoiseFloor | None = None,
    memory: float = 2.0,
    ratio: float = 1.15,
    seed: int = 0,
) -> Prediction:
    """Predict the record of a training run from the network's own initial output and its tangent kernel.

    The loss is the mean over samples and channels of (f - y)^2, both normalised, as in `overtone.training`. With a
    pilot, a copy is trained that many steps, and goes on by `Leaps` as far as these pay, but not on a part of the
    signal, nor for Adam on minibatches (`Beyond` says why). From there the kernel is continued: if it stays, bands are
    learned at the latest; if its eigenvalues go on as the power of the step at which they grew before, at the
    earliest; the prediction takes half that power. A band whose earliest and latest steps differ by more than a factor
    of 4 is not told: its rows are NaN from where the two part. Neither network nor optimizer is changed.

    Args:
        signal: What will be learned.
        network: The field, as training will begin with it.
        optimizer: SGD (with momentum), Adam or AdamW of the field's parameters, without weight decay.
        steps: Last step to predict.
        pilot: Steps to train a copy; 5 % of `steps` at most is what the accuracy table is about. Adam without
            second moments needs at least 1.
        flow: Gradient flow instead of the optimizer's own steps.
        part: The part of the signal to predict, if it is too large as a whole; the signal itself if None. Other
            samples count in the loss's mean, and are taken not to matter for the part's residual.
        batch: Samples per step; all if None. Minibatches are predicted by their mean, with the scatter beside it.
        schedule: Factor of the learning rate per step.
        bands: Bands of the record; the default ones if None.
        noise: The signal's noise floor, if known.
        memory: Budget in GiB.
        ratio: Growth from one recorded step to the next.
        seed: Seeds the pilot's batches.

    Returns:
        The prediction.

    Raises:
        InputError: If the signal is too large, the pilot not within the steps, or the optimizer unknown.
        RunError: If the pilot diverges.

    Source: Jacot, Gabriel, Hongler 2018 (arXiv 1806.07572); Lee et al. 2019 (arXiv 1902.06720), section 2.
    """
    began, seen = time.perf_counter(), signal if part is None else part
    _check(seen, network, optimizer, steps, pilot, batch)
    base = float(optimizer.param_groups[0]["lr"])
    scene = Scene.of(signal, seen, network, lambda step: base * schedule(step), bands, noise)
    taken = _pilot(signal, network, optimizer, scene, batch, schedule, seed)
    rule: Rule = Flow() if flow else rule_of(optimizer)
    rate = rate_of(optimizer, schedule)
    rows = log_steps(steps, ratio)
    beyond = Beyond.of(pilot, part is not None, taken.batch is not None, optimizer)
    kernels, leaps = Kernels(), Leaps(taken, scene.x, scene.y, scene.train, rule, rate)

    def look() -> None:
        kernels.note(taken.step, leaps.view().linear.kernel)

    def linearised() -> Linearised:
        if pilot:
            return leaps.view(taken.samples).linear
        return taken.linearise(scene.x, scene.y, scene.train, mean_over=taken.samples, memory=memory)

    scene.walk(taken, rows, pilot, look)
    scatter = None
    if taken.batch is not None and rule == Descent():
        scatter = scene.scatter(linearised(), rate, taken.batch, steps, pilot)
    if beyond is Beyond.LEAPS:
        linear, kernels = scene.leap(leaps, rows, steps, kernels)
    else:
        linear = linearised()
    course = _Course(scene, linear, rule, rate, pilot, taken.step, steps, ratio, beyond, scatter)
    growth = kernels.growth(linear.eigenvalues, linear.modes, taken.step)
    span = course.span(growth, _attrs(network, optimizer, pilot, seed) | {"continued": beyond.value})
    cost = Cost(time.perf_counter() - began, taken.seconds / pilot * steps if pilot else None)
    return course.result(span, cost, None if part is None else seen.geometry.shape, signal.geometry.shape)


def _pilot(
    signal: Signal,
    network: Field,
    optimizer: torch.optim.Optimizer,
    scene: Scene,
    batch: int | None,
    schedule: Schedule,
    seed: int,
) -> Pilot:
    """A pilot on all samples that are trained on, where and in what precision the scene is."""
    index = signal.train_index
    x = signal.geometry.coords(index).to(scene.x.device)
    y = signal.normalisation.apply(signal.values[index]).to(scene.y)
    return Pilot(Normalised(network), optimizer, x, y, batch=batch, schedule=schedule, seed=seed)


@final
@dataclass(frozen=True)
class _Course:
    """A linearised network on its way through the steps, beyond the last one so that late bands are seen too."""

    scene: Scene
    linear: Linearised
    rule: Rule
    rate: Rate
    pilot: int
    since: int
    steps: int
    ratio: float
    beyond: Beyond
    scatter: NDArray[np.float64] | None

    def span(self, growth: Growth | None, attrs: dict[str, Any]) -> Span:
        """The prediction between its extremes; without a growth they are one."""
        frozen = self._record(None, attrs)
        if growth is None:
            return Span(frozen, frozen, frozen, self.since)
        return Span(self._record(growth, attrs), self._record(growth.slowed(0.5), attrs), frozen, self.since)

    def result(
        self, span: Span, cost: Cost, part: tuple[int, ...] | None, whole: tuple[int, ...]
    ) -> Prediction:
        """The record up to the last step, with what to know about it."""
        record = span.told(self.steps)
        last = int(record.step[-1])
        sentences = Findings(
            steps=self.steps,
            pilot=self.pilot,
            since=self.since,
            sharpness=self.linear.gain
            * float(self.linear.eigenvalues[-1])
            / self.rule.limit(self.rate(self.since)),
            rate=self.scene.rate(self.since),
            diverges_at=last if last < self.steps else None,
            clipped=self.linear.clipped,
            beyond=self.beyond,
            scatter=self._relative(record),
            cost=cost,
            part=part,
            whole=whole,
        ).sentences(record, span.untold)
        return Prediction(
            record.assign_attrs(sentences=sentences),
            self.pilot,
            span.earliest,
            span.latest,
            span.limit,
            last if last < self.steps else None,
            self.scatter,
            cost,
            tuple(sentences),
        )

    def _relative(self, record: xarray.Dataset) -> float | None:
        """The largest root of the scatter over the target power of a band that holds something."""
        if self.scatter is None:
            return None
        together = derived.combine_channels(record)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.sqrt(self.scatter.sum(1) / together.target_power.values)
        return float(share[derived.has_content(together).values].max(initial=0.0))

    def _record(self, growth: Growth | None, attrs: dict[str, Any]) -> xarray.Dataset:
        beyond = log_steps(round(TRUST * self.steps), self.ratio)
        steps = sorted({s for s in (*beyond, self.steps) if s > self.since})
        ceiling = CALM if self.pilot else math.inf
        after = [self.since, *steps]
        moments = list(propagate(self.linear, self.rule, self.rate, after, self.since, growth, ceiling))
        return self.scene.record(moments, attrs)


def _attrs(network: Field, optimizer: torch.optim.Optimizer, pilot: int, seed: int) -> dict[str, Any]:
    return {
        "pilot": pilot,
        "network": network.describe(),
        "parameters": network.parameter_count,
        "optimizer": type(optimizer).__name__,
        "seed": seed,
    }


def _check(
    signal: Signal,
    network: Field,
    optimizer: torch.optim.Optimizer,
    steps: int,
    pilot: int,
    batch: int | None,
) -> None:
    outputs = signal.values.numel()
    if outputs > LARGEST:
        raise InputError(
            f"at most {LARGEST} outputs (samples times channels)",
            f"{outputs}",
            "pass a part of the signal to predict",
            "signal",
        )
    if steps < 1:
        raise InputError("at least one step", f"{steps}", "predict further", "steps")
    if not 0 <= pilot < steps:
        raise InputError(f"a pilot of 0 to {steps - 1} steps", f"{pilot}", "predict more steps", "pilot")
    if batch is not None and batch < 1:
        raise InputError("at least one sample per batch", f"{batch}", "pass for instance 64", "batch")
    moved = {id(p) for group in optimizer.param_groups for p in group["params"]}
    left = [name for name, p in network.named_parameters() if p.requires_grad and id(p) not in moved]
    if left:
        raise InputError(
            "an optimizer of all parameters that require gradients",
            f"one without {left[0]}" + (f" and {len(left) - 1} more" if left[1:] else ""),
            "pass the network's own optimizer, or call requires_grad_(False) on what it leaves alone",
            "optimizer",
        )
