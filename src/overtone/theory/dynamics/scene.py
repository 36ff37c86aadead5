"""What a prediction is about: samples, targets, and the ledger that its rows go to."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from overtone.signals import Signal
from overtone.spectra import Bands, NoiseFloor
from overtone.theory.dynamics.growth import Kernels
from overtone.theory.dynamics.leaps import Leaps
from overtone.theory.dynamics.linear import CALM, Linearised, Moment, Rate
from overtone.theory.dynamics.minibatch import spread
from overtone.theory.dynamics.record import Ledger
from overtone.theory.dynamics.rules import Descent
from overtone.theory.dynamics.trained import precision

if TYPE_CHECKING:
    import xarray

WORTH = 2
"""Multiple of the pilot's steps that leaps have to reach to be believed."""


@final
@dataclass(frozen=True)
class Scene:
    """Samples to predict.

    Attributes:
        ledger: Turns outputs into rows.
        x: (N, d) coordinates.
        y: (N, C) targets as the loss sees them.
        train: (n,) rows that are trained on.
        rate: Learning rate per step.
    """

    ledger: Ledger
    x: Tensor
    y: Tensor
    train: Tensor
    rate: Callable[[int], float]

    @staticmethod
    def of(
        signal: Signal,
        part: Signal,
        network: nn.Module,
        rate: Callable[[int], float],
        bands: Bands | None,
        noise: NoiseFloor | None,
    ) -> Scene:
        """The scene of a part of a signal, in the normalisation of the whole.

        Args:
            signal: What is trained on.
            part: What is predicted.
            network: The network; its device and precision are used.
            rate: Learning rate per step.
            bands: Bands of the record, or None for the default ones.
            noise: The noise floor, if known.
        """
        device = next(network.parameters()).device
        return Scene(
            Ledger(replace(part, normalisation=signal.normalisation), bands, noise),
            part.coords.to(device),
            signal.normalisation.apply(part.values).to(device, precision(network)),
            part.train_index.to(device),
            rate,
        )

    def leap(
        self,
        leaps: Leaps,
        rows: Sequence[int],
        last: int,
        kernels: Kernels,
        passed: Callable[[float, float, int, int], None],
    ) -> tuple[Linearised, Kernels]:
        """Leap towards step `last` and note rows and kernels on the way.

        Leaps that end before `WORTH` times the pilot are undone: a network that so resists being linearised is
        better continued from where it was trained.

        Args:
            leaps: At the end of the pilot.
            rows: Steps that are recorded.
            last: Where to.
            kernels: Noted before; left as they are.
            passed: Called after each leap with the seconds of a step of training, those of the leap, and the steps
                where it began and ended.

        Returns:
            The network where the leaps ended, or where they began, and the kernels up to there.
        """
        pilot = leaps.pilot
        began, kept = pilot.step, copy.deepcopy((pilot.network, pilot.optimizer))
        noted, found = kernels.branch(), []
        pace, clock = pilot.seconds / began, time.perf_counter()
        for step, moments, linear in leaps.run(rows, last):
            noted.note(step, linear.kernel)
            found += moments
            clock, before = time.perf_counter(), clock
            passed(pace, clock - before, step, pilot.step)
        if pilot.step < min(last, WORTH * began):
            pilot.step, (pilot.network, pilot.optimizer) = began, kept
            return leaps.view().linear, kernels
        for moment in found:
            self.ledger.add(moment.step, moment.outputs.cpu(), moment.loss, self.rate(moment.step))
        return leaps.view().linear, noted

    def scatter(
        self, linear: Linearised, rate: Rate, batch: int, last: int, since: int
    ) -> NDArray[np.float64]:
        """(band, channel) power that batches add to the residual at step `last` on average, physical units squared.

        Args:
            linear: The network at step `since`; its kernel is taken to stay.
            rate: Learning rate per step, of gradient descent.
            batch: Samples per step.
            last: The step.
            since: Where `linear` was taken.
        """
        (found,) = spread(linear, Descent(), rate, batch, [last], since, CALM if since else math.inf)
        return self.ledger.power(found)

    def record(self, moments: Sequence[Moment], attrs: dict[str, Any]) -> xarray.Dataset:
        """The record of what was noted on the way and of these moments.

        Args:
            moments: Of the same steps at every call, or of the first of them.
            attrs: Attributes of the record.
        """
        for moment in moments:
            self.ledger.add(moment.step, moment.outputs.cpu(), moment.loss, self.rate(moment.step))
        return self.ledger.record(attrs).sel(step=slice(None, moments[-1].step))
