"""What takes part in a comparison."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.comparing.problem import Problem
from overtone.planning import Budget


@final
@dataclass(frozen=True)
class Attempt:
    """What a candidate came to.

    Attributes:
        prediction: (N, C) values at every sample, in the value unit.
        parameters: Of the network; None for what has none.
        note: How, in a sentence; may be empty.
        steps: Optimizer steps taken; None for what takes none.
    """

    prediction: Tensor
    parameters: int | None = None
    note: str = ""
    steps: int | None = None


class Candidate(ABC):
    """Learns from the training samples of a problem and predicts all others."""

    @property
    @abstractmethod
    def trained(self) -> bool:
        """Whether it is a network that is trained."""

    @property
    @abstractmethod
    def drawn(self) -> bool:
        """Whether a seed enters."""

    def check(self, problem: Problem, budget: Budget, device: torch.device) -> None:  # noqa: B027 - most take any
        """Whether the budget is enough.

        Raises:
            InputError: If not; says what would be.
        """

    @abstractmethod
    def attempt(self, problem: Problem, budget: Budget, seed: int, device: torch.device) -> Attempt:
        """Learn and predict."""
