"""Piecewise linear activations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from torch import Tensor

from overtone.errors import InputError
from overtone.theory.ntk.infinite.dual import Dual, angle, root_determinant


@final
@dataclass(frozen=True)
class LeakyRelu(Dual):
    """phi(x) = slope min(x, 0) + max(x, 0).

    With t the angle between u and v and D = (1 + slope^2) / 2 - (1 - slope)^2 t / (2 pi):
    E[phi phi'] = (1 - slope)^2 sqrt(q11 q22 - q12^2) / (2 pi) + D q12 and E[phi' phi'] = D.

    Attributes:
        slope: Slope on the negative side; 0 is ReLU, -1 the absolute value, 1 the identity.
    """

    slope: float = 0.01

    def __post_init__(self) -> None:
        if not math.isfinite(self.slope):
            raise InputError(
                "a finite slope", f"{self.slope}", "pass the slope of the negative side", "slope"
            )

    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """E[phi(u) phi(v)]."""
        root = root_determinant(q11, q22, q12)
        return (1 - self.slope) ** 2 * root / (2 * math.pi) + self.derivative(q11, q22, q12) * q12

    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """E[phi'(u) phi'(v)]."""
        return (1 + self.slope**2) / 2 - (1 - self.slope) ** 2 * angle(q11, q22, q12) / (2 * math.pi)

    def mean(self, q: Tensor) -> Tensor:
        """(1 - slope) sqrt(q / (2 pi))."""
        return (1 - self.slope) * (q / (2 * math.pi)).sqrt()


def relu() -> LeakyRelu:
    """phi(x) = max(x, 0): the arc-cosine kernels of order 1 and 0."""
    return LeakyRelu(0.0)
