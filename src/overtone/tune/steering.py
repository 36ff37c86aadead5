"""The decisions of a controller, from rows that somebody measures: when to reach further, to slow down, to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, final

import numpy as np
import torch
from numpy.typing import NDArray

from overtone.errors import RunError
from overtone.observe.measurement import Measurement
from overtone.signals import Grid
from overtone.spectra import NoiseFloor, NoiseVerdict
from overtone.tune.bandwidth import SAMPLING
from overtone.tune.lever import Lever
from overtone.tune.stop.watch import Row

NOISY, GROWTH = 0.5, 1.1
"""First reach of signals that may be noisy as a part of the recommended bandwidth, and the largest opening."""

EARLIEST = 10
"""Steps before which nothing is opened."""

SHIFT = 0.25
"""Cycles by which an opening may move the waves at the far end of the extent: more, and what was learned is lost."""

GAP, ABOVE = 1.0, 2.0
"""Held-out error over training error up to which, and training error over the noise's variance from which on, the
network lacks reach: beyond, reaching further would fit the samples, or their noise, and not what lies between."""

LEARNED = 0.1
"""Share of the power within reach that may be left when the next band is opened."""

SLOWER, LOWERINGS = 0.3, 1
"""Factor on the learning rate when noise begins to be learned, and how often before the run ends."""


class Move(Enum):
    """What a controller has just done, or asks for."""

    NOTHING = "nothing"
    WIDEN = "reach further"
    SLOW = "lower the learning rate"
    STOP = "stop"


@final
@dataclass(frozen=True)
class Action:
    """What a controller did at a step.

    Attributes:
        move: What.
        bandwidth: The reach per axis from here on, in cycles per physical unit.
        reason: Why, in a sentence; empty for nothing.
    """

    move: Move
    bandwidth: tuple[float, ...]
    reason: str = ""

    @property
    def stop(self) -> bool:
        """Whether to leave the loop; the network is then back at its best step."""
        return self.move is Move.STOP


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


@final
class Spectrum:
    """What a steered run is measured by: power of the target and of the noise, band by band.

    Args:
        measurement: Of the target.
        noise: Its noise floor.

    Attributes:
        target: (band, channel) power, in squared value units.
        noise: (band, channel) power of the noise, 0 where none was found.
        variance: Of the noise, at the most where it cannot be told from detail; mean over channels.
        clean: Whether there is certainly no noise.
    """

    def __init__(self, measurement: Measurement, noise: NoiseFloor) -> None:
        self.target = measurement.target_power.cpu().numpy()
        self.clean = noise.verdict is NoiseVerdict.CLEAN
        found = np.nan_to_num(measurement.noise_power(noise))
        self.noise = found if noise.verdict is NoiseVerdict.NOISE else np.zeros_like(found)
        self.variance = float(noise.std.square().mean())
        self._low, self._high = np.asarray(measurement.bands.low), np.asarray(measurement.bands.high)

    def begin(self, wanted: tuple[float, ...], planned: tuple[float, ...] | None) -> tuple[float, ...]:
        """The first reach per axis.

        That of a plan; by default half the bandwidth `wanted` that the spectrum recommends. Where there is certainly no
        noise, no less than `wanted`: more reach learns faster, and there is nothing to be learned too much of.
        """
        least = planned or tuple(NOISY * b for b in wanted)
        return tuple(map(max, least, wanted)) if self.clean else least

    def furthest(self, wanted: tuple[float, ...], grid: Grid) -> tuple[float, ...]:
        """The largest reach of the shape `wanted` within an eighth of Nyquist and the bands above the noise."""
        above = (self.target > 2 * self.noise).any(axis=1)
        limit = float(self._high[above].max()) if above.any() else 0.0
        room = [SAMPLING * n / b for n, b in zip(grid.nyquist, wanted, strict=True)]
        factor = max(1.0, min(min(room), limit / max(wanted)))
        return tuple(b * factor for b in wanted)

    def learned(self, residual: NDArray[np.float64], reach: float) -> bool:
        """Whether less than a tenth of the power within reach and above the noise is left."""
        inside = self._within(reach)
        own = np.clip(self.target - self.noise, 0, None)[inside].sum()
        left = np.clip(residual - self.noise, 0, None)[inside].sum()
        return bool(left <= LEARNED * own)

    def _within(self, reach: float) -> NDArray[np.bool_]:
        """The bands without the mean that begin below a frequency; the first of them at least."""
        inside = (self._low > 0) & (self._low < reach)
        inside[1:2] = True
        return inside


@final
class Steering:
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
        spectrum: Spectrum,
        lever: Lever,
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

    def update(self, step: int, row: Row) -> Action:
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

    def recall(self, step: int, row: Row) -> Action:
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
            return Action(Move.STOP, self.reach, _ended(step))
        self._begin_again(step, best)
        self._keeper.recall(best, self._rows[best])
        return Action(Move.SLOW, self.reach, _slowed(step, best))

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

    def end(self, reason: str) -> Action:
        """Put the best network back and ask to stop."""
        self.finish()
        return Action(Move.STOP, self.reach, reason)

    def _open(self, step: int, row: Row) -> Action:
        residual = np.asarray(row["residual_power"])
        if (
            step < EARLIEST
            or self._lowered
            or not self._lacks(row)
            or not self._spectrum.learned(residual, max(self.reach))
        ):
            return Action(Move.NOTHING, self.reach)
        room = min(m / b for m, b in zip(self._most, self.reach, strict=True))
        waves = max(b * e for b, e in zip(self.reach, self._extent, strict=True))
        factor = min(GROWTH, 1 + SHIFT / waves, room)
        if factor <= 1 + 1e-6:
            return Action(Move.NOTHING, self.reach)
        self._lever.widen(factor)
        return Action(Move.WIDEN, self.reach, f"The bands within reach are learned at step {step}.")

    def _lacks(self, row: Row) -> bool:
        """Whether the network fits neither the samples nor their noise yet."""
        error, held_out = float(row["train_error"]), row.get("held_out_error")
        return error > ABOVE * self._spectrum.variance and (held_out is None or held_out <= GAP * error)

    def _turn(self, step: int) -> Action:
        best = None if self._lowered >= LOWERINGS else self.finish()
        if best is None:
            return self.end(_ended(step))
        for group in self._optimizer.param_groups:
            group["lr"] *= SLOWER
            group["pace"] = SLOWER * group.get("pace", 1.0)
        self._begin_again(step, best)
        assert self._keeper is not None
        self._keeper.update(best, self._rows[best])
        return Action(Move.SLOW, self.reach, _slowed(step, best))

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
