"""`Controller`: increase the bandwidth as bands are learned, go back and stop where noise is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from overtone.controller._policy import ControlStep, Decision, make_policy
from overtone.early_stopping import StoppingRule
from overtone.errors import InputError
from overtone.nn import Field
from overtone.nn._utils import positive_per_axis
from overtone.planning._reasons import Reason, ReasonCode
from overtone.planning._scan import measure_noise
from overtone.probes import Spread
from overtone.probes._evaluator import Evaluator
from overtone.probes._schedule import Schedule
from overtone.probes.views import GridView
from overtone.signals import Signal, require_grid
from overtone.spectra import NoiseFloor

RATIO = 1.2
"""Growth of the steps from one evaluation to the next, later on."""

EVENLY_SPACED = 5
"""Number of evaluations that are evenly spaced at first; from then on the spacing is a fifth of the steps so far."""

MEASURED, SHARE, MIN_INTERVAL = 1 << 14, 0.05, 10
"""Largest number of samples of an evaluation, part of the training time that evaluations may cost, and fewest steps
between them."""

RELATIVE_COST = 0.7
"""Time of an evaluation of a sample over that of training on it, transforms included."""


@final
@dataclass(frozen=True)
class EvaluationSchedule(Schedule):
    """Every `interval` steps at first, then at steps that grow by a fifth, since training slows down with time.

    Two early evaluations precede the first regular one, so that runs on pure noise stop in time. Which steps are due
    does not depend on the length of the run.

    Attributes:
        interval: Steps between the first evaluations, at least 1.
    """

    interval: int

    def due(self, step: int) -> bool:
        """Whether the network is evaluated after `step` optimizer steps."""
        last = EVENLY_SPACED * self.interval
        if step < self.interval:
            return step > 0 and step in (self.interval // 4, self.interval // 2)
        if step <= last:
            return step % self.interval == 0
        # The logarithm is rounded: the neighbours of the nearest exponent are tried as well.
        exponent = round(math.log(step / last, RATIO))
        return any(round(last * RATIO**n) == step for n in (exponent - 1, exponent, exponent + 1))


@final
class Controller:
    """Call it after every optimizer step; it evaluates the network now and then and acts on it in place.

    It begins at `begin`, whatever the network was built with. It increases the bandwidth, by a tenth at most and up to
    an eighth of Nyquist or the last band whose power exceeds that of the noise, at evaluations that find the bands
    within it learned (less than a tenth of their power above the noise is left), the held-out error not above the
    training error, and the training error above twice the noise's variance; no increase moves a wave by more than a
    quarter of its length. Once the estimated error rises (`rule`), it restores the best weights so far, lowers the
    learning rate to 0.3 of itself and keeps the bandwidth; the next time it restores the best weights and asks to stop.

    Args:
        signal: The signal to learn; with held-out samples, or noise whose floor can be estimated.
        field: The network in training. Its encoding must be one that can be rescaled or windowed.
        optimizer: Its learning rates are lowered, and `pace`, their factor in training.
        begin: The initial bandwidth, one number or one per axis, in cycles per physical unit, for instance that of a
            plan; by default half of what the spectrum recommends. Where there is certainly no noise, no less than it
            recommends.
        rule: When to go back and stop; by default band errors where there certainly is noise, else the held-out error,
            else never.
        noise: The noise floor, if it is known already.
        batch: Samples per optimizer step; all that are trained on, up to 8,192, if None. Evaluations are spaced so that
            they cost a twentieth of the training at first, and less and less from then on.

    Raises:
        InputError: If the network is no field, its encoding can be neither rescaled nor windowed, the signal has no
            grid, or `begin` is not one positive number or one per axis.

    Example:
        >>> import torch
        >>> import overtone as ot
        >>> from overtone.controller import Controller
        >>> signal = ot.signals.synthetic.harmonics([2, 5], samples=64)
        >>> field = ot.plan(signal, ot.planning.Budget(parameters=2000)).field(signal)
        >>> optimizer = torch.optim.Adam(field.parameters())
        >>> controller = Controller(signal, field, optimizer, begin=3.0)
        >>> for step in range(1, 4):
        ...     loss = (field(signal.coords) - signal.values).square().mean()
        ...     optimizer.zero_grad(); loss.backward(); optimizer.step()
        ...     if controller(step, loss).stop:
        ...         break
        >>> controller.bandwidth[0] >= 3.0
        True
        >>> controller.finish() is None or controller.finish() <= 3
        True
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
            else positive_per_axis(begin, require_grid(signal, "the controller").geometry.axes, "begin")
        )
        floor = noise or measure_noise(signal)
        # A controller may not see the clean reference, which exists in tests alone.
        self._view = GridView(replace(signal, clean=None), Spread(MEASURED), noise=floor)
        self._evaluate = Evaluator(field)
        self._policy = make_policy(self._view, floor, field, optimizer, planned=planned, rule=rule)
        size = batch or min(8192, signal.train_index.numel())
        interval = math.ceil(RELATIVE_COST * self._view.inputs.count / (SHARE * size))
        self.schedule = EvaluationSchedule(max(MIN_INTERVAL, interval))
        self._last, self._idle = -1, ControlStep(Decision.NOTHING, self._policy.bandwidth)

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """The current bandwidth per axis, in cycles per physical unit."""
        return self._idle.bandwidth

    def __call__(self, step: int, loss: float | Tensor | None = None) -> ControlStep:
        """Evaluate the network if an evaluation is due, and act.

        Args:
            step: Optimizer steps so far, ascending.
            loss: The loss of this step; a loss that is not finite ends the run.

        Returns:
            The decision, carried out already.
        """
        if step <= self._last:
            raise InputError(f"a step above {self._last}", f"{step}", "call it once a step", "controller")
        self._last = step
        if not self.schedule.due(step):
            return self._idle
        if isinstance(loss, Tensor):
            loss = loss.item()
        if loss is not None and not math.isfinite(loss):
            action = self._policy.end(Reason(ReasonCode.LOSS_NOT_FINITE, {"step": step}))
        else:
            action = self._policy.update(step, self._view.row(self._evaluate))
        self._idle = ControlStep(Decision.NOTHING, action.bandwidth)
        return action

    def finish(self) -> int | None:
        """Restore the best weights.

        Returns:
            The restored step, not counting steps discarded by a rollback; None (weights unchanged) if no row could be
            scored.
        """
        return self._policy.finish()
