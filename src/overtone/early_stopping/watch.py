"""What follows a run and says when to end it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]
"""A row as a probe measures it: `held_out_error`, `train_error`, `residual_power` (band, channel) and so on."""


class Watch(ABC):
    """Follows one run.

    Attributes:
        best_step: The step to go back to, of those seen; None before any could be judged.
        keep: The steps whose networks may still turn out to be the ones to go back to.
    """

    @property
    @abstractmethod
    def best_step(self) -> int | None:
        """The step to go back to, of those seen; None before any could be judged."""

    @property
    @abstractmethod
    def keep(self) -> frozenset[int]:
        """The steps whose networks may still turn out to be the ones to go back to."""

    @abstractmethod
    def update(self, step: int, row: Row) -> bool:
        """Take note of a row.

        Args:
            step: Optimizer steps so far, above all steps before.
            row: What was measured.

        Returns:
            Whether to end the run.

        Raises:
            InputError: If the steps do not ascend, or the row lacks what the rule looks at.
        """
