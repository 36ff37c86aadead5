"""The networks that a watch may still want to go back to."""

from __future__ import annotations

import copy
from typing import Any, Protocol, final

from torch import nn

from overtone.early_stopping._monitor import Row, StoppingMonitor
from overtone.errors import RunError


@final
class Keeper:
    """Feeds a watch and keeps the states that it may go back to, on the network's device: a dozen at most.

    Args:
        watch: From a rule's `watch()`.
        network: The network in training; it is only read, until `restore`.
    """

    def __init__(self, watch: StoppingMonitor, network: nn.Module) -> None:
        self.watch, self._network = watch, network
        self._states: dict[int, dict[str, Any]] = {}

    @property
    def best_step(self) -> int | None:
        """The step to go back to; None before any could be judged."""
        return self.watch.best_step

    def update(self, step: int, row: Row) -> bool:
        """Take note of a row, and of the network as it is now.

        Args:
            step: Optimizer steps so far.
            row: What was measured now.

        Returns:
            Whether to end the run.
        """
        done = self.watch.update(step, row)
        wanted = self.watch.keep
        if step in wanted:
            self._states[step] = copy.deepcopy(self._network.state_dict())
        self._states = {kept: state for kept, state in self._states.items() if kept in wanted}
        return done

    def recall(self, step: int, row: Row) -> bool:
        """Take note of a row whose network is not kept.

        Args:
            step: Optimizer steps at the time.
            row: What was measured then.

        Returns:
            Whether to end the run.
        """
        return self.watch.update(step, row)

    def restore(self) -> int:
        """Put the best network's state back.

        Returns:
            Its step.

        Raises:
            RunError: If no row could be judged yet.
        """
        best = self.watch.best_step
        if best is None or best not in self._states:
            raise RunError("a step to go back to", "none", "measure at least one row first", "stop")
        self._network.load_state_dict(self._states[best])
        return best


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
