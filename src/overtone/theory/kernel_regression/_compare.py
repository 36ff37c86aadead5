"""Comparison of encodings by the held-out error of their NTK regressions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from overtone.errors import InputError, RunError
from overtone.signals import Signal
from overtone.signals._blocks import Blocks
from overtone.theory.kernel_regression._fit import NTKModel, solve_error_path
from overtone.theory.kernel_regression._krylov import SolverOptions

TIE_DB = 0.15
"""Largest distance from the best at which candidates are tied: held-out error is flat around its minimum."""

SAMPLES = 4096
"""Samples of a tile. Signals up to twice as large are used whole."""

MIN_VARIATION = 0.25
"""Minimum share of the grid's mean variation in the default tiles, below which tiles are moved."""

QUICK = SolverOptions(tolerance=0.1, vectors=300, memory=1.0)
"""Solver options that distinguish candidates by a tenth of a decibel."""


@final
@dataclass(frozen=True)
class ModelComparison:
    """Held-out errors of the candidates, each at its optimal time.

    Attributes:
        error: (candidate,) mean squared held-out error in value units squared; NaN without convergence.
        best: Index of the smallest error.
        middle: Index of the middle one, by order, of all candidates within 0.15 dB of the best: the recommended
            choice for candidates ordered by bandwidth.
        tied: Indices of those candidates.
        samples: Number of samples of the grid in the comparison.
    """

    error: Tensor
    best: int
    middle: int
    tied: tuple[int, ...]
    samples: int

    @property
    def loss_db(self) -> Tensor:
        """(candidate,) error above the best candidate's, in dB."""
        return 10 * (self.error / self.error[self.best]).log10()


