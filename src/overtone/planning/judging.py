"""Samples set aside for judging plans, and what chance does to the judgement."""

from __future__ import annotations

import math
from typing import TypeVar

from overtone._utils.seeding import derive
from overtone.signals import Geometry, Signal, masks
from overtone.theory.kernel_regression.race import TIE_DB

FRACTION = 0.1
"""Part of the samples held out where none are."""

FEWEST = 32
"""Samples below which none can be spared for judging."""

G = TypeVar("G", bound=Geometry)


def with_held_out(signal: Signal[G], seed: int) -> Signal[G] | None:
    """The signal with samples held out, or None if it has too few to spare any.

    Args:
        signal: What will be learned.
        seed: Seeds the draw.
    """
    if len(signal.held_out_index):
        return signal
    if len(signal.values) < FEWEST:
        return None
    drawn = masks.random(signal.geometry, FRACTION, derive(seed, "choose")).to(signal.values.device)
    if signal.ignored is None:
        return signal.with_held_out(drawn)
    held = drawn & ~signal.ignored
    return signal.with_split(~(signal.ignored | held), held) if bool(held.any()) else None


def tie(held_out: int) -> float:
    """How far apart in dB two errors on the same held-out values may lie by chance: max(0.15, 4.34 / sqrt(n)).

    Args:
        held_out: n, the number of values.
    """
    return max(TIE_DB, 10 / math.log(10) / math.sqrt(held_out))
