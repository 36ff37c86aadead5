"""A stationary kernel as a function of one number: how far the features of two samples agree."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.theory.ntk.infinite.inputs import Fourier, ManyGaussianFrequencies
from overtone.theory.ntk.infinite.layers import through
from overtone.theory.ntk.infinite.network import Wide
from overtone.theory.ntk.infinite.state import State

NODES = 8192
"""Angles in [0, pi] at which the network is evaluated; in between, cubics are off by less than 1e-12."""

CHUNK = 1 << 15
"""Entries that are interpolated at once, so that they stay in the processor's cache."""


@final
class Profile:
    """The tangent kernel of a wide network after Fourier features, h(rho).

    Every sample's features have the same length, so the layers see of a pair of samples only the cosine
    rho = gamma(x).gamma(x') / |gamma|^2. In the angle arccos(rho) the kernel is smooth, also for activations
    with a kink: it is tabulated there once and interpolated by cubics, whatever the network costs.

    Args:
        wide: A wide network whose inputs are Fourier features.

    Raises:
        InputError: If its inputs are plain coordinates: that kernel is not stationary.
    """

    def __init__(self, wide: Wide) -> None:
        if not isinstance(wide.inputs, Fourier | ManyGaussianFrequencies):
            raise InputError(
                "a network after a Fourier encoding, whose kernel depends on x - x' alone",
                type(wide.inputs).__name__,
                "put infinite.Fourier in front, or use the kernel matrix",
                "wide",
            )
        square = float(wide.inputs.square(torch.zeros(1, 1, dtype=torch.float64, device="cpu")))
        length = torch.full((1, 1), square, dtype=torch.float64, device="cpu")
        cosine = torch.linspace(0, math.pi, NODES, dtype=torch.float64, device="cpu").cos()[None] * square
        zero = torch.zeros_like
        end = through(wide.layers, State(length, length, cosine, zero(cosine), zero(length), zero(length)))
        self.square = square
        self._table = end.tangent[0]

    def __call__(self, product: Tensor) -> Tensor:
        """H for feature products gamma.gamma' / D.

        Args:
            product: Any shape, float64, between -`square` and `square` up to rounding.

        Returns:
            The tangent kernel, same shape.
        """
        table = self._table.to(product.device)
        parts = [self._interpolated(table, part) for part in product.reshape(-1).split(CHUNK)]
        return torch.cat(parts).reshape(product.shape)

    def _interpolated(self, table: Tensor, product: Tensor) -> Tensor:
        """Lagrange's cubic through the four nearest nodes, at -1, 0, 1 and 2."""
        place = (product / self.square).clamp_(-1, 1).acos_().mul_((NODES - 1) / math.pi)
        left = place.floor().clamp_(1, NODES - 3)
        s = place - left
        index = left.long()
        below, here, above, beyond = (table[index + k] for k in (-1, 0, 1, 2))
        outer = (below * (s - 1) * (2 - s) + beyond * (s * s - 1)) / 6
        return here * (1 - s * s) * (1 - s / 2) + s * (outer + above * (s + 1) * (2 - s) / 2)
