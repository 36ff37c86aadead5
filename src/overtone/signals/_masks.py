"""Masks that select samples to hold out of training, on a grid or at points."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from overtone._utils.seeding import numpy_generator
from overtone.errors import InputError
from overtone.signals._geometry import Geometry, Grid


def random(geometry: Geometry, fraction: float = 0.1, seed: int = 0) -> Tensor:
    """Select single samples uniformly at random.

    Args:
        geometry: Geometry of the samples.
        fraction: Fraction of the samples; exactly round(fraction * N) are selected.
        seed: Seed of the selection.

    Returns:
        (N,) bool.

    Raises:
        InputError: If the fraction selects no sample or all samples.

    Example:
        >>> from overtone import signals
        >>> grid = signals.Grid.unit_box((8, 8))
        >>> int(signals.masks.random(grid, 0.25, seed=0).sum())
        16
    """
    n = geometry.samples
    count = _count(fraction * n, n - 1, f"{n} samples")
    mask = np.zeros(n, dtype=bool)
    mask[numpy_generator(seed, "masks", "random").choice(n, count, replace=False, shuffle=False)] = True
    return torch.from_numpy(mask)


def blocks(geometry: Grid, fraction: float, size: int | tuple[int, ...], seed: int = 0) -> Tensor:
    """Select random boxes that do not overlap: gaps wider than the distance of neighbours.

    The boxes lie on a lattice of pitch `size` with a random offset within the samples that remain at the
    borders.

    Args:
        geometry: Geometry of the samples.
        fraction: Fraction of the samples; round(fraction * N / box) whole boxes are selected.
        size: Samples per side of a box, one for all axes or one per axis.
        seed: Seed of the selection.

    Returns:
        (N,) bool, with a multiple of the box's samples selected.

    Raises:
        InputError: If a box is larger than the grid, or the fraction selects no box or more than fit.

    Example:
        >>> from overtone import signals
        >>> grid = signals.Grid.unit_box((8, 8))
        >>> int(signals.masks.blocks(grid, 0.25, size=2).sum())
        16
    """
    sides = _per_axis(size, geometry, "size")
    if not all(1 <= side <= n for side, n in zip(sides, geometry.shape, strict=True)):
        raise InputError(f"boxes within the grid {geometry.shape}", f"{sides}", "pass smaller sides", "size")
    draw = numpy_generator(seed, "masks", "blocks")
    cells = tuple(n // side for n, side in zip(geometry.shape, sides, strict=True))
    whole, box = math.prod(cells), math.prod(sides)
    limit = whole - 1 if whole * box == geometry.samples else whole
    count = _count(fraction * geometry.samples / box, limit, f"{whole} boxes of {sides} samples")
    taken = np.zeros(whole, dtype=bool)
    taken[draw.choice(whole, count, replace=False)] = True
    taken = taken.reshape(cells)
    for axis, side in enumerate(sides):
        taken = taken.repeat(side, axis=axis)
    spare = tuple(n - covered for n, covered in zip(geometry.shape, taken.shape, strict=True))
    first = tuple(int(draw.integers(s + 1)) for s in spare)
    # Shift the lattice of boxes within the samples that no whole box covers.
    padded = np.pad(taken, [(f, s - f) for f, s in zip(first, spare, strict=True)])
    return torch.from_numpy(padded.reshape(-1))


def lattice(geometry: Grid, start: int | tuple[int, ...], step: int | tuple[int, ...]) -> Tensor:
    """Select every `step`-th sample from `start` along each axis, `[start::step]`.

    Args:
        geometry: Geometry of the samples.
        start: Index of the first sample, one for all axes or one per axis.
        step: Distance of the selected samples, one for all axes or one per axis.

    Returns:
        (N,) bool.

    Raises:
        InputError: If an axis would have no selected sample.

    Example:
        >>> from overtone import signals
        >>> grid = signals.Grid.unit_box((8, 8))
        >>> int(signals.masks.lattice(grid, start=0, step=2).sum())
        16
    """
    starts, steps = _per_axis(start, geometry, "start"), _per_axis(step, geometry, "step")
    for s, pitch, n in zip(starts, steps, geometry.shape, strict=True):
        if not 0 <= s < n or pitch < 1:
            raise InputError(
                f"a start within the {n} samples and a step of 1 or more",
                f"{s} and {pitch}",
                "pass valid numbers",
            )
    mask = torch.zeros(geometry.shape, dtype=torch.bool, device="cpu")
    mask[tuple(slice(s, None, pitch) for s, pitch in zip(starts, steps, strict=True))] = True
    return mask.reshape(-1)


def alternating(geometry: Grid) -> tuple[Tensor, Tensor]:
    """Split samples: train on `[::2, ::2]`, hold out `[1::2, 1::2]`, ignore all others.

    This is the split of Tancik et al. 2020, "Fourier Features Let Networks Learn High Frequency Functions in
    Low Dimensional Domains", image regression. Its training samples have half the Nyquist frequency of the
    picture.

    Args:
        geometry: Geometry of the samples.

    Returns:
        The masks (train, held_out), each (N,) bool, for `Signal.with_split`.

    Example:
        >>> from overtone import signals
        >>> train, held_out = signals.masks.alternating(signals.Grid.unit_box((8, 8)))
        >>> int(train.sum()), int((train & held_out).sum())
        (16, 0)
    """
    return lattice(geometry, 0, 2), lattice(geometry, 1, 2)


def _per_axis(value: int | tuple[int, ...], geometry: Grid, location: str) -> tuple[int, ...]:
    """Return one integer per axis, from a single integer or one per axis."""
    axes = len(geometry.shape)
    values = (int(value),) * axes if isinstance(value, int | np.integer) else tuple(int(v) for v in value)
    if len(values) != axes:
        raise InputError(
            f"one {location}, or one per axis ({axes})", f"{len(values)}", f"pass {axes} values", location
        )
    return values


def _count(requested: float, limit: int, what: str) -> int:
    count = round(requested) if math.isfinite(requested) else -1
    if not 1 <= count <= limit:
        raise InputError(
            f"a fraction that selects 1 to {limit} of {what}",
            f"{count} selected",
            "change the fraction",
            "fraction",
        )
    return count
