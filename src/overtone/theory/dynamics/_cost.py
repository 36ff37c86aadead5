"""Cost of a prediction: its estimate in seconds, and its limit in work counted alike on every machine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar, final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

REVISION = 2.0
"""Factor between two cost estimates above which the new one is reported."""

CALL = 1e-5
"""Nominal seconds of one tensor operation besides its arithmetic."""

FLOPS = 2e10
"""Nominal floating-point operations per second of products and convolutions."""

EIGENSYSTEM = 9.0
"""Operations of a symmetric eigenvalue problem with vectors, in units of n^3 (Golub and Van Loan 2013, section 8.3)."""


@final
@dataclass(frozen=True)
class Cost:
    """Wall-clock times of a prediction and of the predicted training.

    Attributes:
        predicting: Measured or estimated seconds of the prediction.
        training: Seconds of all training steps at the pilot's speed; None without a pilot.
        limit: Whether `predicting` is the most that the prediction may take rather than an estimate.
    """

    predicting: float
    training: float | None
    limit: bool = False

    @property
    def training_is_cheaper(self) -> bool:
        """Whether the training takes less time than its prediction."""
        return self.training is not None and self.predicting > self.training


@final
class CostMeter:
    """Reports the cost of a prediction before it starts, as soon as it can be estimated, and again if that doubles.

    Args:
        callback: Function that receives the estimated cost.
        pilot: Steps of the pilot.
        steps: Predicted steps.
        max_cost: Largest cost of the prediction, as a share of the training's; infinite for no limit.
    """

    def __init__(
        self, callback: Callable[[Cost], None], pilot: int, steps: int, max_cost: float = math.inf
    ) -> None:
        self._callback, self._pilot, self._steps, self._max_cost = callback, pilot, steps, max_cost
        self._start, self._reported = time.perf_counter(), 0.0

    def before_pilot(self, step: float, minimum: float | None = None) -> None:
        """Report the limit, if there is one, or the least that the prediction takes where that is more.

        Args:
            step: Seconds of a step.
            minimum: Estimated seconds of a prediction that the limit does not allow; None if it does.
        """
        if math.isfinite(self._max_cost):
            training = step * self._steps
            self._reported = self._max_cost * training if minimum is None else minimum
            self._callback(Cost(self._reported, training, limit=minimum is None))

    def after_half_pilot(self, step: float, expansion: float, share: float) -> None:
        """Estimate the cost half way through the pilot, after the first kernel.

        Args:
            step: Seconds of a step.
            expansion: Seconds of the kernel and its eigenvectors.
            share: Length of each expansion, as a share of the steps taken; infinite if only one kernel follows.
        """
        kernels = 1 + _expansions(self._pilot, self._steps, share)
        ahead = step * self._pilot / 2
        # A limit ends the expansions, but the kernel at the end of the pilot is always computed.
        limit = max(expansion, self._max_cost * step * self._steps - ahead)
        self._report(ahead + min(expansion * kernels, limit), step)

    def after_expansion(self, step: float, seconds: float, start: int, stop: int) -> None:
        """Estimate the cost after a step along an expansion.

        Args:
            step: Seconds of a step of training.
            seconds: Seconds of the expansion.
            start: First step of the expansion, at least 1.
            stop: Last step of the expansion.
        """
        ahead = seconds * _expansions(stop, self._steps, stop / start - 1)
        left = self._max_cost * step * self._steps - (time.perf_counter() - self._start)
        self._report(min(ahead, max(0.0, left)), step)

    def _report(self, ahead: float, step: float) -> None:
        cost = Cost(time.perf_counter() - self._start + ahead, step * self._steps)
        if cost.predicting > REVISION * self._reported:
            self._reported = cost.predicting
            self._callback(cost)


def _expansions(start: int, stop: int, share: float) -> int:
    """Return the number of expansions between two steps if each is a share of the steps taken."""
    # t grows by the factor 1 + share with each, so that their number is logarithmic in stop / start.
    return 0 if math.isinf(share) else math.ceil(math.log(max(stop / start, 1.0)) / math.log1p(share))


T = TypeVar("T")


@final
class WorkCounter(TorchDispatchMode):
    """Counts the tensor operations within a `with` block as nominal seconds, the same on every machine.

    A limit in seconds of a clock would make a prediction depend on the machine and on what else runs on it.

    Attributes:
        seconds: Nominal seconds so far.

    Example:
        >>> import torch
        >>> from overtone.theory.dynamics._cost import WorkCounter
        >>> with WorkCounter() as work:
        ...     _ = torch.ones(100, 100) @ torch.ones(100, 100)
        >>> f"{work.seconds:.2e}"
        '1.30e-04'
    """

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **kwargs or {})
        self.seconds += CALL
        if func._overloadpacket in flop_registry:
            self.seconds += flop_registry[func._overloadpacket](*args, **kwargs or {}, out_val=result) / FLOPS
        elif func._overloadpacket is torch.ops.aten._linalg_eigh and isinstance(args[0], Tensor):
            self.seconds += eigensystem_seconds(len(args[0]))
        return result


def eigensystem_seconds(size: int) -> float:
    """Return the nominal seconds of eigenvalues and eigenvectors of a symmetric matrix of this size."""
    return EIGENSYSTEM * size**3 / FLOPS


@final
class WorkBudget:
    """Nominal seconds that are left for repeated tasks, of which the first of a kind is counted.

    Args:
        seconds: Nominal seconds; infinite for no limit.

    Attributes:
        exhausted: Whether a task was refused.
    """

    def __init__(self, seconds: float) -> None:
        self._left: float = seconds
        self._works: Final[dict[str, float]] = {}
        self.exhausted = False

    def allows(self, *kinds: str) -> bool:
        """Return whether one task of each of these kinds fits; kinds that were never counted take no time."""
        fits = sum(self._works.get(kind, 0.0) for kind in kinds) <= self._left
        self.exhausted |= not fits
        return fits

    def spend(self, kind: str, task: Callable[[], T]) -> T:
        """Run a task and subtract its work.

        Args:
            kind: Kind of the task, all of which count as much as the first.
            task: The task.
        """
        if math.isinf(self._left):
            return task()
        if kind in self._works:
            result = task()
        else:
            with WorkCounter() as counter:
                result = task()
            self._works[kind] = counter.seconds
        self._left -= self._works[kind]
        return result
