"""Several encodings side by side: which of them generalises best from the same samples."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError, RunError
from overtone.signals import Signal
from overtone.theory.twin.fit import solve
from overtone.theory.twin.model import Model
from overtone.theory.twin.path import Effort

TIE_DB = 0.15
"""Candidates within this of the best are not told apart: held-out error is flat around its minimum."""

SAMPLES = 4096
"""Samples of a tile. Signals up to twice as large are taken whole."""

QUICK = Effort(tolerance=0.1, vectors=300, memory=1.0)
"""Enough to tell candidates apart by a tenth of a decibel."""


@final
@dataclass(frozen=True)
class Race:
    """Held-out errors of the candidates, each at its own best time.

    Attributes:
        error: (candidate,) mean squared held-out error in value units squared; NaN where nothing settled.
        best: Index of the least error.
        middle: Index of the middle one, by order, of all candidates within 0.15 dB of the best: the one to
            take if the candidates are ordered by bandwidth.
        tied: Indices of those candidates.
        samples: Samples of the grid that took part.
    """

    error: Tensor
    best: int
    middle: int
    tied: tuple[int, ...]
    samples: int

    @property
    def loss_db(self) -> Tensor:
        """(candidate,) how much worse than the best, in dB."""
        return 10 * (self.error / self.error[self.best]).log10()


def race(signal: Signal, models: Sequence[Model], *, samples: int = SAMPLES, effort: Effort = QUICK) -> Race:
    """Compare the twins of several networks by the held-out error that each reaches at its best time.

    Large signals are judged on tiles, two per axis where there is room, cut out at full resolution: bandwidths
    mean the same there, only what is wider than a tile is not seen. One time is chosen per candidate for all
    tiles.

    Args:
        signal: With held-out samples.
        models: Candidates, ordered by bandwidth.
        samples: Samples of a tile; signals up to twice as large are taken whole.
        effort: How exactly.

    Returns:
        The errors and the choice.

    Raises:
        InputError: If there is no candidate, or no tile has samples both held out and to train on.
        RunError: If no candidate settles.
    """
    if not models:
        raise InputError("at least one candidate", "none", "pass models from twin.after", "models")
    grid = signal.geometry.shape
    values = signal.normalisation.apply(signal.values.double())
    flat = torch.arange(len(values), device=values.device).reshape(grid)
    role = torch.zeros(len(values), dtype=torch.int8, device=values.device)
    role[signal.train_index], role[signal.held_out_index] = 1, 2
    parts = [flat[box] for box in tiles(grid, samples)]
    parts = [p for p in parts if bool((role[p] == 1).any()) and bool((role[p] == 2).any())]
    if not parts:
        raise InputError(
            "samples held out and samples to train on",
            "no tile with both",
            "hold out a random tenth (masks.random)",
            "signal",
        )
    scale = signal.normalisation.scale.to(values).square()
    error = torch.stack([_error(values, role, parts, model, effort, scale) for model in models])
    if bool(error.isnan().all()):
        raise RunError("a candidate that settles", "none", "allow more vectors", "race")
    best = int(error.nan_to_num(nan=float("inf")).argmin())
    tied = (error <= error[best] * 10 ** (TIE_DB / 10)).nonzero().squeeze(1).tolist()
    middle = tied[(len(tied) - 1) // 2]
    return Race(error, best, middle, tuple(tied), sum(p.numel() for p in parts))


def tiles(shape: tuple[int, ...], samples: int) -> list[tuple[slice, ...]]:
    """Boxes of about `samples` samples: two per axis, around its quarters, or one where two do not fit.

    Args:
        shape: Samples per axis.
        samples: Samples of a tile.

    Returns:
        The whole grid if it has at most twice as many samples.
    """
    if torch.Size(shape).numel() <= 2 * samples:
        return [tuple(slice(0, n) for n in shape)]
    side = max(1, round(samples ** (1 / len(shape))))
    axes = []
    for n in shape:
        width = min(side, n)
        centres = [n / 4, 3 * n / 4] if n >= 2 * width else [n / 2]
        starts = [min(max(0, round(c - width / 2)), n - width) for c in centres]
        axes.append([slice(s, s + width) for s in starts])
    return list(itertools.product(*axes))


def _error(
    values: Tensor, role: Tensor, parts: list[Tensor], model: Model, effort: Effort, scale: Tensor
) -> Tensor:
    """The least held-out error over times, averaged over tiles by their held-out samples; NaN if none settles."""
    total, settled, count = torch.zeros((), device="cpu"), torch.ones((), dtype=torch.bool, device="cpu"), 0
    for part in parts:
        index = part.reshape(-1)
        train, held = ((role[index] == kind).nonzero().squeeze(1) for kind in (1, 2))
        try:
            found = solve(tuple(part.shape), values[index], train, held, model, effort).found
        except RunError:
            return scale.new_full((), float("nan"))
        total = total.to(found.error) + (found.error * scale).mean(1) * len(held)
        settled = settled.to(found.settled) & found.settled
        count += len(held)
    return torch.where(settled, total / count, float("inf")).min()
