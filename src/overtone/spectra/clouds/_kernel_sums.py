"""Gaussian-weighted averages around every row, in bounded memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from overtone._utils.seeding import numpy_generator
from overtone.errors import InputError
from overtone.spectra.clouds._neighbours import MEMORY, rows_in_budget

_SKETCH = 16


def leaves(coords: Tensor, largest: int, seed: int) -> list[Tensor]:
    """Partition rows into groups of at most `largest` by recursive bisection at the median projection.

    The rows are projected on the line from the row farthest from a random row to the row farthest from that
    one, an estimate of the longest axis in two passes. For more than 16 features, 16 random projections are
    used instead of the rows; they preserve distances to about a third, so close rows stay together.

    Args:
        coords: (N, d) coordinates.
        largest: Maximum number of rows per group.
        seed: Seed of the random rows.

    Returns:
        (n,) int64 indices per group; every row is in exactly one group.
    """
    source = numpy_generator(seed, "cloud", "tree")
    if coords.shape[1] > _SKETCH:
        # Random projections preserve distances to about a third (Johnson, Lindenstrauss 1984), which suffices
        # to group rows.
        coords = coords @ torch.from_numpy(source.normal(size=(coords.shape[1], _SKETCH))).to(coords)
    pending = [torch.arange(len(coords), device=coords.device)]
    groups = []
    while pending:
        group = pending.pop()
        if len(group) <= largest:
            groups.append(group)
            continue
        rows = coords[group]
        # Two passes of farthest-point search: a cheap estimate of the longest axis of the group.
        start = rows[int(source.integers(len(group)))]
        far_end = rows[(rows - start).square().sum(1).argmax()]
        other_end = rows[(rows - far_end).square().sum(1).argmax()]
        order = (rows @ (other_end - far_end)).argsort(stable=True)
        half = len(group) // 2
        pending += [group[order[:half]], group[order[half:]]]
    return groups


_COPIES = 4
"""Numbers in memory per distance: its square, the weight, and temporaries of both."""


class KernelSums(ABC):
    """Method for the averages sum_j G(x_i - x_j) y_j / sum_j G(x_i - x_j), G(r) = exp(-|r|^2 / (2 width^2)).

    Example:
        >>> import torch
        >>> from overtone.spectra.clouds import GaussianFilter, KernelSums
        >>> rows = torch.arange(40.0).reshape(20, 2)
        >>> GaussianFilter(rows, [1.0], KernelSums.tree(near=8, far=4)).split(rows[:, 0]).low.shape
        torch.Size([1, 20, 1])
    """

    @staticmethod
    def exact(memory: float = MEMORY) -> KernelSums:
        """Return the method that sums over all pairs in blocks of bounded memory; time grows as N^2.

        Args:
            memory: Memory budget for the blocks, in GiB.
        """
        return ExactSums(memory)

    @staticmethod
    def tree(near: int = 512, far: int = 256, seed: int = 0, memory: float = MEMORY) -> KernelSums:
        """Return the method that samples distant rows with decreasing density; time grows as N log N.

        Args:
            near: Maximum number of near rows, which are summed exactly.
            far: Number of rows sampled from each ring.
            seed: Seed of the tree and the samples.
            memory: Memory budget for distances, in GiB.

        Raises:
            InputError: If `near` is below 4 or `far` below 1.
        """
        return TreeSums(near, far, seed, memory)

    @abstractmethod
    def average(self, coords: Tensor, values: Tensor, widths: Tensor) -> Tensor:
        """Return the (W, N, C) float64 averages of `values` around every row.

        Args:
            coords: (N, d) features.
            values: (N, C) float64 values.
            widths: (W,) float64 widths, in units of the features.
        """

    @property
    @abstractmethod
    def complete(self) -> bool:
        """Whether the sums include all pairs."""


@final
@dataclass(frozen=True)
class ExactSums(KernelSums):
    """Sums over all pairs in blocks of bounded memory; time grows as N^2.

    Attributes:
        memory: Memory budget for the blocks, in GiB.
    """

    memory: float = MEMORY

    def average(self, coords: Tensor, values: Tensor, widths: Tensor) -> Tensor:
        """Return the exact averages."""
        return gaussian_average(coords, coords, values, torch.ones_like(values[:, 0]), widths, self.memory)

    @property
    def complete(self) -> bool:
        """True: all pairs are included."""
        return True


@final
@dataclass(frozen=True)
class TreeSums(KernelSums):
    """Sums over near rows and random samples of distant rows of decreasing density; time grows as N log N.

    A tree bisects the rows until each leaf has at most `near / 2` rows. For each leaf, the rows of all leaves
    are ordered by the distance of the leaf centres. The first `near` rows are summed exactly; the following
    rings of `near`, 2 `near`, 4 `near`, ... rows are each represented by `far` random rows with proportional
    weights. Numerator and denominator are unbiased. The error decreases as 1 / sqrt(far), and is largest for
    widths that extend beyond the leaves but cover few rows.

    Attributes:
        near: Maximum number of near rows, which are summed exactly.
        far: Number of rows sampled from each ring.
        seed: Seed of the tree and the samples.
        memory: Memory budget for distances, in GiB.

    Raises:
        InputError: If `near` is below 4 or `far` below 1.
    """

    near: int = 512
    far: int = 256
    seed: int = 0
    memory: float = MEMORY

    def __post_init__(self) -> None:
        if self.near < 4 or self.far < 1:
            raise InputError(
                "at least 4 near and 1 far rows", f"{self.near} and {self.far}", "pass more", "TreeSums"
            )

    def average(self, coords: Tensor, values: Tensor, widths: Tensor) -> Tensor:
        """Return the averages, computed leaf by leaf."""
        parts = leaves(coords, max(2, self.near // 2), self.seed)
        centres = torch.stack([coords[part].mean(0) for part in parts])
        draws = numpy_generator(self.seed, "cloud", "far")
        averages = values.new_empty(len(widths), len(coords), values.shape[1])
        for number, leaf in enumerate(parts):
            distance = (centres - centres[number]).square().sum(1)
            # The leaf is always first, even if another leaf has the same centre.
            distance[number] = -1.0
            ordered = torch.cat([parts[i] for i in distance.argsort().tolist()])
            rank, weight = self._sources(len(coords), draws)
            sources = ordered[rank.to(ordered.device)]
            represented = weight.to(values)
            averages[:, leaf] = gaussian_average(
                coords[leaf], coords[sources], values[sources], represented, widths, self.memory
            )
        return averages

    @property
    def complete(self) -> bool:
        """False: distant rows are sampled."""
        return False

    def _sources(self, count: int, draws: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return the sampled ranks in the order of distance, and the number of rows that each represents."""
        start = min(self.near, count)
        ranks, weights = [np.arange(start)], [np.ones(start)]
        size = self.near
        while start < count:
            end = min(start + size, count)
            # A ring of at most `far` rows is included completely, with weight 1.
            if end - start <= self.far:
                ring, represented = np.arange(start, end), 1.0
            else:
                ring = draws.integers(start, end, self.far)
                represented = (end - start) / self.far
            ranks.append(ring)
            weights.append(np.full(len(ring), represented))
            start, size = end, 2 * size
        return torch.from_numpy(np.concatenate(ranks)), torch.from_numpy(np.concatenate(weights))


