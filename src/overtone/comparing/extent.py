"""What a budget in seconds pays for: the same choice of width and samples per step that `fit` makes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, final

import torch

from overtone.comparing.problem import Problem
from overtone.planning import Budget
from overtone.planning.size import LEARNING_RATE, size


@final
@dataclass(frozen=True)
class Extent:
    """How networks are cut down to a budget in seconds; None leaves them as they are.

    Attributes:
        width: Most units per hidden layer.
        batch: Samples per step.
        pace: Factor of the learning rate.
        warnings: What the budget is too small for, in sentences.
    """

    width: int | None = None
    batch: int | None = None
    pace: float = 1.0
    warnings: tuple[str, ...] = ()

    @staticmethod
    def of(problem: Problem, budget: Budget, device: torch.device) -> Extent:
        """Time a few steps where the budget is one of seconds, see `planning.size`.

        Args:
            problem: What is learned.
            budget: Of each network.
            device: Where they are trained.

        Raises:
            InputError: If the seconds do not suffice for a single step; says what would be enough.
        """
        if budget.seconds is None:
            return Extent()
        found = size(problem.signal, Budget(None, budget.seconds, budget.parameters), device)
        return Extent(found.width, found.batch, found.lr / LEARNING_RATE, found.warnings)

    def to_json(self) -> dict[str, Any]:
        """The extent as values that JSON can hold."""
        return asdict(self)

    @staticmethod
    def from_json(plain: dict[str, Any]) -> Extent:
        """The inverse of `to_json`."""
        return Extent(plain["width"], plain["batch"], plain["pace"], tuple(plain["warnings"]))
