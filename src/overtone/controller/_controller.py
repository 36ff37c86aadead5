"""A closed loop around training: reach further when the present bands are learned, slow down and stop at the noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from overtone.controller._encoding_bandwidth import EncodingBandwidth
from overtone.controller._policy import ControllerPolicy, ControlStep, Decision
from overtone.controller._target_spectrum import TargetSpectrum
from overtone.early_stopping import BandErrors, HeldOutAndNoise, Keeper, StoppingRule
from overtone.errors import InputError
from overtone.nn import Field
from overtone.nn._utils import per_axis
from overtone.planning._bandwidth import recommend_bandwidth
from overtone.planning._scan import measure_noise
from overtone.probes import Spread
from overtone.probes._evaluator import Evaluator
from overtone.probes._schedule import Schedule
from overtone.probes.views import GridView
from overtone.signals import Signal, require_grid
from overtone.spectra import NoiseFloor

RATIO = 1.2
"""Growth from one look to the next, later on."""

EVEN = 5
"""Looks that are evenly spaced, the first of them; from then on the spacing is a fifth of the steps so far."""


@final
@dataclass(frozen=True)
class EvaluationSchedule(Schedule):
    """Every `interval` steps at first, then at steps that grow by a fifth: what happens late happens slowly.

    Two looks come before the first interval is over, for signals of which nothing but the mean can be learned.

    Which steps are due does not depend on how long the run will be.

    Attributes:
        interval: Steps between the first looks, at least 1.
    """

    interval: int

    def due(self, step: int) -> bool:
        """Whether the state after `step` optimizer steps is looked at."""
        last = EVEN * self.interval
        if step < self.interval:
            return step > 0 and step in (self.interval // 4, self.interval // 2)
        if step <= last:
            return step % self.interval == 0
        row = round(math.log(step / last, RATIO))
        return any(round(last * RATIO**n) == step for n in (row - 1, row, row + 1))


MEASURED, SHARE, FEWEST = 1 << 14, 0.05, 10
"""Most samples measured at a look, the part of the training's time that looks may cost, and least steps between."""

LOOK = 0.7
"""Time of a look at a sample over that of training on it, transforms and all."""


@final
class Controller:
    """Call it after every optimizer step; it looks at the network every now and then and acts on it in place.

    It begins at `begin`, whatever the network was built with. It reaches further, by a tenth at the most and up to an
    eighth of Nyquist or the last band whose power exceeds that of the noise, at looks that find the bands within reach
    learned (less than a tenth of their power above the noise is left), the held-out error not above the training error,
    and the training error above twice the noise's variance; no opening moves a wave by more than a quarter of its
    length. Once the estimated error rises (`rule`), it goes back to the best network so far, lowers the learning rate
    to 0.3 of itself and reaches no further; the next time it goes back to the best network and asks to stop.

    for step in range(1, steps + 1):
        loss = ...; optimizer.step()
        if controller(step).stop:
            break
    controller.finish()

    Args:
        signal: What is learned; with held-out samples, or noise whose floor can be estimated.
        field: The network in training. Its encoding must be one that can be rescaled or windowed.
        optimizer: Its learning rates are lowered, and `pace`, their factor in `training.train`.
        begin: The first reach, one number or one per axis, in cycles per physical unit, for instance that of a plan; by
            default half the bandwidth that the spectrum recommends. Where there is certainly no noise, no less than it
            recommends.
        rule: When to go back and stop; band errors where there certainly is noise, else the held-out error, else never.
        noise: The noise floor, if it is known already.
        batch: Samples per optimizer step; all that are trained on, up to 8,192, unless said. Looks are spaced so that
            they cost a twentieth of the training at first, and less and less from then on.

    Raises:
        InputError: If the network is no field, its encoding can be neither rescaled nor windowed, the signal has no
            grid, or `begin` is not one positive number or one per axis.
    """

    def __init__(
        self,
        signal: Signal,
        field: Field,
        optimizer: torch.optim.Optimizer,
        *,
        begin: float | Sequence[float] | None = None,
        rule: StoppingRule | None = None,
        noise: NoiseFloor | None = None,
        batch: int | None = None,
    ) -> None:
        if not isinstance(field, Field):
            raise InputError(
                "an nn.Field, whose encoding can be steered",
                type(field).__name__,
                "build one, for instance by a plan's field(signal); any network can be watched by a Probe",
                "field",
            )
        planned = (
            None
            if begin is None
            else per_axis(begin, require_grid(signal, "the controller").geometry.axes, "begin")
        )
        floor = noise or measure_noise(signal)
        blind = replace(signal, clean=None)
        self._view = GridView(blind, Spread(MEASURED), noise=floor)
        self._evaluate = Evaluator(field)
        spectrum = TargetSpectrum(self._view.measurement, floor)
        judge = rule or stopping_rule_for(signal, spectrum)
        keeper = None if judge is None else (lambda: Keeper(judge.watch(), field))
        wanted = recommend_bandwidth(signal, floor).bandwidth
        lever = EncodingBandwidth.of(field, spectrum.begin(wanted, planned))
        grid = signal.geometry
        self._steering = ControllerPolicy(
            spectrum, lever, spectrum.furthest(wanted, grid), grid.extent, optimizer, keeper
        )
        size = batch or min(8192, signal.train_index.numel())
        self.looks = EvaluationSchedule(
            max(FEWEST, math.ceil(LOOK * self._view.inputs.count / (SHARE * size)))
        )
        self._last, self._idle = -1, ControlStep(Decision.NOTHING, lever.reach)

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """The present reach per axis, in cycles per physical unit."""
        return self._idle.bandwidth

    def __call__(self, step: int, loss: float | Tensor | None = None) -> ControlStep:
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
        if not self.looks.due(step):
            return self._idle
        if isinstance(loss, Tensor):
            loss = loss.item()
        if loss is not None and not math.isfinite(loss):
            action = self._steering.end(f"The loss is not finite at step {step}.")
        else:
            action = self._steering.update(step, self._view.row(self._evaluate))
        self._idle = ControlStep(Decision.NOTHING, action.bandwidth)
        return action

    def finish(self) -> int | None:
        """Put the best network back.

        Returns:
            Its step, not counting what was trained in vain; None where nothing could be judged, and nothing is changed.
        """
        return self._steering.finish()


def stopping_rule_for(signal: Signal, spectrum: TargetSpectrum) -> StoppingRule | None:
    """The best rule that a signal has evidence for.

    Band errors where there certainly is noise; else the held-out error, with the noise there may be; else none.
    """
    if spectrum.noise.sum() > 0:
        return BandErrors(spectrum.target, spectrum.noise)
    return HeldOutAndNoise(spectrum.variance) if len(signal.held_out_index) else None
