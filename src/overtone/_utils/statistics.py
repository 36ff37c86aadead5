"""Quantiles, intervals of a mean, and levels in decibels; without `scipy.stats`, which is slow to import."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def student_quantile(confidence: float, freedom: ArrayLike) -> NDArray[np.float64]:
    """Return the two-sided quantile t of Student's distribution: P(|T| <= t) = confidence.

    Args:
        confidence: In (0, 1).
        freedom: Degrees of freedom, any shape.

    Returns:
        Quantiles of the shape of `freedom`, float64.

    Example:
        >>> round(float(student_quantile(0.95, 9)), 3)
        2.262
    """
    # `scipy.stats` gives the same digits but takes half a second to import.
    from scipy.special import stdtrit

    return np.asarray(stdtrit(freedom, 0.5 + confidence / 2), dtype=np.float64)


def normal_quantile(confidence: float) -> float:
    """Return the two-sided quantile z of the normal distribution: P(|Z| <= z) = confidence.

    Example:
        >>> round(normal_quantile(0.95), 3)
        1.96
    """
    from scipy.special import ndtri

    return float(ndtri(0.5 + confidence / 2))


def student_half_width(values: ArrayLike, confidence: float) -> float:
    """Return half the width of Student's interval of a mean: t(confidence, n - 1) s / sqrt(n); 0 for one value.

    Args:
        values: (n,) independent values.
        confidence: Coverage under normality, in (0, 1).

    Example:
        >>> round(student_half_width([1.0, 2.0, 3.0], 0.95), 3)
        2.484
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size < 2:
        return 0.0
    return float(student_quantile(confidence, array.size - 1) * array.std(ddof=1) / math.sqrt(array.size))


def psnr_from_error(mean_square_error: float, peak: float) -> float:
    """Return the peak signal-to-noise ratio in dB: 10 log10(peak^2 / mean square error); infinite without an error.

    Args:
        mean_square_error: In squared units of the value.
        peak: Largest value that the data's range allows, in units of the value.

    Example:
        >>> psnr_from_error(0.01, peak=1.0)
        20.0
    """
    return 10 * math.log10(peak**2 / mean_square_error) if mean_square_error > 0 else math.inf
