"""What callers hand over as a signal, told apart at the door."""

from __future__ import annotations

from typing import Any

from overtone.errors import InputError
from overtone.signals.samples import Samples
from overtone.signals.scattered import Scattered
from overtone.signals.signal import Signal


def as_samples(given: Any) -> Samples:
    """`given`, if it is a signal, on a grid or scattered.

    Raises:
        InputError: If it is something else, such as a path or an array; says what makes a signal of it.
    """
    if isinstance(given, Samples):
        return given
    raise InputError(
        "a signal",
        f"{type(given).__name__} {given!r}" if isinstance(given, str) else type(given).__name__,
        "make one with signals.read(path), signals.array(values) or signals.points(coords, values)",
        "signal",
    )


def on_grid(given: Any) -> Signal:
    """`given`, if it is a signal on a grid.

    Raises:
        InputError: If it is scattered, or no signal.
    """
    found = as_samples(given)
    if isinstance(found, Scattered):
        raise InputError(
            "samples on a grid",
            f"scattered ones ({found.name})",
            "pass them to fit or planning.choose, or interpolate them to a grid",
            "signal",
        )
    assert isinstance(found, Signal)
    return found
