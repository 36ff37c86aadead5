"""Values that many programs write where there is no measurement: told, not judged."""

from __future__ import annotations

import numpy as np

_USUAL = (
    -999.0,
    -9999.0,
    -99999.0,
    -32767.0,
    -32768.0,
    -2147483648.0,
    9999.0,
    99999.0,
    999999.0,
    32767.0,
    65535.0,
    2147483647.0,
    4294967295.0,
    1e20,
    -1e20,
    1e30,
    -1e30,
    -1e34,
    9.969209968386869e36,
    3.4028234663852886e38,
    -3.4028234663852886e38,
)
_APART = 0.25


def sentinel_notes(samples: np.ndarray, unit: str = "samples") -> tuple[str, ...]:
    """A note if the least or the greatest value looks like a code for "no data".

    Looks like one: the value is among those that programs use for it, and it lies apart from all other values by
    at least a quarter of their own range.

    Args:
        samples: Numbers of any shape, as stored.
        unit: What one number is called.

    Returns:
        At most two notes.
    """
    if samples.dtype.kind not in "iuf" or samples.dtype.itemsize < 2 or samples.size < 2:
        return ()
    with np.errstate(invalid="ignore"):
        ends = {float(samples.min()), float(samples.max())}
    suspects = [end for end in sorted(ends) if _is_usual(end, samples.dtype)]
    return tuple(note for end in suspects for note in _note(samples, end, unit))


def _is_usual(value: float, dtype: np.dtype) -> bool:
    with np.errstate(over="ignore"):
        return any(value == (float(dtype.type(u)) if dtype.kind == "f" else u) for u in _USUAL)


def _note(samples: np.ndarray, value: float, unit: str) -> tuple[str, ...]:
    equal = samples == value
    count = int(np.count_nonzero(equal))
    if count == samples.size:
        return ()
    others = samples[~equal]
    low, high = float(others.min()), float(others.max())
    gap = low - value if value < low else value - high
    if not gap >= _APART * (high - low):
        return ()
    return (f"{count} of {samples.size} {unit} are {value:g}, far from all others: a code for no data?",)
