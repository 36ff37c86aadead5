"""What every network here offers, whatever its inside."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Body(nn.Module, ABC):
    """A map from features (..., in_features) to values (..., out_features).

    Attributes:
        in_features: Inputs.
        out_features: Outputs.
    """

    in_features: int
    out_features: int

    @property
    @abstractmethod
    def bandwidth(self) -> tuple[float, ...] | None:
        """Per input, the frequency below which 90 % of the power lies that its waves bring.

        In cycles per unit of the input; None if the network brings none.
        """

    @abstractmethod
    def describe(self) -> str:
        """One line for titles and records."""

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Map features (..., in_features) to values (..., out_features).

        Raises:
            InputError: If there are not `in_features` features.
        """
