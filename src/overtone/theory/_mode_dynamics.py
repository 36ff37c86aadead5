"""What an optimizer does to one mode of a fixed kernel: a linear recursion, and the step size that it bears."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.theory._checks import finite


@final
@dataclass(frozen=True)
class ModeState:
    """Where training is, mode by mode. All tensors float64.

    The prediction for any sample, trained on or not, is f(0) - K a - s w, where K holds the kernel between that
    sample and the modes, and w = J u is what the optimizer's velocity u at the start does to it.

    Attributes:
        residual: (mode,) r, prediction minus target.
        dual: (mode,) a, what has been taken off so far, in dual coordinates: the parameters have moved by -J^T a.
        velocity: (mode,) b, the same of the optimizer's velocity.
        inherited: (mode,) p, what is left of the velocity that the optimizer had at the start, as a change of
            outputs per unit of learning rate.
        carried: s, how far the inherited velocity has gone, in units of the learning rate.
        fading: Share of the inherited velocity that is left.
    """

    residual: Tensor
    dual: Tensor
    velocity: Tensor
    inherited: Tensor
    carried: float = 0.0
    fading: float = 1.0

    @staticmethod
    def at_rest(residual: Tensor, inherited: Tensor | None = None) -> ModeState:
        """The state in which training begins, with or without a velocity from earlier steps."""
        zero = torch.zeros_like(residual)
        return ModeState(residual, zero, zero, zero if inherited is None else inherited)


class OptimizerDynamics(ABC):
    """One optimizer on the loss mean((f - y)^2), with the kernel held fixed.

    A mode with eigenvalue k of the kernel over M outputs (samples times channels) is driven by (2 / M) k r.
    """

    @abstractmethod
    def advance(
        self, state: ModeState, eigenvalues: Tensor, gain: float, rate: float, steps: int
    ) -> ModeState:
        """The state after `steps` more steps at a constant learning rate.

        Args:
            state: Where training is.
            eigenvalues: (mode,) float64 eigenvalues of the kernel.
            gain: 2 / M, from the loss.
            rate: Learning rate.
            steps: Number of steps.
        """

    @abstractmethod
    def limit(self, rate: float) -> float:
        """The largest gain times eigenvalue that is stable at the learning rate."""

    @abstractmethod
    def factor(self, drive: float) -> float:
        """What a step multiplies a mode's residual by in the long run, in absolute value.

        Args:
            drive: Learning rate times gain times eigenvalue.
        """


@final
@dataclass(frozen=True)
class Flow(OptimizerDynamics):
    """Gradient flow, the limit of small steps: r(t) = r(0) exp(-(2 / M) k t), with t the sum of learning rates.

    Source: Jacot, Gabriel, Hongler 2018 (arXiv 1806.07572), section 5.
    """

    def advance(
        self, state: ModeState, eigenvalues: Tensor, gain: float, rate: float, steps: int
    ) -> ModeState:
        """See `Rule.advance`."""
        time = gain * rate * steps
        exponent = eigenvalues * time
        small = exponent.abs() < 1e-12
        mean = torch.where(small, 1.0, -torch.expm1(-exponent) / torch.where(small, 1.0, exponent))
        return replace(
            state,
            residual=state.residual * torch.exp(-exponent),
            dual=state.dual + state.residual * mean * time,
        )

    def limit(self, rate: float) -> float:  # noqa: ARG002
        """Infinity: a flow is always stable."""
        return math.inf

    def factor(self, drive: float) -> float:
        """exp(-drive)."""
        return math.exp(-drive)


@final
@dataclass(frozen=True)
class Descent(OptimizerDynamics):
    """Gradient descent with or without momentum (heavy ball), as in `torch.optim.SGD`.

    b <- m b + (1 - d) (2 / M) r;  a <- a + rate b;  r <- r - rate (k b + inherited).

    Without momentum r(t) = (1 - rate (2 / M) k)^t r(0). Minibatches drawn with replacement from the same
    samples have the same mean, since a linear network's residual and the next batch are independent; their
    spread about it is not predicted. Powers of the recursion's matrix are taken by repeated squaring.

    Attributes:
        momentum: m in [0, 1).
        dampening: d; Adam's first moment is a velocity with d = m.

    Source: Polyak 1964, "Some methods of speeding up the convergence of iteration methods"; Qian 1999, "On the
    momentum term in gradient descent learning algorithms", section 2.
    """

    momentum: float = 0.0
    dampening: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("momentum", self.momentum), ("dampening", self.dampening)):
            if not 0 <= value < 1:
                raise InputError("a number in [0, 1)", f"{value}", "pass for instance 0.9", name)

    def advance(
        self, state: ModeState, eigenvalues: Tensor, gain: float, rate: float, steps: int
    ) -> ModeState:
        """See `Rule.advance`."""
        m, c = self.momentum, gain * (1 - self.dampening)
        one, zero = torch.ones_like(eigenvalues), torch.zeros_like(eigenvalues)
        rows = [
            [1 - rate * eigenvalues * c, zero, -rate * m * eigenvalues, -rate * m * one],
            [rate * c * one, one, rate * m * one, zero],
            [c * one, zero, m * one, zero],
            [zero, zero, zero, m * one],
        ]
        once = torch.stack([torch.stack(row, -1) for row in rows], -2)
        start = torch.stack([state.residual, state.dual, state.velocity, state.inherited], -1)
        after = torch.linalg.matrix_power(once, steps) @ start[..., None]
        left = m**steps
        gone = rate * state.fading * (m - m * left) / (1 - m)
        residual, dual, velocity, inherited = after[..., 0].unbind(-1)
        return ModeState(residual, dual, velocity, inherited, state.carried + gone, state.fading * left)

    def limit(self, rate: float) -> float:
        """2 (1 + m) / ((1 - d) rate); without momentum 2 / rate."""
        undone = (1 - self.dampening) * rate
        return 2 * (1 + self.momentum) / undone if undone else math.inf

    def factor(self, drive: float) -> float:
        """The larger root z of z^2 - (1 + m - (1 - d) drive) z + m, in absolute value; without momentum |1 - drive|."""
        half = (1 + self.momentum - (1 - self.dampening) * drive) / 2
        apart = half * half - self.momentum
        return abs(half) + math.sqrt(apart) if apart > 0 else math.sqrt(self.momentum)


class SpectralFilter(ABC):
    """A linear smoother that acts on each kernel mode alone: prediction_i(t) = h(lambda_i, t) observation_i.

    Kernel modes are the orthonormal eigenvectors of the N x N kernel matrix, lambda_i its eigenvalues.
    """

    @abstractmethod
    def remaining(self, eigenvalues: Tensor, step: float) -> Tensor:
        """1 - h: the signed share of each mode's residual that is left after `step`.

        Args:
            eigenvalues: (mode,) float64, none negative.
            step: Training time, steps or strength, 0 or more.

        Returns:
            (mode,) float64.
        """

    @abstractmethod
    def learned(self, eigenvalues: Tensor, step: float) -> Tensor:
        """h: the share of each mode that the prediction holds after `step`, exact also where it is tiny.

        Args:
            eigenvalues: (mode,) float64, none negative.
            step: Training time, steps or strength, 0 or more.

        Returns:
            (mode,) float64.
        """

    @abstractmethod
    def steps(self, eigenvalues: Tensor, count: int = 200) -> Tensor:
        """A log-spaced schedule from almost nothing learned to every mode above rounding learned.

        Args:
            eigenvalues: (mode,) float64, none negative.
            count: Upper limit of the schedule's length.

        Returns:
            (step,) float64, ascending.
        """


@final
class GradientFlow(SpectralFilter):
    """Gradient flow on half the summed squared residual: h = 1 - exp(-lambda t), t in units of 1 / lambda.

    For a loss that is the mean over N samples, t is the time divided by N / 2.
    """

    def remaining(self, eigenvalues: Tensor, step: float) -> Tensor:
        """exp(-lambda t)."""
        return torch.exp(-eigenvalues * step)

    def learned(self, eigenvalues: Tensor, step: float) -> Tensor:
        """1 - exp(-lambda t)."""
        return -torch.expm1(-eigenvalues * step)

    def steps(self, eigenvalues: Tensor, count: int = 200) -> Tensor:
        """From 0.01 / lambda_max to 10 / lambda_min."""
        low, high = _extremes(eigenvalues)
        return _log_spaced(0.01 / high, 10.0 / low, count)


@final
class GradientDescent(SpectralFilter):
    """Gradient descent on half the summed squared residual: h = 1 - (1 - eta lambda)^t after t steps.

    A mode with eta lambda > 2 grows: that is the prediction, not an error.

    Args:
        rate: Learning rate eta, in units of 1 / lambda. For a loss that is the mean over N samples, the
            optimizer's rate times 2 / N.

    Raises:
        InputError: If the rate is not positive and finite.
    """

    def __init__(self, rate: float) -> None:
        if not (math.isfinite(rate) and rate > 0):
            raise InputError("a positive learning rate", f"{rate}", "pass the optimizer's rate", "rate")
        self.rate = rate

    def remaining(self, eigenvalues: Tensor, step: float) -> Tensor:
        """(1 - eta lambda)^t, through the logarithm, so that tiny eigenvalues keep their digits."""
        move = self.rate * eigenvalues
        if _whole(step) == 0:
            return torch.ones_like(move)
        size = torch.exp(step * _log_factor(move))
        return torch.where((move > 1) & (step % 2 == 1), -size, size)

    def learned(self, eigenvalues: Tensor, step: float) -> Tensor:
        """1 - (1 - eta lambda)^t."""
        move = self.rate * eigenvalues
        slow = -torch.expm1(_whole(step) * torch.log1p(-move.clamp(max=0.5)))
        return torch.where(move <= 0.5, slow, 1 - self.remaining(eigenvalues, step))

    def steps(self, eigenvalues: Tensor, count: int = 200) -> Tensor:
        """Whole steps from 1 to 10 / (eta lambda_min)."""
        low, _ = _extremes(eigenvalues)
        return _log_spaced(1.0, max(10.0 / (self.rate * low), 2.0), count).round().unique()


@final
class Ridge(SpectralFilter):
    """Kernel ridge regression seen as a path: h = lambda t / (1 + lambda t), where 1 / t is the ridge."""

    def remaining(self, eigenvalues: Tensor, step: float) -> Tensor:
        """1 / (1 + lambda t)."""
        return 1 / (1 + eigenvalues * step)

    def learned(self, eigenvalues: Tensor, step: float) -> Tensor:
        """Lambda t / (1 + lambda t)."""
        return eigenvalues * step / (1 + eigenvalues * step)

    def steps(self, eigenvalues: Tensor, count: int = 200) -> Tensor:
        """From 0.01 / lambda_max to 1000 / lambda_min."""
        low, high = _extremes(eigenvalues)
        return _log_spaced(0.01 / high, 1000.0 / low, count)


def _log_factor(move: Tensor) -> Tensor:
    """Logarithm of |1 - move|, by log1p near 0."""
    return torch.where(move <= 0.5, torch.log1p(-move.clamp(max=0.5)), (1 - move).abs().log())


def _whole(step: float) -> float:
    if step != round(step):
        raise InputError("a whole number of steps", f"{step}", "round it, or use GradientFlow", "step")
    return float(step)


def _extremes(eigenvalues: Tensor) -> tuple[float, float]:
    exact = finite(eigenvalues, "eigenvalues")
    high = float(exact.max())
    if high <= 0:
        raise InputError(
            "an eigenvalue above zero", "none", "check that the network depends on its input", "eigenvalues"
        )
    rounding = exact.numel() * torch.finfo(torch.float64).eps * high
    return float(exact[exact > rounding].min()), high


def _log_spaced(first: float, last: float, count: int) -> Tensor:
    if count < 2:
        raise InputError("a schedule of two steps or more", f"{count}", "raise count", "count")
    return torch.logspace(math.log10(first), math.log10(last), count, dtype=torch.float64, device="cpu")