def compare(
    signal: Signal, models: Sequence[NTKModel], *, samples: int = SAMPLES, options: SolverOptions = QUICK
) -> ModelComparison:
    """Compare networks by the held-out error of their NTK regressions, each at its optimal time.

    Large signals are compared on tiles at full resolution, two per axis if possible: bandwidths have the same meaning
    on a tile, and only structures wider than a tile are missing. They are located where the values vary
    (`comparison_tiles`). One time is chosen per candidate for all tiles.

    Args:
        signal: A signal with held-out samples.
        models: Candidates, ordered by bandwidth.
        samples: Samples of a tile; signals up to twice as large are used whole.
        options: Accuracy and limits of the solver.

    Returns:
        The errors and the choice.

    Raises:
        InputError: If there is no candidate, or no tile has both held-out and training samples.
        RunError: If no candidate converges.

    Example:
        >>> import torch
        >>> from overtone.nn.encodings import Gaussian
        >>> from overtone.signals import array, masks
        >>> from overtone.theory import kernel_regression
        >>> axis = torch.arange(16) / 16
        >>> signal = array((6.28 * axis).sin()[:, None] + (6.28 * axis).cos())
        >>> signal = signal.with_held_out(masks.random(signal.geometry, 0.3, seed=0))
        >>> build = kernel_regression.NTKModel.from_encoding
        >>> models = [build(Gaussian(2, 32, sigma), signal.geometry) for sigma in (2.0, 20.0)]
        >>> kernel_regression.compare(signal, models).best
        0
    """
    if not models:
        raise InputError(
            "at least one candidate",
            "none",
            "pass models from NTKModel.from_encoding",
            "models",
        )
    grid = signal.geometry.shape
    values = signal.normalisation.apply(signal.values.double())
    flat = torch.arange(len(values), device=values.device).reshape(grid)
    role = torch.zeros(len(values), dtype=torch.int8, device=values.device)
    role[signal.train_index], role[signal.held_out_index] = 1, 2
    parts = [flat[box] for box in comparison_tiles(grid, samples, signal.values)]
    # A tile without held-out samples has no error, a tile without training samples no fit.
    parts = [p for p in parts if bool((role[p] == 1).any()) and bool((role[p] == 2).any())]
    if not parts:
        raise InputError(
            "held-out samples and training samples",
            "no tile with both",
            "hold out a random tenth (masks.random)",
            "signal",
        )
    scale = signal.normalisation.scale.to(values).square()
    error = torch.stack([_error(values, role, parts, model, options, scale) for model in models])
    if bool(error.isnan().all()):
        raise RunError("a candidate that converges", "none", "allow more vectors", "options")
    best = int(error.nan_to_num(nan=float("inf")).argmin())
    # Held-out error is flat in the bandwidth near its minimum: the middle of the plateau is the safest choice.
    tied = (error <= error[best] * 10 ** (TIE_DB / 10)).nonzero().squeeze(1).tolist()
    middle = tied[(len(tied) - 1) // 2]
    return ModelComparison(error, best, middle, tuple(tied), sum(p.numel() for p in parts))


def comparison_tiles(
    shape: tuple[int, ...], samples: int, values: Tensor | None = None
) -> list[tuple[slice, ...]]:
    """Return boxes of about `samples` samples: two per axis, around its quarters, or one if two do not fit.

    If the values vary much less in these than elsewhere, each such box moves to the position of largest variation in
    its part of the grid, if necessary at the border to the next part: a constant tile cannot distinguish candidates.

    Args:
        shape: Samples per axis.
        samples: Samples of a tile.
        values: (N, C) values on the grid; if None the tiles stay around the quarters.

    Returns:
        The boxes; the whole grid if it has at most twice as many samples.
    """
    if math.prod(shape) <= 2 * samples:
        return [tuple(slice(0, n) for n in shape)]
    side = max(1, round(samples ** (1 / len(shape))))
    widths = tuple(min(side, n) for n in shape)
    axis_parts = [
        [(0, n // 2), (n // 2, n)] if n >= 2 * w else [(0, n)] for n, w in zip(shape, widths, strict=True)
    ]
    parts = list(itertools.product(*axis_parts))
    default = [
        tuple(
            min(max(0, round((2 * i + 1) * n / (2 * len(ends)) - w / 2)), n - w)
            for n, w, ends, i in zip(shape, widths, axis_parts, place, strict=True)
        )
        for place in itertools.product(*(range(len(ends)) for ends in axis_parts))
    ]
    starts = default if values is None else _move_to_variation(values, shape, widths, parts, default)
    return [tuple(slice(s, s + w) for s, w in zip(start, widths, strict=True)) for start in starts]


def _move_to_variation(
    values: Tensor,
    shape: tuple[int, ...],
    widths: tuple[int, ...],
    parts: list[tuple[tuple[int, int], ...]],
    default: list[tuple[int, ...]],
) -> list[tuple[int, ...]]:
    """Return the starts of the tiles, one in each part of the grid: the default unless the values hardly vary there."""
    # Blocks of half a tile: fine enough to place a tile, coarse enough to be fast.
    counts = tuple(1 if w == n else math.ceil(2 * n / w) for n, w in zip(shape, widths, strict=True))
    blocks = Blocks.of(values, shape, counts)
    varies = blocks.variation.reshape(counts)
    centres = [(edges[:-1] + edges[1:]) / 2 for edges in blocks.edges]
    typical = float(varies.mean())

    def variation_at(start: tuple[int, ...]) -> float:
        return float(
            varies[tuple(abs(c - s - w / 2).argmin() for c, s, w in zip(centres, start, widths, strict=True))]
        )

    # Tiles move only if necessary: default positions make results of similar signals comparable.
    if sum(map(variation_at, default)) >= MIN_VARIATION * typical * len(default):
        return default
    moved = []
    for part, start in zip(parts, default, strict=True):
        inside = [
            ((c >= low) & (c < high)).nonzero()[0] for c, (low, high) in zip(centres, part, strict=True)
        ]
        part_variation = varies[np.ix_(*inside)]
        if variation_at(start) < MIN_VARIATION * typical and part_variation.any():
            best = np.unravel_index(int(part_variation.argmax()), part_variation.shape)
            centre = [c[i[b]] for c, i, b in zip(centres, inside, best, strict=True)]
            start = tuple(
                min(max(0, round(float(c) - w / 2)), n - w)
                for c, w, n in zip(centre, widths, shape, strict=True)
            )
        moved.append(start)
    return moved


def _error(
    values: Tensor, role: Tensor, parts: list[Tensor], model: NTKModel, options: SolverOptions, scale: Tensor
) -> Tensor:
    """Return the minimum held-out error over times, weighted by the tiles' held-out samples; NaN if none converges."""
    total = torch.zeros((), dtype=torch.float64, device=values.device)
    settled, count = torch.ones((), dtype=torch.bool, device=values.device), 0
    for part in parts:
        index = part.reshape(-1)
        train, held = ((role[index] == kind).nonzero().squeeze(1) for kind in (1, 2))
        known = values[index[train]]
        # A constant tile has no Krylov space; its fit is the constant at all times.
        if bool((known == known[0]).all()):
            wrong = (values[index[held]] - known[0]).square()
            total, count = total + (wrong * scale).mean(1).sum(), count + len(held)
            continue
        try:
            path = solve_error_path(tuple(part.shape), values[index], train, held, model, options).path
        except RunError:
            return scale.new_full((), float("nan"))
        total = total + (path.error * scale).mean(1) * len(held)
        settled = settled & path.settled
        count += len(held)
    # One time for all tiles: times that have not converged on some tile are excluded.
    return torch.where(settled, total / count, float("inf")).min()
