"""What can be masked and rescaled while it is trained: the interface of coarse-to-fine schedules and controllers."""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.nn.checks import Numbers, per_axis


@runtime_checkable
class Windowed(Protocol):
    """An encoding whose high frequencies can be faded out and in again."""

    def window(self, cutoff: Numbers | None) -> None:
        """Let pass what lies below `cutoff`, in place; everything for None."""


@runtime_checkable
class Rescalable(Protocol):
    """An encoding whose frequencies can be multiplied."""

    def rescale(self, factor: Numbers) -> None:
        """Multiply all frequencies, in place, by one factor or one per axis."""


def cosine_window(frequencies: Tensor, cutoff: Numbers) -> Tensor:
    """Weights that fall from 1 to 0 along half a cosine over the octave below the cutoff.

    w = (1 - cos(pi clip(log2(1 / r), 0, 1))) / 2 with r^2 = sum_i (f_i / cutoff_i)^2. With frequencies 2^k and a
    cutoff of 2^a this is BARF's mask at alpha = a (Lin et al. 2021, equation 14; Park et al. 2021, Nerfies,
    equation 8).

    Args:
        frequencies: (m, d) in cycles per unit.
        cutoff: The frequency from which on nothing passes, in cycles per unit, one or one per axis.

    Returns:
        (m,) float32 weights in [0, 1]; 1 for a constant.

    Raises:
        InputError: If the number of cutoffs is wrong, or one is not positive.
    """
    axes = frequencies.shape[1]
    limit = torch.tensor(per_axis(cutoff, axes, "cutoff"), dtype=torch.float64, device=frequencies.device)
    r = (frequencies.detach().double() / limit).square().sum(1).sqrt()
    octaves = torch.where(r > 0, -torch.log2(r.clamp(min=1e-300)), 1.0).clamp(0, 1)
    return ((1 - torch.cos(math.pi * octaves)) / 2).float()


def factors(wanted: Numbers, present: tuple[float, ...]) -> tuple[float, ...]:
    """Per axis, what takes the present bandwidth to the wanted one.

    Args:
        wanted: In cycles per unit, one or one per axis.
        present: In cycles per unit.

    Raises:
        InputError: If the number of bandwidths is wrong, one is not positive, or nothing varies along an axis.
    """
    reach = per_axis(wanted, len(present), "bandwidth")
    if not all(b > 0 for b in present):
        raise InputError(
            "frequencies along every axis",
            f"bandwidth {present}",
            "open the window, or build the encoding anew",
            "bandwidth",
        )
    return tuple(w / b for w, b in zip(reach, present, strict=True))
