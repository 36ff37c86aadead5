"""Marks of missing values in numbers as stored, before a scale or a full range hides them."""

from __future__ import annotations

import numpy as np
import torch

from overtone.signals.sentinels import sentinel_notes


def stored_marks(stored: np.ndarray, names: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """As `sentinel_notes`, of the numbers in a file whose values differ from them.

    Args:
        stored: (..., C) numbers; 8-bit ones have no marks in use.
        names: Of the channels; by default "value" or numbers.
    """
    if stored.dtype.kind not in "iuf" or stored.dtype.itemsize < 2 or not stored.size:
        return ()
    flat = stored.reshape(-1, stored.shape[-1])
    low, high = flat.min(axis=0), flat.max(axis=0)
    if flat.dtype.kind == "u" and flat.dtype.itemsize == 2 and high.max() < 999:
        return ()
    count = flat.shape[1]
    called = names or (("value",) if count == 1 else tuple(f"channel {c + 1}" for c in range(count)))
    with np.errstate(invalid="ignore"):
        least, most, all_values = (torch.from_numpy(n.astype(np.float64)) for n in (low, high, flat))
    return sentinel_notes(all_values, least, most, called)
