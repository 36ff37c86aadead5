"""Averages weighted with a Gaussian of the distance, for every row, in bounded memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from overtone._utils.seeding import numpy_generator
from overtone.errors import InputError
from overtone.spectra.clouds._neighbours import MEMORY, tall

_SKETCH = 16


def leaves(coords: Tensor, largest: int, seed: int) -> list[Tensor]:
    """Rows in groups of at most `largest`: each group is halved at the median of its rows' projections.

    A projection is on the line from the row farthest from a random row to the row farthest from that, which
    takes two passes and lies along a group's long side. Beyond 16 features all this is done on 16 random
    projections of the rows, which keep distances to about a third and so keep close rows together.

    Args:
        coords: (N, d).
        largest: Maximum number of rows in a group.
        seed: Seed of the random rows.

    Returns:
        (n,) int64 indices per group; every row is in one.
    """
    source = numpy_generator(seed, "cloud", "tree")
    if coords.shape[1] > _SKETCH:
        # Random projections keep distances to a third (Johnson, Lindenstrauss 1984), enough to group rows.
        coords = coords @ torch.from_numpy(source.normal(size=(coords.shape[1], _SKETCH))).to(coords)
    waiting = [torch.arange(len(coords), device=coords.device)]
    done = []
    while waiting:
        group = waiting.pop()
        if len(group) <= largest:
            done.append(group)
            continue
        rows = coords[group]
        # Two passes to the far ends of the group: a cheap estimate of its longest axis.
        start = rows[int(source.integers(len(group)))]
        one = rows[(rows - start).square().sum(1).argmax()]
        two = rows[(rows - one).square().sum(1).argmax()]
        order = (rows @ (two - one)).argsort(stable=True)
        half = len(group) // 2
        waiting += [group[order[:half]], group[order[half:]]]
    return done


_COPIES = 4
"""Numbers held for each distance: its square, the weight, and room for both while they are made."""


class KernelSums(ABC):
    """Method of the averages sum_j G(x_i - x_j) y_j / sum_j G(x_i - x_j), G(r) = exp(-|r|^2 / (2 width^2)).

    Example:
        >>> import torch
        >>> from overtone.spectra.clouds import GaussianFilter, KernelSums
        >>> rows = torch.arange(40.0).reshape(20, 2)
        >>> GaussianFilter(rows, [1.0], KernelSums.tree(near=8, far=4)).split(rows[:, 0]).low.shape
        torch.Size([1, 20, 1])
    """

    @staticmethod
    def exact(memory: float = MEMORY) -> KernelSums:
        """All pairs, in parts of the matrix that fit into a budget; time grows with N^2.

        Args:
            memory: Budget for these parts, in GiB.
        """
        return ExactSums(memory)

    @staticmethod
    def tree(near: int = 512, far: int = 256, seed: int = 0, memory: float = MEMORY) -> KernelSums:
        """Near rows one by one, far rows by ever sparser random samples; time grows with N log N.

        Args:
            near: Maximum number of rows that count in full.
            far: Rows drawn from each ring.
            seed: Seed of the tree and the draws.
            memory: Budget for the distances held at a time, in GiB.

        Raises:
            InputError: If there are fewer than 4 near rows or no far one.
        """
        return TreeSums(near, far, seed, memory)

    @abstractmethod
    def average(self, coords: Tensor, values: Tensor, widths: Tensor) -> Tensor:
        """(W, N, C) float64 averages of `values` around every row.

        Args:
            coords: (N, d) features.
            values: (N, C) float64.
            widths: (W,) float64, in units of the features.
        """

    @property
    @abstractmethod
    def complete(self) -> bool:
        """Whether the sums hold all pairs."""


@final
@dataclass(frozen=True)
class ExactSums(KernelSums):
    """All pairs, in parts of the matrix that fit into a budget; time grows with N^2.

    Attributes:
        memory: Budget for these parts, in GiB.
    """

    memory: float = MEMORY

    def average(self, coords: Tensor, values: Tensor, widths: Tensor) -> Tensor:
        """The complete averages."""
        return gaussian_average(coords, coords, values, torch.ones_like(values[:, 0]), widths, self.memory)

    @property
    def complete(self) -> bool:
        """Always."""
        return True


@final
@dataclass(frozen=True)
class TreeSums(KernelSums):
    """The rows nearby one by one, those farther off by ever sparser random samples; time grows with N log N.

    A tree halves the rows until each leaf holds at most `near / 2`. Around a leaf the other leaves are taken in
    the order of their centres' distance: the first `near` rows count in full, the next `near` are represented by `far`
    of them drawn at random, the next 2 `near` by `far`, the next 4 `near`, and so on, each row drawn standing for
    its part of them all. Numerator and denominator are unbiased; the error falls as 1 / sqrt(far), and is largest
    where a width reaches beyond the leaves but to few rows.

    Attributes:
        near: Maximum number of rows that count in full.
        far: Rows drawn from each ring.
        seed: Seed of the tree and the draws.
        memory: Budget for the distances held at a time, in GiB.

    Raises:
        InputError: If there are fewer than 4 near rows or no far one.
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
        """The averages, leaf by leaf."""
        parts = leaves(coords, max(2, self.near // 2), self.seed)
        centres = torch.stack([coords[part].mean(0) for part in parts])
        draws = numpy_generator(self.seed, "cloud", "far")
        averages = values.new_empty(len(widths), len(coords), values.shape[1])
        for number, leaf in enumerate(parts):
            distance = (centres - centres[number]).square().sum(1)
            # The leaf itself first, whatever its centre.
            distance[number] = -1.0
            ordered = torch.cat([parts[i] for i in distance.argsort().tolist()])
            place, weight = self._sources(len(coords), draws)
            sources = ordered[place.to(ordered.device)]
            stands_for = weight.to(values)
            averages[:, leaf] = gaussian_average(
                coords[leaf], coords[sources], values[sources], stands_for, widths, self.memory
            )
        return averages

    @property
    def complete(self) -> bool:
        """Never claimed."""
        return False

    def _sources(self, count: int, draws: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Places in the order of distance that count, and how many rows each stands for."""
        start = min(self.near, count)
        places, weights = [np.arange(start)], [np.ones(start)]
        size = self.near
        while start < count:
            end = min(start + size, count)
            # A ring of no more rows than would be drawn is taken whole: exact, with weight 1.
            if end - start <= self.far:
                ring, stands_for = np.arange(start, end), 1.0
            else:
                ring = draws.integers(start, end, self.far)
                stands_for = (end - start) / self.far
            places.append(ring)
            weights.append(np.full(len(ring), stands_for))
            start, size = end, 2 * size
        return torch.from_numpy(np.concatenate(places)), torch.from_numpy(np.concatenate(weights))


def gaussian_average(
    places: Tensor, sources: Tensor, values: Tensor, weights: Tensor, widths: Tensor, memory: float = MEMORY
) -> Tensor:
    """(W, P, C) float64 averages around `places` of the sources' values, each source with its weight.

    The square distance of the closest source is taken off all, which leaves the average as it is and keeps its
    denominator from vanishing at widths far below the distances.

    Args:
        places: (P, d).
        sources: (S, d).
        values: (S, C) float64.
        weights: (S,) float64 how many rows a source stands for.
        widths: (W,) float64.
        memory: Budget for the distances held at a time, in GiB.

    Raises:
        InputError: If it does not hold the distances from one place.
    """
    rows_held = tall(memory, len(sources), _COPIES, sources.dtype)
    weighted = torch.cat([weights[:, None] * values, weights[:, None]], 1).to(sources.dtype)
    averages = values.new_empty(len(widths), len(places), values.shape[1])
    size = sources.square().sum(1)
    for start in range(0, len(places), rows_held):
        rows = places[start : start + rows_held]
        square = torch.addmm(size[None], rows, sources.T, alpha=-2).add_(rows.square().sum(1)[:, None])
        # Numerator and denominator share the factor exp(min / 2 width^2), which would underflow.
        square -= square.amin(1, keepdim=True)
        for index, width in enumerate(widths.tolist()):
            # The last column holds the weights alone: one product gives numerator and denominator.
            sums = ((square * (-0.5 / width**2)).exp_() @ weighted).double()
            averages[index, start : start + rows_held] = sums[:, :-1] / sums[:, -1:]
    return averages
