"""The Gaussian activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor

from overtone.theory.ntk.infinite.dual import Dual


@final
@dataclass(frozen=True)
class Bump(Dual):
    """phi(x) = exp(-(scale x)^2).

    With s = scale^2 and D = (1 + 2 s q11)(1 + 2 s q22) - 4 s^2 q12^2: E[phi phi'] = D^(-1/2) and
    E[phi' phi'] = 4 s^2 q12 D^(-3/2).

    Attributes:
        scale: Reciprocal width.
    """

    scale: float = 1.0

    def _determinant(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        s = self.scale**2
        return (1 + 2 * s * q11) * (1 + 2 * s * q22) - 4 * s**2 * q12**2

    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """D^(-1/2)."""
        return self._determinant(q11, q22, q12).rsqrt()

    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """4 s^2 q12 D^(-3/2)."""
        return 4 * self.scale**4 * q12 * self._determinant(q11, q22, q12) ** -1.5

    def mean(self, q: Tensor) -> Tensor:
        """(1 + 2 s q)^(-1/2)."""
        return (1 + 2 * self.scale**2 * q).rsqrt()
