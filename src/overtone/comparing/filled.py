"""A baseline as a candidate."""

from __future__ import annotations

from typing import final

import torch

from overtone.baselines import Baseline
from overtone.comparing.candidate import Attempt, Candidate
from overtone.comparing.problem import Problem
from overtone.planning import Budget


@final
class Filled(Candidate):
    """Interpolation or smoothing; it needs no budget and draws nothing.

    Args:
        baseline: Which.
    """

    def __init__(self, baseline: Baseline) -> None:
        self._baseline = baseline

    @property
    def trained(self) -> bool:
        """No."""
        return False

    @property
    def drawn(self) -> bool:
        """No."""
        return False

    def attempt(
        self,
        problem: Problem,
        budget: Budget,  # noqa: ARG002 - it needs none
        seed: int,  # noqa: ARG002 - nothing is drawn
        device: torch.device,  # noqa: ARG002 - on the CPU
    ) -> Attempt:
        """See `Candidate.attempt`."""
        return Attempt(self._baseline.predict(problem.signal))
