"""Layers of an infinitely wide network, as maps from one layer's moments to the next layer's."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError


@dataclass(frozen=True)
class LayerMoments:
    """Moments of one unit h of a layer over the random weights, and its tangent kernel. All float64.

    Attributes:
        q11: (N, 1) E[h(x)^2].
        q22: (1, M) E[h(x')^2].
        q12: (N, M) E[h(x) h(x')].
        tangent: (N, M) sum over parameters of dh(x)/dtheta dh(x')/dtheta.
        mean1: (N, 1) E[h(x)].
        mean2: (1, M) E[h(x')].
    """

    q11: Tensor
    q22: Tensor
    q12: Tensor
    tangent: Tensor
    mean1: Tensor
    mean2: Tensor


class InfiniteLayer(ABC):
    """A map from the moments of one layer's units to those of the next layer."""

    @abstractmethod
    def apply(self, moments: LayerMoments) -> LayerMoments:
        """Return the moments after this layer."""


@final
@dataclass(frozen=True)
class DenseLayer(InfiniteLayer):
    """A fully connected layer of random weights W and biases b.

    With K the second moment of its inputs and T their tangent kernel, K <- weight K + bias and
    T <- weight_rate K + bias_rate + weight T.

    Attributes:
        weight: sigma_w^2, fan-in times the variance of a weight.
        bias: sigma_b^2, variance of a bias.
        weight_rate: Sum over the weights of a unit of (dz/dW)^2, per unit of K.
        bias_rate: (dz/db)^2.

    Example:
        >>> DenseLayer.ntk(sigma_w=1.0, sigma_b=0.5)
        DenseLayer(weight=1.0, bias=0.25, weight_rate=1.0, bias_rate=0.25)
    """

    weight: float
    bias: float
    weight_rate: float
    bias_rate: float

    def __post_init__(self) -> None:
        for name in ("weight", "bias", "weight_rate", "bias_rate"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise InputError("a finite number of 0 or more", f"{value}", "pass a variance", name)

    @staticmethod
    def ntk(sigma_w: float = math.sqrt(2), sigma_b: float = 0.0) -> DenseLayer:
        """Return the NTK parameterisation, z = sigma_w W h / sqrt(n) + sigma_b b with W, b ~ N(0, 1)."""
        return DenseLayer(sigma_w**2, sigma_b**2, sigma_w**2, sigma_b**2)

    @staticmethod
    def standard(
        fan_in: int, sigma_w: float = math.sqrt(2), sigma_b: float = 0.0, *, bias: bool = True
    ) -> DenseLayer:
        """Return the standard parameterisation, z = W h + b with W ~ N(0, sigma_w^2 / n), b ~ N(0, sigma_b^2).

        Its tangent kernel grows in proportion to the width, so it depends on the fan-in n.

        Args:
            fan_in: Inputs of a unit, n.
            sigma_w: Standard deviation of the weights times sqrt(n).
            sigma_b: Standard deviation of the biases.
            bias: Whether there is a trained bias.

        Raises:
            InputError: If the fan-in is below 1.
        """
        if fan_in < 1:
            raise InputError(
                "a fan-in of at least 1", f"{fan_in}", "pass the number of inputs of a unit", "fan_in"
            )
        return DenseLayer(sigma_w**2, sigma_b**2 if bias else 0.0, float(fan_in), 1.0 if bias else 0.0)

    @staticmethod
    def pytorch(fan_in: int, *, bias: bool = True) -> DenseLayer:
        """Return a `torch.nn.Linear` with its default initialisation.

        W, b ~ U(-1/sqrt(n), 1/sqrt(n)), so sigma_w^2 = 1/3 and sigma_b^2 = 1 / (3 n).
        """
        return DenseLayer.standard(fan_in, math.sqrt(1 / 3), math.sqrt(1 / (3 * max(1, fan_in))), bias=bias)

    def apply(self, moments: LayerMoments) -> LayerMoments:
        """Return the moments of the pre-activations."""
        return LayerMoments(
            self.weight * moments.q11 + self.bias,
            self.weight * moments.q22 + self.bias,
            self.weight * moments.q12 + self.bias,
            self.weight_rate * moments.q12 + self.bias_rate + self.weight * moments.tangent,
            torch.zeros_like(moments.mean1),
            torch.zeros_like(moments.mean2),
        )


@final
@dataclass(frozen=True)
class ResidualBlock(InfiniteLayer):
    """A block h + body(h). The body must contain a dense layer, whose weights make its units independent of h's.

    Attributes:
        body: The layers parallel to the skip connection.
    """

    body: tuple[InfiniteLayer, ...]

    def __post_init__(self) -> None:
        if not any(isinstance(layer, DenseLayer) for layer in self.body):
            raise InputError(
                "a dense layer parallel to the skip connection",
                "none",
                "add one to the body",
                "residual_block",
            )

    def apply(self, moments: LayerMoments) -> LayerMoments:
        """Return the sums of both moments and tangents, with the products of the means."""
        inner = compose(self.body, moments)
        # h and body(h) are independent, so E[h body(h')] factors into the product of their means.
        return LayerMoments(
            moments.q11 + inner.q11 + 2 * moments.mean1 * inner.mean1,
            moments.q22 + inner.q22 + 2 * moments.mean2 * inner.mean2,
            moments.q12 + inner.q12 + moments.mean1 * inner.mean2 + inner.mean1 * moments.mean2,
            moments.tangent + inner.tangent,
            moments.mean1 + inner.mean1,
            moments.mean2 + inner.mean2,
        )


def compose(layers: Iterable[InfiniteLayer], moments: LayerMoments) -> LayerMoments:
    """Return the moments after all of `layers`."""
    for layer in layers:
        moments = layer.apply(moments)
    return moments
