"""Sine and cosine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from torch import Tensor

from overtone.theory.ntk.infinite.dual import Dual


@final
@dataclass(frozen=True)
class Sine(Dual):
    """phi(x) = sin(omega x + phase).

    With s1 = exp(omega^2 (q12 - (q11 + q22) / 2)) and s2 = exp(-omega^2 (q12 + (q11 + q22) / 2)) cos(2
    phase): E[phi phi'] = (s1 - s2) / 2 and E[phi' phi'] = omega^2 (s1 + s2) / 2.

    Attributes:
        omega: Angular frequency, radians per unit of the pre-activation.
        phase: Radians.
    """

    omega: float = 1.0
    phase: float = 0.0

    def _terms(self, q11: Tensor, q22: Tensor, q12: Tensor) -> tuple[Tensor, Tensor]:
        mean = (q11 + q22) / 2
        square = self.omega**2
        return (square * (q12 - mean)).exp(), (-square * (q12 + mean)).exp() * math.cos(2 * self.phase)

    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """(s1 - s2) / 2."""
        near, far = self._terms(q11, q22, q12)
        return (near - far) / 2

    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """omega^2 (s1 + s2) / 2."""
        near, far = self._terms(q11, q22, q12)
        return self.omega**2 * (near + far) / 2

    def mean(self, q: Tensor) -> Tensor:
        """exp(-omega^2 q / 2) sin(phase)."""
        return (-(self.omega**2) * q / 2).exp() * math.sin(self.phase)


def cosine(omega: float = 1.0) -> Sine:
    """phi(x) = cos(omega x), a sine of phase pi / 2."""
    return Sine(omega, math.pi / 2)
