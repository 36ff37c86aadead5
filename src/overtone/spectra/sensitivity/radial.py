"""Power of pictures per band of radial frequency, picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from overtone.spectra.bands import Bands
from overtone.spectra.grid import covering, describe
from overtone.spectra.lattice import Lattice
from overtone.spectra.transform import forward


@final
class RadialPower:
    """Power per band of sqrt(f_y^2 + f_x^2), built once for pictures of one size.

    Of H x W numbers, P_k = |c_k|^2 / (H W) with c the orthonormal coefficients of their even extension (DCT-II).

    Args:
        size: Height and width in pixels.
        bands: Bands, or ascending edges from 0, in cycles per pixel; None for `Bands.log`.

    Attributes:
        bands: The bands, in cycles per pixel.
        modes: (band,) int64 modes in each.
        estimator: How the power is found, for records.
    """

    def __init__(self, size: tuple[int, int], bands: Bands | Sequence[float] | None = None) -> None:
        lattice = Lattice.of(size, 1.0)
        self.bands = covering(bands, lattice)
        row, column = (lattice.frequencies(axis) for axis in range(2))
        self._index = self.bands.index(torch.hypot(row[:, None], column).flatten())
        self.modes = torch.bincount(self._index, minlength=self.bands.count)
        self.estimator = describe(lattice)

    def each(self, pictures: Tensor) -> Tensor:
        """(N, band, C) float64 power of each picture; over the bands it sums to the mean square.

        Args:
            pictures: (N, C, H, W) numbers.
        """
        power = forward(pictures.double().clone(), (2, 3), ()).square().flatten(2)
        total = power.new_zeros(*power.shape[:2], self.bands.count)
        return (total.index_add(2, self._index.to(power.device), power) / power.shape[2]).movedim(1, 2)
