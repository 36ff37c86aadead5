"""Statistics over bands and runs: the exponent of the learning law and intervals of means."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from overtone._utils.statistics import student_quantile
from overtone.records.metrics._bands import (
    THRESHOLD,
    combine_channels,
    corner_bands,
    learning_step,
    mean_bands,
    recorded,
)

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class Exponent:
    """Exponent of the power law learning step ~ frequency ^ value.

    Attributes:
        value: The exponent; NaN with fewer than two usable bands.
        low: Lower end of the interval; NaN with fewer than three bands of one run.
        high: Upper end.
        confidence: Of the interval.
        bands: Bands that entered, over all runs.
        runs: Runs that gave a slope.
    """

    value: float
    low: float
    high: float
    confidence: float
    bands: int
    runs: int


def exponent(record: xarray.Dataset, threshold: float = THRESHOLD, confidence: float = 0.95) -> Exponent:
    """Return the slope of log(learning step) over log(band centre), by least squares, with a Student interval.

    Of one run the interval is over bands (n - 2 degrees of freedom); of several it is over the runs' slopes (runs - 1).
    Left out are the mean, the corner, bands that were never learned, and bands that were already learned at the first
    recorded step, whose true step is unknown. Channels are combined.

    Args:
        record: From `load` or `concat`.
        threshold: Relative error below which a band is learned.
        confidence: Coverage of the interval.

    Returns:
        The exponent, dimensionless.

    Example:
        >>> import numpy as np
        >>> from overtone.records import Header, metrics
        >>> low, steps = np.arange(1.0, 9.0), np.arange(1, 10_000)
        >>> header = Header(low, 1.1 * low, ["value"], {"target_power": np.ones((8, 1))})
        >>> residual = np.exp(-0.01 * steps[:, None] / low**2)
        >>> law = metrics.exponent(header.record(steps, {"residual_power": residual[..., None]}))
        >>> round(law.value, 2), law.bands
        (2.0, 8)
    """
    together = combine_channels(record)
    first = together.step.where(recorded(together)).min("step") if together.sizes["step"] else 0
    steps = learning_step(together, threshold)
    # Steps at or before the first row are unknown; the mean has no logarithm; corners hold only diagonal patterns.
    usable = steps.where((steps > first) & ~mean_bands(together) & ~corner_bands(together))
    runs = [d for d in usable.dims if d != "band"]
    table = usable.transpose(*runs, "band").values.reshape(-1, together.sizes["band"])
    logs = np.log(together.band.where(together.band > 0).values)
    fits = [fit for row in table if (fit := _slope(logs, np.log(row), confidence)) is not None]
    bands = int(np.isfinite(table).sum())
    if not fits:
        return Exponent(math.nan, math.nan, math.nan, confidence, bands, 0)
    slopes = np.array([slope for slope, _ in fits])
    if len(fits) == 1:
        slope, half = fits[0]
        return Exponent(slope, slope - half, slope + half, confidence, bands, 1)
    half = (
        float(student_quantile(confidence, len(fits) - 1)) * float(slopes.std(ddof=1)) / math.sqrt(len(fits))
    )
    mean = float(slopes.mean())
    return Exponent(mean, mean - half, mean + half, confidence, bands, len(fits))


def _slope(x: NDArray[np.float64], y: NDArray[np.float64], confidence: float) -> tuple[float, float] | None:
    """Return the least-squares slope and the half width of its interval; None with fewer than two points."""
    usable = np.isfinite(x) & np.isfinite(y)
    n = int(usable.sum())
    if n < 2:
        return None
    dx, dy = x[usable] - x[usable].mean(), y[usable] - y[usable].mean()
    slope = float(dx @ dy / (dx @ dx))
    if n < 3:
        return slope, math.nan
    deviation = math.sqrt(float(np.sum((dy - slope * dx) ** 2)) / (n - 2) / float(dx @ dx))
    return slope, float(student_quantile(confidence, n - 2)) * deviation


def mean_interval(values: xarray.DataArray, dim: str, confidence: float = 0.95) -> xarray.Dataset:
    """Return the mean over `dim` and its Student interval, mean -+ t s / sqrt(n).

    Args:
        values: Any derived quantity of joined records; NaN values are left out.
        dim: "seed", "run", ...
        confidence: Coverage under normality.

    Returns:
        `mean`, `low`, `high` in the unit of `values` and the number `n` of values; bounds are NaN for n below 2.

    Example:
        >>> import xarray
        >>> from overtone.records import metrics
        >>> steps = xarray.DataArray([90.0, 100.0, 110.0], dims="seed")
        >>> interval = metrics.mean_interval(steps, "seed")
        >>> float(interval["mean"]), round(float(interval.high), 1)
        (100.0, 124.8)
    """
    import xarray

    n = values.notnull().sum(dim)
    enough = n.where(n > 1)
    mean = values.sum(dim, min_count=1) / n.where(n > 0)
    deviation = (((values - mean) ** 2).sum(dim) / (enough - 1)) ** 0.5
    # A count below 2 is NaN in `enough` and passes as 2: the interval is NaN all the same.
    quantile = xarray.apply_ufunc(lambda count: student_quantile(confidence, np.fmax(count, 2) - 1), enough)
    half = quantile * deviation / enough**0.5
    return xarray.Dataset({"mean": mean, "low": mean - half, "high": mean + half, "n": n})
