"""Comparison of a predicted with a measured record: factors of the learning steps, and the reach of the theory."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from overtone.errors import InputError
from overtone.records import metrics
from overtone.records.metrics._bands import has_content
from overtone.theory.dynamics._wording import agreement_sentences

if TYPE_CHECKING:
    import xarray

TOLERANCE = 0.2
"""Largest difference of relative errors at which a prediction still holds: a shift in steps of about 1.7."""


LEARNED = 0.5
"""Relative error below which a band counts as learned."""


@final
@dataclass(frozen=True)
class ValidityLimit:
    """Step and band at which a prediction ceases to hold.

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
    """Comparison of a prediction with a measurement, band by band.

    Attributes:
        low: (band,) lower edges of the predicted record's bands.
        high: (band,) upper edges.
        predicted: (band,) predicted learning step; NaN if it is undetermined.
        measured: (band,) measured learning step; NaN if the band was not learned.
        counted: (band,) bands that hold something, were not learned yet when the pilot ended (by the predicted
            record's own row there), and were measured to be learned later.
        limit: Step and band up to which the relative errors agree to `TOLERANCE`; None if they do to the end.
        last: Last step that both records have.

    Example:
        >>> import torch
        >>> from overtone.signals import synthetic
        >>> from overtone.theory.dynamics import Agreement, predict
        >>> signal = synthetic.harmonics([1, 2], samples=16)
        >>> network = torch.nn.Sequential(torch.nn.Linear(1, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
        >>> record = predict(signal, network, torch.optim.SGD(network.parameters(), 0.05), steps=50).record
        >>> Agreement.between(record, record).limit is None
        True
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
        """(band,) predicted over measured learning step, above 1 if predicted too late; NaN unless both are known."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.counted, self.predicted / self.measured, np.nan)

    @property
    def predicted_share(self) -> float:
        """Share of the counted bands for which there is a prediction; NaN if none is counted."""
        known = np.isfinite(self.predicted[self.counted])
        return float(known.mean()) if known.size else math.nan

    @property
    def median_factor(self) -> float:
        """Median over the counted bands of the factor or its inverse, whichever is larger; NaN if none is predicted."""
        factor = self.factor[np.isfinite(self.factor)]
        return float(np.median(np.maximum(factor, 1 / factor))) if factor.size else math.nan

    @property
    def rank_correlation(self) -> float:
        """Spearman's correlation of predicted and measured learning steps; NaN below three bands, or without order."""
        from scipy.stats import spearmanr

        both = np.isfinite(self.factor)
        if both.sum() < 3:
            return math.nan
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(spearmanr(self.predicted[both], self.measured[both]).statistic)

    def agrees(self, factor: float = 1.5, correlation: float = 0.9) -> bool:
        """Return whether most counted bands were predicted, with a small median factor and in the right order.

        Args:
            factor: Largest median factor.
            correlation: Smallest rank correlation, if there are three bands or more.
        """
        order = self.rank_correlation
        ordered = math.isnan(order) or order >= correlation
        return self.predicted_share >= 0.5 and self.median_factor <= factor and ordered

    @property
    def sentences(self) -> list[str]:
        """The comparison in words."""
        return agreement_sentences(self)

    @staticmethod
    def between(predicted: xarray.Dataset, measured: xarray.Dataset) -> Agreement:
        """Compare a predicted with a measured record.

        Bands are matched by their centres, channels combined. Bands learned during the prediction's pilot (attribute
        `pilot`) are not counted.

        Args:
            predicted: A record of origin "predicted".
            measured: The record of the same signal, network and optimizer.

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
        pilot = int(predicted.attrs.get("pilot") or 0)
        content = has_content(ours).values & (match >= 0) & has_content(theirs).values[match]
        steps = np.where(content, metrics.learning_step(theirs).values[match], np.nan)
        limit, last = _limit(ours, theirs, match, content, pilot)
        at_pilot_end = ours.isel(step=ours.step.values <= pilot).isel(step=-1)
        # A band that the pilot itself learned is measured, not predicted.
        unlearned = metrics.relative_error(at_pilot_end).values >= LEARNED
        return Agreement(
            ours.band_low.values,
            ours.band_high.values,
            np.where(content, metrics.learning_step(ours).values, np.nan),
            steps,
            np.isfinite(steps) & (steps > pilot) & unlearned,
            limit,
            last,
        )


def departure(
    first: xarray.Dataset, second: xarray.Dataset, since: int = 0, tolerance: float = TOLERANCE
) -> tuple[NDArray[np.float64], int]:
    """Return the first step of `second` at which the relative errors of two records of equal bands differ too much.

    Args:
        first: A record; its errors are interpolated in log(1 + step).
        second: Another one.
        since: Steps up to this one are ignored.
        tolerance: Largest difference of relative errors.

    Returns:
        (band,) steps, NaN for bands that do not differ; and the last step that both have.
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
    departs = np.full(mine.shape[1], np.nan)
    for band in range(mine.shape[1]):
        # Steps are recorded evenly in their logarithm, and errors change smoothly in it.
        differs = np.abs(np.interp(at, known, mine[:, band]) - yours[rows, band]) > tolerance
        if differs.any():
            departs[band] = steps[np.argmax(differs)]
    return departs, last


def _limit(
    ours: xarray.Dataset,
    theirs: xarray.Dataset,
    match: NDArray[np.int64],
    content: NDArray[np.bool_],
    since: int,
) -> tuple[ValidityLimit | None, int]:
    departs, last = _departure(ours, theirs, match, since, TOLERANCE)
    departs = np.where(content, departs, np.nan)
    if not np.isfinite(departs).any():
        return None, last
    band = int(np.nanargmin(departs))
    earlier = theirs.step.values[theirs.step.values < departs[band]]
    step = int(earlier[-1]) if earlier.size else 0
    return ValidityLimit(step, float(ours.band_low[band]), float(ours.band_high[band])), last


def _match(ours: xarray.Dataset, theirs: xarray.Dataset) -> NDArray[np.int64]:
    """(band,) index of the band of `theirs` that holds the centre of each of `ours`, -1 if none does."""
    centre = ours.band.values
    low, high = theirs.band_low.values, theirs.band_high.values
    contains = (low[None] <= centre[:, None]) & (centre[:, None] < high[None])
    if not contains.any():
        raise InputError(
            f"bands around {centre[0]:.3g} to {centre[-1]:.3g}",
            f"{low[0]:.3g} to {high[-1]:.3g}",
            "compare records of the same signal",
            "agreement",
        )
    return np.where(contains.any(1), contains.argmax(1), -1)
