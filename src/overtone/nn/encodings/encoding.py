"""What every encoding offers."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from overtone.nn.exact import ExactBuffers


class Encoding(ExactBuffers, ABC):
    """A map from coordinates (..., d) to features (..., out_features).

    Attributes:
        in_features: d, the number of coordinates.
        out_features: The number of features.
        frequencies: (m, d) float32 buffer in cycles per unit, or None if the encoding has none.
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
