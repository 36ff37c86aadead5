"""Extrapolation beyond pilot and relinearisation: the interval between a fixed and a growing kernel."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from overtone._utils.steps import log_steps
from overtone.records import metrics
from overtone.records.metrics._bands import has_content
from overtone.theory._mode_dynamics import OptimizerDynamics
from overtone.theory.dynamics._agreement import ValidityLimit, departure
from overtone.theory.dynamics._linearised import EDGE_FRACTION, KernelGrowth, Linearised, Rate
from overtone.theory.dynamics._problem import PredictionProblem

if TYPE_CHECKING:
    import xarray

MAX_RATIO = 4.0
"""Largest ratio of the latest to the earliest learning step at which a band counts as determined."""


SETTLED = 0.5
"""Largest exponent of the kernel's growth at which features count as settled: eigenvalues then grow by a factor of 1.4
at most while the steps double."""


@final
@dataclass(frozen=True, eq=False)
class PredictionInterval:
    """Interval of predictions of one run, beyond the last requested step.

    Attributes:
        growing: Prediction with the kernel growing at its earlier rate: the earliest learning steps.
        between: Prediction with a part of that growth: the result.
        frozen: Prediction with the kernel fixed at the last linearisation: the latest learning steps.
        since: The step from which the three differ.
        changing: Whether features still change fast at `since`, so that bands the kernel cannot learn may be learned by
            features to come.
    """

    growing: xarray.Dataset
    between: xarray.Dataset
    frozen: xarray.Dataset
    since: int
    changing: bool

    @functools.cached_property
    def earliest(self) -> NDArray[np.float64]:
        """(band,) learning steps of `growing`; NaN for bands not learned."""
        return _learning_steps(self.growing)

    @functools.cached_property
    def latest(self) -> NDArray[np.float64]:
        """(band,) learning steps of `frozen`; NaN for bands not learned."""
        return _learning_steps(self.frozen)

    @functools.cached_property
    def content(self) -> NDArray[np.bool_]:
        """(band,) bands with power to learn."""
        content: NDArray[np.bool_] = has_content(metrics.combine_channels(self.between)).values
        return content

    @functools.cached_property
    def departure_step(self) -> NDArray[np.float64]:
        """(band,) first step at which the two extremes differ; NaN for bands in which they agree."""
        return np.where(self.content, departure(self.frozen, self.growing, self.since)[0], np.nan)

    @functools.cached_property
    def undetermined(self) -> NDArray[np.bool_]:
        """(band,) bands whose learning steps in the two extremes differ by more than `MAX_RATIO`.

        Also bands that neither learns, if features still change fast: kernels of smooth activations without an encoding
        grow in modes whose eigenvalues are below rounding at the pilot's end.
        """
        latest = np.where(np.isfinite(self.latest), self.latest, np.inf)
        with np.errstate(invalid="ignore"):
            close = latest / self.earliest <= MAX_RATIO
        # Bands that both extremes agree not to learn are determined: they are not learned.
        differs = ~close & (np.isfinite(self.departure_step) | np.isfinite(self.earliest))
        return self.content & (differs | (self.changing & ~np.isfinite(self.earliest)))

    @property
    def limit(self) -> ValidityLimit | None:
        """Step and band at which the extremes begin to differ; None if they do not."""
        departs = self.departure_step
        if not np.isfinite(departs).any():
            return None
        band = int(np.nanargmin(departs))
        steps = self.between.step.values
        low, high = self.between.band_low.values, self.between.band_high.values
        return ValidityLimit(int(steps[steps < departs[band]][-1]), float(low[band]), float(high[band]))

    def determined(self, last: int) -> xarray.Dataset:
        """Return the prediction up to step `last`, NaN where it is undetermined."""
        record = self.between.sel(step=slice(None, last))
        # The extremes share their rows up to the departure step; later rows are set to NaN.
        begins = np.fmin(self.departure_step, self.earliest)
        begins = np.where(np.isnan(begins), float(self.since), begins)
        since = np.where(self.undetermined, begins, np.inf)
        unknown = record.step.values[:, None, None] >= since[None, :, None]
        masked = {
            name: record[name].where(~np.broadcast_to(unknown, record[name].shape))
            for name in ("residual_power", "cross_power")
        }
        return record.assign(masked)


def _learning_steps(record: xarray.Dataset) -> NDArray[np.float64]:
    steps: NDArray[np.float64] = metrics.learning_step(metrics.combine_channels(record)).values
    return steps


@final
@dataclass(frozen=True)
class Extrapolation:
    """Continuation of a linearised network, beyond the last step so that late bands are included.

    Attributes:
        problem: The prediction problem.
        linear: The network at the end of pilot and relinearisation.
        rule: The optimizer.
        rate: Learning rate per step.
        at_edge: Whether unstable modes are assumed to stay at the edge of stability, as in networks that did not
            diverge.
        since: Step of `linear`.
        steps: Last requested step.
        until: Step at which training diverges, or None.
        ratio: Growth from one recorded step to the next.
        share: Part of the growth exponents in the prediction; the extremes have none and all of them.
    """

    problem: PredictionProblem
    linear: Linearised
    rule: OptimizerDynamics
    rate: Rate
    at_edge: bool
    since: int
    steps: int
    until: int | None
    ratio: float
    share: float

    def interval(self, growth: KernelGrowth | None, attrs: dict[str, Any]) -> PredictionInterval:
        """Return the prediction with its extremes; without a growth all three are equal.

        Args:
            growth: Further growth of the kernel, if it is known.
            attrs: Attributes of the records.
        """
        frozen = self._record(None, attrs)
        if growth is None:
            return PredictionInterval(frozen, frozen, frozen, self.since, False)
        changing = self.since < self.steps and float(growth.exponents.max()) > SETTLED
        slowed = growth.slowed(self.share)
        return PredictionInterval(
            self._record(growth, attrs), self._record(slowed, attrs), frozen, self.since, changing
        )

    def _record(self, growth: KernelGrowth | None, attrs: dict[str, Any]) -> xarray.Dataset:
        # Four times the requested steps, because the latest step of a determined band may be that late (MAX_RATIO).
        recorded = {self.since, self.steps, *log_steps(round(MAX_RATIO * self.steps), self.ratio)}
        if self.until is not None:
            recorded = {step for step in (*recorded, self.until) if step <= self.until}
        steps = sorted(step for step in recorded if step >= self.since)
        ceiling = EDGE_FRACTION if self.at_edge else math.inf
        snapshots = list(self.linear.propagate(self.rule, self.rate, steps, self.since, growth, ceiling))
        return self.problem.record(snapshots, attrs)
