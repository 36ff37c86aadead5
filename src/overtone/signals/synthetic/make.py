"""From computed float64 samples to a Signal."""

from __future__ import annotations

import numpy as np
import torch

from overtone.errors import InputError
from overtone.signals.assemble import check_shape, make_signal
from overtone.signals.geometry import Grid
from overtone.signals.signal import Signal


def signal(
    samples: np.ndarray, geometry: Grid, name: str, dtype: torch.dtype, kind: str = "synthetic"
) -> Signal:
    """A one-channel Signal of samples of the grid's shape.

    Raises:
        InputError: As `make_signal`.
    """
    values = torch.from_numpy(samples).reshape(-1, 1).to(dtype)
    return make_signal(values, geometry, kind=kind, name=name, where=name)


def grid_shape(shape: int | tuple[int, ...], where: str) -> tuple[int, ...]:
    """The shape as a tuple of 1 to 3 axes of at least two samples.

    Raises:
        InputError: If it is not.
    """
    sizes = (int(shape),) if isinstance(shape, int | np.integer) else tuple(int(n) for n in shape)
    check_shape(sizes, where)
    return sizes


def positive(value: float, what: str) -> float:
    """The value, if it is a positive finite number.

    Raises:
        InputError: If it is not.
    """
    if not (np.isfinite(value) and value > 0):
        raise InputError(f"a positive {what}", f"{value}", "pass one above 0", what)
    return float(value)
