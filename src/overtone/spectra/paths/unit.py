"""What a path is measured in: its own length, or the distance between inputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor


class PathUnit(ABC):
    """What frequencies along paths are cycles per."""

    name: str

    @abstractmethod
    def extent(self, lengths: Tensor) -> Tensor:
        """(path,) float64 lengths of the paths in this unit.

        Args:
            lengths: (path,) float64 lengths in units of the inputs.
        """


@final
class PerPath(PathUnit):
    """Cycles per path: every path counts as long as any other."""

    name = "path"

    def extent(self, lengths: Tensor) -> Tensor:
        """(path,) ones."""
        return torch.ones_like(lengths)


@final
class PerLength(PathUnit):
    """Cycles per unit of distance between inputs: long paths reach lower and short paths higher frequencies."""

    name = "unit of path length"

    def extent(self, lengths: Tensor) -> Tensor:
        """(path,) the lengths themselves."""
        return lengths
