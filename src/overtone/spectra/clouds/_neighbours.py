"""The nearest rows of every row."""

from __future__ import annotations

import math
from typing import final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._inputs import numeric_table


def features(coords: Tensor | ArrayLike, fewest: int = 2) -> Tensor:
    """Rows as a tensor (N, d) in float32 or float64, less their mean; distances do not change by that.

    Args:
        coords: (N, d) table, data frame or array of embeddings.
        fewest: How many rows there have to be at least.

    Raises:
        InputError: If an entry is text or not finite, there are too few rows, or all are the same.
    """
    numbers = numeric_table(coords, "coords")
    if len(numbers) < fewest:
        raise InputError(f"at least {fewest} rows", f"{len(numbers)}", "pass more samples", "coords")
    if not bool((numbers != numbers[:1]).any()):
        raise InputError(
            "features that vary",
            "constant features: all rows are the same",
            "pass what distinguishes the samples",
            "coords",
        )
    return numbers - numbers.mean(0)


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


_TREE_FEATURES = 12
_SCREEN = 32
_SPARE = 4
_GROUP = 32
_COPIES = 2
"""Numbers held for each distance: itself, and at most as many again for choosing the least."""


def nearest(coords: Tensor, count: int, memory: float = MEMORY) -> tuple[np.ndarray, np.ndarray]:
    """Distances and indices (N, count) of the nearest other rows, ascending and complete.

    Up to 12 features by a k-d tree. Beyond, where no tree helps, all pairs are compared in parts that fit into a
    budget, first by their projections on the 32 directions of widest spread: a projection shortens
    distances and never lengthens them, so that a row whose `count` nearest among the few closest in projection are
    closer than the last of these is in projection has no others. Rows that this does not settle, and all of
    them where it settles less than half, are compared in all features. Time grows with N^2, memory with N.

    Args:
        coords: (N, d) in float32 or float64.
        count: Neighbours a row, fewer than N.
        memory: Budget for the distances held at a time, in GiB.

    Raises:
        InputError: If it does not hold the distances from one row.
    """
    from scipy.spatial import cKDTree

    if coords.shape[1] <= _TREE_FEATURES:
        table = coords.cpu().numpy()
        return _without_self(*cKDTree(table).query(table, k=count + 1))
    search = _Pairs(coords, count + 1, memory)
    distance, index = search.all_rows()
    return _without_self(distance.cpu().numpy(), index.cpu().numpy())


def _spread(coords: Tensor) -> Tensor:
    """(d, _SCREEN or N) orthonormal directions of the widest spread; of more features than rows by way of the rows."""
    if coords.shape[1] <= len(coords):
        return torch.linalg.eigh(coords.T @ coords).eigenvectors[:, -_SCREEN:]
    # With more features than rows the smaller Gram matrix has the same nonzero spectrum.
    among = torch.linalg.eigh(coords @ coords.T).eigenvectors[:, -_SCREEN:]
    return torch.linalg.qr(coords.T @ among).Q


@final
class _Pairs:
    """Comparison of all pairs; each row is among its own nearest.

    The part of the matrix that is held has one place throughout: memory asked for and returned in parts of tens
    of MiB, with what is kept put between them, is not given back by all allocators.

    Args:
        coords: (N, d).
        count: Nearest rows sought of each, itself included.
        memory: Budget for the part of the matrix that is held, in GiB.
    """

    def __init__(self, coords: Tensor, count: int, memory: float) -> None:
        self._coords, self._count = coords, count
        self._candidates = min(_SPARE * count, len(coords))
        self._square = coords.square().sum(1)
        self._projected = coords
        if coords.shape[1] > _SCREEN:
            self._projected = coords @ _spread(coords)
        self._projected_square = self._projected.square().sum(1)
        self._tall = tall(memory, len(coords), _COPIES, coords.dtype)
        # One buffer for all parts, see the class: fresh ones would not be returned to the system.
        self._product = coords.new_empty(min(self._tall, len(coords)), len(coords))
        # |x|^2 + |y|^2 - 2 x y loses this much to cancellation, whatever the distance.
        self._rounding = 16 * torch.finfo(coords.dtype).eps * float(self._square.max())

    def all_rows(self) -> tuple[Tensor, Tensor]:
        """(N, count) distances, ascending, and indices."""
        every = torch.arange(len(self._coords), device=self._coords.device)
        screen = self._coords.shape[1] > _SCREEN
        distance = self._coords.new_empty(len(every), self._count)
        index = every.new_empty(len(every), self._count)
        for part in every.split(self._tall):
            unsettled = part
            if screen:
                distance[part], index[part], settled = self._screened(part)
                unsettled = part[~settled]
                # A projection that settles less than half of the rows costs more than it saves.
                screen = 2 * len(unsettled) <= len(part)
            if len(unsettled):
                distance[unsettled], index[unsettled] = self._compared(unsettled)
        return distance, index

    def _screened(self, part: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Nearest of those closest in projection, and which rows have no others."""
        square, candidates = self._closest(self._projected, self._projected_square, part)
        distance, index = self._refined(part, candidates)
        # No row outside the candidates can be closer than the last of them is in projection.
        bound = square[:, -1] - self._rounding
        return distance, index, distance[:, -1].square() <= bound

    def _compared(self, part: Tensor) -> tuple[Tensor, Tensor]:
        return self._refined(part, self._closest(self._coords, self._square, part)[1])

    def _closest(self, table: Tensor, square: Tensor, part: Tensor) -> tuple[Tensor, Tensor]:
        """Square distances, to rounding, and indices of the closest rows of a table, ascending."""
        product = self._product[: len(part)]
        torch.addmm(square[None], table[part], table.T, alpha=-2, out=product)
        smallest, index = _smallest(product, self._candidates)
        return smallest + square[part, None], index

    def _refined(self, part: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """Distances by differences, free of the cancellation of products, and the nearest of the candidates."""
        distance = torch.stack(
            [
                torch.linalg.vector_norm(self._coords[candidates[:, i]] - self._coords[part], dim=1)
                for i in range(candidates.shape[1])
            ],
            1,
        )
        nearest_distances, order = distance.topk(self._count, largest=False)
        return nearest_distances, candidates.gather(1, order)


def _smallest(table: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` least entries of each row, ascending, and their columns.

    They lie in the `count` groups of columns with the least minima, so that all but these are read once only.
    """
    rows, columns = table.shape
    # The count smallest entries lie in the count groups of the smallest minima.
    groups = columns // _GROUP
    if groups <= count:
        return table.topk(count, largest=False)
    grouped = table[:, : groups * _GROUP].view(rows, groups, _GROUP)
    chosen = grouped.amin(2).topk(count, largest=False, sorted=False).indices
    within = torch.arange(_GROUP, device=table.device)
    behind = torch.arange(groups * _GROUP, columns, device=table.device).expand(rows, -1)
    candidates = torch.cat([(chosen[:, :, None] * _GROUP + within).flatten(1), behind], 1)
    smallest, order = table.gather(1, candidates).topk(count, largest=False)
    return smallest, candidates.gather(1, order)


def _without_self(distance: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each row without itself, or without its last neighbour where more copies of it crowd it out."""
    itself = index == np.arange(len(index))[:, None]
    # Among many copies of a row, itself may be missing from its own list.
    itself[~itself.any(1), -1] = True
    shape = (len(index), index.shape[1] - 1)
    return distance[~itself].reshape(shape), index[~itself].reshape(shape)
