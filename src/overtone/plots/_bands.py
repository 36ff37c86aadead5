"""Frequency axis of figures: positive edges, centres, units, Nyquist, and the crossing with the noise."""

from __future__ import annotations

import numpy as np
import xarray as xr

from overtone.errors import InputError
from overtone.records import metrics
from overtone.records.metrics._bands import has_content, mean_bands


def edges(record: xr.Dataset) -> np.ndarray:
    """Return the edges of the bands with a positive first one, for a logarithmic axis.

    The first band begins at frequency 0, which has no logarithm; it is drawn as wide as the next one,
    at most an octave.

    Returns:
        (band + 1,) float64 in the record's frequency unit.
    """
    low, high = np.asarray(record.band_low, float), np.asarray(record.band_high, float)
    joined = np.append(low, high[-1])
    if joined[0] <= 0:
        ratio = joined[2] / joined[1] if joined.size > 2 else 2.0
        joined[0] = joined[1] / min(ratio, 2.0)
    return joined


def centres(record: xr.Dataset) -> np.ndarray:
    """Return the geometric means of the drawn edges, (band,) float64 in the record's frequency unit."""
    joined = edges(record)
    return np.sqrt(joined[:-1] * joined[1:])


def varying_bands(record: xr.Dataset) -> np.ndarray:
    """Return which bands hold something to learn, except the mean's, which has no logarithm: (band,) bool.

    All bands if there is no such band.
    """
    together = metrics.combine_channels(record)
    others = np.asarray(has_content(together) & ~mean_bands(together))
    return others if others.any() else np.ones_like(others)


def unit(record: xr.Dataset) -> str:
    """Return the unit of frequency, "Hz" or "cycles per ..."."""
    return str(record.attrs.get("frequency_unit") or "cycles per array")


def bandwidth_unit(record: xr.Dataset) -> str:
    """Return the unit of the network's bandwidth: that of frequency, unless table columns have their own units."""
    return str(record.attrs.get("bandwidth_unit") or unit(record))


def title(record: xr.Dataset) -> str:
    """Return the title of a frequency axis."""
    return f"Frequency ({unit(record)})"


def radial_nyquist(record: xr.Dataset) -> float | None:
    """Return the radial Nyquist frequency, the largest over the axes; None if unknown."""
    values = np.atleast_1d(np.asarray(record.attrs.get("nyquist", []), float))
    # An axis may have no Nyquist frequency.
    values = values[np.isfinite(values)]
    return float(values.max()) if values.size else None


def noise_known(record: xr.Dataset) -> bool:
    """Return whether the record says that the target carries noise, and how much."""
    return "noise_power" in record and str(record.attrs.get("noise_verdict") or "noise").lower() == "noise"


def noise_crossing(record: xr.Dataset) -> float | None:
    """Return the frequency above which every band of the target holds more noise than signal.

    The target's power P is that of signal and noise, P = S + N; the crossing is the lower edge of the lowest band
    from which on N >= P - N holds without exception up to the last band. Channels are added up.

    Returns:
        A frequency in the record's unit, or None where no noise is known or it nowhere prevails.
    """
    if not noise_known(record):
        return None
    together = metrics.combine_channels(record)
    # P = S + N, so N >= P - N is the same as N >= P / 2.
    prevails = np.asarray(together.noise_power >= 0.5 * together.target_power)
    quiet = np.flatnonzero(~prevails)
    first = int(quiet[-1]) + 1 if quiet.size else 0
    return float(edges(record)[first]) if first < prevails.size else None


def require_rows(record: xr.Dataset, what: str) -> None:
    """Check that a record has rows."""
    if not record.sizes.get("step"):
        raise InputError(
            "a record with at least one row", "a record without rows", "train at least one step", what
        )
