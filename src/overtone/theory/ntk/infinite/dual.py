"""Expectations of an activation over a pair of jointly Gaussian pre-activations."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor


class Dual(ABC):
    """What an activation phi does to a Gaussian process: (u, v) ~ N(0, [[q11, q12], [q12, q22]]).

    All methods take float64 tensors that broadcast against each other and return the broadcast shape.
    Formulas without their own source are found in Cho and Saul 2009 (NIPS), Williams 1997 (NIPS), and Han et
    al. 2022 (arXiv 2209.04121); each is checked against Monte Carlo in the tests.
    """

    @abstractmethod
    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """E[phi(u) phi(v)]."""

    @abstractmethod
    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """E[phi'(u) phi'(v)]."""

    @abstractmethod
    def mean(self, q: Tensor) -> Tensor:
        """E[phi(u)] for u ~ N(0, q)."""


def root_determinant(q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
    """sqrt(q11 q22 - q12^2) by factors, which keeps digits near the diagonal that a plain difference loses."""
    scale = (q11 * q22).sqrt()
    return ((scale - q12) * (scale + q12)).clamp_min(0).sqrt()


def angle(q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
    """The angle between u and v in [0, pi], accurate where the two nearly agree; 0 for two zeros."""
    return torch.atan2(root_determinant(q11, q22, q12), q12)
