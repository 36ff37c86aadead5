"""Infinitely wide fully connected networks: their Gaussian process and tangent kernel in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn import MLP, ResidualMLP
from overtone.nn.activations import Sine
from overtone.theory.ntk._infinite.activations import DualActivation
from overtone.theory.ntk._infinite.feature_maps import CoordinateMap, FeatureMap
from overtone.theory.ntk._infinite.layers import (
    DenseLayer,
    InfiniteLayer,
    LayerMoments,
    ResidualBlock,
    compose,
)


class InfiniteKernels(NamedTuple):
    """The two kernels of an infinitely wide network's output.

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

    K_0 = gamma(x).gamma(x') / D; each dense layer and each activation maps (K, T) as described in `DenseLayer` and
    `DualActivation` (Jacot et al. 2018, arXiv 1806.07572, section 4; Lee et al. 2019, arXiv 1902.06720, appendix E).
    Everything is computed in float64. Away from the diagonal the angle between two samples has a resolution of 1e-8,
    which is the error of kernels of activations with a kink.

    Attributes:
        layers: All layers from the first dense layer to the output layer.
        inputs: Feature map before the first dense layer.

    Example:
        >>> import torch
        >>> from overtone.theory import ntk
        >>> network = ntk.InfiniteNetwork.fully_connected([ntk.DenseLayer.ntk()] * 3, ntk.DualActivation.relu())
        >>> kernels = network(torch.eye(2).double())
        >>> kernels.ntk.round(decimals=3)
        tensor([[3.0000, 0.6860],
                [0.6860, 3.0000]], dtype=torch.float64)
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
                "a network that begins and ends with a dense layer",
                "a different layer",
                "add a dense layer",
                "layers",
            )

    @staticmethod
    def fully_connected(
        dense: Sequence[DenseLayer], dual: DualActivation, inputs: FeatureMap | None = None
    ) -> InfiniteNetwork:
        """Return a network of dense layers with one activation between each two.

        Args:
            dense: The dense layers, the output layer last: depth + 1 of them. `[DenseLayer.ntk()] * 4` are three
                hidden layers.
            dual: The activation.
            inputs: Feature map before the first layer; None for the coordinates.

        Returns:
            The network.
        """
        layers: list[InfiniteLayer] = []
        for layer in dense:
            layers += [layer, dual]
        return InfiniteNetwork(tuple(layers[:-1]), inputs or CoordinateMap())

    @staticmethod
    def residual_block(*body: InfiniteLayer) -> ResidualBlock:
        """Return a block h + body(h) for a network's `layers`.

        Args:
            body: The layers parallel to the skip connection, with at least one dense layer.

        Raises:
            InputError: If there is no dense layer.
        """
        return ResidualBlock(body)

    @staticmethod
    def from_torch(network: nn.Module, inputs: FeatureMap | None = None) -> InfiniteNetwork:
        """Return the limit of a PyTorch network at its initialisation, with the network's fan-ins.

        Weights and biases have PyTorch's initial distribution, U(-1/sqrt(n), 1/sqrt(n)), or that of
        `overtone.nn.activations.Sine`; the present values are not used. Hidden widths enter the tangent kernel through
        the fan-ins: it is the kernel of the network's own parameters and comparable with
        `overtone.theory.ntk.empirical_ntk`.

        The limit assumes Gaussian first pre-activations. With uniform weights this requires many inputs: it is exact
        after Fourier features, and a few per cent wrong for two or three plain coordinates.

        Args:
            network: `overtone.nn.MLP`, `overtone.nn.ResidualMLP`, or an `nn.Sequential` of `nn.Linear` and
                activations.
            inputs: Feature map before the first layer; None for the coordinates.

        Returns:
            The infinitely wide network of one of its outputs.

        Raises:
            InputError: If a layer has no infinitely wide counterpart here.
        """
        if isinstance(network, MLP | ResidualMLP):
            layers = _from_mlp(network)
        elif isinstance(network, nn.Sequential):
            layers = [_from_module(module) for module in network]
        else:
            raise InputError(
                "an overtone.nn.MLP, an overtone.nn.ResidualMLP or an nn.Sequential",
                type(network).__name__,
                "build the limit from the layers of overtone.theory.ntk",
                "network",
            )
        return InfiniteNetwork(tuple(layers), inputs or CoordinateMap())

    def __call__(self, x1: Tensor, x2: Tensor | None = None) -> InfiniteKernels:
        """Return both kernels for all pairs of samples.

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
            # The angle between a sample and itself must be exactly 0: activations with a kink are sensitive to it.
            q12 = torch.diagonal_scatter(q12, q11[:, 0])
        zero = torch.zeros_like
        output = compose(self.layers, LayerMoments(q11, q22, q12, zero(q12), zero(q11), zero(q22)))
        return InfiniteKernels(output.q12.to(x1.dtype), output.tangent.to(x1.dtype))


def _from_mlp(network: MLP | ResidualMLP) -> list[InfiniteLayer]:
    layers: list[InfiniteLayer] = []
    for position, (linear, activation) in enumerate(zip(network.linears, network.activations, strict=False)):
        step = [_dense(linear, activation, position == 0), _dual(activation)]
        skip = isinstance(network, ResidualMLP) and position > 0
        layers += [ResidualBlock(tuple(step))] if skip else step
    return [*layers, _dense(network.linears[-1], network.activations[-1], False)]


def _dense(linear: nn.Module, activation: nn.Module, first: bool) -> DenseLayer:
    assert isinstance(linear, nn.Linear)
    n, bias = linear.in_features, linear.bias is not None
    if not isinstance(activation, Sine):
        return DenseLayer.pytorch(n, bias=bias)
    # SIREN's initialisation: U(-1/n, 1/n) first, then U(-sqrt(6/n)/omega, sqrt(6/n)/omega).
    sigma_w = math.sqrt(1 / (3 * n)) if first else math.sqrt(2) / activation.omega
    return DenseLayer.standard(n, sigma_w, math.sqrt(1 / (3 * n)), bias=bias)


def _from_module(module: nn.Module) -> InfiniteLayer:
    if isinstance(module, nn.Linear):
        return DenseLayer.pytorch(module.in_features, bias=module.bias is not None)
    return _dual(module)


def _dual(module: nn.Module) -> DualActivation:
    match module:
        case nn.ReLU():
            return DualActivation.relu()
        case nn.LeakyReLU():
            return DualActivation.leaky_relu(module.negative_slope)
        case nn.GELU() if module.approximate == "none":
            return DualActivation.gelu()
        case nn.Tanh():
            return DualActivation.tanh()
        case nn.SiLU():
            return DualActivation.quadrature(nn.functional.silu, _silu_slope)
        case nn.Sigmoid():
            return DualActivation.quadrature(torch.sigmoid, _sigmoid_slope)
        case nn.Softplus() if module.beta == 1:
            return DualActivation.quadrature(nn.functional.softplus, torch.sigmoid)
        case Sine():
            return DualActivation.sine(module.omega)
    raise InputError(
        "a linear layer, ReLU, LeakyReLU, GELU, Tanh, SiLU, Sigmoid, Softplus or Sine",
        repr(module),
        "build the limit from the layers of overtone.theory.ntk",
        "network",
    )


def _sigmoid_slope(x: Tensor) -> Tensor:
    return x.sigmoid() * (1 - x.sigmoid())


def _silu_slope(x: Tensor) -> Tensor:
    return x.sigmoid() * (1 + x * (1 - x.sigmoid()))
