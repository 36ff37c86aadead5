"""The infinitely wide network that a PyTorch network, freshly initialised, approximates."""

from __future__ import annotations

import math

import torch
from torch import nn

from overtone.errors import InputError
from overtone.nn import MLP, ResidualMLP, Sine
from overtone.theory.ntk.infinite import gelu, quadrature, rectified, trigonometric
from overtone.theory.ntk.infinite.dual import Dual
from overtone.theory.ntk.infinite.inputs import Coordinates, Inputs
from overtone.theory.ntk.infinite.layers import Activation, Dense, Layer, Residual
from overtone.theory.ntk.infinite.network import Wide


def of(network: nn.Module, inputs: Inputs | None = None) -> Wide:
    """The limit of a network at its initialisation, with the fan-ins it has.

    Weights and biases are taken as PyTorch draws them, U(-1/sqrt(n), 1/sqrt(n)), or as `overtone.nn.Sine`
    asks; the present values are not looked at. Hidden widths enter the tangent kernel through the fan-ins: it
    is that of the network's own parameters and comparable with `overtone.theory.ntk.finite`.

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
            "build the limit from overtone.theory.ntk.infinite's layers",
            "network",
        )
    return Wide(tuple(layers), inputs or Coordinates())


def _network(network: MLP | ResidualMLP) -> list[Layer]:
    layers: list[Layer] = []
    for position, (linear, activation) in enumerate(zip(network.linears, network.activations, strict=False)):
        step = [_dense(linear, activation, position == 0), Activation(_dual(activation))]
        skip = isinstance(network, ResidualMLP) and position > 0
        layers += [Residual(tuple(step))] if skip else step
    return [*layers, _dense(network.linears[-1], network.activations[-1], False)]


def _dense(linear: nn.Module, asker: nn.Module, first: bool) -> Dense:
    assert isinstance(linear, nn.Linear)
    n, bias = linear.in_features, linear.bias is not None
    if not isinstance(asker, Sine):
        return Dense.pytorch(n, bias=bias)
    sigma_w = math.sqrt(1 / (3 * n)) if first else math.sqrt(2) / asker.omega
    return Dense.standard(n, sigma_w, math.sqrt(1 / (3 * n)), bias=bias)


def _layer(module: nn.Module) -> Layer:
    if isinstance(module, nn.Linear):
        return Dense.pytorch(module.in_features, bias=module.bias is not None)
    return Activation(_dual(module))


def _dual(module: nn.Module) -> Dual:
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
        "build the limit from overtone.theory.ntk.infinite's layers",
        "network",
    )


def _sigmoid_slope(x: torch.Tensor) -> torch.Tensor:
    return x.sigmoid() * (1 - x.sigmoid())


def _silu_slope(x: torch.Tensor) -> torch.Tensor:
    return x.sigmoid() * (1 + x * (1 - x.sigmoid()))
