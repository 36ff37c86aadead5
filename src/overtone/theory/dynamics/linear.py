"""A network replaced by its first-order expansion: modes of its kernel, and what training does to its outputs."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError, RunError
from overtone.theory.dynamics.bounds import bound, last_within
from overtone.theory.dynamics.growth import Growth
from overtone.theory.dynamics.rules import Rule, State

Rate = Callable[[int], float]
"""The learning rate of step number t, counted from 0."""

SAMPLED = 256
"""Steps between two recorded ones of which the learning rate is averaged; with fewer in between, all of them."""

CALM = 0.5
"""Share of the stable limit at which modes beyond it are taken to be held by networks that did not diverge."""


@final
@dataclass(frozen=True)
class Linearised:
    """A network's outputs and kernel at one moment, ready to be propagated. All tensors float64.

    Outputs are those that the loss sees (normalised values), of N samples and C channels, of which n are
    trained on.

    Attributes:
        outputs: (N, C) f at this moment.
        targets: (N, C) what training aims at.
        train: (n,) int64 rows that are trained on.
        eigenvalues: (n C,) of the kernel among trained outputs, ascending, none negative.
        modes: (n C, n C) its unit eigenvectors, in columns.
        cross: (N C, n C) kernel between all outputs and the modes.
        velocity: (N, C) change of the outputs per unit of learning rate by the velocity that the optimizer
            already has; None at rest.
        clipped: Largest negative eigenvalue that was set to zero, relative to the largest eigenvalue.
        gain: 2 / M with M the outputs that the loss is the mean of: n C, or more where only a part of what is
            trained on is looked at.
    """

    outputs: Tensor
    targets: Tensor
    train: Tensor
    eigenvalues: Tensor
    modes: Tensor
    cross: Tensor
    velocity: Tensor | None
    clipped: float
    gain: float

    @staticmethod
    def of(
        outputs: Tensor,
        targets: Tensor,
        kernel: Tensor,
        train: Tensor | None = None,
        velocity: Tensor | None = None,
        mean_over: int | None = None,
    ) -> Linearised:
        """Diagonalise a kernel.

        Args:
            outputs: (N, C) the network's outputs.
            targets: (N, C) targets; those of samples not trained on are not used.
            kernel: (N C, n C) kernel between all outputs and the trained ones, channel fastest.
            train: (n,) int64 rows that are trained on, or None for all.
            velocity: (N, C) as the attribute.
            mean_over: Samples that the loss is the mean over; n if None.

        Raises:
            InputError: If shapes do not fit or a number is not finite.
            RunError: If the kernel is not positive by more than rounding: beyond 1e-3 of its largest eigenvalue.
        """
        rows = torch.arange(len(outputs), device=outputs.device) if train is None else train
        channels = outputs.shape[1]
        shape = (outputs.numel(), rows.numel() * channels)
        if targets.shape != outputs.shape or tuple(kernel.shape) != shape:
            raise InputError(
                f"targets of shape {tuple(outputs.shape)} and a kernel of shape {shape}",
                f"{tuple(targets.shape)} and {tuple(kernel.shape)}",
                "pass the complete kernel, channels fastest",
                "Linearised.of",
            )
        for name, given in (("outputs", outputs), ("targets", targets), ("kernel", kernel)):
            if not bool(torch.isfinite(given).all()):
                raise InputError("finite numbers", "NaN or infinity", "check the network", name)
        wide = kernel.double()
        own = wide.reshape(len(outputs), channels, -1)[rows].reshape(shape[1], shape[1])
        values, vectors = torch.linalg.eigh((own + own.mT) / 2)
        top = float(values[-1].clamp_min(torch.finfo(torch.float64).tiny))
        clipped = max(0.0, -float(values[0])) / top
        if clipped > 1e-3:
            raise RunError(
                "a positive kernel",
                f"an eigenvalue of {-clipped:.1e} times the largest",
                "compute the kernel in float64",
                "kernel",
            )
        moving = None if velocity is None else velocity.double()
        return Linearised(
            outputs.double(),
            targets.double(),
            rows,
            values.clamp_min(0),
            vectors,
            wide @ vectors,
            moving,
            clipped,
            2 / ((mean_over or rows.numel()) * channels),
        )

    @property
    def kernel(self) -> Tensor:
        """(n C, n C) among trained outputs."""
        return (self.modes * self.eigenvalues) @ self.modes.mT

    def begin(self) -> State:
        """The state of the modes at this moment."""

        def project(field: Tensor) -> Tensor:
            return self.modes.mT @ field[self.train].reshape(-1)

        inherited = None if self.velocity is None else project(self.velocity)
        return State.at_rest(project(self.outputs - self.targets), inherited)

    def advance(
        self,
        state: State,
        rule: Rule,
        rate: float,
        steps: int,
        *,
        growth: Tensor | float = 1.0,
        ceiling: float = math.inf,
    ) -> State:
        """The state after `steps` more steps at a constant learning rate.

        Args:
            state: Where training is.
            rule: The optimizer.
            rate: Learning rate.
            steps: Number of steps.
            growth: What the eigenvalues are multiplied by, per mode or for all.
            ceiling: As in `propagate`.
        """
        values = self.eigenvalues * growth
        if ceiling < math.inf:
            values = values.clamp_max(ceiling * rule.limit(rate) / self.gain)
        after = rule.advance(state, values, self.gain, rate, steps)
        known = self.eigenvalues > 0
        ratio = torch.where(known, values / torch.where(known, self.eigenvalues, 1.0), 1.0)
        return replace(after, dual=state.dual + (after.dual - state.dual) * ratio)

    def loss(self, state: State) -> float:
        """Mean square of the residual over trained samples and channels."""
        return float(state.residual.square().mean())

    def at(self, state: State) -> Tensor:
        """(N, C) outputs of the linearised network in a state."""
        moved = (self.cross @ state.dual).reshape(self.outputs.shape)
        if self.velocity is not None:
            moved = moved + state.carried * self.velocity
        return self.outputs - moved


@final
@dataclass(frozen=True)
class Moment:
    """The linearised network at one step.

    Attributes:
        step: Optimizer steps since training began.
        outputs: (N, C) float64, as the loss sees them.
        loss: Mean square error over trained samples and channels.
    """

    step: int
    outputs: Tensor
    loss: float


def propagate(
    network: Linearised,
    rule: Rule,
    rate: Rate,
    steps: Sequence[int],
    since: int = 0,
    growth: Growth | None = None,
    ceiling: float = math.inf,
) -> Iterator[Moment]:
    """The linearised network at each of `steps`; where it diverges it ends with the last step within bounds.

    Between two recorded steps the learning rate and a growing kernel are held at their means, which is exact for
    constant ones.

    Args:
        network: Outputs and kernel after `since` steps.
        rule: The optimizer.
        rate: Learning rate per step.
        steps: Ascending steps, none before `since`.
        since: Step at which `network` was taken.
        growth: How its eigenvalues go on, or None if they stay.
        ceiling: Where faster modes are taken to be held, as a share of what is stable. Networks that have been
            trained sit at the edge of stability without diverging (Cohen et al. 2021, arXiv 2103.00065), which
            a fixed kernel does not know.

    Raises:
        InputError: If the steps do not ascend from `since`.
    """
    state, now = network.begin(), since
    largest = bound(network.loss(state))
    for step in steps:
        if step < now:
            raise InputError(f"a step of {now} or more", f"{step}", "pass ascending steps", "steps")
        if step > now:
            held = mean_rate(rate, now, step)
            factor = 1.0 if growth is None else growth.factor(now, step)
            move = functools.partial(network.advance, state, rule, held, growth=factor, ceiling=ceiling)
            after = move(step - now)
            if not network.loss(after) <= largest:
                last = last_within(_inside(network, move, largest), step - now)
                if last:
                    yield Moment(now + last, network.at(move(last)), network.loss(move(last)))
                return
            state, now = after, step
        yield Moment(step, network.at(state), network.loss(state))


def _inside(network: Linearised, move: Callable[[int], State], largest: float) -> Callable[[int], bool]:
    return lambda steps: network.loss(move(steps)) <= largest


def mean_rate(rate: Rate, start: int, stop: int) -> float:
    """Mean learning rate of the steps from `start` to before `stop`, from at most about `SAMPLED` of them."""
    steps = range(start, stop, max(1, (stop - start) // SAMPLED))
    return sum(rate(t) for t in steps) / len(steps)
