"""Inputs that fall together when they are rounded to the precision of a network."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from overtone.signals import Geometry, Grid

MOVED = 0.1
"""Largest rounding of a coordinate that counts for nothing, in distances of neighbouring samples."""

_LOST = 0.01
"""Share of scattered inputs that may fall together: even well spread ones meet now and then."""


@final
@dataclass(frozen=True)
class Crowding:
    """What rounding does to inputs.

    Attributes:
        dtype: The precision.
        samples: How many different inputs there are.
        distinct: How many remain.
        where: Of what, in words.
        moved: Largest rounding, in distances of neighbouring samples; None where that is not known.
    """

    dtype: torch.dtype
    samples: int
    distinct: int
    where: str
    moved: float | None = None

    @property
    def sentence(self) -> str:
        """What it means and what can be done."""
        name = str(self.dtype).removeprefix("torch.")
        if self.distinct < self.samples:
            what = f"{self.samples:,} {self.where} coincide in {self.distinct:,}"
        else:
            what = f"{self.where} are moved by up to {self.moved:.2g} of their distance"
        return (
            f"the network gets {name} inputs, in which {what}, so that it cannot tell samples apart that differ; "
            "pass forward=, a function that subtracts an offset and divides before it calls the network, and train so"
        )

    def to_json(self) -> dict[str, Any]:
        """For the record."""
        return {"dtype": str(self.dtype).removeprefix("torch."), "samples": self.samples} | {
            "distinct": self.distinct,
            "moved": self.moved,
        }


@functools.singledispatch
def crowding(places: Geometry, dtype: torch.dtype) -> Crowding | None:
    """How coordinates fall together in a precision, or None if they stay apart.

    Args:
        places: Where samples lie.
        dtype: The precision.
    """
    return crowded_rows(places.coords(), dtype.to_real(), "places")


@crowding.register(Grid)
def _(places: Grid, dtype: torch.dtype) -> Crowding | None:
    dtype = dtype.to_real()
    for axis, (n, step, begin) in enumerate(zip(places.shape, places.spacing, places.origin, strict=True)):
        exact = begin + step * torch.arange(n, dtype=torch.float64, device="cpu")
        rounded = exact.to(dtype).double()
        distinct = len(rounded.unique())
        moved = float((rounded - exact).abs().max()) / step
        if distinct < n or moved > MOVED:
            return Crowding(
                dtype, n, distinct, f"coordinates along axis {axis} ({places.units[axis]})", moved
            )
    return None


def crowded_rows(rows: Tensor, dtype: torch.dtype, where: str) -> Crowding | None:
    """How rows of numbers fall together in a precision.

    Args:
        rows: (N, d) numbers.
        dtype: The precision.
        where: What a row is, in words.
    """
    dtype = dtype.to_real()
    if rows.dtype == dtype:
        return None
    before, after = _different(rows), _different(rows.to(dtype))
    return Crowding(dtype, before, after, where) if before - after > _LOST * before else None


def _different(rows: Tensor) -> int:
    """Number of different rows, by their products with one random direction."""
    source = torch.Generator("cpu").manual_seed(0)
    wide = rows.detach().cpu().double().reshape(len(rows), -1)
    direction = torch.randn(wide.shape[1], generator=source, dtype=torch.float64, device="cpu")
    return len((wide * direction).sum(1).unique())
