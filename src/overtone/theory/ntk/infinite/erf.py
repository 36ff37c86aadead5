"""The error function."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from overtone.theory.ntk.infinite.dual import Dual


@final
class Erf(Dual):
    """phi(x) = erf(x) (Williams 1997)."""

    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """(2 / pi) asin(2 q12 / sqrt((1 + 2 q11)(1 + 2 q22))), by atan2."""
        product = (1 + 2 * q11) * (1 + 2 * q22)
        return (2 / math.pi) * torch.atan2(2 * q12, (product - 4 * q12**2).sqrt())

    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """(4 / pi) / sqrt((1 + 2 q11)(1 + 2 q22) - 4 q12^2)."""
        return (4 / math.pi) * ((1 + 2 * q11) * (1 + 2 * q22) - 4 * q12**2).rsqrt()

    def mean(self, q: Tensor) -> Tensor:
        """0, by symmetry."""
        return torch.zeros_like(q)
