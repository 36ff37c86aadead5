"""The Gaussian error linear unit."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from overtone.theory.ntk.infinite.dual import Dual


@final
class Gelu(Dual):
    """phi(x) = x (1 + erf(x / sqrt 2)) / 2 (Tsuchida et al. 2020, arXiv 2002.08517).

    With D = (1 + q11)(1 + q22) - q12^2, P = (1 + q11)(1 + q22) and A = atan2(q12, sqrt D):
    E[phi phi'] = ((q12^2 + q11 q22 D) / (P sqrt D) + q12 A) / (2 pi) + q12 / 4 and
    E[phi' phi'] = q12 (1 / D + (1 - q11 q22) / P + 1) / (2 pi sqrt D) + 1 / 4 + A / (2 pi).
    """

    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """E[phi(u) phi(v)]."""
        product = (1 + q11) * (1 + q22)
        determinant = product - q12**2
        root = determinant.sqrt()
        smooth = (q12**2 + q11 * q22 * determinant) / (product * root)
        return (smooth + q12 * torch.atan2(q12, root)) / (2 * math.pi) + q12 / 4

    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """E[phi'(u) phi'(v)]."""
        product = (1 + q11) * (1 + q22)
        determinant = product - q12**2
        root = determinant.sqrt()
        smooth = q12 * (1 / determinant + (1 - q11 * q22) / product + 1) / root
        return (smooth + torch.atan2(q12, root)) / (2 * math.pi) + 0.25

    def mean(self, q: Tensor) -> Tensor:
        """Q / sqrt(2 pi (1 + q))."""
        return q * (2 * math.pi * (1 + q)).rsqrt()
