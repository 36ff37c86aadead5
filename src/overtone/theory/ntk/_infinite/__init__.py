"""Infinitely wide fully connected networks: their Gaussian process and tangent kernel in closed form."""

from overtone.theory.ntk._infinite.activations import (
    DualActivation,
    ErfDual,
    GaussianDual,
    GeluDual,
    LeakyReluDual,
    QuadratureDual,
    SineDual,
    cosine,
    relu,
    tanh,
)
from overtone.theory.ntk._infinite.feature_maps import (
    CoordinateMap,
    FeatureMap,
    FourierMap,
    GaussianFourierMap,
)
from overtone.theory.ntk._infinite.layers import ActivationLayer, DenseLayer, InfiniteLayer, ResidualBlock
from overtone.theory.ntk._infinite.network import (
    InfiniteKernels,
    InfiniteNetwork,
    from_torch,
    fully_connected,
)

__all__ = [
    "Activation",
    "Bump",
    "Coordinates",
    "Dense",
    "Dual",
    "Erf",
    "Fourier",
    "Gelu",
    "Inputs",
    "Kernels",
    "Layer",
    "LeakyRelu",
    "ManyGaussianFrequencies",
    "Quadrature",
    "Residual",
    "Sine",
    "Wide",
    "cosine",
    "fully_connected",
    "of",
    "relu",
    "tanh",
]
