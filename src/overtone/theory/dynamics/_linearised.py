"""What counts as divergence, and the last step before it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError, RunError
from overtone.theory._mode_dynamics import ModeState, OptimizerDynamics

DIVERGENCE_FACTOR = 1e6
"""Growth of the loss beyond which training counts as diverged."""


def loss_bound(*losses: float) -> float:
    """The largest loss that is no divergence.

    Args:
        losses: Of the start, and others that are no divergence, in squared units.
    """
    return DIVERGENCE_FACTOR * max(*losses, torch.finfo(torch.float64).tiny)


def last_true(holds: Callable[[int], bool], beyond: int) -> int:
    """The last n below `beyond` that holds, by bisection.

    Args:
        holds: True up to some n and false from there; true at 0.
        beyond: An n that does not hold.
    """
    low, high = 0, beyond
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


APART = 1.5
"""Ratio of the steps of two kernels from which a growth is read, where there are such."""

STEEPEST = 4.0
"""Largest exponent that is believed: twice the steps then multiply an eigenvalue by 16."""


@final
@dataclass(frozen=True)
class KernelGrowth:
    """Eigenvalues that go on as k(t) = k(s) (t / s)^g for t >= s.

    Attributes:
        exponents: (mode,) g, between 0 and `STEEPEST`.
        since: s, the step of the kernel whose eigenvalues are continued.
    """

    exponents: Tensor
    since: int

    @staticmethod
    def between(earlier: Tensor, eigenvalues: Tensor, modes: Tensor, first: int, second: int) -> KernelGrowth:
        """Exponents from the kernel at two steps: g = log(k / u^T K' u) / log(s / s') for each mode u.

        Args:
            earlier: (M, M) the kernel K' at step `first`.
            eigenvalues: (M,) k of the kernel at step `second`.
            modes: (M, M) its eigenvectors u, in columns.
            first: s', at least 1.
            second: s, after it.

        Raises:
            InputError: If the steps are not 1 <= first < second.
        """
        if not 1 <= first < second:
            raise InputError(
                "1 <= first < second", f"{first} and {second}", "linearise twice along the pilot", "growth"
            )
        floor = torch.finfo(torch.float64).eps * len(modes) * eigenvalues.max()
        before = ((earlier.double() @ modes) * modes).sum(0).clamp_min(floor)
        ratio = torch.log(eigenvalues.clamp_min(floor) / before)
        per_octave = torch.log(torch.tensor(second / first, dtype=torch.float64, device="cpu"))
        return KernelGrowth((ratio / per_octave).clamp(0, STEEPEST), second)

    def slowed(self, share: float) -> KernelGrowth:
        """The same with `share` of the exponents."""
        return KernelGrowth(share * self.exponents, self.since)

    def factor(self, start: int, stop: int) -> Tensor:
        """(mode,) mean of (t / s)^g over start <= t <= stop."""
        power = self.exponents + 1
        a, b = start / self.since, stop / self.since
        return (b**power - a**power) / (power * (b - a))


@final
class KernelHistory:
    """A few kernels of the same samples on the way, to read a growth from."""

    def __init__(self) -> None:
        self._noted: list[tuple[int, Tensor]] = []

    def branch(self) -> KernelHistory:
        """Another one that begins with the same kernels."""
        other = KernelHistory()
        other._noted = list(self._noted)
        return other

    def note(self, step: int, kernel: Tensor) -> None:
        """Keep the kernel at a step, unless one shortly before is kept; steps ascend from 1."""
        if self._noted and step < self._noted[-1][0] * math.sqrt(APART):
            return
        known = [each for each in self._noted if each[0] * APART <= step]
        self._noted = [*known[-1:], *self._noted[len(known) :], (step, kernel)]

    def growth(self, eigenvalues: Tensor, modes: Tensor, step: int) -> KernelGrowth | None:
        """The growth from the last kernel `APART` before `step`, or else the first one; None if there is none earlier.

        Args:
            eigenvalues: (M,) of the kernel at `step`.
            modes: (M, M) its eigenvectors, in columns.
            step: Step of that kernel.
        """
        earlier = [each for each in self._noted if each[0] < step]
        far = [each for each in earlier if each[0] * APART <= step]
        if not earlier:
            return None
        first, kernel = far[-1] if far else earlier[0]
        return KernelGrowth.between(kernel, eigenvalues, modes, first, step)


Rate = Callable[[int], float]
"""The learning rate of step number t, counted from 0."""

SAMPLED = 256
"""Steps between two recorded ones of which the learning rate is averaged; with fewer in between, all of them."""

EDGE_FRACTION = 0.5
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

    def begin(self) -> ModeState:
        """The state of the modes at this moment."""

        def project(field: Tensor) -> Tensor:
            return self.modes.mT @ field[self.train].reshape(-1)

        inherited = None if self.velocity is None else project(self.velocity)
        return ModeState.at_rest(project(self.outputs - self.targets), inherited)

    def advance(
        self,
        state: ModeState,
        rule: OptimizerDynamics,
        rate: float,
        steps: int,
        *,
        growth: Tensor | float = 1.0,
        ceiling: float = math.inf,
    ) -> ModeState:
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

    def loss(self, state: ModeState) -> float:
        """Mean square of the residual over trained samples and channels."""
        return float(state.residual.square().mean())

    def at(self, state: ModeState) -> Tensor:
        """(N, C) outputs of the linearised network in a state."""
        moved = (self.cross @ state.dual).reshape(self.outputs.shape)
        if self.velocity is not None:
            moved = moved + state.carried * self.velocity
        return self.outputs - moved


@final
@dataclass(frozen=True)
class Snapshot:
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
    rule: OptimizerDynamics,
    rate: Rate,
    steps: Sequence[int],
    since: int = 0,
    growth: KernelGrowth | None = None,
    ceiling: float = math.inf,
) -> Iterator[Snapshot]:
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
    largest = loss_bound(network.loss(state))
    for step in steps:
        if step < now:
            raise InputError(f"a step of {now} or more", f"{step}", "pass ascending steps", "steps")
        if step > now:
            held = mean_rate(rate, now, step)
            factor = 1.0 if growth is None else growth.factor(now, step)
            move = functools.partial(network.advance, state, rule, held, growth=factor, ceiling=ceiling)
            after = move(step - now)
            if not network.loss(after) <= largest:
                last = last_true(_inside(network, move, largest), step - now)
                if last:
                    yield Snapshot(now + last, network.at(move(last)), network.loss(move(last)))
                return
            state, now = after, step
        yield Snapshot(step, network.at(state), network.loss(state))


def _inside(network: Linearised, move: Callable[[int], ModeState], largest: float) -> Callable[[int], bool]:
    return lambda steps: network.loss(move(steps)) <= largest


def mean_rate(rate: Rate, start: int, stop: int) -> float:
    """Mean learning rate of the steps from `start` to before `stop`, from at most about `SAMPLED` of them."""
    steps = range(start, stop, max(1, (stop - start) // SAMPLED))
    return sum(rate(t) for t in steps) / len(steps)
