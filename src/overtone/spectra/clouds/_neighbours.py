"""Nearest neighbours of every row in bounded memory."""

from __future__ import annotations

import math
from typing import final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._inputs import numeric_table


def features(coords: Tensor | ArrayLike, minimum: int = 2) -> Tensor:
    """Convert rows to a centred tensor (N, d) in float32 or float64; distances do not change.

    Args:
        coords: (N, d) table, data frame or array of embeddings.
        minimum: Minimum number of rows.

    Raises:
        InputError: If an entry is text or not finite, there are too few rows, or all rows are equal.
    """
    numbers = numeric_table(coords, "coords")
    if len(numbers) < minimum:
        raise InputError(f"at least {minimum} rows", f"{len(numbers)}", "pass more samples", "coords")
    if not bool((numbers != numbers[:1]).any()):
        raise InputError(
            "features that vary",
            "constant features: all rows are equal",
            "pass features that distinguish the samples",
            "coords",
        )
    return numbers - numbers.mean(0)


MEMORY = 0.125
"""Default memory budget in GiB for distances and derived numbers; more than some tenths is not faster."""


def rows_in_budget(memory: float, columns: int, copies: int, dtype: torch.dtype) -> int:
    """Return the number of rows whose distances to `columns` others fit in a memory budget.

    Args:
        memory: Budget in GiB.
        columns: Number of distances per row.
        copies: Number of values in memory per distance.
        dtype: Data type of the values.

    Raises:
        InputError: If not a single row fits.
    """
    row = columns * copies * dtype.itemsize / 2**30
    if not (math.isfinite(memory) and memory >= row):
        raise InputError(
            f"a memory budget of at least {row:.2g} GiB, for the distances of one row to {columns:,} others",
            f"{memory:g}",
            "increase the budget or pass fewer rows",
            "memory",
        )
    return int(memory / row)


_TREE_FEATURES = 12
_SCREEN = 32
_SPARE = 4
_GROUP = 32
_COPIES = 2
"""Numbers in memory per distance: itself, and at most as many again for the selection of the smallest."""


def nearest(coords: Tensor, count: int, memory: float = MEMORY) -> tuple[np.ndarray, np.ndarray]:
    """Return distances and indices (N, count) of the nearest other rows, ascending and exact.

    Up to 12 features use a k-d tree. For more features, for which trees are inefficient, all pairs are
    compared in blocks of bounded memory, first by their projections on the 32 directions of largest variance.
    A projection never lengthens distances. So if the `count` nearest among the closest rows in projection are
    nearer than the last of these is in projection, no other row can be nearer. The remaining rows are
    compared in all features, as are all rows if the projection settles less than half of a block. Time grows
    as N^2 and memory as N.

    Args:
        coords: (N, d) coordinates in float32 or float64.
        count: Number of neighbours per row, less than N.
        memory: Memory budget for distances, in GiB.

    Raises:
        InputError: If the budget is too small for the distances of one row.
    """
    from scipy.spatial import cKDTree

    if coords.shape[1] <= _TREE_FEATURES:
        table = coords.cpu().numpy()
        return _without_self(*cKDTree(table).query(table, k=count + 1))
    search = _Pairs(coords, count + 1, memory)
    distance, index = search.all_rows()
    return _without_self(distance.cpu().numpy(), index.cpu().numpy())


def _spread(coords: Tensor) -> Tensor:
    """Return (d, _SCREEN or N) orthonormal directions of largest variance."""
    if coords.shape[1] <= len(coords):
        return torch.linalg.eigh(coords.T @ coords).eigenvectors[:, -_SCREEN:]
    # With more features than rows, the smaller Gram matrix has the same non-zero eigenvalues.
    eigenvectors = torch.linalg.eigh(coords @ coords.T).eigenvectors[:, -_SCREEN:]
    return torch.linalg.qr(coords.T @ eigenvectors).Q


