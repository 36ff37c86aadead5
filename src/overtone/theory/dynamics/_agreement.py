"""A predicted record beside a measured one: by what factor the learning steps differ, and how far the theory holds."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from overtone.errors import InputError
from overtone.records import metrics

if TYPE_CHECKING:
    import xarray

TOLERANCE = 0.2
"""Largest difference of relative errors at which a prediction still holds: a shift in steps of about 1.7."""


LEARNED = 0.5
"""Relative error below which a band counts as learned."""


@final
@dataclass(frozen=True)
class ValidityLimit:
    """Where a prediction ceases to hold.

    Attributes:
        step: The last recorded step at which every band agreed.
        low: Lower edge of the first band that did not, in the record's frequency unit.
        high: Its upper edge.
    """

    step: int
    low: float
    high: float


@final
@dataclass(frozen=True, eq=False)
class Agreement:
    """How well a prediction met a measurement, band by band.

    Attributes:
        low: (band,) lower edges of the predicted record's bands.
        high: (band,) upper edges.
        predicted: (band,) learning step; NaN where it was not told.
        measured: (band,) learning step; NaN where the band was not learned.
        counted: (band,) bands that hold something, were not learned yet when the pilot ended (by the predicted
            record's own row there), and were measured to be learned later.
        limit: Until where the relative errors agree to `TOLERANCE`; None if they do to the end.
        last: Last step that both records reach.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    predicted: NDArray[np.float64]
    measured: NDArray[np.float64]
    counted: NDArray[np.bool_]
    limit: ValidityLimit | None
    last: int

    @property
    def factor(self) -> NDArray[np.float64]:
        """(band,) predicted over measured learning step: above 1 predicted too late; NaN where not both are known."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.counted, self.predicted / self.measured, np.nan)

    @property
    def told(self) -> float:
        """Share of the counted bands for which there is a prediction; NaN if none is counted."""
        known = np.isfinite(self.predicted[self.counted])
        return float(known.mean()) if known.size else math.nan

    @property
    def median_factor(self) -> float:
        """Median over the counted bands of the factor or its inverse, whichever is above 1; NaN if none is told."""
        factor = self.factor[np.isfinite(self.factor)]
        return float(np.median(np.maximum(factor, 1 / factor))) if factor.size else math.nan

    @property
    def rank_correlation(self) -> float:
        """Spearman's correlation of predicted and measured learning steps; NaN below three bands, or without order."""
        both = np.isfinite(self.factor)
        if both.sum() < 3:
            return math.nan
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(spearmanr(self.predicted[both], self.measured[both]).statistic)

    def agrees(self, factor: float = 1.5, correlation: float = 0.9) -> bool:
        """Whether most counted bands were told, the median factor is small and the order is right.

        Args:
            factor: Largest median factor.
            correlation: Least rank correlation, where there are three bands or more.
        """
        order = self.rank_correlation
        ordered = math.isnan(order) or order >= correlation
        return self.told >= 0.5 and self.median_factor <= factor and ordered

    @property
    def sentences(self) -> list[str]:
        """The verdict for people."""
        count = int(self.counted.sum())
        if count == 0:
            return ["No band was measured to be learned after the pilot: there is nothing to compare."]
        text = f"{count} bands were learned after the pilot"
        if self.told == 0:
            return [f"{text}, and the prediction could tell none of them.", self._until]
        told = "all" if self.told == 1 else f"{round(self.told * count)}"
        order = self.rank_correlation
        ranked = "" if math.isnan(order) else f", rank correlation {order:.2f}"
        return [
            f"{text}; {told} of them were predicted, the median by a factor of {self.median_factor:.2f}{ranked}.",
            self._until,
        ]

    @property
    def _until(self) -> str:
        if self.limit is None:
            return f"The theory holds until the last step compared, {self.last}."
        band = f"{self.limit.low:.4g} to {self.limit.high:.4g}"
        return (
            f"The theory holds until step {self.limit.step}; the band {band} is the first to depart from it."
        )


def agreement(predicted: xarray.Dataset, measured: xarray.Dataset) -> Agreement:
    """Compare a predicted with a measured record.

    Bands are matched by their centres, channels combined. Bands learned during the prediction's own pilot
    (attribute `pilot`) are not counted.

    Args:
        predicted: A record of origin "predicted".
        measured: The record of the same signal, network and optimizer.

    Returns:
        The verdict.

    Raises:
        InputError: If the units of frequency differ or no band of one lies in a band of the other.
    """
    units = [record.attrs.get("frequency_unit") for record in (predicted, measured)]
    if units[0] != units[1]:
        raise InputError(
            f"a measured record in {units[0]}",
            f"{units[1]}",
            "compare records of the same signal",
            "agreement",
        )
    ours, theirs = metrics.combine_channels(predicted), metrics.combine_channels(measured)
    match = _match(ours, theirs)
    inside = match >= 0
    pilot = int(predicted.attrs.get("pilot") or 0)
    content = metrics.has_content(ours).values & inside & metrics.has_content(theirs).values[match]
    steps = np.where(content, metrics.learning_step(theirs).values[match], np.nan)
    limit, last = _limit(ours, theirs, match, content, pilot)
    there = metrics.relative_error(ours.isel(step=ours.step.values <= pilot).isel(step=-1)).values
    return Agreement(
        ours.band_low.values,
        ours.band_high.values,
        np.where(content, metrics.learning_step(ours).values, np.nan),
        steps,
        np.isfinite(steps) & (steps > pilot) & (there >= LEARNED),
        limit,
        last,
    )


def departure(
    first: xarray.Dataset, second: xarray.Dataset, since: int = 0, tolerance: float = TOLERANCE
) -> tuple[NDArray[np.float64], int]:
    """The first step of `second` at which the relative errors of two records of equal bands differ too much.

    Args:
        first: A record; its errors are interpolated in log(1 + step).
        second: Another one.
        since: Steps up to here are not looked at.
        tolerance: Largest difference of relative errors.

    Returns:
        (band,) steps, NaN where they never differ; and the last step that both reach.
    """
    one, two = metrics.combine_channels(first), metrics.combine_channels(second)
    return _departure(one, two, np.arange(one.sizes["band"]), since, tolerance)


def _departure(
    ours: xarray.Dataset, theirs: xarray.Dataset, match: NDArray[np.int64], since: int, tolerance: float
) -> tuple[NDArray[np.float64], int]:
    mine = metrics.relative_error(ours).transpose("step", "band").values
    yours = metrics.relative_error(theirs).transpose("step", "band").values[:, match]
    last = int(min(ours.step[-1], theirs.step[-1]))
    rows = (theirs.step.values > since) & (theirs.step.values <= last)
    steps = theirs.step.values[rows]
    at, known = np.log1p(steps), np.log1p(ours.step.values)
    found = np.full(mine.shape[1], np.nan)
    for band in range(mine.shape[1]):
        apart = np.abs(np.interp(at, known, mine[:, band]) - yours[rows, band]) > tolerance
        if apart.any():
            found[band] = steps[np.argmax(apart)]
    return found, last


def _limit(
    ours: xarray.Dataset,
    theirs: xarray.Dataset,
    match: NDArray[np.int64],
    content: NDArray[np.bool_],
    since: int,
) -> tuple[ValidityLimit | None, int]:
    found, last = _departure(ours, theirs, match, since, TOLERANCE)
    found = np.where(content, found, np.nan)
    if not np.isfinite(found).any():
        return None, last
    band = int(np.nanargmin(found))
    earlier = theirs.step.values[theirs.step.values < found[band]]
    step = int(earlier[-1]) if earlier.size else 0
    return ValidityLimit(step, float(ours.band_low[band]), float(ours.band_high[band])), last


def _match(ours: xarray.Dataset, theirs: xarray.Dataset) -> NDArray[np.int64]:
    """(band,) the band of `theirs` that holds the centre of each of `ours`, -1 where none does."""
    centre = ours.band.values
    low, high = theirs.band_low.values, theirs.band_high.values
    holds = (low[None] <= centre[:, None]) & (centre[:, None] < high[None])
    if not holds.any():
        raise InputError(
            f"bands around {centre[0]:.3g} to {centre[-1]:.3g}",
            f"{low[0]:.3g} to {high[-1]:.3g}",
            "compare records of the same signal",
            "agreement",
        )
    return np.where(holds.any(1), holds.argmax(1), -1)
