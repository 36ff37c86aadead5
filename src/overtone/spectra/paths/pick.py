"""Which inputs to join: pairs of one class, pairs of two classes, inputs and noise."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone._utils.missing_values import entire
from overtone._utils.seeding import generator
from overtone.errors import InputError
from overtone.spectra.evaluate import samples as checked
from overtone.spectra.paths.path import Paths


def within_classes(
    samples: Tensor | ArrayLike, labels: Tensor | ArrayLike, count: int, seed: int = 0
) -> Paths:
    """Straight paths between two samples of one class, drawn from all such pairs without repetition.

    Args:
        samples: (N, *shape) inputs.
        labels: (N,) labels of any kind.
        count: How many paths.
        seed: Seed of the draw.

    Raises:
        InputError: If the samples are not finite numbers, labels do not fit, or there are fewer such pairs.
    """
    found = checked(samples, "samples", 2)
    groups = _groups(labels, len(found))
    sizes = [math.comb(len(group), 2) for group in groups]
    starts, ends = [], []
    for block, rank in _draw(sizes, count, seed, "within", "of one class"):
        second = (1 + math.isqrt(8 * rank + 1)) // 2
        starts.append(groups[block][second])
        ends.append(groups[block][rank - math.comb(second, 2)])
    return _as_given(samples, found[starts], found[ends])


def between_classes(
    samples: Tensor | ArrayLike, labels: Tensor | ArrayLike, count: int, seed: int = 0
) -> Paths:
    """Straight paths between samples of two classes, drawn from all such pairs without repetition.

    Args:
        samples: (N, *shape) inputs.
        labels: (N,) labels of any kind.
        count: How many paths.
        seed: Seed of the draw.

    Raises:
        InputError: If the samples are not finite numbers, labels do not fit, or there are fewer such pairs.
    """
    found = checked(samples, "samples", 2)
    groups = _groups(labels, len(found))
    pairs = [(one, other) for one in range(len(groups)) for other in range(one)]
    sizes = [len(groups[one]) * len(groups[other]) for one, other in pairs]
    starts, ends = [], []
    for block, rank in _draw(sizes, count, seed, "between", "of different classes"):
        one, other = (groups[i] for i in pairs[block])
        starts.append(one[rank // len(other)])
        ends.append(other[rank % len(other)])
    return _as_given(samples, found[starts], found[ends])


def to_noise(samples: Tensor | ArrayLike, count: int, seed: int = 0) -> Paths:
    """Straight paths from samples, drawn without repetition, out to noise.

    The noise is normal and independent per feature, with the mean and standard deviation that the samples have in it:
    as far away as samples are, without what relates their features.

    Args:
        samples: (N, *shape) inputs.
        count: How many paths.
        seed: Seed of the draw.

    Raises:
        InputError: If the samples are not finite numbers, or fewer.
    """
    found = checked(samples, "samples", 2)
    source = generator(seed, "paths", "noise")
    if not 1 <= count <= len(found):
        raise InputError(
            f"1 to {len(found)} paths", f"{count}", "pass another count or more samples", "count"
        )
    rows = torch.from_numpy(source.choice(len(found), count, replace=False)).to(found.device)
    white = torch.from_numpy(source.normal(size=(count, *found.shape[1:]))).to(found)
    noise = found.mean(0) + found.std(0, correction=0) * white
    return _as_given(samples, found[rows], noise)


def _groups(labels: Tensor | ArrayLike, count: int) -> list[np.ndarray]:
    """Row numbers of each class."""
    labels = entire(labels, "labels")
    array = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if array.shape != (count,):
        raise InputError(f"{count} labels, one a sample", f"shape {array.shape}", "pass one each", "labels")
    numbers = np.unique(array, return_inverse=True)[1]
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.cumsum(np.bincount(numbers))[:-1])


def _draw(sizes: list[int], count: int, seed: int, name: str, kind: str) -> list[tuple[int, int]]:
    """Block and rank within it of `count` different pairs."""
    ends = np.cumsum([0, *sizes])
    if not 1 <= count <= ends[-1]:
        raise InputError(
            f"1 to {ends[-1]} paths, as there are pairs {kind}",
            f"{count}",
            "pass another count or more samples",
            "count",
        )
    drawn = generator(seed, "paths", name).choice(int(ends[-1]), count, replace=False)
    blocks = np.searchsorted(ends, drawn, side="right") - 1
    return [(int(block), int(rank)) for block, rank in zip(blocks, drawn - ends[blocks], strict=True)]


def _as_given(samples: Tensor | ArrayLike, starts: Tensor, ends: Tensor) -> Paths:
    if isinstance(samples, Tensor):
        return Paths.straight(starts, ends)
    return Paths.straight(starts.cpu().numpy(), ends.cpu().numpy())
