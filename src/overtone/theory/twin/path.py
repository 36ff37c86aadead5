"""Training followed in time until its best moment is certain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError, RunError
from overtone.theory.twin.krylov import Krylov

FIRST, GROWTH = 24, 1.3
"""Vectors before the first look at the fit, and the factor until the next."""

FLAT = 1.001
"""Errors within this factor of the least are one plateau, of which the earliest time is taken."""

PROMISE = 0.995
"""A later time counts as better only if its squared error is below this share of the best one."""


@final
@dataclass(frozen=True)
class Effort:
    """How far to go, and how exactly.

    Attributes:
        tolerance: A time is settled when its held-out predictions move by less than this share of their own
            root mean square error as the Krylov space grows by three tenths.
        vectors: Most Krylov vectors per channel.
        memory: Most memory for them, in GiB.
    """

    tolerance: float = 0.05
    vectors: int = 600
    memory: float = 4.0

    def __post_init__(self) -> None:
        if not (0 < self.tolerance < 1 and self.vectors >= 2 and self.memory > 0):
            raise InputError(
                "a tolerance between 0 and 1, 2 vectors or more and a positive memory",
                f"{self.tolerance}, {self.vectors} and {self.memory}",
                "leave them at 0.05, 600 and 4",
                "effort",
            )

    def most(self, samples: int, channels: int) -> int:
        """Vectors that fit, for `samples` values per channel."""
        return max(2, min(self.vectors, int(self.memory * 2**30 / (8 * samples * channels))))


@final
@dataclass(frozen=True)
class Followed:
    """Held-out error along training.

    Attributes:
        error: (T, C) mean squared held-out error; of times not settled it is an estimate.
        settled: (T,) bool, True for a prefix of the times.
        best: Index of the settled time with the least error, averaged over channels (`earliest`).
        change: Root mean square change of the held-out predictions at that time as the space last grew,
            relative to their root mean square error.
        vectors: Krylov vectors per channel.
        complete: Whether no later time promised less when the search ended.
    """

    error: Tensor
    settled: Tensor
    best: int
    change: float
    vectors: int
    complete: bool


def earliest(error: Tensor) -> int:
    """Index of the first of the (T,) errors that is within a thousandth of the least."""
    return int((error <= FLAT * error.min()).int().argmax())


def follow(space: Krylov, truth: Tensor, times: Tensor, effort: Effort, most: int) -> Followed:
    """Grow a Krylov space until the time of least held-out error is settled.

    Args:
        space: The space; it is extended in place.
        truth: (P, C) held-out values at the space's probes.
        times: (T,) training times, ascending.
        effort: How exactly.
        most: Most vectors.

    Returns:
        The errors and what is settled.

    Raises:
        RunError: If `most` vectors settle not even the first time.
    """
    wanted, sure, before = min(FIRST, most), False, None
    while True:
        space.extend(wanted)
        fit = space.probed(times)
        error = (fit - truth).square().mean(1)
        mean = error.mean(1)
        moved = torch.full_like(mean, float("inf"))
        if before is not None:
            moved = (fit - before).square().mean((1, 2)).sqrt()
        floor = torch.finfo(torch.float64).eps ** 0.5 * truth.square().mean().sqrt()
        ratio = moved / torch.maximum(mean.sqrt(), floor)
        settled = (ratio <= effort.tolerance).cumprod(0).bool()
        if bool(settled.any()):
            best = earliest(torch.where(settled, mean, float("inf")))
            complete = not bool((mean[~settled] < PROMISE * mean[best]).any())
            if bool(settled.all()) or (complete and sure) or wanted >= most:
                return Followed(error, settled, best, float(ratio[best]), wanted, complete)
            sure = complete
        elif wanted >= most:
            raise RunError(
                f"held-out predictions that settle to {effort.tolerance:g} of their error",
                f"changes of {float(ratio.min()):.2g} after {wanted} vectors",
                "allow more vectors or memory",
                "twin",
            )
        before = fit
        wanted = min(most, int(GROWTH * wanted) + 1)
