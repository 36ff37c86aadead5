"""What is known of an infinitely wide layer for pairs of samples."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.theory.ntk._infinite.activations import DualActivation


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
    """A map from the moments of one layer's units to those of the next."""

    @abstractmethod
    def apply(self, state: LayerMoments) -> LayerMoments:
        """The moments after this layer."""


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
    """

    weight: float
    bias: float
    weight_rate: float
    bias_rate: float

    def __post_init__(self) -> None:
        for name in ("weight", "bias", "weight_rate", "bias_rate"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise InputError("a finite number that is not negative", f"{value}", "pass a variance", name)

    @staticmethod
    def ntk(sigma_w: float = math.sqrt(2), sigma_b: float = 0.0) -> DenseLayer:
        """The NTK parameterisation, z = sigma_w W h / sqrt(n) + sigma_b b with W, b ~ N(0, 1)."""
        return DenseLayer(sigma_w**2, sigma_b**2, sigma_w**2, sigma_b**2)

    @staticmethod
    def standard(
        fan_in: int, sigma_w: float = math.sqrt(2), sigma_b: float = 0.0, *, bias: bool = True
    ) -> DenseLayer:
        """As networks are written, z = W h + b with W ~ N(0, sigma_w^2 / n), b ~ N(0, sigma_b^2).

        Its tangent kernel grows in proportion to the width, so the fan-in n has to be said.

        Args:
            fan_in: Inputs of a unit, n.
            sigma_w: Standard deviation of the weights times sqrt(n).
            sigma_b: Standard deviation of the biases.
            bias: Whether there is a bias to train.
        """
        if fan_in < 1:
            raise InputError(
                "a fan-in of at least 1", f"{fan_in}", "pass the number of inputs of a unit", "fan_in"
            )
        return DenseLayer(sigma_w**2, sigma_b**2 if bias else 0.0, float(fan_in), 1.0 if bias else 0.0)

    @staticmethod
    def pytorch(fan_in: int, *, bias: bool = True) -> DenseLayer:
        """`torch.nn.Linear` as it is initialised.

        W, b ~ U(-1/sqrt(n), 1/sqrt(n)), so sigma_w^2 = 1/3 and sigma_b^2 = 1 / (3 n).
        """
        return DenseLayer.standard(fan_in, math.sqrt(1 / 3), math.sqrt(1 / (3 * max(1, fan_in))), bias=bias)

    def apply(self, state: LayerMoments) -> LayerMoments:
        """The moments of the pre-activations."""
        return LayerMoments(
            self.weight * state.q11 + self.bias,
            self.weight * state.q22 + self.bias,
            self.weight * state.q12 + self.bias,
            self.weight_rate * state.q12 + self.bias_rate + self.weight * state.tangent,
            torch.zeros_like(state.mean1),
            torch.zeros_like(state.mean2),
        )


@final
@dataclass(frozen=True)
class ActivationLayer(InfiniteLayer):
    """An elementwise activation after a dense layer (or a sum of such)."""

    dual: DualActivation

    def apply(self, state: LayerMoments) -> LayerMoments:
        """The moments of the activations; T <- T E[phi' phi']."""
        q11, q22, q12 = state.q11, state.q22, state.q12
        return LayerMoments(
            self.dual.covariance(q11, q11, q11),
            self.dual.covariance(q22, q22, q22),
            self.dual.covariance(q11, q22, q12),
            state.tangent * self.dual.derivative(q11, q22, q12),
            self.dual.mean(q11),
            self.dual.mean(q22),
        )


@final
@dataclass(frozen=True)
class ResidualBlock(InfiniteLayer):
    """h + body(h). The body must hold a dense layer, whose fresh weights make its units independent of h's.

    Attributes:
        body: The layers beside the skip.
    """

    body: tuple[InfiniteLayer, ...]

    def __post_init__(self) -> None:
        if not any(isinstance(layer, DenseLayer) for layer in self.body):
            raise InputError("a dense layer beside the skip", "none", "put one into the body", "Residual")

    def apply(self, state: LayerMoments) -> LayerMoments:
        """Sums of both moments and tangents, with the products of the means."""
        inner = compose(self.body, state)
        return LayerMoments(
            state.q11 + inner.q11 + 2 * state.mean1 * inner.mean1,
            state.q22 + inner.q22 + 2 * state.mean2 * inner.mean2,
            state.q12 + inner.q12 + state.mean1 * inner.mean2 + inner.mean1 * state.mean2,
            state.tangent + inner.tangent,
            state.mean1 + inner.mean1,
            state.mean2 + inner.mean2,
        )


def compose(layers: Iterable[InfiniteLayer], state: LayerMoments) -> LayerMoments:
    """The moments after all of `layers`."""
    for layer in layers:
        state = layer.apply(state)
    return state
