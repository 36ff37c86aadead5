"""Waves through the space of inputs, along which labels can be disturbed at a known frequency."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import final

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra.rows import rows


class Wave(ABC):
    """A field cos(2 pi turns(x)) over inputs x.

    Attributes:
        frequency: In cycles per unit of distance between inputs; not negative.
    """

    def __init__(self, frequency: float) -> None:
        if not (math.isfinite(frequency) and frequency >= 0):
            raise InputError("a frequency of 0 or more", f"{frequency}", "pass cycles per unit", "frequency")
        self.frequency = frequency

    @abstractmethod
    def turns(self, coords: Tensor | ArrayLike) -> Tensor:
        """(N,) float64 cycles gone through at each input.

        Args:
            coords: (N, d) inputs, flattened.

        Raises:
            InputError: If they are not finite numbers, or not of the wave's dimension.
        """

    def values(self, coords: Tensor | ArrayLike) -> Tensor:
        """(N,) float64 cos(2 pi turns): times an amplitude, the noise to add to +1 and -1 or to scores.

        Args:
            coords: (N, d) inputs, flattened.

        Raises:
            InputError: If they are not finite numbers, or not of the wave's dimension.
        """
        return torch.cos(2 * math.pi * self.turns(coords))


@final
class RadialWave(Wave):
    """cos(2 pi f |x - centre|): shells around a centre (Rahaman et al. 2019, arXiv 1806.08734, section 3).

    Its frequency is f along every ray from the centre. In d dimensions |x| of samples varies little beside its mean, by
    a share of about 1 / sqrt(2 d) if their features are independent: a frequency far below one cycle over that spread
    is a constant.

    Args:
        frequency: f, in cycles per unit of distance.
        centre: (d,) numbers, or None for the origin.

    Raises:
        InputError: If the frequency is negative or not finite.
    """

    def __init__(self, frequency: float, centre: Tensor | ArrayLike | None = None) -> None:
        super().__init__(frequency)
        self._centre = None if centre is None else rows(centre, "centre")[:, 0]

    def turns(self, coords: Tensor | ArrayLike) -> Tensor:
        """(N,) float64 f |x - centre|."""
        found = rows(coords, "coords")
        if self._centre is not None:
            found = found - _fitting(self._centre, found, "centre")
        return self.frequency * found.norm(dim=1)


@final
class PlaneWave(Wave):
    """cos(2 pi (f x . u + phase)) along a unit vector u (Fridovich-Keil et al. 2022, arXiv 2110.02424).

    Args:
        frequency: f, in cycles per unit of distance along u.
        direction: (d,) numbers that are not all 0; scaled to length 1. For flattened pictures of H x W pixels a
            Fourier mode of the pixel grid gives noise that depends on one spatial frequency of the picture.
        phase: In cycles.

    Raises:
        InputError: If the frequency is negative, or the direction is 0 or not finite.
    """

    def __init__(self, frequency: float, direction: Tensor | ArrayLike, phase: float = 0.0) -> None:
        super().__init__(frequency)
        found = rows(direction, "direction")[:, 0]
        if not bool((found != 0).any()):
            raise InputError(
                "a direction that is not all 0", "zeros", "pass where the wave goes", "direction"
            )
        self.direction = found / found.norm()
        self.phase = phase

    def turns(self, coords: Tensor | ArrayLike) -> Tensor:
        """(N,) float64 f x . u + phase."""
        found = rows(coords, "coords")
        return self.frequency * (found @ _fitting(self.direction, found, "direction")) + self.phase


def _fitting(given: Tensor, coords: Tensor, where: str) -> Tensor:
    if len(given) != coords.shape[1]:
        raise InputError(
            f"{coords.shape[1]} numbers, one a feature", f"{len(given)}", "pass one for each", where
        )
    return given.to(coords.device)
