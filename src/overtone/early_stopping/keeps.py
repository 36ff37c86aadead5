"""What follows a run and knows what to go back to."""

from __future__ import annotations

from typing import Protocol

from overtone.early_stopping.watch import Row


class Keeps(Protocol):
    """What follows a run by a rule and keeps the networks that it may go back to, as `stop.Keeper` does."""

    @property
    def best_step(self) -> int | None:
        """The step to go back to; None before any could be judged."""

    def update(self, step: int, row: Row) -> bool:
        """Take note of a row, and of the network as it is now; whether the rule ends the run."""

    def recall(self, step: int, row: Row) -> bool:
        """Take note of a row of a run that goes on; its network was kept at the time."""

    def restore(self) -> int | None:
        """Put the best network's state back; its step."""
