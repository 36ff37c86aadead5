"""Infinitely wide fully connected networks and their two kernels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn import MLP, ResidualMLP, Sine
from overtone.theory.ntk._infinite import activations as gelu
from overtone.theory.ntk._infinite import activations as quadrature
from overtone.theory.ntk._infinite import activations as rectified
from overtone.theory.ntk._infinite import activations as trigonometric
from overtone.theory.ntk._infinite.activations import DualActivation
from overtone.theory.ntk._infinite.feature_maps import CoordinateMap, FeatureMap
from overtone.theory.ntk._infinite.layers import (
    ActivationLayer,
    DenseLayer,
    InfiniteLayer,
    LayerMoments,
    ResidualBlock,
    compose,
)


class InfiniteKernels(NamedTuple):
    """The two kernels of a wide network's output.

    Attributes:
        nngp: (N, M) E[f(x) f(x')] over the random weights; output^2.
        ntk: (N, M) sum over parameters of df(x)/dtheta df(x')/dtheta, which does not vary at infinite width;
            output^2 / parameter^2.
    """

    nngp: Tensor
    ntk: Tensor


@final
@dataclass(frozen=True)
class InfiniteNetwork:
    """An infinitely wide network with one output.

    K_0 = gamma(x).gamma(x') / D; each dense layer and each activation maps (K, T) on as `Dense` and
    `Activation` say (Jacot et al. 2018, arXiv 1806.07572, section 4; Lee et al. 2019, arXiv 1902.06720,
    appendix E). Everything is computed in float64. Beside the diagonal the angle between two samples is
    resolved to 1e-8, which is the error of kernels of activations with a kink.

    Attributes:
        layers: From the first dense layer to the output's.
        inputs: What the first dense layer sees.
    """

    layers: tuple[InfiniteLayer, ...]
    inputs: FeatureMap = field(default_factory=CoordinateMap)

    def __post_init__(self) -> None:
        if (
            not self.layers
            or not isinstance(self.layers[0], DenseLayer)
            or not isinstance(self.layers[-1], DenseLayer)
        ):
            raise InputError(
                "a network that begins and ends with a dense layer", "none there", "add it", "layers"
            )

    def __call__(self, x1: Tensor, x2: Tensor | None = None) -> InfiniteKernels:
        """Both kernels for all pairs of samples.

        Args:
            x1: (N, d) samples.
            x2: (M, d) samples, or None for x1.

        Returns:
            The kernels in the precision and on the device of x1.

        Raises:
            InputError: If the samples are not (N, d) and (M, d).
        """
        other = x1 if x2 is None else x2
        if x1.ndim != 2 or other.ndim != 2 or x1.shape[1] != other.shape[1]:
            shapes = f"shapes {tuple(x1.shape)} and {tuple(other.shape)}"
            raise InputError("(N, d) and (M, d) samples", shapes, "pass one row per sample", "x")
        left, right = x1.double(), other.double()
        q11, q22 = self.inputs.square(left)[:, None], self.inputs.square(right)[None, :]
        q12 = self.inputs.product(left, right)
        if x2 is None:
            q12 = torch.diagonal_scatter(q12, q11[:, 0])
        zero = torch.zeros_like
        end = compose(self.layers, LayerMoments(q11, q22, q12, zero(q12), zero(q11), zero(q22)))
        return InfiniteKernels(end.q12.to(x1.dtype), end.tangent.to(x1.dtype))


def fully_connected(
    dense: Sequence[DenseLayer], dual: DualActivation, inputs: FeatureMap | None = None
) -> InfiniteNetwork:
    """Dense layers with one activation between each two.

    Args:
        dense: The dense layers, the output's last: depth + 1 of them. `[Dense.ntk()] * 4` are three hidden
            layers.
        dual: The activation.
        inputs: What the first layer sees; None for the coordinates.

    Returns:
        The network.
    """
    layers: list[InfiniteLayer] = []
    for each in dense:
        layers += [each, ActivationLayer(dual)]
    return InfiniteNetwork(tuple(layers[:-1]), inputs or CoordinateMap())


def from_torch(network: nn.Module, inputs: FeatureMap | None = None) -> InfiniteNetwork:
    """The limit of a network at its initialisation, with the fan-ins it has.

    Weights and biases are taken as PyTorch draws them, U(-1/sqrt(n), 1/sqrt(n)), or as `overtone.nn.Sine`
    asks; the present values are not looked at. Hidden widths enter the tangent kernel through the fan-ins: it
    is that of the network's own parameters and comparable with `overtone.theory.ntk.empirical_ntk`.

    The limit takes the first pre-activations as Gaussian. Uniform weights make them so only for many inputs:
    exact after Fourier features, a few per cent off on two or three plain coordinates.

    Args:
        network: `overtone.nn.MLP`, `overtone.nn.ResidualMLP`, or an `nn.Sequential` of `nn.Linear` and
            activations.
        inputs: What the first layer sees; None for the coordinates.

    Returns:
        The wide network of one of its outputs.

    Raises:
        InputError: If a layer has no infinitely wide counterpart here.
    """
    if isinstance(network, MLP | ResidualMLP):
        layers = _network(network)
    elif isinstance(network, nn.Sequential):
        layers = [_layer(module) for module in network]
    else:
        raise InputError(
            "an overtone.nn.MLP, an overtone.nn.ResidualMLP or an nn.Sequential",
            type(network).__name__,
            "build the limit from overtone.theory.ntk._infinite's layers",
            "network",
        )
    return InfiniteNetwork(tuple(layers), inputs or CoordinateMap())


def _network(network: MLP | ResidualMLP) -> list[InfiniteLayer]:
    layers: list[InfiniteLayer] = []
    for position, (linear, activation) in enumerate(zip(network.linears, network.activations, strict=False)):
        step = [_dense(linear, activation, position == 0), ActivationLayer(_dual(activation))]
        skip = isinstance(network, ResidualMLP) and position > 0
        layers += [ResidualBlock(tuple(step))] if skip else step
    return [*layers, _dense(network.linears[-1], network.activations[-1], False)]


def _dense(linear: nn.Module, asker: nn.Module, first: bool) -> DenseLayer:
    assert isinstance(linear, nn.Linear)
    n, bias = linear.in_features, linear.bias is not None
    if not isinstance(asker, Sine):
        return DenseLayer.pytorch(n, bias=bias)
    sigma_w = math.sqrt(1 / (3 * n)) if first else math.sqrt(2) / asker.omega
    return DenseLayer.standard(n, sigma_w, math.sqrt(1 / (3 * n)), bias=bias)


def _layer(module: nn.Module) -> InfiniteLayer:
    if isinstance(module, nn.Linear):
        return DenseLayer.pytorch(module.in_features, bias=module.bias is not None)
    return ActivationLayer(_dual(module))


def _dual(module: nn.Module) -> DualActivation:
    match module:
        case nn.ReLU():
            return rectified.relu()
        case nn.LeakyReLU():
            return rectified.LeakyRelu(module.negative_slope)
        case nn.GELU() if module.approximate == "none":
            return gelu.Gelu()
        case nn.Tanh():
            return quadrature.tanh()
        case nn.SiLU():
            return quadrature.Quadrature(nn.functional.silu, _silu_slope)
        case nn.Sigmoid():
            return quadrature.Quadrature(torch.sigmoid, _sigmoid_slope)
        case nn.Softplus() if module.beta == 1:
            return quadrature.Quadrature(nn.functional.softplus, torch.sigmoid)
        case Sine():
            return trigonometric.Sine(module.omega)
    raise InputError(
        "a linear layer, ReLU, LeakyReLU, GELU, Tanh, SiLU, Sigmoid, Softplus or Sine",
        repr(module),
        "build the limit from overtone.theory.ntk._infinite's layers",
        "network",
    )


def _sigmoid_slope(x: torch.Tensor) -> torch.Tensor:
    return x.sigmoid() * (1 - x.sigmoid())


def _silu_slope(x: torch.Tensor) -> torch.Tensor:
    return x.sigmoid() * (1 + x * (1 - x.sigmoid()))
