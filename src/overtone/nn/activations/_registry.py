"""The activations that can be asked for by name."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from torch import nn

from overtone.errors import InputError
from overtone.nn.activations._localised import ComplexGabor, Gabor, Gauss, Hat, MultiQuadratic, Quadratic
from overtone.nn.activations._periodic import Finer, Sinc, Sine


class Activation(Enum):
    """An activation by name; `Activation("relu")` looks one up, `.build()` makes a module of it."""

    RELU = ("relu", nn.ReLU)
    LEAKY_RELU = ("leaky-relu", nn.LeakyReLU)
    TANH = ("tanh", nn.Tanh)
    SIGMOID = ("sigmoid", nn.Sigmoid)
    SILU = ("silu", nn.SiLU)
    SWISH = ("swish", nn.SiLU)
    GELU = ("gelu", nn.GELU)
    SOFTPLUS = ("softplus", nn.Softplus)
    SINE = ("sine", Sine)
    FINER = ("finer", Finer)
    GABOR = ("gabor", Gabor)
    COMPLEX_GABOR = ("complex-gabor", ComplexGabor)
    GAUSS = ("gauss", Gauss)
    SINC = ("sinc", Sinc)
    HAT = ("hat", Hat)
    QUADRATIC = ("quadratic", Quadratic)
    MULTIQUADRATIC = ("multiquadratic", MultiQuadratic)

    build: Callable[[], nn.Module]

    def __new__(cls, name: str, build: Callable[[], nn.Module]) -> Activation:
        """A member whose value is its name."""
        member = object.__new__(cls)
        member._value_ = name
        member.build = build
        return member

    @classmethod
    def _missing_(cls, value: object) -> Activation:
        known = ", ".join(member.value for member in cls)
        raise InputError(f"one of {known}", repr(value), "pass the name of an activation", "activation")