def gaussian_average(
    centres: Tensor, sources: Tensor, values: Tensor, weights: Tensor, widths: Tensor, memory: float = MEMORY
) -> Tensor:
    """Return the (W, P, C) float64 weighted averages of the sources' values around `centres`.

    The square distance of the closest source is subtracted from all, which does not change the average and
    prevents its denominator from underflowing at widths far below the distances.

    Args:
        centres: (P, d) centres of the averages.
        sources: (S, d) coordinates of the sources.
        values: (S, C) float64 values of the sources.
        weights: (S,) float64 number of rows that each source represents.
        widths: (W,) float64 widths.
        memory: Memory budget for distances, in GiB.

    Raises:
        InputError: If the budget is too small for the distances of one centre.
    """
    rows_held = rows_in_budget(memory, len(sources), _COPIES, sources.dtype)
    weighted = torch.cat([weights[:, None] * values, weights[:, None]], 1).to(sources.dtype)
    averages = values.new_empty(len(widths), len(centres), values.shape[1])
    size = sources.square().sum(1)
    for start in range(0, len(centres), rows_held):
        rows = centres[start : start + rows_held]
        square = torch.addmm(size[None], rows, sources.T, alpha=-2).add_(rows.square().sum(1)[:, None])
        # A common factor of numerator and denominator: subtracting the minimum prevents underflow.
        square -= square.amin(1, keepdim=True)
        for index, width in enumerate(widths.tolist()):
            # The last column contains the weights, so one product gives numerator and denominator.
            sums = ((square * (-0.5 / width**2)).exp_() @ weighted).double()
            averages[index, start : start + rows_held] = sums[:, :-1] / sums[:, -1:]
    return averages
