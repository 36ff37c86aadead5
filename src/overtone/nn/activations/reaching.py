"""Activations that bring frequencies of their own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import torch
from torch import Tensor, nn

from overtone.units import positive


class Reaching(nn.Module, ABC):
    """phi(z) elementwise or pairwise, whose frequencies its settings decide.

    Its argument is taken in float32 at least, since a factor of 30 costs five bits.
    """

    @abstractmethod
    def bandwidth(self, inputs: int) -> float:
        """Bandwidth per axis of a first layer of `inputs` coordinates in [-1, 1], in cycles per unit of them.

        That of the layer as it begins, all units together; see the law in `overtone.units`.

        Args:
            inputs: Number of coordinates.

        Raises:
            InputError: If `inputs` is below 1.
        """

    @abstractmethod
    def scaled(self, factor: float) -> Self:
        """The activation that reaches `factor` times as far."""

    def with_bandwidth(self, bandwidth: float, inputs: int) -> Self:
        """The activation of this kind and shape whose first layer reaches `bandwidth` along each axis.

        Args:
            bandwidth: In cycles per unit of the coordinate in [-1, 1].
            inputs: Number of coordinates.

        Raises:
            InputError: If `bandwidth` is not positive and finite, or `inputs` is below 1.
        """
        return self.scaled(positive(bandwidth, "bandwidth") / self.bandwidth(inputs))


def widened(z: Tensor) -> Tensor:
    """The argument in float32 at least."""
    return z.to(torch.promote_types(z.dtype, torch.float32))
