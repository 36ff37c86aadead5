"""What a linear training rule has learned of each kernel mode after some time."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.theory.risk.checks import finite


class Filter(ABC):
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
class GradientFlow(Filter):
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
class GradientDescent(Filter):
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
class Ridge(Filter):
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
