"""Interface of encodings, the coarse-to-fine window, and the identity encoding."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Never, Protocol, Self, final, runtime_checkable

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.nn._utils import HighPrecisionBuffers, Numbers, check_count, check_last_axis, positive_per_axis


class Encoding(HighPrecisionBuffers, ABC):
    """A map from coordinates (..., d) to features (..., out_features).

    Attributes:
        in_features: d, the number of coordinates.
        out_features: The number of features.
        frequencies: (m, d) float32 in cycles per unit, or None if the encoding has none.
        domain: The range (low, high) in which coordinates should lie.

    Example:
        >>> from overtone.nn.encodings import Basic, Encoding
        >>> isinstance(Basic(2), Encoding), Basic(2).domain
        (True, (0.0, 1.0))
    """

    in_features: int
    out_features: int
    frequencies: Tensor | None
    domain: tuple[float, float]

    @property
    @abstractmethod
    def bandwidth(self) -> tuple[float, ...] | None:
        """Per axis, the frequency below which 90 % of the features' power lies, in cycles per unit.

        Constant features are excluded. None if the encoding adds no frequencies.
        """

    @abstractmethod
    def with_bandwidth(self, bandwidth: Numbers) -> Self:
        """Return a copy with another bandwidth; this encoding stays as it is.

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
        """Return one line for titles and records, "Gaussian(256 features, sigma 10)"."""

    @abstractmethod
    def forward(self, coords: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return the features of coordinates.

        Args:
            coords: (..., d), in the unit of the frequencies.
            dtype: Precision of the features; by default that of the coordinates. Float64 coordinates with
                float32 features keep the phase of high frequencies on long domains.

        Returns:
            (..., out_features).

        Raises:
            InputError: If there are not d coordinates.
        """


def phase_and_output_dtype(
    coords: Tensor, dtype: torch.dtype | None, float32_suffices: bool
) -> tuple[torch.dtype, torch.dtype]:
    """Return the precision in which to compute phases and that in which to return features.

    Args:
        coords: The coordinates.
        dtype: Requested precision of the features, or None.
        float32_suffices: Whether float32 phases lose less than features do by training in float32.

    Returns:
        (precision of the phases, precision of the features).
    """
    at_least_float32 = torch.promote_types(coords.dtype, torch.float32)
    out = dtype or (coords.dtype if coords.is_floating_point() else at_least_float32)
    # Coordinates are cast down only if the caller asked for features of float32 explicitly.
    use_float32 = (
        dtype is not None and float32_suffices and torch.promote_types(out, torch.float32) == torch.float32
    )
    return (torch.float32 if use_float32 else torch.promote_types(at_least_float32, out)), out


@runtime_checkable
class Windowed(Protocol):
    """An encoding whose high frequencies can be attenuated by a window."""

    def window(self, cutoff: Numbers | None) -> None:
        """Attenuate, in place, the frequencies above `cutoff`; None removes the window."""


@runtime_checkable
class Rescalable(Protocol):
    """An encoding whose frequencies can be multiplied."""

    def rescale(self, factor: Numbers) -> None:
        """Multiply all frequencies, in place, by one factor or one per axis."""


def cosine_window(frequencies: Tensor, cutoff: Numbers) -> Tensor:
    """Return weights that fall from 1 to 0 along half a cosine over the octave below the cutoff.

    w = (1 - cos(pi clip(log2(1 / r), 0, 1))) / 2 with r^2 = sum_i (f_i / cutoff_i)^2. With frequencies 2^k and a
    cutoff of 2^a this is BARF's mask at alpha = a (Lin et al. 2021, equation 14; Park et al. 2021, Nerfies,
    equation 8).

    Args:
        frequencies: (m, d) in cycles per unit.
        cutoff: The frequency above which weights are 0, in cycles per unit, one or one per axis.

    Returns:
        (m,) float32 weights in [0, 1]; 1 for a constant.

    Raises:
        InputError: If the number of cutoffs is wrong, or one is not positive.
    """
    axes = frequencies.shape[1]
    limit = torch.tensor(
        positive_per_axis(cutoff, axes, "cutoff"), dtype=torch.float64, device=frequencies.device
    )
    r = (frequencies.detach().double() / limit).square().sum(1).sqrt()
    # A constant lies infinitely many octaves below the cutoff; its weight is 1.
    octaves = torch.where(r > 0, -torch.log2(r.clamp(min=1e-300)), 1.0).clamp(0, 1)
    return ((1 - torch.cos(math.pi * octaves)) / 2).float()


def rescaling_factors(target: Numbers, present: tuple[float, ...]) -> tuple[float, ...]:
    """Return the factor per axis from the present bandwidth to the target.

    Args:
        target: In cycles per unit, one or one per axis.
        present: In cycles per unit.

    Raises:
        InputError: If the number of bandwidths is wrong, one is not positive, or nothing varies along an axis.
    """
    targets = positive_per_axis(target, len(present), "bandwidth")
    if not all(b > 0 for b in present):
        raise InputError(
            "frequencies along every axis",
            f"bandwidth {present}",
            "remove the window by window(None), or build another encoding",
            "bandwidth",
        )
    return tuple(w / b for w, b in zip(targets, present, strict=True))


@final
class Identity(Encoding):
    """The identity gamma(v) = v, for networks without an encoding and networks of periodic activations.

    Args:
        in_features: d, the number of coordinates.

    Example:
        >>> from overtone.nn.encodings import Identity
        >>> Identity(2).out_features, Identity(2).bandwidth
        (2, None)
    """

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.in_features = self.out_features = check_count(in_features, "in_features")
        self.domain = (-1.0, 1.0)
        self.register_buffer("frequencies", None)

    @property
    def bandwidth(self) -> None:
        """None, since the identity adds no frequencies."""
        return None

    def with_bandwidth(self, bandwidth: Numbers) -> Never:
        """Raise an error, since there is no frequency to set."""
        raise InputError(
            "an encoding that has a bandwidth",
            f"Identity, for a bandwidth of {bandwidth}",
            "use another encoding, or set the bandwidth of the network after it",
            "bandwidth",
        )

    def describe(self) -> str:
        """Return one line for titles and records."""
        return "Identity"

    def forward(self, coords: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return the coordinates (..., d), converted to `dtype` unless it is None."""
        check_last_axis(coords, self.in_features, "coordinates")
        return coords if dtype is None else coords.to(dtype)
