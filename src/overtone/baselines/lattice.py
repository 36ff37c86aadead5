"""Training samples that are themselves a regular lattice, every so-many-th sample of the grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np


@final
@dataclass(frozen=True)
class Lattice:
    """Every `step`-th sample from `start` to below `stop` along each axis.

    Attributes:
        parts: One slice per axis.
    """

    parts: tuple[slice, ...]

    def places(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        """Per axis the (n,) positions of all samples of a grid of `shape`, in steps of the lattice from its start."""
        return [(np.arange(n) - p.start) / p.step for n, p in zip(shape, self.parts, strict=True)]


def lattice_of(present: np.ndarray) -> Lattice | None:
    """The lattice that the present samples form, if they form one with at least two samples along each axis.

    Args:
        present: (*shape) bool.
    """
    parts = []
    for axis, n in enumerate(present.shape):
        others = tuple(a for a in range(present.ndim) if a != axis)
        used = np.flatnonzero(present.any(axis=others))
        if len(used) < 2:
            if n == 1 and len(used) == 1:
                parts.append(slice(0, 1, 1))
                continue
            return None
        step = int(used[1] - used[0])
        if not np.array_equal(used, np.arange(used[0], used[-1] + 1, step)):
            return None
        parts.append(slice(int(used[0]), int(used[-1]) + 1, step))
    return Lattice(tuple(parts)) if present[tuple(parts)].all() else None
