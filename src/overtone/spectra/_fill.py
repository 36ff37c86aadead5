"""Missing cells filled with the solution of Laplace's equation between the valid ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_SWEEPS = 24
"""Relaxations per level; the coarser levels have solved for everything smoother than that."""


def laplace_fill(values: Tensor, mask: Tensor, periodic: Sequence[bool]) -> Tensor:
    """Fill the cells outside a mask with a field whose mean over neighbours is itself, nearly.

    Means over blocks of two cells per axis are filled first, down to a level without gaps, and each level begins with
    the one below it. The result is linear in the valid values. Across open borders, a cell is its own neighbour.

    Args:
        values: (*shape, C) values; those outside the mask are ignored.
        mask: (*shape) whether each cell is valid.
        periodic: Whether each axis wraps around.

    Returns:
        (*shape, C) values without gaps; 0 if no cell is valid.
    """
    mask = mask.bool()
    known = torch.where(mask[..., None], values, torch.zeros_like(values))
    if bool(mask.all()) or not bool(mask.any()):
        return known
    weight = mask.to(values.dtype)[..., None]
    sums, counts = known, weight
    for axis, n in enumerate(mask.shape):
        if n > 1:
            sums, counts = _pairs(sums, axis), _pairs(counts, axis)
    coarse = laplace_fill(sums / counts.clamp(min=1), counts[..., 0] > 0, periodic)
    for axis, n in enumerate(mask.shape):
        if n > 1:
            coarse = coarse.repeat_interleave(2, axis).narrow(axis, 0, n)
    return _relaxed(torch.where(mask[..., None], known, coarse), mask, periodic)


def _pairs(values: Tensor, axis: int) -> Tensor:
    """Return the sums of neighbouring pairs along an axis; a last single one stays."""
    n = values.shape[axis]
    if n % 2:
        tail = torch.zeros_like(values.narrow(axis, 0, 1))
        values = torch.cat([values, tail], axis)
    return values.unflatten(axis, (-1, 2)).sum(axis + 1)


def _relaxed(values: Tensor, mask: Tensor, periodic: Sequence[bool]) -> Tensor:
    """Return values relaxed in the cells outside the mask, in each sweep first those of one colour."""
    place = torch.arange(mask.numel(), device=mask.device).reshape(mask.shape)
    colour = torch.zeros_like(place)
    neighbours = []
    for axis, n in enumerate(mask.shape):
        if n == 1:
            continue
        index = torch.arange(n, device=mask.device)
        colour = colour + index.reshape([-1 if i == axis else 1 for i in range(mask.ndim)])
        for step in (-1, 1):
            moved = (index + step) % n if periodic[axis] else (index + step).clamp(0, n - 1)
            neighbours.append(place.index_select(axis, moved))
    table = torch.stack(neighbours, -1)
    flat = values.flatten(0, -2).clone()
    groups = [place[~mask & (colour % 2 == parity)] for parity in (0, 1)]
    for _ in range(_SWEEPS):
        for cells in groups:
            flat[cells] = flat[table.flatten(0, -2)[cells]].mean(1)
    return flat.reshape(values.shape)
