"""Decisions of a controller, from rows measured during training: increase the bandwidth, go back, stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import final

import numpy as np
import torch

from overtone.controller._encoding_bandwidth import EncodingBandwidth
from overtone.controller._target_spectrum import TargetSpectrum
from overtone.early_stopping import BestWeights
from overtone.early_stopping._monitor import Row
from overtone.errors import RunError
from overtone.planning._reasons import Reason, ReasonCode

GROWTH = 1.1
"""Largest factor of one increase of the bandwidth."""

EARLIEST = 10
"""Steps before which the bandwidth is not increased."""

PHASE_SHIFT = 0.25
"""Cycles by which an increase may move the waves at the far end of the extent: more, and learned content is lost."""

GAP, ABOVE = 1.0, 2.0
"""Increase the bandwidth only while held-out error <= GAP x training error and training error > ABOVE x noise variance;
otherwise more bandwidth would fit single samples or noise."""

LR_FACTOR, MAX_REDUCTIONS = 0.3, 1
"""Factor on the learning rate when noise begins to be learned, and how often before the run ends."""


class Decision(Enum):
    """Decision of a controller at a step; the value is its name in records.

    Example:
        >>> Decision.STOP.value
        'stop'
    """

    NOTHING = "nothing"
    INCREASE_BANDWIDTH = "reach further"
    REDUCE_LR = "lower the learning rate"
    STOP = "stop"


@final
@dataclass(frozen=True)
class ControlStep:
    """Decision of a controller at a step, which it has carried out already.

    Attributes:
        decision: The decision.
        bandwidth: The bandwidth per axis from here on, in cycles per physical unit.
        reason: The reason, with its numbers; None for NOTHING. `str` of it is a sentence.

    Example:
        >>> ControlStep(Decision.NOTHING, (4.0,)).stop
        False
    """

    decision: Decision
    bandwidth: tuple[float, ...]
    reason: Reason | None = None

    @property
    def stop(self) -> bool:
        """Whether to leave the loop; the network then has its best weights."""
        return self.decision is Decision.STOP


@final
class ControllerPolicy:
    """Acts on a network and its optimizer, in place, by rows as a probe measures them.

    Args:
        spectrum: Power of the target and of its noise.
        encoding: Bandwidth of the network, at its initial value now.
        max_bandwidth: The largest bandwidth per axis, in cycles per physical unit.
        extent: Extent of the signal per axis, in physical units.
        optimizer: Its learning rates are lowered, and `pace`, their factor in training.
        new_weights: Builds an empty store of best weights with a new monitor; None if no rule applies, so that the run
            never goes back and never stops.
    """

    def __init__(
        self,
        spectrum: TargetSpectrum,
        encoding: EncodingBandwidth,
        max_bandwidth: tuple[float, ...],
        extent: tuple[float, ...],
        optimizer: torch.optim.Optimizer,
        new_weights: Callable[[], BestWeights] | None,
    ) -> None:
        self._spectrum, self._encoding, self._max_bandwidth = spectrum, encoding, max_bandwidth
        self._extent, self._optimizer, self._new_weights = extent, optimizer, new_weights
        self._weights = None if new_weights is None else new_weights()
        self._rows: dict[int, Row] = {}
        # After a rollback the monitor counts steps from the restored one on, as if the discarded steps had not been.
        self._reductions, self._rollback_offset, self._rollback_step = 0, 0, 0

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """The current bandwidth per axis, in cycles per physical unit."""
        return self._encoding.value

    def update(self, step: int, row: Row) -> ControlStep:
        """Judge a row and act.

        Args:
            step: Optimizer steps so far, ascending.
            row: With `residual_power` (band, channel) and the columns that the stopping rule needs.

        Returns:
            The decision.
        """
        local_step = self._note(step, row)
        if self._weights is not None and self._weights.update(local_step, row):
            return self._roll_back(step)
        return self._increase(step, row)

    def observe(self, step: int, row: Row) -> None:
        """Judge a row without acting on it: the last of a session."""
        if self._weights is not None:
            self._weights.update(self._note(step, row), row)

    def replay_observed(self, step: int, row: Row) -> None:
        """Judge a row that an earlier session observed without acting on it."""
        if self._weights is not None:
            self._weights.replay(self._note(step, row), row)

    def replay(self, step: int, row: Row) -> ControlStep:
        """Repeat the decision on a row of a resumed run, whose network and optimizer are restored elsewhere.

        Returns:
            The decision made then.
        """
        local_step = self._note(step, row)
        if self._weights is None or not self._weights.replay(local_step, row):
            return self._increase(step, row)
        best = self._weights.best_step
        if best is None or self._reductions >= MAX_REDUCTIONS:
            return ControlStep(Decision.STOP, self.bandwidth, _rises_again(step))
        self._restart(step, best)
        self._weights.replay(best, self._rows[best])
        return ControlStep(Decision.REDUCE_LR, self.bandwidth, _rises(step, best))

    def to_global_step(self, local_step: int) -> int:
        """Convert a step counted without the discarded ones to a step of the whole run."""
        return local_step if local_step <= self._rollback_step else local_step + self._rollback_offset

    def finish(self) -> int | None:
        """Restore the best weights.

        Returns:
            The restored step, not counting steps discarded by a rollback; None (weights unchanged) if no row could be
            scored.
        """
        try:
            best = None if self._weights is None else self._weights.restore()
        except RunError:
            # Weights in memory are lost with their process: a replayed run has none to go back to.
            return None
        if best is not None:
            self._encoding.sync()
        return best

    def end(self, reason: Reason) -> ControlStep:
        """Restore the best weights and ask to stop."""
        self.finish()
        return ControlStep(Decision.STOP, self.bandwidth, reason)

    def _note(self, step: int, row: Row) -> int:
        """Remember a row by its step without the discarded ones, and return that step."""
        local_step = step - self._rollback_offset
        self._rows[local_step] = row
        return local_step

    def _increase(self, step: int, row: Row) -> ControlStep:
        # Once noise has begun to be learned, more bandwidth would only let more of it in.
        if (
            step < EARLIEST
            or self._reductions
            or not self._lacks_bandwidth(row)
            or not self._spectrum.learned(np.asarray(row["residual_power"]), max(self.bandwidth))
        ):
            return ControlStep(Decision.NOTHING, self.bandwidth)
        # Scaling a frequency by a factor shifts its wave by (factor - 1) cycles per cycle within the extent: the
        # highest wave shifts most, and must keep its phase well enough for the layers above to use it.
        limit = min(m / b for m, b in zip(self._max_bandwidth, self.bandwidth, strict=True))
        waves = max(b * e for b, e in zip(self.bandwidth, self._extent, strict=True))
        factor = min(GROWTH, 1 + PHASE_SHIFT / waves, limit)
        if factor <= 1 + 1e-6:
            return ControlStep(Decision.NOTHING, self.bandwidth)
        self._encoding.scale(factor)
        reason = Reason(ReasonCode.BANDS_LEARNED, {"step": step})
        return ControlStep(Decision.INCREASE_BANDWIDTH, self.bandwidth, reason)

    def _lacks_bandwidth(self, row: Row) -> bool:
        """Whether the network fits neither single samples nor their noise yet."""
        error, held_out = float(row["train_error"]), row.get("held_out_error")
        return error > ABOVE * self._spectrum.variance and (held_out is None or held_out <= GAP * error)

    def _roll_back(self, step: int) -> ControlStep:
        """Restore the best weights at a lower learning rate; the second time, stop."""
        best = None if self._reductions >= MAX_REDUCTIONS else self.finish()
        if best is None:
            return self.end(_rises_again(step))
        for group in self._optimizer.param_groups:
            group["lr"] *= LR_FACTOR
            group["pace"] = LR_FACTOR * group.get("pace", 1.0)
        self._restart(step, best)
        assert self._weights is not None
        self._weights.update(best, self._rows[best])
        return ControlStep(Decision.REDUCE_LR, self.bandwidth, _rises(step, best))

    def _restart(self, step: int, best: int) -> None:
        """Go on from the best weights with a new monitor: the old one would end the run at once."""
        assert self._new_weights is not None
        self._reductions += 1
        self._rollback_offset, self._rollback_step = step - best, best
        self._rows = {best: self._rows[best]}
        self._weights = self._new_weights()


def _rises(step: int, best: int) -> Reason:
    return Reason(ReasonCode.ERROR_RISES, {"step": step, "best_step": best, "lr_factor": LR_FACTOR})


def _rises_again(step: int) -> Reason:
    return Reason(ReasonCode.ERROR_RISES_AGAIN, {"step": step})
