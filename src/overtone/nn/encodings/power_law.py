"""Fourier features whose amplitudes fall with the frequency."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from overtone import units
from overtone.errors import InputError
from overtone.nn.checks import Numbers, per_axis, size
from overtone.nn.encodings.fourier import Fourier


@final
class PowerLaw(Fourier):
    """gamma(v) = j^-p [cos(2 pi j b v_i), sin(2 pi j b v_i)] for each axis i and j = 1 ... m.

    The weighted features of Tancik et al. 2020, section 4 and their one-dimensional experiments, there with
    p in {0, 0.5, 1, 1.5, 2, infinity}. With b = 1 the features are periodic on [0, 1). Large p is nearly the
    `Basic` encoding.

    Args:
        in_features: d, the number of coordinates.
        count: m, frequencies per axis.
        power: p, the decay of the amplitudes; 0 for none.
        first: b, the lowest frequency in cycles per unit, one for all axes or one per axis.

    Raises:
        InputError: If a size is below 1, `power` is negative or not finite, the number of lowest frequencies is
            wrong, or one is not positive and finite.
    """

    def __init__(self, in_features: int, count: int, power: float, first: Numbers = 1.0) -> None:
        axes, rows = size(in_features, "in_features"), size(count, "count")
        if not 0 <= power < float("inf"):
            raise InputError("a finite decay of at least 0", repr(power), "pass for instance 1.0", "power")
        j = torch.arange(1, rows + 1, dtype=torch.float64, device="cpu")
        lowest = torch.tensor(per_axis(first, axes, "first"), dtype=torch.float64, device="cpu")
        matrix = torch.einsum("ij,m->imj", torch.diag(lowest), j).reshape(-1, axes)
        super().__init__(matrix, (j**-power).repeat(axes))
        self.count = rows
        self.register_buffer("power", torch.tensor(float(power), dtype=torch.float64, device="cpu"))

    power: Tensor

    @staticmethod
    def from_bandwidth(in_features: int, count: int, power: float, bandwidth: Numbers) -> PowerLaw:
        """The encoding with the given bandwidth, by its lowest frequency.

        Args:
            in_features: d, the number of coordinates.
            count: m, frequencies per axis.
            power: p, the decay of the amplitudes.
            bandwidth: In cycles per unit, one for all axes or one per axis.

        Returns:
            The encoding.

        Raises:
            InputError: As for the class.
        """
        reach = per_axis(bandwidth, size(in_features, "in_features"), "bandwidth")
        rank = units.power_law_bandwidth(size(count, "count"), power)
        return PowerLaw(in_features, count, power, [b / rank for b in reach])

    def describe(self) -> str:
        """One line for titles and records."""
        return f"PowerLaw({self.count} frequencies per axis, p {float(self.power):g})"
