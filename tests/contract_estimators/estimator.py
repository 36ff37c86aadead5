"""What the contract asks an estimator for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Known:
    """A field whose power is known.

    Attributes:
        values: The field.
        power: (band, C) what it has to be found at.
        tolerance: Largest difference, in units of the power; derived where the adapter is made.
    """

    values: Tensor
    power: Tensor
    tolerance: float


@dataclass(frozen=True)
class Estimator:
    """An estimator with its geometry fixed, as maps of a field (..., C), channels last.

    Attributes:
        draw: Seed to a random field of two channels in float64.
        power: Field to float64 power (..., C).
        known: A field of known power.
        closure: Field to what has to be equal: power with what is told as missing, and what it closes to. Where an
            estimator does not close, what it tells instead.
        moved: Field to its power after the change that leaves it as it is: a shift, or on mirrored axes a reversal.
        twins: Tests that hold it to a slow independent way, as "folder/file.py::test".
        coefficients: Field to what is linear in it, or None where it gives powers alone.
        rough: Field to its power after a change that does not leave it as it is, or None.
        batched: Field and batch size to its power, or None where there are no batches.
        slack: Error allowed beyond that of the arithmetic, relative: the tolerance of an iteration.
    """

    draw: Callable[[int], Tensor]
    power: Callable[[Tensor], Tensor]
    known: Callable[[], Known]
    closure: Callable[[Tensor], tuple[Tensor, Tensor]]
    moved: Callable[[Tensor], Tensor]
    twins: tuple[str, ...]
    coefficients: Callable[[Tensor], Tensor] | None = None
    rough: Callable[[Tensor], Tensor] | None = None
    batched: Callable[[Tensor, int], Tensor] | None = None
    slack: float = 0.0
