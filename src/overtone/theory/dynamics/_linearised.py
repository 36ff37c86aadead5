"""First-order expansion of a network: modes of its kernel, its outputs along training, and the growth of the kernel."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from overtone._utils.display import Result
from overtone.errors import InputError, RunError
from overtone.theory._mode_dynamics import ModeState, OptimizerDynamics

DIVERGENCE_FACTOR = 1e6
"""Growth of the loss beyond which training counts as diverged."""


def loss_bound(*losses: float) -> float:
    """Return the largest loss that does not count as divergence.

    Args:
        losses: Loss at the start, and other losses that are known not to be divergence, in squared units.
    """
    return DIVERGENCE_FACTOR * max(*losses, torch.finfo(torch.float64).tiny)


def last_true(holds: Callable[[int], bool], stop: int) -> int:
    """Return the last n below `stop` for which a condition holds, by bisection.

    Args:
        holds: Condition that is true at 0 and up to some n, and false above.
        stop: An n at which the condition is false.
    """
    low, high = 0, stop
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


MIN_STEP_RATIO = 1.5
"""Smallest ratio of the steps of two kernels for estimating a growth, if such kernels exist."""

MAX_EXPONENT = 4.0
"""Largest exponent of a growth: doubling the steps then multiplies an eigenvalue by 16."""


@final
@dataclass(frozen=True)
class KernelGrowth:
    """Growth of eigenvalues as a power of the step: k(t) = k(s) (t / s)^g for t >= s.

    Attributes:
        exponents: (mode,) g, between 0 and `MAX_EXPONENT`.
        since: s, the step of the kernel whose eigenvalues are extrapolated.
    """

    exponents: Tensor
    since: int

    @staticmethod
    def between(earlier: Tensor, eigenvalues: Tensor, modes: Tensor, first: int, second: int) -> KernelGrowth:
        """Return the exponents from the kernel at two steps: g = log(k / u^T K' u) / log(s / s') for each mode u.

        Args:
            earlier: (M, M) the kernel K' at step `first`.
            eigenvalues: (M,) k of the kernel at step `second`.
            modes: (M, M) its eigenvectors u, in columns.
            first: s', at least 1.
            second: s, larger than `first`.

        Raises:
            InputError: If the steps are not 1 <= first < second.
        """
        if not 1 <= first < second:
            raise InputError(
                "1 <= first < second",
                f"{first} and {second}",
                "linearise at two steps of the pilot",
                "growth",
            )
        # Below the rounding of the diagonalisation an eigenvalue has no correct digits, and its growth would be
        # noise.
        floor = torch.finfo(torch.float64).eps * len(modes) * eigenvalues.max()
        before = ((earlier.double() @ modes) * modes).sum(0).clamp_min(floor)
        ratio = torch.log(eigenvalues.clamp_min(floor) / before)
        per_octave = torch.log(torch.tensor(second / first, dtype=torch.float64, device="cpu"))
        return KernelGrowth((ratio / per_octave).clamp(0, MAX_EXPONENT), second)

    def slowed(self, share: float) -> KernelGrowth:
        """Return the growth with a share of the exponents."""
        return KernelGrowth(share * self.exponents, self.since)

    def factor(self, start: int, stop: int) -> Tensor:
        """Return the (mode,) mean of (t / s)^g over start <= t <= stop."""
        power = self.exponents + 1
        a, b = start / self.since, stop / self.since
        return (b**power - a**power) / (power * (b - a))


@final
class KernelHistory:
    """Kernels of the same samples at up to three steps, from which a growth is estimated."""

    def __init__(self) -> None:
        self._kernels: list[tuple[int, Tensor]] = []

    def branch(self) -> KernelHistory:
        """Return an independent history with the same kernels."""
        branch = KernelHistory()
        branch._kernels = list(self._kernels)
        return branch

    def add(self, step: int, kernel: Tensor) -> None:
        """Store the kernel of a step, unless a recent one is stored; steps ascend from 1."""
        if self._kernels and step < self._kernels[-1][0] * math.sqrt(MIN_STEP_RATIO):
            return
        # Of the kernels that are old enough for a growth only the latest is needed: the memory stays bounded.
        old_enough = [kernel for kernel in self._kernels if kernel[0] * MIN_STEP_RATIO <= step]
        self._kernels = [*old_enough[-1:], *self._kernels[len(old_enough) :], (step, kernel)]

    def growth(self, eigenvalues: Tensor, modes: Tensor, step: int) -> KernelGrowth | None:
        """Return the growth from the last kernel old enough at `step`, otherwise from the first; None if there is none.

        Args:
            eigenvalues: (M,) eigenvalues of the kernel at `step`.
            modes: (M, M) its eigenvectors, in columns.
            step: Step of that kernel.
        """
        earlier = [kernel for kernel in self._kernels if kernel[0] < step]
        old_enough = [kernel for kernel in earlier if kernel[0] * MIN_STEP_RATIO <= step]
        if not earlier:
            return None
        first, kernel = old_enough[-1] if old_enough else earlier[0]
        return KernelGrowth.between(kernel, eigenvalues, modes, first, step)


Rate = Callable[[int], float]
"""The learning rate of step number t, counted from 0."""

AVERAGED_RATES = 256
"""Maximum number of steps over which the learning rate between two recorded steps is averaged."""

EDGE_FRACTION = 0.5
"""Share of the stable limit at which unstable modes are assumed to stay in networks that did not diverge."""


@final
@dataclass(frozen=True)
class Snapshot:
    """Outputs of a linearised network at one step.

    Attributes:
        step: Optimizer steps since training began.
        outputs: (N, C) float64 outputs as the loss sees them.
        loss: Mean square error over trained samples and channels.
    """

    step: int
    outputs: Tensor
    loss: float


@final
@dataclass(frozen=True, repr=False)
class Linearised(Result):
    """Outputs and kernel of a network at one step, ready to be propagated. All tensors are float64.

    Outputs are in the units of the loss (normalised values), for N samples and C channels, of which n samples are
    used for training.

    Attributes:
        outputs: (N, C) f at this step.
        targets: (N, C) targets of the training.
        train: (n,) int64 rows used for training.
        eigenvalues: (n C,) eigenvalues of the kernel among trained outputs, ascending, all 0 or more.
        modes: (n C, n C) its unit eigenvectors, in columns.
        cross: (N C, n C) kernel between all outputs and the modes.
        velocity: (N, C) change of the outputs per unit of learning rate by the optimizer's current velocity; None at
            rest.
        clipped: Largest negative eigenvalue that was set to zero, relative to the largest eigenvalue.
        gain: 2 / M, where the loss is the mean of M outputs: n C, or more if the n samples are only a part of the
            training samples.

    Example:
        >>> import torch
        >>> from overtone.theory.dynamics import Linearised
        >>> from overtone.theory.risk import GradientDescent
        >>> outputs, targets = torch.zeros(2, 1), torch.tensor([[1.0], [-1.0]])
        >>> linear = Linearised.of(outputs, targets, kernel=torch.eye(2))
        >>> [
        ...     round(snapshot.loss, 4)
        ...     for snapshot in linear.propagate(GradientDescent(), lambda step: 0.1, [0, 1, 10])
        ... ]
        [1.0, 0.81, 0.1216]
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
        """Return the expansion of a network, with its kernel diagonalised.

        Args:
            outputs: (N, C) the network's outputs.
            targets: (N, C) targets; rows that are not used for training are ignored.
            kernel: (N C, n C) kernel between all outputs and the trained ones, channels fastest.
            train: (n,) int64 rows used for training, or None for all.
            velocity: (N, C) change of the outputs by the optimizer's velocity, as the attribute; None at rest.
            mean_over: Number of samples in the loss's mean; n if None.

        Raises:
            InputError: If shapes do not fit or a number is not finite.
            RunError: If the kernel has a negative eigenvalue beyond 1e-3 of its largest eigenvalue, which rounding
            does
                not explain.
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
        for name, values in (("outputs", outputs), ("targets", targets), ("kernel", kernel)):
            if not bool(torch.isfinite(values).all()):
                raise InputError("finite numbers", "NaN or infinity", "check the network", name)
        exact = kernel.double()
        among_trained = exact.reshape(len(outputs), channels, -1)[rows].reshape(shape[1], shape[1])
        # Symmetrised, because eigh reads only one triangle and the two differ by the rounding of their products.
        values, vectors = torch.linalg.eigh((among_trained + among_trained.mT) / 2)
        top = float(values[-1].clamp_min(torch.finfo(torch.float64).tiny))
        clipped = max(0.0, -float(values[0])) / top
        if clipped > 1e-3:
            raise RunError(
                "a positive semi-definite kernel",
                f"an eigenvalue of {-clipped:.1e} times the largest",
                "compute the kernel in float64",
                "kernel",
            )
        return Linearised(
            outputs.double(),
            targets.double(),
            rows,
            values.clamp_min(0),
            vectors,
            exact @ vectors,
            None if velocity is None else velocity.double(),
            clipped,
            2 / ((mean_over or rows.numel()) * channels),
        )

    @property
    def kernel(self) -> Tensor:
        """(n C, n C) kernel among trained outputs."""
        return (self.modes * self.eigenvalues) @ self.modes.mT

    def initial_state(self) -> ModeState:
        """Return the state of the modes at the step of the expansion."""

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
        """Return the state after `steps` more steps at a constant learning rate.

        Args:
            state: Current state.
            rule: The optimizer.
            rate: Learning rate.
            steps: Number of steps.
            growth: Factor of the eigenvalues, per mode or for all.
            ceiling: Share of the stable limit at which faster modes are held; see `propagate`.
        """
        values = self.eigenvalues * growth
        if ceiling < math.inf:
            values = values.clamp_max(ceiling * rule.stable_limit(rate) / self.gain)
        after = rule.advance(state, values, self.gain, rate, steps)
        # `outputs_at` multiplies the dual by the kernel of the expansion, but the residual changed by the new
        # eigenvalues: the dual is scaled by their ratio, so that both yield the same outputs.
        positive = self.eigenvalues > 0
        ratio = torch.where(positive, values / torch.where(positive, self.eigenvalues, 1.0), 1.0)
        return replace(after, dual=state.dual + (after.dual - state.dual) * ratio)

    def loss(self, state: ModeState) -> float:
        """Return the mean square of the residual over trained samples and channels."""
        return float(state.residual.square().mean())

    def outputs_at(self, state: ModeState) -> Tensor:
        """Return the (N, C) outputs of the linearised network in a state."""
        moved = (self.cross @ state.dual).reshape(self.outputs.shape)
        if self.velocity is not None:
            moved = moved + state.carried * self.velocity
        return self.outputs - moved

    def propagate(
        self,
        rule: OptimizerDynamics,
        rate: Rate,
        steps: Sequence[int],
        since: int = 0,
        growth: KernelGrowth | None = None,
        ceiling: float = math.inf,
    ) -> Iterator[Snapshot]:
        """Yield the outputs at each of `steps`; if training diverges, up to the last step within bounds.

        Between two recorded steps the learning rate and a growing kernel are replaced by their means, which is exact
        for constant ones.

        Args:
            rule: The optimizer.
            rate: Learning rate per step.
            steps: Ascending steps, all at `since` or later.
            since: Step of this expansion.
            growth: Growth of the eigenvalues, or None if they are constant.
            ceiling: Share of the stable limit to which faster modes are clamped. Trained networks are at the edge of
                stability without diverging (Cohen et al. 2021, arXiv 2103.00065), which a fixed kernel does not
                reproduce.

        Raises:
            InputError: If the steps do not ascend from `since`.
        """
        state, current = self.initial_state(), since
        largest = loss_bound(self.loss(state))
        for step in steps:
            if step < current:
                raise InputError(f"a step of {current} or more", f"{step}", "pass ascending steps", "steps")
            if step > current:
                mean = mean_rate(rate, current, step)
                factor = 1.0 if growth is None else growth.factor(current, step)
                move = functools.partial(self.advance, state, rule, mean, growth=factor, ceiling=ceiling)
                after = move(step - current)
                if not self.loss(after) <= largest:
                    # The bound was crossed between two recorded steps. All numbers of steps have the same cost, so
                    # that the last step within bounds is determined by bisection.
                    last = last_true(self._within(move, largest), step - current)
                    if last:
                        yield Snapshot(current + last, self.outputs_at(move(last)), self.loss(move(last)))
                    return
                state, current = after, step
            yield Snapshot(step, self.outputs_at(state), self.loss(state))

    def _within(self, move: Callable[[int], ModeState], largest: float) -> Callable[[int], bool]:
        return lambda steps: self.loss(move(steps)) <= largest


def mean_rate(rate: Rate, start: int, stop: int) -> float:
    """Return the mean learning rate from step `start` to before `stop`, from about `AVERAGED_RATES` of the steps."""
    steps = range(start, stop, max(1, (stop - start) // AVERAGED_RATES))
    return sum(rate(t) for t in steps) / len(steps)
