"""Training followed in time until its best moment is certain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError, RunError
from overtone.theory.kernel_regression.channels import Channels

FIRST, GROWTH = 24, 1.3
"""Vectors before the first look at the fit, and the factor until the next."""

CONFIRM = 1.1
"""The same factor once no later time promises less: a second look settles it."""

QUIET = 0.1
"""Share of the squared change allowed to all channels below which one of them is left alone."""

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
            root mean square error as the Krylov space last grew.
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
        vectors: Krylov vectors of all channels together.
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


def follow(channels: Channels, truth: Tensor, times: Tensor, effort: Effort, most: int) -> Followed:
    """Grow the Krylov spaces of all channels until the time of least held-out error is settled.

    A principal axis whose held-out predictions no longer matter to the sum, at any time, is not grown further.

    Args:
        channels: The spaces; they are extended in place.
        truth: (P, C) held-out values at the spaces' probes.
        times: (T,) training times, ascending.
        effort: How exactly.
        most: Most vectors per axis.

    Returns:
        The errors and what is settled.

    Raises:
        RunError: If `most` vectors settle not even the first time.
    """
    wanted, sure = min(FIRST, most), False
    count = len(channels)
    fits: list[Tensor] = [truth.new_zeros(0)] * count
    moved = truth.new_full((len(times), count), float("inf"))
    growing = list(range(count))
    floor = torch.finfo(torch.float64).eps * truth.square().mean()
    while True:
        for axis in growing:
            fit = channels.probed(axis, wanted, times)
            if fits[axis].numel():
                moved[:, axis] = (fit - fits[axis]).square().mean(1)
            fits[axis] = fit
        error = (torch.stack(fits, -1) @ channels.rotation - truth).square().mean(1)
        mean = error.mean(1)
        allowed = effort.tolerance**2 * mean.clamp_min(floor)
        settled = (moved.mean(1) <= allowed).cumprod(0).bool()
        complete = False
        if bool(settled.any()):
            best = earliest(torch.where(settled, mean, float("inf")))
            complete = not bool((mean[~settled] < PROMISE * mean[best]).any())
            if bool(settled.all()) or (complete and sure) or wanted >= most:
                change = float((moved[best].mean() / mean[best].clamp_min(floor)).sqrt())
                return Followed(error, settled, best, change, channels.vectors, complete)
        elif wanted >= most:
            change = float((moved.mean(1) / mean.clamp_min(floor)).min().sqrt())
            raise RunError(
                f"held-out predictions that settle to {effort.tolerance:g} of their error",
                f"changes of {change:.2g} after {wanted} vectors",
                "allow more vectors or memory",
                "twin",
            )
        growing = [c for c in growing if bool((moved[:, c] > QUIET * allowed).any())]
        wanted = min(most, int((CONFIRM if complete else GROWTH) * wanted) + 1)
        sure = complete
