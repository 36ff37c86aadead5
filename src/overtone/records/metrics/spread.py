"""Mean and Student interval over seeds or runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from overtone._utils.statistics import student_quantile

if TYPE_CHECKING:
    import xarray


def mean_interval(values: xarray.DataArray, dim: str, confidence: float = 0.95) -> xarray.Dataset:
    """The mean over `dim` and its Student interval, mean -+ t s / sqrt(n).

    Args:
        values: Any derived quantity of joined records; NaN values are left out.
        dim: "seed", "run", ...
        confidence: Coverage under normality.

    Returns:
        `mean`, `low`, `high` in the unit of `values` and the number `n` of values; bounds are NaN for n below 2.
    """
    import xarray

    n = values.notnull().sum(dim)
    enough = n.where(n > 1)
    mean = values.sum(dim, min_count=1) / n.where(n > 0)
    deviation = (((values - mean) ** 2).sum(dim) / (enough - 1)) ** 0.5
    quantile = xarray.apply_ufunc(lambda count: student_quantile(confidence, np.fmax(count, 2) - 1), enough)
    half = quantile * deviation / enough**0.5
    return xarray.Dataset({"mean": mean, "low": mean - half, "high": mean + half, "n": n})
