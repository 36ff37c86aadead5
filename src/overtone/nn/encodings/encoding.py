"""What every encoding offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import torch
from torch import Tensor

from overtone.nn.checks import Numbers
from overtone.nn.exact import ExactBuffers


class Encoding(ExactBuffers, ABC):
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
    least = torch.promote_types(coords.dtype, torch.float32)
    out = dtype or (coords.dtype if coords.is_floating_point() else least)
    single = dtype is not None and coarse and torch.promote_types(out, torch.float32) == torch.float32
    return (torch.float32 if single else torch.promote_types(least, out)), out
