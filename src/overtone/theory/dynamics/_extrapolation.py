"""How far apart a kernel that stays and one that goes on growing lead, and what can be told in between."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from overtone._utils.steps import log_steps
from overtone.records import metrics
from overtone.theory._mode_dynamics import OptimizerDynamics
from overtone.theory.dynamics._agreement import ValidityLimit, departure
from overtone.theory.dynamics._linearised import EDGE_FRACTION, KernelGrowth, Linearised, Rate, propagate
from overtone.theory.dynamics._problem import PredictionProblem

if TYPE_CHECKING:
    import xarray


MAX_RATIO = 4.0
"""Largest ratio of the latest to the earliest learning step at which a band is still told."""


@final
@dataclass(frozen=True, eq=False)
class PredictionInterval:
    """Three predictions of the same run, beyond the last step asked for.

    Attributes:
        growing: With the kernel growing on as it did before.
        between: With a part of that growth; the prediction.
        frozen: With the kernel as it is where it was linearised last.
        since: The step from which the three differ.
    """

    growing: xarray.Dataset
    between: xarray.Dataset
    frozen: xarray.Dataset
    since: int

    @property
    def earliest(self) -> NDArray[np.float64]:
        """(band,) learning steps of `growing`; NaN where not learned."""
        return _learning(self.growing)

    @property
    def latest(self) -> NDArray[np.float64]:
        """(band,) learning steps of `frozen`; NaN where not learned."""
        return _learning(self.frozen)

    @property
    def content(self) -> NDArray[np.bool_]:
        """(band,) bands that hold something to learn."""
        found: NDArray[np.bool_] = metrics.has_content(metrics.combine_channels(self.between)).values
        return found

    @property
    def parted(self) -> NDArray[np.float64]:
        """(band,) first step at which the two extremes differ; NaN where they do not."""
        return np.where(self.content, departure(self.frozen, self.growing, self.since)[0], np.nan)

    @property
    def untold(self) -> NDArray[np.bool_]:
        """(band,) bands whose learning step the extremes disagree on by more than `TRUST`."""
        late = np.where(np.isfinite(self.latest), self.latest, np.inf)
        with np.errstate(invalid="ignore"):
            close = late / self.earliest <= MAX_RATIO
        return self.content & ~close & (np.isfinite(self.parted) | np.isfinite(self.earliest))

    @property
    def limit(self) -> ValidityLimit | None:
        """Where the extremes begin to differ; None if they do not."""
        parted = self.parted
        if not np.isfinite(parted).any():
            return None
        band = int(np.nanargmin(parted))
        steps = self.between.step.values
        low, high = self.between.band_low.values, self.between.band_high.values
        return ValidityLimit(int(steps[steps < parted[band]][-1]), float(low[band]), float(high[band]))

    def told(self, last: int) -> xarray.Dataset:
        """The prediction up to step `last`, NaN where it cannot be told."""
        record = self.between.sel(step=slice(None, last))
        since = np.where(self.untold, np.fmin(self.parted, self.earliest), np.inf)
        gone = record.step.values[:, None, None] >= since[None, :, None]
        hidden = {
            name: record[name].where(~np.broadcast_to(gone, record[name].shape))
            for name in ("residual_power", "cross_power")
        }
        return record.assign(hidden)


def _learning(record: xarray.Dataset) -> NDArray[np.float64]:
    steps: NDArray[np.float64] = metrics.learning_step(metrics.combine_channels(record)).values
    return steps


@final
@dataclass(frozen=True)
class Extrapolation:
    """What follows the pilot and its leaps, beyond the last step so that late bands are seen too.

    Attributes:
        scene: What is predicted.
        linear: The network where pilot and leaps ended.
        rule: The optimizer.
        rate: Learning rate per step.
        held: Whether modes beyond stability are taken to be held there, as in networks that did not diverge.
        since: Step of `linear`.
        steps: Last step asked for.
        until: Where it diverges, or None.
        ratio: Growth from one recorded step to the next.
        share: Part of the exponents of a growth that the prediction takes; the extremes take none and all.
    """

    scene: PredictionProblem
    linear: Linearised
    rule: OptimizerDynamics
    rate: Rate
    held: bool
    since: int
    steps: int
    until: int | None
    ratio: float
    share: float

    def span(self, growth: KernelGrowth | None, attrs: dict[str, Any]) -> PredictionInterval:
        """The prediction between its extremes; without a growth they are one.

        Args:
            growth: How the kernel would go on growing, if that is known.
            attrs: Of the records.
        """
        frozen = self._record(None, attrs)
        if growth is None:
            return PredictionInterval(frozen, frozen, frozen, self.since)
        return PredictionInterval(
            self._record(growth, attrs), self._record(growth.slowed(self.share), attrs), frozen, self.since
        )

    def _record(self, growth: KernelGrowth | None, attrs: dict[str, Any]) -> xarray.Dataset:
        wanted = {self.since, self.steps, *log_steps(round(MAX_RATIO * self.steps), self.ratio)}
        if self.until is not None:
            wanted = {step for step in (*wanted, self.until) if step <= self.until}
        steps = sorted(step for step in wanted if step >= self.since)
        ceiling = EDGE_FRACTION if self.held else math.inf
        moments = list(propagate(self.linear, self.rule, self.rate, steps, self.since, growth, ceiling))
        return self.scene.record(moments, attrs)