@final
class _Pairs:
    """Comparison of all pairs; the nearest rows of a row include the row.

    All blocks of the matrix use one buffer: some allocators do not release memory that is allocated and freed
    in blocks of tens of MiB between longer-lived allocations.

    Args:
        coords: (N, d) coordinates.
        count: Number of nearest rows per row, including the row.
        memory: Memory budget for a block of the matrix, in GiB.
    """

    def __init__(self, coords: Tensor, count: int, memory: float) -> None:
        self._coords, self._count = coords, count
        self._candidates = min(_SPARE * count, len(coords))
        self._square = coords.square().sum(1)
        self._projected = coords
        if coords.shape[1] > _SCREEN:
            self._projected = coords @ _spread(coords)
        self._projected_square = self._projected.square().sum(1)
        self._tall = rows_in_budget(memory, len(coords), _COPIES, coords.dtype)
        # One buffer for all blocks: some allocators would not return fresh ones to the system.
        self._product = coords.new_empty(min(self._tall, len(coords)), len(coords))
        # Bound on the cancellation error of |x|^2 + |y|^2 - 2 x y for any distance.
        self._rounding = 16 * torch.finfo(coords.dtype).eps * float(self._square.max())

    def all_rows(self) -> tuple[Tensor, Tensor]:
        """Return the (N, count) ascending distances and indices."""
        all_indices = torch.arange(len(self._coords), device=self._coords.device)
        screen = self._coords.shape[1] > _SCREEN
        distance = self._coords.new_empty(len(all_indices), self._count)
        index = all_indices.new_empty(len(all_indices), self._count)
        for part in all_indices.split(self._tall):
            unsettled = part
            if screen:
                distance[part], index[part], settled = self._screened_neighbours(part)
                unsettled = part[~settled]
                # A projection that settles less than half of the rows takes more time than it saves.
                screen = 2 * len(unsettled) <= len(part)
            if len(unsettled):
                distance[unsettled], index[unsettled] = self._exact_neighbours(unsettled)
        return distance, index

    def _screened_neighbours(self, part: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the nearest among the closest rows in projection, and whether they are proven nearest."""
        square, candidates = self._closest(self._projected, self._projected_square, part)
        distance, index = self._nearest_candidates(part, candidates)
        # Rows outside the candidates are at least as distant as the last candidate is in projection.
        bound = square[:, -1] - self._rounding
        return distance, index, distance[:, -1].square() <= bound

    def _exact_neighbours(self, part: Tensor) -> tuple[Tensor, Tensor]:
        return self._nearest_candidates(part, self._closest(self._coords, self._square, part)[1])

    def _closest(self, table: Tensor, square: Tensor, part: Tensor) -> tuple[Tensor, Tensor]:
        """Return approximate square distances and indices of the closest rows of a table, ascending."""
        product = self._product[: len(part)]
        torch.addmm(square[None], table[part], table.T, alpha=-2, out=product)
        smallest, index = _smallest(product, self._candidates)
        return smallest + square[part, None], index

    def _nearest_candidates(self, part: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """Return the nearest candidates by distances from differences, which avoid cancellation."""
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
    """Return the `count` smallest entries of each row, ascending, and their columns.

    They are in the `count` groups of columns with the smallest minima, so all other groups are read only
    once.
    """
    rows, columns = table.shape
    # With few groups, selecting groups first does not pay off.
    groups = columns // _GROUP
    if groups <= count:
        return table.topk(count, largest=False)
    grouped = table[:, : groups * _GROUP].view(rows, groups, _GROUP)
    chosen = grouped.amin(2).topk(count, largest=False, sorted=False).indices
    within = torch.arange(_GROUP, device=table.device)
    remaining = torch.arange(groups * _GROUP, columns, device=table.device).expand(rows, -1)
    candidates = torch.cat([(chosen[:, :, None] * _GROUP + within).flatten(1), remaining], 1)
    smallest, order = table.gather(1, candidates).topk(count, largest=False)
    return smallest, candidates.gather(1, order)


def _without_self(distance: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Remove each row from its neighbours, or the last neighbour if copies displaced the row."""
    is_self = index == np.arange(len(index))[:, None]
    # A row with many copies may be missing from its list of neighbours.
    is_self[~is_self.any(1), -1] = True
    shape = (len(index), index.shape[1] - 1)
    return distance[~is_self].reshape(shape), index[~is_self].reshape(shape)
