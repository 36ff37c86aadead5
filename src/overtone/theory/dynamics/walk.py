"""A pilot on its way: rows of what is trained, and the step at which it diverges."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import final

from overtone.theory.dynamics.bounds import bound
from overtone.theory.dynamics.pilot import Pilot
from overtone.theory.dynamics.scene import Scene


@final
class Walk:
    """Trains a pilot and notes rows.

    Args:
        scene: What is predicted.
        pilot: At its first step.
        rows: Steps that are recorded.
    """

    def __init__(self, scene: Scene, pilot: Pilot, rows: Sequence[int]) -> None:
        self.scene, self.pilot, self.rows = scene, pilot, rows
        loss = self._note()
        if not math.isfinite(loss):
            raise pilot.diverged(loss)
        self._largest = bound(loss, float(scene.y[scene.train].square().mean()))

    def to(self, step: int, look: Callable[[], None] | None = None) -> int | None:
        """Train up to a step, whose row is noted too, and look at the network half way, if there is a half way.

        Args:
            step: Where to.
            look: Called half way from the beginning.

        Returns:
            The last step at which the loss was within bounds if it leaves them, or else None.
        """
        middle = step // 2 if look else 0
        now = self.pilot.step
        for stop in sorted({s for s in (*self.rows, middle, step) if now < s <= step}):
            if not self.pilot.survives(stop - self.pilot.step, self._largest):
                return self.pilot.step - 1
            if (stop in self.rows or stop == step) and not self._note() <= self._largest:
                return stop - 1
            if look and 1 <= stop == middle < step:
                look()
        return None

    def _note(self) -> float:
        """The loss now, noted with its row if it is finite."""
        scene, step = self.scene, self.pilot.step
        outputs = self.pilot.outputs(scene.x)
        loss = float((outputs - scene.y)[scene.train].square().mean())
        if not bool(outputs.isfinite().all()):
            return math.nan
        scene.ledger.add(step, outputs.cpu(), loss, scene.rate(step))
        return loss
