"""The wavelet estimator: the median size of the detail coefficients of the finest scales."""

from __future__ import annotations

import numpy as np
import pywt

from overtone.spectra.noise.curve import Curve, robust_power

_WAVELET = "db3"
_SCALES = 3


def wavelet_curve(values: np.ndarray) -> Curve | None:
    """Noise power by scale, from the detail coefficients that are fine along every axis.

    The variance of a scale is median(d^2) / 0.455, the square of median|d| / 0.6745 (Donoho & Johnstone 1994, "Ideal
    spatial adaptation by wavelet shrinkage", Biometrika 81, section 4.2, there of the finest scale alone). It assumes
    that the signal is smooth but for a minority of places, so a texture counts as noise.

    Args:
        values: Real values of 1 to 3 axes.

    Returns:
        One point per scale, at 0.75, 0.375 and 0.1875 of the Nyquist frequency; None if an axis is too short.
    """
    scales = min(_SCALES, *(pywt.dwt_max_level(n, _WAVELET) for n in values.shape))
    if scales < 1:
        return None
    even = values[tuple(slice(n - n % 2**scales) for n in values.shape)]
    details = pywt.wavedecn(even, _WAVELET, mode="periodization", level=scales)[:0:-1]
    points = [robust_power(np.square(level["d" * values.ndim]).ravel()) for level in details]
    power, degrees = np.array(points).T
    return Curve(0.75 * 0.5 ** np.arange(scales), power, degrees)
