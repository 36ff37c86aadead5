"""The waves that multiplicative filter networks multiply."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor, nn

from overtone.nn.seeding import fill_uniform


class Filter(nn.Module, ABC):
    """`width` functions of d coordinates, each a wave of its own frequency and phase."""

    @property
    @abstractmethod
    def frequencies(self) -> Tensor:
        """(width, d) float64, signed, in cycles per unit of the coordinate."""

    @abstractmethod
    def forward(self, coords: Tensor) -> Tensor:
        """Map coordinates (..., d) to (..., width), in their precision; phases in float32 at least."""


class TrainedFilter(Filter, ABC):
    """Waves whose frequencies are a parameter.

    Attributes:
        omega: (width, d) in radians per unit of the coordinate.
    """

    omega: nn.Parameter

    @property
    def frequencies(self) -> Tensor:
        """(width, d) float64, in cycles per unit of the coordinate."""
        return self.omega.detach().double() / (2 * math.pi)

    def stretch(self, factors: Tensor) -> None:
        """Multiply the frequencies along each axis by its factor, (d,)."""
        with torch.no_grad():
            self.omega.mul_(factors.to(self.omega))


def phases(coords: Tensor, rates: Tensor) -> Tensor:
    """The products coords @ rates.T in float32 at least, summed axis by axis.

    A matrix product would be rounded to 11 bits or fewer in reduced-precision modes (TF32, autocast).

    Args:
        coords: (..., d).
        rates: (width, d).

    Returns:
        (..., width).
    """
    exact = torch.promote_types(torch.promote_types(coords.dtype, rates.dtype), torch.float32)
    x, w = coords.to(exact), rates.to(exact)
    total = x[..., :1] * w[:, 0]
    for axis in range(1, w.shape[1]):
        total = total + x[..., axis : axis + 1] * w[:, axis]
    return total


@final
class SineFilter(TrainedFilter):
    """g(x) = sin(Omega x + phi), all of it trained.

    Omega ~ U(-scale/sqrt(d), scale/sqrt(d)) in radians per unit, phi ~ U(-pi, pi) (Fathony et al. 2021,
    section 3.1, and the reference code).

    Args:
        in_features: d.
        width: Number of waves.
        scale: In radians per unit of the coordinate.
        source: Where the numbers come from.
    """

    def __init__(self, in_features: int, width: int, scale: float, source: torch.Generator) -> None:
        super().__init__()
        self.omega = nn.Parameter(torch.empty(width, in_features, device="cpu"))
        self.phase = nn.Parameter(torch.empty(width, device="cpu"))
        fill_uniform(self.omega, scale / math.sqrt(in_features), source)
        fill_uniform(self.phase, math.pi, source)

    def forward(self, coords: Tensor) -> Tensor:
        """Map coordinates (..., d) to waves (..., width)."""
        return torch.sin(phases(coords, self.omega) + self.phase).to(coords.dtype)


@final
class LatticeFilter(Filter):
    """g(x) = sin(2 pi q K x + phi) with fixed whole numbers K, so that it repeats after 1/q; phi is trained.

    K_ij is uniform on the whole numbers within [-reach_j, reach_j] (Lindell et al. 2022, section 3.2).

    Args:
        quantum: q, in cycles per unit of the coordinate.
        reach: Per axis, the largest |K|.
        width: Number of waves.
        source: Where the numbers come from.
    """

    index: Tensor

    def __init__(self, quantum: float, reach: tuple[int, ...], width: int, source: torch.Generator) -> None:
        super().__init__()
        self.quantum = quantum
        columns = [
            torch.randint(-most, most + 1, (width,), generator=source, device=source.device) for most in reach
        ]
        self.register_buffer("index", torch.stack(columns, dim=-1).cpu())
        self.phase = nn.Parameter(torch.empty(width, device="cpu"))
        fill_uniform(self.phase, math.pi, source)

    @property
    def frequencies(self) -> Tensor:
        """(width, d) float64, in cycles per unit of the coordinate."""
        return self.quantum * self.index.double()

    def forward(self, coords: Tensor) -> Tensor:
        """Map coordinates (..., d) to waves (..., width).

        Phases are reduced to one turn before they are multiplied by 2 pi, so that whole periods vanish
        exactly.
        """
        turns = self.quantum * phases(coords, self.index)
        return torch.sin(2 * math.pi * (turns - turns.round()) + self.phase).to(coords.dtype)
