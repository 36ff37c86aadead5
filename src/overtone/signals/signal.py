"""The Signal: samples on a grid."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overtone.signals.geometry import Grid
from overtone.signals.normalisation import Normalisation as Normalisation
from overtone.signals.samples import Samples


@dataclass(frozen=True)
class Signal(Samples):
    """What is to be learned, on a grid: `values` are row-major over it.

    Attributes:
        geometry: The grid.
    """

    geometry: Grid

    @property
    def grid_values(self) -> Tensor:
        """The values as (*shape, C), a view."""
        return self.values.reshape(*self.geometry.shape, -1)
