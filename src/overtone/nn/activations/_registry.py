"""Activation modules by name."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from overtone._config import Activation
from overtone.nn.activations._localised import (
    ComplexGabor,
    Gabor,
    Gauss,
    Hat,
    MultiQuadratic,
    Quadratic,
)
from overtone.nn.activations._periodic import Finer, Sinc, Sine

_MODULES: dict[Activation, Callable[[], nn.Module]] = {
    Activation.RELU: nn.ReLU,
    Activation.LEAKY_RELU: nn.LeakyReLU,
    Activation.TANH: nn.Tanh,
    Activation.SIGMOID: nn.Sigmoid,
    Activation.SILU: nn.SiLU,
    Activation.SWISH: nn.SiLU,
    Activation.GELU: nn.GELU,
    Activation.SOFTPLUS: nn.Softplus,
    Activation.SINE: Sine,
    Activation.FINER: Finer,
    Activation.GABOR: Gabor,
    Activation.COMPLEX_GABOR: ComplexGabor,
    Activation.GAUSS: Gauss,
    Activation.SINC: Sinc,
    Activation.HAT: Hat,
    Activation.QUADRATIC: Quadratic,
    Activation.MULTIQUADRATIC: MultiQuadratic,
}


def build_activation(kind: Activation) -> nn.Module:
    """Return a module of an activation with its default settings.

    Args:
        kind: A member of `Activation`.

    Example:
        >>> from overtone.nn.activations import Activation
        >>> from overtone.nn.activations._registry import build_activation
        >>> build_activation(Activation("tanh"))
        Tanh()
    """
    return _MODULES[kind]()
