"""Comparison of a predicted with a measured record: factors of the learning steps, and the limit of the theory."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from overtone._utils.display import Result
from overtone.errors import InputError
from overtone.records import metrics
from overtone.records.metrics._bands import has_content
from overtone.theory.dynamics._wording import agreement_sentences

if TYPE_CHECKING:
    import xarray

TOLERANCE = 0.2
"""Largest difference of relative errors at which a prediction is valid: a factor of about 1.7 in steps."""


LEARNED = 0.5
"""Relative error below which a band counts as learned."""


@final
@dataclass(frozen=True)
class ValidityLimit:
    """Step and band at which a prediction ceases to be valid.

    Attributes:
        step: The last recorded step at which every band agreed.
        low: Lower edge of the first band that disagreed, in the record's frequency unit.
        high: Upper edge of that band.
    """

    step: int
    low: float
    high: float


@final
@dataclass(frozen=True, eq=False, repr=False)
class Agreement(Result):
    """Comparison of a prediction with a measurement, band by band.

    Attributes:
        low: (band,) lower edges of the predicted record's bands.
        high: (band,) upper edges.
        predicted: (band,) predicted learning step; NaN if it is undetermined.
        measured: (band,) measured learning step; NaN if the band was not learned.
        counted: (band,) bands with power that were not yet learned at the end of the pilot (by the predicted record's
            row at that step), and were learned later in the measurement.
        limit: Step and band up to which the relative errors agree to `TOLERANCE`; None if they agree to the end.
        last: Last step that both records contain.

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
        """Share of the counted bands with a prediction; NaN if no band is counted."""
        known = np.isfinite(self.predicted[self.counted])
        return float(known.mean()) if known.size else math.nan

    @property
    def median_factor(self) -> float:
        """Median over the counted bands of the factor or its inverse, whichever is larger; NaN without predictions."""
        factor = self.factor[np.isfinite(self.factor)]
        return float(np.median(np.maximum(factor, 1 / factor))) if factor.size else math.nan

    @property
    def rank_correlation(self) -> float:
        """Spearman's correlation of predicted and measured learning steps; NaN below three bands or for constants."""
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
        """Sentences that describe the comparison."""
        return agreement_sentences(self)

    @staticmethod
    def between(predicted: xarray.Dataset, measured: xarray.Dataset) -> Agreement:
        """Compare a predicted with a measured record.

        Bands are matched by their centres, with channels combined. Bands learned during the prediction's pilot
        (attribute `pilot`) are not counted.

        Args:
            predicted: A record of origin "predicted".
            measured: The record of the same signal, network and optimizer.

        Raises:
            InputError: If the units of frequency differ or no band of one record overlaps a band centre of the other.
        """
        units = [record.attrs.get("frequency_unit") for record in (predicted, measured)]
        if units[0] != units[1]:
            raise InputError(
                f"a measured record in {units[0]}",
                f"{units[1]}",
                "compare records of the same signal",
                "agreement",
            )
        first, second = metrics.combine_channels(predicted), metrics.combine_channels(measured)
        match = _match(first, second)
        pilot = int(predicted.attrs.get("pilot") or 0)
        content = has_content(first).values & (match >= 0) & has_content(second).values[match]
        steps = np.where(content, metrics.learning_step(second).values[match], np.nan)
        limit, last = _limit(first, second, match, content, pilot)
        at_pilot_end = first.isel(step=first.step.values <= pilot).isel(step=-1)
        # A band that was learned during the pilot is measured, not predicted.
        unlearned = metrics.relative_error(at_pilot_end).values >= LEARNED
        return Agreement(
            first.band_low.values,
            first.band_high.values,
            np.where(content, metrics.learning_step(first).values, np.nan),
            steps,
            np.isfinite(steps) & (steps > pilot) & unlearned,
            limit,
            last,
        )


def departure(
    first: xarray.Dataset, second: xarray.Dataset, since: int = 0, tolerance: float = TOLERANCE
) -> tuple[NDArray[np.float64], int]:
    """Return the first step of `second` at which the relative errors of two records with equal bands differ too much.

    Args:
        first: A record; its errors are interpolated in log(1 + step).
        second: Another record.
        since: Steps up to this one are ignored.
        tolerance: Largest allowed difference of relative errors.

    Returns:
        (band,) steps, NaN for bands that do not differ; and the last step that both records contain.
    """
    first, second = metrics.combine_channels(first), metrics.combine_channels(second)
    return _departure(first, second, np.arange(first.sizes["band"]), since, tolerance)


def _departure(
    first: xarray.Dataset, second: xarray.Dataset, match: NDArray[np.int64], since: int, tolerance: float
) -> tuple[NDArray[np.float64], int]:
    first_error = metrics.relative_error(first).transpose("step", "band").values
    second_error = metrics.relative_error(second).transpose("step", "band").values[:, match]
    last = int(min(first.step[-1], second.step[-1]))
    rows = (second.step.values > since) & (second.step.values <= last)
    steps = second.step.values[rows]
    at, known = np.log1p(steps), np.log1p(first.step.values)
    departures = np.full(first_error.shape[1], np.nan)
    for band in range(first_error.shape[1]):
        # Steps are recorded at even intervals of their logarithm, in which errors change smoothly.
        differs = np.abs(np.interp(at, known, first_error[:, band]) - second_error[rows, band]) > tolerance
        if differs.any():
            departures[band] = steps[np.argmax(differs)]
    return departures, last


def _limit(
    first: xarray.Dataset,
    second: xarray.Dataset,
    match: NDArray[np.int64],
    content: NDArray[np.bool_],
    since: int,
) -> tuple[ValidityLimit | None, int]:
    departures, last = _departure(first, second, match, since, TOLERANCE)
    departures = np.where(content, departures, np.nan)
    if not np.isfinite(departures).any():
        return None, last
    band = int(np.nanargmin(departures))
    earlier = second.step.values[second.step.values < departures[band]]
    step = int(earlier[-1]) if earlier.size else 0
    return ValidityLimit(step, float(first.band_low[band]), float(first.band_high[band])), last


def _match(first: xarray.Dataset, second: xarray.Dataset) -> NDArray[np.int64]:
    """Return (band,) index of the band of `second` that contains the centre of each of `first`, -1 if there is none."""
    centre = first.band.values
    low, high = second.band_low.values, second.band_high.values
    contains = (low[None] <= centre[:, None]) & (centre[:, None] < high[None])
    if not contains.any():
        raise InputError(
            f"bands around {centre[0]:.3g} to {centre[-1]:.3g}",
            f"{low[0]:.3g} to {high[-1]:.3g}",
            "compare records of the same signal",
            "agreement",
        )
    return np.where(contains.any(1), contains.argmax(1), -1)
