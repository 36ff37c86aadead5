"""How many rows of a matrix of all pairs are held at a time."""

from __future__ import annotations

import math

import torch

from overtone.errors import InputError

MEMORY = 0.125
"""GiB for distances and what is made of them; beyond some tenths more gains nothing."""


def tall(memory: float, columns: int, copies: int, dtype: torch.dtype) -> int:
    """Rows whose distances to `columns` others fit into a budget.

    Args:
        memory: Budget in GiB.
        columns: Distances a row.
        copies: How many numbers are held at a time for each distance.
        dtype: Of the numbers.

    Raises:
        InputError: If not a single row fits.
    """
    row = columns * copies * dtype.itemsize / 2**30
    if not (math.isfinite(memory) and memory >= row):
        raise InputError(
            f"a budget of at least {row:.2g} GiB, for the distances from one row to {columns:,} others",
            f"{memory:g}",
            "raise it or pass fewer rows",
            "memory",
        )
    return int(memory / row)
