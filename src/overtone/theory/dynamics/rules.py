"""What an optimizer does to one mode of a fixed kernel: a linear recursion, and the step size that it bears."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError


@final
@dataclass(frozen=True)
class State:
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
    def at_rest(residual: Tensor, inherited: Tensor | None = None) -> State:
        """The state in which training begins, with or without a velocity from earlier steps."""
        zero = torch.zeros_like(residual)
        return State(residual, zero, zero, zero if inherited is None else inherited)


class Rule(ABC):
    """One optimizer on the loss mean((f - y)^2), with the kernel held fixed.

    A mode with eigenvalue k of the kernel over M outputs (samples times channels) is driven by (2 / M) k r.
    """

    @abstractmethod
    def advance(self, state: State, eigenvalues: Tensor, gain: float, rate: float, steps: int) -> State:
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
class Flow(Rule):
    """Gradient flow, the limit of small steps: r(t) = r(0) exp(-(2 / M) k t), with t the sum of learning rates.

    Source: Jacot, Gabriel, Hongler 2018 (arXiv 1806.07572), section 5.
    """

    def advance(self, state: State, eigenvalues: Tensor, gain: float, rate: float, steps: int) -> State:
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
class Descent(Rule):
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

    def advance(self, state: State, eigenvalues: Tensor, gain: float, rate: float, steps: int) -> State:
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
        return State(residual, dual, velocity, inherited, state.carried + gone, state.fading * left)

    def limit(self, rate: float) -> float:
        """2 (1 + m) / ((1 - d) rate); without momentum 2 / rate."""
        undone = (1 - self.dampening) * rate
        return 2 * (1 + self.momentum) / undone if undone else math.inf

    def factor(self, drive: float) -> float:
        """The larger root z of z^2 - (1 + m - (1 - d) drive) z + m, in absolute value; without momentum |1 - drive|."""
        half = (1 + self.momentum - (1 - self.dampening) * drive) / 2
        apart = half * half - self.momentum
        return abs(half) + math.sqrt(apart) if apart > 0 else math.sqrt(self.momentum)
