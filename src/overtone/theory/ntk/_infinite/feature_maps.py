"""Feature maps before the first dense layer: the coordinates, or their Fourier features."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError


class FeatureMap(ABC):
    """A fixed map gamma from samples to features, defined by its inner products.

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.0], [0.5]]).double()
        >>> FeatureMap.fourier(torch.tensor([[1.0]])).product(x, x).round(decimals=4)
        tensor([[ 0.5000, -0.5000],
                [-0.5000,  0.5000]], dtype=torch.float64)
    """

    @abstractmethod
    def product(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return gamma(x).gamma(x') / D for D features: (N, d), (M, d) float64 to (N, M)."""

    @abstractmethod
    def square(self, x: Tensor) -> Tensor:
        """Return |gamma(x)|^2 / D: (N, d) float64 to (N,)."""

    @staticmethod
    def coordinates() -> FeatureMap:
        """Return the identity, gamma(x) = x."""
        return CoordinateMap()

    @staticmethod
    def fourier(frequencies: Tensor, amplitudes: Tensor | None = None) -> FeatureMap:
        """Return the map gamma(x) = [a cos(2 pi B x), a sin(2 pi B x)] with known frequencies.

        Args:
            frequencies: (m, d) B, in cycles per unit of the coordinate.
            amplitudes: (m,) a, or None for ones.

        Raises:
            InputError: If the shapes do not match.
        """
        return FourierMap(frequencies, amplitudes)

    @staticmethod
    def gaussian_fourier(sigma: float) -> FeatureMap:
        """Return the limit of many Fourier features with Gaussian frequencies, B_ij ~ N(0, sigma^2).

        Args:
            sigma: Standard deviation of the frequencies, in cycles per unit of the coordinate.
        """
        return GaussianFourierMap(sigma)


@final
class CoordinateMap(FeatureMap):
    """Identity, gamma(x) = x."""

    def product(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return x.x' / d."""
        return x1 @ x2.mT / x1.shape[1]

    def square(self, x: Tensor) -> Tensor:
        """Return |x|^2 / d."""
        return x.square().mean(1)


@final
class FourierMap(FeatureMap):
    """Fourier features gamma(x) = [a cos(2 pi B x), a sin(2 pi B x)] with known frequencies; D = 2 m features.

    The product is sum_j a_j^2 cos(2 pi b_j.(x - x')) / (2 m): it depends only on x - x', and so do all kernels of
    later layers (Tancik et al. 2020, arXiv 2006.10739, section 4).
    """

    def __init__(self, frequencies: Tensor, amplitudes: Tensor | None = None) -> None:
        if frequencies.ndim != 2:
            raise InputError(
                "(m, d) frequencies", f"shape {tuple(frequencies.shape)}", "pass the matrix B", "frequencies"
            )
        self.frequencies = frequencies.detach().double()
        ones = torch.ones(len(frequencies), device=frequencies.device)
        self.amplitudes = (ones if amplitudes is None else amplitudes.detach()).double()
        if self.amplitudes.shape != self.frequencies.shape[:1]:
            raise InputError(
                f"{len(frequencies)} amplitudes",
                f"shape {tuple(self.amplitudes.shape)}",
                "pass one per frequency",
                "amplitudes",
            )

    def _features(self, x: Tensor) -> Tensor:
        if x.shape[1] != self.frequencies.shape[1]:
            raise InputError(
                f"samples of {self.frequencies.shape[1]} coordinates",
                f"{x.shape[1]}",
                "pass (N, d) samples",
                "x",
            )
        # Whole cycles are subtracted before the cosine, which loses digits at large arguments.
        phase = 2 * math.pi * torch.remainder(x @ self.frequencies.mT, 1.0)
        return torch.cat([self.amplitudes * phase.cos(), self.amplitudes * phase.sin()], 1)

    def product(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return sum_j a_j^2 cos(2 pi b_j.(x - x')) / (2 m)."""
        return self._features(x1) @ self._features(x2).mT / (2 * len(self.frequencies))

    def square(self, x: Tensor) -> Tensor:
        """Return sum_j a_j^2 / (2 m)."""
        return (self.amplitudes.square().mean() / 2).expand(len(x))


@final
@dataclass(frozen=True)
class GaussianFourierMap(FeatureMap):
    """Gaussian Fourier features in the limit of many: the product tends to exp(-2 pi^2 sigma^2 |x - x'|^2) / 2."""

    sigma: float

    def product(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return exp(-2 pi^2 sigma^2 |x - x'|^2) / 2."""
        # Distances by |x|^2 - 2 x.x' + |x'|^2 would cancel for close samples, where the kernel matters most.
        distance = torch.cdist(x1, x2, compute_mode="donot_use_mm_for_euclid_dist")
        return (-2 * (math.pi * self.sigma * distance) ** 2).exp() / 2

    def square(self, x: Tensor) -> Tensor:
        """Return 1 / 2."""
        return x.new_full((len(x),), 0.5)
