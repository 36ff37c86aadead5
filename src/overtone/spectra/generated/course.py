"""The distance from data at several sizes, or along the steps of an iterative sampler."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import final

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra.generated.distance import Distance, distance
from overtone.spectra.generated.profile import profiles
from overtone.spectra.generated.resize import Bicubic, Keep, Resize

_KEEP = Keep()


@final
@dataclass(frozen=True)
class Course:
    """Distances in order.

    Attributes:
        at: Steps of the sampler, or picture heights.
        distances: One each.
    """

    at: tuple[int, ...]
    distances: tuple[Distance, ...]

    @property
    def total(self) -> Tensor:
        """(at, 3) float64 total distance in dB and the ends of its interval."""
        return torch.tensor(
            [[d.total, d.total_low, d.total_high] for d in self.distances], dtype=torch.float64, device="cpu"
        )


def by_step(
    steps: Mapping[int, Tensor | ArrayLike] | Iterable[tuple[int, Tensor | ArrayLike]],
    data: Tensor | ArrayLike,
    *,
    resize: Resize = _KEEP,
    periodic: bool = False,
    draws: int = 500,
    seed: int = 0,
) -> Course:
    """The distance from data at each step of an iterative sampler; bands agree, so `decibels` can be stacked.

    Args:
        steps: Step to the pictures there, (N, H, W[, C]); a generator of pairs keeps one step in memory at a time.
        data: (M, H, W[, C]).
        resize: How both are brought to one size.
        periodic: Whether pictures wrap around.
        draws: Bootstrap sets per step.
        seed: Seed of the draws.

    Raises:
        InputError: If there are no steps, or pictures cannot be compared.
    """
    wanted = profiles(data, resize=resize, periodic=periodic)
    pairs = steps.items() if isinstance(steps, Mapping) else steps
    found = {}
    for step, pictures in pairs:
        ours = profiles(pictures, resize=resize, periodic=periodic)
        found[int(step)] = distance(ours, wanted, draws=draws, seed=seed)
    if not found:
        raise InputError("at least one step", "none", "pass pairs of a step and its pictures", "steps")
    return Course(tuple(found), tuple(found.values()))


def by_size(
    samples: Tensor | ArrayLike,
    data: Tensor | ArrayLike,
    sizes: Iterable[tuple[int, int]],
    rule: Callable[[int, int], Resize] = Bicubic,
    *,
    periodic: bool = False,
    draws: int = 500,
    seed: int = 0,
) -> Course:
    """The distance from data at several sizes: what is wrong at coarse scales, and what only at the finest.

    Args:
        samples: (N, H, W[, C]).
        data: (M, H', W'[, C]); may be of another size, since both are shrunk.
        sizes: (height, width) to shrink to.
        rule: `Bicubic` or `Area`, called with height and width.
        periodic: Whether pictures wrap around.
        draws: Bootstrap sets per size.
        seed: Seed of the draws.

    Raises:
        InputError: If there are no sizes, or pictures cannot be shrunk so or compared.
    """
    found = {}
    for height, width in sizes:
        ours, theirs = (profiles(p, resize=rule(height, width), periodic=periodic) for p in (samples, data))
        found[height, width] = distance(ours, theirs, draws=draws, seed=seed)
    if not found:
        raise InputError("at least one size", "none", "pass pairs of height and width", "sizes")
    return Course(tuple(height for height, _ in found), tuple(found.values()))
