"""Training of single kernel modes: gradient flow, gradient descent with momentum, and ridge regression.

Both `theory.dynamics` and `theory.risk` use these. Dynamics advances a state step by step at variable learning rates;
risk needs the learned share of a mode after a time, starting at rest with a constant rate.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from overtone._utils.special import decay_integral
from overtone.errors import InputError
from overtone.theory._checks import finite_values


@final
@dataclass(frozen=True)
class ModeState:
    """State of training, mode by mode. All tensors are float64.

    The prediction for any sample, in the training set or not, is f(0) - K a - s w, where K holds the kernel between
    that sample and the modes, and w = J u is the change of the outputs by the optimizer's initial velocity u.

    Attributes:
        residual: (mode,) r, prediction minus target.
        dual: (mode,) a, sum of all updates in dual coordinates: the parameters have changed by -J^T a.
        velocity: (mode,) b, the optimizer's velocity in the same coordinates.
        inherited: (mode,) p, remainder of the optimizer's initial velocity, as a change of outputs per unit of
            learning rate.
        carried: s, accumulated displacement by the inherited velocity, in units of the learning rate.
        fading: Remaining share of the inherited velocity.
    """

    residual: Tensor
    dual: Tensor
    velocity: Tensor
    inherited: Tensor
    carried: float = 0.0
    fading: float = 1.0

    @staticmethod
    def at_rest(residual: Tensor, inherited: Tensor | None = None) -> ModeState:
        """Return the initial state of training, with or without a velocity from earlier steps."""
        zero = torch.zeros_like(residual)
        return ModeState(residual, zero, zero, zero if inherited is None else inherited)


class OptimizerDynamics(ABC):
    """Update of every mode by an optimizer on the loss mean((f - y)^2), with the kernel fixed.

    The gradient of a mode with eigenvalue k of the kernel over M outputs (samples times channels) is (2 / M) k r.
    """

    @property
    def plain_descent(self) -> bool:
        """Whether the rule is gradient descent without momentum, whose minibatch variance is known."""
        return False

    @abstractmethod
    def advance(
        self, state: ModeState, eigenvalues: Tensor, gain: float, rate: float, steps: int
    ) -> ModeState:
        """Return the state after `steps` more steps at a constant learning rate.

        Args:
            state: Current state.
            eigenvalues: (mode,) float64 eigenvalues of the kernel.
            gain: 2 / M, from the loss.
            rate: Learning rate.
            steps: Number of steps.
        """

    @abstractmethod
    def stable_limit(self, rate: float) -> float:
        """Return the largest gain times eigenvalue that is stable at the learning rate."""

    @abstractmethod
    def growth_factor(self, drive: float) -> float:
        """Return the asymptotic factor of a mode's residual per step, in absolute value.

        Args:
            drive: Learning rate times gain times eigenvalue.
        """


class SpectralFilter(ABC):
    """Linear smoother that acts on each kernel mode separately: prediction_i(t) = h(lambda_i, t) observation_i.

    Kernel modes are the orthonormal eigenvectors of the N x N kernel matrix, lambda_i its eigenvalues.
    """

    @abstractmethod
    def remaining(self, eigenvalues: Tensor, step: float) -> Tensor:
        """Return 1 - h, the signed share of each mode's residual that remains after `step`.

        Args:
            eigenvalues: (mode,) float64, all 0 or more.
            step: Training time, steps or strength, 0 or more.

        Returns:
            (mode,) float64.
        """

    @abstractmethod
    def learned(self, eigenvalues: Tensor, step: float) -> Tensor:
        """Return h, the learned share of each mode after `step`, accurate even if it is tiny.

        Args:
            eigenvalues: (mode,) float64, all 0 or more.
            step: Training time, steps or strength, 0 or more.

        Returns:
            (mode,) float64.
        """

    @abstractmethod
    def steps(self, eigenvalues: Tensor, count: int = 200) -> Tensor:
        """Return a log-spaced schedule from almost no learning to all modes above rounding learned.

        Args:
            eigenvalues: (mode,) float64, all 0 or more.
            count: Maximum length of the schedule.

        Returns:
            (step,) float64, ascending.
        """


@final
@dataclass(frozen=True)
class GradientFlow(OptimizerDynamics, SpectralFilter):
    """Gradient flow, the limit of small steps: h = 1 - exp(-lambda t).

    As a filter, the loss is half the summed squared residual and t is in units of 1 / lambda; for a loss that is the
    mean over N samples, t is the time divided by N / 2. As optimizer dynamics, r(t) = r(0) exp(-(2 / M) k t) with t
    the sum of the learning rates.

    Source: Jacot, Gabriel, Hongler 2018 (arXiv 1806.07572), section 5.

    Example:
        >>> import torch
        >>> from overtone.theory.risk import GradientFlow
        >>> eigenvalues = torch.tensor([1.0, 0.1], dtype=torch.float64)
        >>> [round(share, 3) for share in GradientFlow().learned(eigenvalues, 2.0).tolist()]
        [0.865, 0.181]
    """

    def advance(
        self, state: ModeState, eigenvalues: Tensor, gain: float, rate: float, steps: int
    ) -> ModeState:
        """Advance by `steps` of flow, see `OptimizerDynamics.advance`."""
        time = gain * rate * steps
        exponent = eigenvalues * time
        # The dual changes by the integral of r over the flow: the mean of r, r(0) (1 - exp(-z)) / z, times the time.
        mean = decay_integral(exponent, 1.0)
        return replace(
            state,
            residual=state.residual * torch.exp(-exponent),
            dual=state.dual + state.residual * mean * time,
        )

    def stable_limit(self, rate: float) -> float:  # noqa: ARG002
        """Return infinity: a flow is always stable."""
        return math.inf

    def growth_factor(self, drive: float) -> float:
        """Return exp(-drive)."""
        return math.exp(-drive)

    def remaining(self, eigenvalues: Tensor, step: float) -> Tensor:
        """Return exp(-lambda t)."""
        return torch.exp(-eigenvalues * step)

    def learned(self, eigenvalues: Tensor, step: float) -> Tensor:
        """Return 1 - exp(-lambda t)."""
        return -torch.expm1(-eigenvalues * step)

    def steps(self, eigenvalues: Tensor, count: int = 200) -> Tensor:
        """Return times from 0.01 / lambda_max to 10 / lambda_min."""
        low, high = _extremes(eigenvalues)
        return _log_spaced(0.01 / high, 10.0 / low, count)


@final
@dataclass(frozen=True)
class GradientDescent(OptimizerDynamics, SpectralFilter):
    """Gradient descent with or without momentum (heavy ball), as in `torch.optim.SGD`.

    b <- m b + (1 - d) (2 / M) r;  a <- a + rate b;  r <- r - rate (k b + inherited).

    As a filter, the loss is half the summed squared residual: without momentum h = 1 - (1 - eta lambda)^t after t
    steps. A mode with eta lambda > 2 grows: this is a result, not an error. As optimizer dynamics, the learning rate
    is passed with every call, because schedules change it. Minibatches drawn with replacement from the same samples
    have the same mean, because a linear network's residual and the next batch are independent.

    Attributes:
        rate: Learning rate eta of the filter, in units of 1 / lambda. For a loss that is the mean over N samples,
            the optimizer's rate times 2 / N.
        momentum: m in [0, 1).
        dampening: d in [0, 1); Adam's first moment is a velocity with d = m.

    Raises:
        InputError: If the rate is not positive and finite, or momentum or dampening is not in [0, 1).

    Source: Polyak 1964, "Some methods of speeding up the convergence of iteration methods"; Qian 1999, "On the
    momentum term in gradient descent learning algorithms", section 2.

    Example:
        >>> import torch
        >>> from overtone.theory.risk import GradientDescent
        >>> eigenvalues = torch.tensor([1.0, 0.1], dtype=torch.float64)
        >>> [round(share, 3) for share in GradientDescent(rate=0.5).learned(eigenvalues, 4).tolist()]
        [0.938, 0.185]
        >>> [round(share, 3) for share in GradientDescent(0.5, momentum=0.5).learned(eigenvalues, 4).tolist()]
        [1.25, 0.283]
    """

    rate: float = 1.0
    momentum: float = 0.0
    dampening: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise InputError("a positive learning rate", f"{self.rate}", "pass the optimizer's rate", "rate")
        for name, value in (("momentum", self.momentum), ("dampening", self.dampening)):
            if not 0 <= value < 1:
                raise InputError("a number in [0, 1)", f"{value}", "pass for instance 0.9", name)

    @property
    def plain_descent(self) -> bool:
        """Whether both momentum and dampening are zero."""
        return self.momentum == 0 == self.dampening

    def advance(
        self, state: ModeState, eigenvalues: Tensor, gain: float, rate: float, steps: int
    ) -> ModeState:
        """Advance by `steps` of the recursion, see `OptimizerDynamics.advance`."""
        m, c = self.momentum, gain * (1 - self.dampening)
        ones, zero = torch.ones_like(eigenvalues), torch.zeros_like(eigenvalues)
        # One step is linear in (residual, dual, velocity, inherited) of a mode. The matrix power takes log2(steps)
        # products by repeated squaring, so that the cost of millions of steps is small.
        rows = [
            [1 - rate * eigenvalues * c, zero, -rate * m * eigenvalues, -rate * m * ones],
            [rate * c * ones, ones, rate * m * ones, zero],
            [c * ones, zero, m * ones, zero],
            [zero, zero, zero, m * ones],
        ]
        transition = torch.stack([torch.stack(row, -1) for row in rows], -2)
        start = torch.stack([state.residual, state.dual, state.velocity, state.inherited], -1)
        advanced = torch.linalg.matrix_power(transition, steps) @ start[..., None]
        # The inherited velocity acts on all outputs equally, so that one geometric sum applies to all modes.
        remaining = m**steps
        displacement = rate * state.fading * (m - m * remaining) / (1 - m)
        residual, dual, velocity, inherited = advanced[..., 0].unbind(-1)
        return ModeState(
            residual, dual, velocity, inherited, state.carried + displacement, state.fading * remaining
        )

    def stable_limit(self, rate: float) -> float:
        """Return 2 (1 + m) / ((1 - d) rate); without momentum 2 / rate."""
        effective_rate = (1 - self.dampening) * rate
        return 2 * (1 + self.momentum) / effective_rate if effective_rate else math.inf

    def growth_factor(self, drive: float) -> float:
        """Return the larger root of z^2 - (1 + m - (1 - d) drive) z + m; without momentum |1 - drive|."""
        half = (1 + self.momentum - (1 - self.dampening) * drive) / 2
        discriminant = half * half - self.momentum
        # Below zero the roots are complex, and both have the absolute value sqrt(m).
        return abs(half) + math.sqrt(discriminant) if discriminant > 0 else math.sqrt(self.momentum)

    def remaining(self, eigenvalues: Tensor, step: float) -> Tensor:
        """Return (1 - eta lambda)^t; with momentum, the residual of the recursion that starts from 1 at rest."""
        count = _whole_steps(step)
        if not self.plain_descent:
            return self._from_rest(eigenvalues, count).residual
        move = self.rate * eigenvalues
        if count == 0:
            return torch.ones_like(move)
        # By the logarithm, because powers of 1 - move lose the digits of a tiny move.
        size = torch.exp(step * _log_factor(move))
        return torch.where((move > 1) & (step % 2 == 1), -size, size)

    def learned(self, eigenvalues: Tensor, step: float) -> Tensor:
        """Return 1 - (1 - eta lambda)^t; with momentum, lambda times the dual coordinate of the recursion."""
        count = _whole_steps(step)
        if not self.plain_descent:
            return eigenvalues * self._from_rest(eigenvalues, count).dual
        move = self.rate * eigenvalues
        slow = -torch.expm1(count * torch.log1p(-move.clamp(max=0.5)))
        return torch.where(move <= 0.5, slow, 1 - self.remaining(eigenvalues, step))

    def steps(self, eigenvalues: Tensor, count: int = 200) -> Tensor:
        """Return whole steps from 1 to 10 / (eta lambda_min), with momentum at the rate eta (1 - d) / (1 - m)."""
        low, _ = _extremes(eigenvalues)
        rate = self.rate * (1 - self.dampening) / (1 - self.momentum)
        return _log_spaced(1.0, max(10.0 / (rate * low), 2.0), count).round().unique()

    def _from_rest(self, eigenvalues: Tensor, count: float) -> ModeState:
        start = ModeState.at_rest(torch.ones_like(eigenvalues))
        return self.advance(start, eigenvalues, 1.0, self.rate, int(count))


@final
@dataclass(frozen=True)
class Ridge(SpectralFilter):
    """Kernel ridge regression as a path: h = lambda t / (1 + lambda t), where 1 / t is the ridge.

    Example:
        >>> import torch
        >>> from overtone.theory.risk import Ridge
        >>> Ridge().learned(torch.tensor([1.0, 0.1], dtype=torch.float64), 10.0).round(decimals=2).tolist()
        [0.91, 0.5]
    """

    def remaining(self, eigenvalues: Tensor, step: float) -> Tensor:
        """Return 1 / (1 + lambda t)."""
        return 1 / (1 + eigenvalues * step)

    def learned(self, eigenvalues: Tensor, step: float) -> Tensor:
        """Return lambda t / (1 + lambda t)."""
        return eigenvalues * step / (1 + eigenvalues * step)

    def steps(self, eigenvalues: Tensor, count: int = 200) -> Tensor:
        """Return strengths from 0.01 / lambda_max to 1000 / lambda_min."""
        low, high = _extremes(eigenvalues)
        return _log_spaced(0.01 / high, 1000.0 / low, count)


def _log_factor(move: Tensor) -> Tensor:
    """Return the logarithm of |1 - move|, by log1p near 0."""
    return torch.where(move <= 0.5, torch.log1p(-move.clamp(max=0.5)), (1 - move).abs().log())


def _whole_steps(step: float) -> float:
    if step != round(step):
        raise InputError("a whole number of steps", f"{step}", "round it, or use GradientFlow", "step")
    return float(step)


def _extremes(eigenvalues: Tensor) -> tuple[float, float]:
    """Return the smallest eigenvalue above rounding, and the largest."""
    exact = finite_values(eigenvalues, "eigenvalues")
    high = float(exact.max())
    if high <= 0:
        raise InputError(
            "an eigenvalue above zero", "none", "check that the network depends on its input", "eigenvalues"
        )
    rounding = exact.numel() * torch.finfo(torch.float64).eps * high
    return float(exact[exact > rounding].min()), high


def _log_spaced(first: float, last: float, count: int) -> Tensor:
    if count < 2:
        raise InputError("a schedule of at least two steps", f"{count}", "increase count", "count")
    return torch.logspace(math.log10(first), math.log10(last), count, dtype=torch.float64, device="cpu")
