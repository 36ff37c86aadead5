"""The decisions of a controller, from rows that somebody measures: when to reach further, to slow down, to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import final

import numpy as np
import torch

from overtone.controller._encoding_bandwidth import EncodingBandwidth
from overtone.controller._target_spectrum import TargetSpectrum
from overtone.early_stopping._best_weights import Keeps
from overtone.early_stopping._monitor import Row
from overtone.errors import RunError


class Decision(Enum):
    """What a controller has just done, or asks for."""

    NOTHING = "nothing"
    WIDEN = "reach further"
    SLOW = "lower the learning rate"
    STOP = "stop"


@final
@dataclass(frozen=True)
class ControlStep:
    """What a controller did at a step.

    Attributes:
        move: What.
        bandwidth: The reach per axis from here on, in cycles per physical unit.
        reason: Why, in a sentence; empty for nothing.
    """

    move: Decision
    bandwidth: tuple[float, ...]
    reason: str = ""

    @property
    def stop(self) -> bool:
        """Whether to leave the loop; the network is then back at its best step."""
        return self.move is Decision.STOP


GROWTH = 1.1
"""The largest opening."""

EARLIEST = 10
"""Steps before which nothing is opened."""

SHIFT = 0.25
"""Cycles by which an opening may move the waves at the far end of the extent: more, and what was learned is lost."""

GAP, ABOVE = 1.0, 2.0
"""Held-out error over training error up to which, and training error over the noise's variance from which on, the
network lacks reach: beyond, reaching further would fit the samples, or their noise, and not what lies between."""

SLOWER, LOWERINGS = 0.3, 1
"""Factor on the learning rate when noise begins to be learned, and how often before the run ends."""


@final
class ControllerPolicy:
    """Acts on a network and its optimizer, in place, by rows as a probe measures them.

    Args:
        spectrum: Of the signal.
        lever: Sets how far the network reaches; at its first reach now.
        furthest: The largest reach per axis, in cycles per physical unit.
        extent: Of the signal per axis, in physical units.
        optimizer: Its learning rates are lowered, and `pace`, their factor in `training.train`.
        keeper: Gives a fresh keeper; None if nothing can be judged, so that the run never goes back and never stops.
    """

    def __init__(
        self,
        spectrum: TargetSpectrum,
        lever: EncodingBandwidth,
        furthest: tuple[float, ...],
        extent: tuple[float, ...],
        optimizer: torch.optim.Optimizer,
        keeper: Callable[[], Keeps] | None,
    ) -> None:
        self._spectrum, self._lever, self._most = spectrum, lever, furthest
        self._extent, self._optimizer, self._fresh = extent, optimizer, keeper
        self._keeper = None if keeper is None else keeper()
        self._rows: dict[int, Row] = {}
        self._lowered, self._shift, self._turned = 0, 0, 0

    @property
    def reach(self) -> tuple[float, ...]:
        """The present reach per axis, in cycles per physical unit."""
        return self._lever.reach

    def update(self, step: int, row: Row) -> ControlStep:
        """Judge a row and act.

        Args:
            step: Optimizer steps so far, ascending.
            row: With `residual_power` (band, channel) and what the keeper's rule looks at.

        Returns:
            What was done, or asked for.
        """
        own = step - self._shift
        self._rows[own] = row
        if self._keeper is not None and self._keeper.update(own, row):
            return self._turn(step)
        return self._open(step, row)

    def judge(self, step: int, row: Row) -> None:
        """Take note of a row without acting on it, the last of a run."""
        if self._keeper is not None:
            self._rows[step - self._shift] = row
            self._keeper.update(step - self._shift, row)

    def recall_last(self, step: int, row: Row) -> None:
        """Take note of a row that a run ended with, which was judged and not acted on."""
        if self._keeper is not None:
            self._rows[step - self._shift] = row
            self._keeper.recall(step - self._shift, row)

    def recall(self, step: int, row: Row) -> ControlStep:
        """Take note of a row of a run that goes on: the network and the optimizer of then are restored elsewhere.

        Returns:
            What was done then.
        """
        own = step - self._shift
        self._rows[own] = row
        if self._keeper is None or not self._keeper.recall(own, row):
            return self._open(step, row)
        best = self._keeper.best_step
        if best is None or self._lowered >= LOWERINGS:
            return ControlStep(Decision.STOP, self.reach, _ended(step))
        self._begin_again(step, best)
        self._keeper.recall(best, self._rows[best])
        return ControlStep(Decision.SLOW, self.reach, _slowed(step, best))

    def at(self, own: int) -> int:
        """The step of the run at which the network was that `finish` counts as `own`."""
        return own if own <= self._turned else own + self._shift

    def finish(self) -> int | None:
        """Put the best network back.

        Returns:
            Its step, not counting what was trained in vain; None where nothing could be judged, and nothing is changed.
        """
        if self._keeper is None:
            return None
        try:
            best = self._keeper.restore()
        except RunError:
            return None
        self._lever.note()
        return best

    def end(self, reason: str) -> ControlStep:
        """Put the best network back and ask to stop."""
        self.finish()
        return ControlStep(Decision.STOP, self.reach, reason)

    def _open(self, step: int, row: Row) -> ControlStep:
        residual = np.asarray(row["residual_power"])
        if (
            step < EARLIEST
            or self._lowered
            or not self._lacks(row)
            or not self._spectrum.learned(residual, max(self.reach))
        ):
            return ControlStep(Decision.NOTHING, self.reach)
        room = min(m / b for m, b in zip(self._most, self.reach, strict=True))
        waves = max(b * e for b, e in zip(self.reach, self._extent, strict=True))
        factor = min(GROWTH, 1 + SHIFT / waves, room)
        if factor <= 1 + 1e-6:
            return ControlStep(Decision.NOTHING, self.reach)
        self._lever.widen(factor)
        return ControlStep(Decision.WIDEN, self.reach, f"The bands within reach are learned at step {step}.")

    def _lacks(self, row: Row) -> bool:
        """Whether the network fits neither the samples nor their noise yet."""
        error, held_out = float(row["train_error"]), row.get("held_out_error")
        return error > ABOVE * self._spectrum.variance and (held_out is None or held_out <= GAP * error)

    def _turn(self, step: int) -> ControlStep:
        best = None if self._lowered >= LOWERINGS else self.finish()
        if best is None:
            return self.end(_ended(step))
        for group in self._optimizer.param_groups:
            group["lr"] *= SLOWER
            group["pace"] = SLOWER * group.get("pace", 1.0)
        self._begin_again(step, best)
        assert self._keeper is not None
        self._keeper.update(best, self._rows[best])
        return ControlStep(Decision.SLOW, self.reach, _slowed(step, best))

    def _begin_again(self, step: int, best: int) -> None:
        """From a best network, with a watch that has seen nothing else."""
        assert self._fresh is not None
        self._lowered, self._shift, self._turned = self._lowered + 1, step - best, best
        self._rows = {best: self._rows[best]}
        self._keeper = self._fresh()


def _slowed(step: int, best: int) -> str:
    return f"At step {step} the estimated error rises: back to step {best}, {SLOWER:g} of the learning rate."


def _ended(step: int) -> str:
    return f"At step {step} the estimated error rises again: what is left is noise."
