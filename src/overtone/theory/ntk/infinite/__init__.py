"""Infinitely wide fully connected networks: their Gaussian process and tangent kernel in closed form."""

from overtone.theory.ntk.infinite.bump import Bump
from overtone.theory.ntk.infinite.dual import Dual
from overtone.theory.ntk.infinite.erf import Erf
from overtone.theory.ntk.infinite.gelu import Gelu
from overtone.theory.ntk.infinite.inputs import Coordinates, Fourier, Inputs, ManyGaussianFrequencies
from overtone.theory.ntk.infinite.layers import Activation, Dense, Layer, Residual
from overtone.theory.ntk.infinite.network import Kernels, Wide, fully_connected
from overtone.theory.ntk.infinite.pytorch import of
from overtone.theory.ntk.infinite.quadrature import Quadrature, tanh
from overtone.theory.ntk.infinite.rectified import LeakyRelu, relu
from overtone.theory.ntk.infinite.trigonometric import Sine, cosine

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
