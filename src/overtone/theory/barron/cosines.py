"""A sum of cosines: the signal whose Barron constant is known exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from torch import Tensor

from overtone.errors import InputError


@final
@dataclass(frozen=True)
class CosineSum:
    """f(x) = sum_j a_j cos(2 pi k_j . x + p_j).

    Attributes:
        frequencies: (m, d) k_j, in cycles per coordinate unit, distinct up to sign.
        amplitudes: (m,) a_j, in value units.
        phases: (m,) p_j, in radians.

    Raises:
        InputError: If shapes do not fit.
    """

    frequencies: Tensor
    amplitudes: Tensor
    phases: Tensor

    def __post_init__(self) -> None:
        if self.frequencies.ndim != 2 or not self.frequencies.numel():
            raise InputError(
                "frequencies of shape (m, d)",
                f"{tuple(self.frequencies.shape)}",
                "add the missing axis",
                "frequencies",
            )
        for name in ("amplitudes", "phases"):
            shape = getattr(self, name).shape
            if shape != self.frequencies.shape[:1]:
                raise InputError(
                    f"one per cosine, {len(self.frequencies)}", f"shape {tuple(shape)}", "align them", name
                )

    @property
    def angular(self) -> Tensor:
        """(m, d) float64 frequencies in radians per coordinate unit."""
        return 2 * math.pi * self.frequencies.double()

    @property
    def constant(self) -> float:
        """Barron constant sum_j |a_j| |2 pi k_j|, in value units per coordinate unit."""
        return float((self.amplitudes.double().abs() * self.angular.norm(dim=1)).sum())

    def second(self, half: Tensor) -> float:
        """Second spectral moment over a box: sum_j |a_j| (sum_i |2 pi k_ji| h_i)^2, in value units.

        Args:
            half: (d,) half the box's extent per axis, in coordinate units.
        """
        reach = self.angular.abs() @ half.double()
        return float((self.amplitudes.double().abs() * reach.square()).sum())

    def __call__(self, x: Tensor) -> Tensor:
        """Values (N,) float64 at coordinates (N, d)."""
        return (x.double() @ self.angular.T + self.phases.double()).cos() @ self.amplitudes.double()
