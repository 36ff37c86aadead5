"""Interface of encodings, the coarse-to-fine window, and the encoding that changes nothing."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Never, Protocol, Self, final, runtime_checkable

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.nn._utils import HighPrecisionBuffers, Numbers, last_axis, per_axis, size


class Encoding(HighPrecisionBuffers, ABC):
    """A map from coordinates (..., d) to features (..., out_features).

    Attributes:
        in_features: d, the number of coordinates.
        out_features: The number of features.
        frequencies: (m, d) float32 in cycles per unit, or None if the encoding has none.
        domain: The range that coordinates should be brought to.
    """

    in_features: int
    out_features: int
    frequencies: Tensor | None
    domain: tuple[float, float]

    @property
    @abstractmethod
    def bandwidth(self) -> tuple[float, ...] | None:
        """Per axis, the frequency below which 90 % of the features' power lies, in cycles per unit.

        Constant features are left out. None if the encoding adds no frequencies.
        """

    @abstractmethod
    def with_bandwidth(self, bandwidth: Numbers) -> Self:
        """A copy that reaches `bandwidth`; this one stays as it is.

        Args:
            bandwidth: In cycles per unit, one for all axes or one per axis.

        Returns:
            The copy.

        Raises:
            InputError: If the number of bandwidths is wrong, one is not positive and finite, or the encoding adds
                no frequencies.
        """

    @abstractmethod
    def describe(self) -> str:
        """One line for titles and records, "Gaussian(256 features, sigma 10)"."""

    @abstractmethod
    def forward(self, coords: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Encode coordinates.

        Args:
            coords: (..., d), in the unit of the frequencies.
            dtype: Precision of the features; that of the coordinates unless given. Float64 coordinates with
                float32 features keep the phase of high frequencies on long domains.

        Returns:
            (..., out_features).

        Raises:
            InputError: If there are not d coordinates.
        """


def precisions(coords: Tensor, dtype: torch.dtype | None, coarse: bool) -> tuple[torch.dtype, torch.dtype]:
    """In which precision to compute phases, and in which to return features.

    Args:
        coords: The coordinates.
        dtype: What was asked for.
        coarse: Whether float32 phases lose less than features do by training in float32.

    Returns:
        (of the phases, of the features).
    """
    minimum = torch.promote_types(coords.dtype, torch.float32)
    out = dtype or (coords.dtype if coords.is_floating_point() else minimum)
    single = dtype is not None and coarse and torch.promote_types(out, torch.float32) == torch.float32
    return (torch.float32 if single else torch.promote_types(minimum, out)), out


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


def factors(target: Numbers, present: tuple[float, ...]) -> tuple[float, ...]:
    """Return the factor per axis from the present bandwidth to the target.

    Args:
        target: In cycles per unit, one or one per axis.
        present: In cycles per unit.

    Raises:
        InputError: If the number of bandwidths is wrong, one is not positive, or nothing varies along an axis.
    """
    targets = per_axis(target, len(present), "bandwidth")
    if not all(b > 0 for b in present):
        raise InputError(
            "frequencies along every axis",
            f"bandwidth {present}",
            "open the window, or build the encoding anew",
            "bandwidth",
        )
    return tuple(w / b for w, b in zip(targets, present, strict=True))


@final
class Identity(Encoding):
    """gamma(v) = v, for plain networks and for sine networks, which bring their own frequencies.

    Args:
        in_features: d, the number of coordinates.
    """

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.in_features = self.out_features = size(in_features, "in_features")
        self.domain = (-1.0, 1.0)
        self.register_buffer("frequencies", None)

    @property
    def bandwidth(self) -> None:
        """None: nothing is added to the frequencies of the network."""
        return None

    def with_bandwidth(self, bandwidth: Numbers) -> Never:
        """Refuses: there is no frequency to set."""
        raise InputError(
            "an encoding that has a bandwidth",
            f"Identity, to reach {bandwidth}",
            "take another encoding, or set the bandwidth of the network after it",
            "bandwidth",
        )

    def describe(self) -> str:
        """One line for titles and records."""
        return "Identity"

    def forward(self, coords: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """The coordinates (..., d), in `dtype` if given."""
        last_axis(coords, self.in_features, "coordinates")
        return coords if dtype is None else coords.to(dtype)
