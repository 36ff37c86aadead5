"""A closed loop around training: reach further when the present bands are learned, slow down and stop at the noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overtone.errors import InputError, RunError
from overtone.nn import Field
from overtone.observe import Window
from overtone.observe.evaluate import Evaluator
from overtone.observe.views import GridView
from overtone.signals import Signal
from overtone.spectra import NoiseFloor, NoiseVerdict
from overtone.tune.bandwidth import SAMPLING, recommend_bandwidth
from overtone.tune.lever import Lever
from overtone.tune.scan import measure_noise
from overtone.tune.stop import BandErrors, HeldOut, Keeper, Rule
from overtone.tune.stop.watch import Row

START, GROWTH = 0.5, 1.05
"""First reach as a part of the recommended bandwidth, and how much further each opening goes."""

LEARNED = 0.1
"""Share of the power within reach that may be left when the next band is opened."""

SLOWER, LOWERINGS = 0.3, 1
"""Factor on the learning rate when noise begins to be learned, and how often before the run ends."""

MEASURED, SHARE, FEWEST = 1 << 14, 0.05, 10
"""Most samples measured at a look, the part of the training's time it may cost, and least steps between looks."""

LOOK = 0.7
"""Time of a look at a sample over that of training on it, transforms and all."""


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


@final
class Controller:
    """Call it after every optimizer step; it looks at the network every few steps and acts on it in place.

    It begins at half the bandwidth that the spectrum recommends, whatever the network was built with. Once the bands
    within reach are learned (less than a tenth of their power above the noise is left), it reaches 5 % further, up to
    an eighth of Nyquist and no further than the bands whose power exceeds that of the noise. Once the estimated error
    rises (`rule`), it goes back to the best network so far, lowers the learning rate to 0.3 of itself and reaches no
    further; the next time it goes back to the best network and asks to stop.

    for step in range(1, steps + 1):
        loss = ...; optimizer.step()
        if controller(step).stop:
            break
    controller.finish()

    Args:
        signal: What is learned; with held-out samples, or noise whose floor can be estimated.
        field: The network in training. Its encoding must be one that can be rescaled or windowed.
        optimizer: Its learning rates are lowered, and `pace`, their factor in `training.train`.
        rule: When to go back and stop; held-out error, or band errors and the noise floor, or never, by what there is.
        noise: The noise floor, if it is known already.
        batch: Samples per optimizer step; all that are trained on, up to 8,192, unless said. Looks are spaced so that
            they cost a twentieth of the training.

    Raises:
        InputError: If the encoding can be neither rescaled nor windowed.
    """

    def __init__(
        self,
        signal: Signal,
        field: Field,
        optimizer: torch.optim.Optimizer,
        *,
        rule: Rule | None = None,
        noise: NoiseFloor | None = None,
        batch: int | None = None,
    ) -> None:
        floor = noise or measure_noise(signal)
        wanted = recommend_bandwidth(signal, floor).bandwidth
        self._field, self._optimizer, self._signal = field, optimizer, signal
        self._lever = Lever.of(field, tuple(START * b for b in wanted))
        blind = replace(signal, clean=None)
        self._view = GridView(blind, Window.central(signal.geometry, MEASURED), noise=floor)
        self._evaluate = Evaluator(field)
        self._target = self._view.measurement.target_power.cpu().numpy()
        self._noise = np.nan_to_num(self._view.measurement.noise_power(floor))
        if floor.verdict is not NoiseVerdict.NOISE:
            self._noise = np.zeros_like(self._noise)
        self._rule = rule or _rule(signal, self._target, self._noise)
        self._keeper = None if self._rule is None else Keeper(self._rule.watch(), field)
        size = batch or min(8192, signal.train_index.numel())
        looked = self._view.samples.count
        self.interval = max(FEWEST, math.ceil(LOOK * looked / (SHARE * size)))
        self._most = self._furthest(wanted)
        self._lowered, self._shift, self._last = 0, 0, -1

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """The present reach per axis, in cycles per physical unit."""
        return self._lever.reach

    def due(self, step: int) -> bool:
        """Whether it looks at the network at this step."""
        return step % self.interval == 0

    def __call__(self, step: int, loss: float | Tensor | None = None) -> Action:
        """Look at the network if a look is due, and act.

        Args:
            step: Optimizer steps so far, ascending.
            loss: The loss of this step; a loss that is not finite ends the run.

        Returns:
            What was done, or asked for.
        """
        if step <= self._last:
            raise InputError(f"a step above {self._last}", f"{step}", "call it once a step", "controller")
        self._last = step
        if not self.due(step):
            return Action(Move.NOTHING, self.bandwidth)
        if isinstance(loss, Tensor):
            loss = loss.item()
        if loss is not None and not math.isfinite(loss):
            return self._end(f"The loss is not finite at step {step}.")
        row = self._view.row(self._evaluate)
        if self._keeper is not None and self._keeper.update(step - self._shift, row):
            return self._turn(step)
        if self._lowered or not self._learned(row):
            return Action(Move.NOTHING, self.bandwidth)
        factor = min(GROWTH, min(m / b for m, b in zip(self._most, self.bandwidth, strict=True)))
        if factor <= 1:
            return Action(Move.NOTHING, self.bandwidth)
        self._lever.widen(factor)
        return Action(Move.WIDEN, self.bandwidth, f"The bands within reach are learned at step {step}.")

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

    def _turn(self, step: int) -> Action:
        if self._lowered >= LOWERINGS or self._keeper is None or self._rule is None:
            return self._end(f"At step {step} the estimated error rises again: what is left is noise.")
        best = self.finish()
        assert best is not None
        self._lowered, self._shift = self._lowered + 1, self._shift + (step - self._shift - best)
        for group in self._optimizer.param_groups:
            group["lr"] *= SLOWER
            group["pace"] = SLOWER * group.get("pace", 1.0)
        self._keeper = Keeper(self._rule.watch(), self._field)
        self._keeper.update(best, self._view.row(self._evaluate))
        reason = (
            f"At step {step} the estimated error rises: back to step {best}, {SLOWER:g} of the learning rate."
        )
        return Action(Move.SLOW, self.bandwidth, reason)

    def _end(self, reason: str) -> Action:
        self.finish()
        return Action(Move.STOP, self.bandwidth, reason)

    def _learned(self, row: Row) -> bool:
        """Whether less than a tenth of the power within reach and above the noise is left."""
        inside = self._within(max(self.bandwidth))
        own = np.clip(self._target - self._noise, 0, None)[inside].sum()
        left = np.clip(np.asarray(row["residual_power"]) - self._noise, 0, None)[inside].sum()
        return bool(left <= LEARNED * own)

    def _within(self, reach: float) -> NDArray[np.bool_]:
        """The bands without the mean that begin below a frequency; the first of them at least."""
        low = np.asarray(self._view.measurement.bands.low)
        inside = (low > 0) & (low < reach)
        inside[1:2] = True
        return inside

    def _furthest(self, wanted: tuple[float, ...]) -> tuple[float, ...]:
        """The largest reach of the shape `wanted` within an eighth of Nyquist and the bands above the noise."""
        bands = self._view.measurement.bands
        above = (self._target > 2 * self._noise).any(axis=1)
        limit = float(np.asarray(bands.high)[above].max()) if above.any() else 0.0
        room = [SAMPLING * n / b for n, b in zip(self._signal.geometry.nyquist, wanted, strict=True)]
        factor = max(1.0, min(min(room), limit / max(wanted)))
        return tuple(b * factor for b in wanted)


def _rule(signal: Signal, target: NDArray[np.float64], noise: NDArray[np.float64]) -> Rule | None:
    """The best rule that the signal has evidence for."""
    if len(signal.held_out_index):
        return HeldOut()
    return BandErrors(target, noise) if noise.sum() > 0 else None
