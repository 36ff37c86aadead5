"""Fully connected networks, plain and residual."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn._utils import Seed, check_count, check_last_axis, torch_generator
from overtone.nn.activations import Activation
from overtone.nn.activations._base import (
    HasInit,
    SpectralActivation,
    default_initialise,
    uninitialised_linear,
)
from overtone.nn.activations._registry import build_activation


class NetworkBase(nn.Module, ABC):
    """A map from features (..., in_features) to values (..., out_features).

    Attributes:
        in_features: Inputs.
        out_features: Outputs.
    """

    in_features: int
    out_features: int

    @property
    @abstractmethod
    def bandwidth(self) -> tuple[float, ...] | None:
        """Bandwidth per input of the waves in the network, in cycles per unit of the input.

        It is the frequency below which 90 % of their power lies; None if the network has no explicit frequencies.
        """

    @abstractmethod
    def describe(self) -> str:
        """Return one line for titles and records."""

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Return the values (..., out_features) at features (..., in_features).

        Raises:
            InputError: If there are not `in_features` features.
        """


ActivationLike = Activation | nn.Module
"""An activation by name, or as a module that is copied for each layer."""


class Network(NetworkBase, ABC):
    """Base class of networks of `depth` hidden layers of `width` units with an activation each, and a linear output.

    The constructor neither reads nor changes PyTorch's global random state.

    Args:
        in_features: Inputs.
        out_features: Outputs.
        width: Units in a hidden layer.
        depth: Hidden layers, at least 1.
        activation: One for all hidden layers, or one for each.
        seed: A seed or a generator, for the weights.

    Raises:
        InputError: If a size is below 1 or the number of activations is not `depth`.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        width: int = 256,
        depth: int = 3,
        activation: ActivationLike | Sequence[ActivationLike] = Activation.RELU,
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = (
            check_count(in_features, "in_features"),
            check_count(out_features, "out_features"),
        )
        self.width, self.depth = check_count(width, "width"), check_count(depth, "depth")
        self.activations = nn.ModuleList(_activations(activation, depth))
        widths = [in_features, *[width] * depth, out_features]
        self.linears = nn.ModuleList(uninitialised_linear(n, m) for n, m in pairwise(widths))
        self._initialise(torch_generator(seed, "weights"))

    def _initialise(self, source: torch.Generator) -> None:
        """Initialise each layer by the activation after it, and the output by the last activation."""
        initialisers = [*self.activations, self.activations[-1]]
        for position, (linear, initialiser) in enumerate(zip(self.linears, initialisers, strict=True)):
            assert isinstance(linear, nn.Linear)
            if not isinstance(initialiser, HasInit):
                default_initialise(linear, source)
            elif position == 0:
                initialiser.initialise_first(linear, source)
            else:
                initialiser.initialise_later(linear, source)

    @property
    def bandwidth(self) -> tuple[float, ...] | None:
        """Bandwidth of the first layer per input, in cycles per unit; None unless its activation has a frequency."""
        first = self.activations[0]
        return (
            (first.bandwidth(self.in_features),) * self.in_features
            if isinstance(first, SpectralActivation)
            else None
        )

    def describe(self) -> str:
        """Return one line for titles and records, "MLP 3 x 256 ReLU"."""
        names = [
            (name, len(list(run)))
            for name, run in groupby(repr(a).removesuffix("()") for a in self.activations)
        ]
        shown = names[0][0] if len(names) == 1 else ", ".join(f"{n} x {name}" for name, n in names)
        return f"{type(self).__name__} {self.depth} x {self.width} {shown}"


def _activations(choice: ActivationLike | Sequence[ActivationLike], depth: int) -> list[nn.Module]:
    """Return a separate module for each hidden layer."""
    choices = [choice] * depth if isinstance(choice, Activation | nn.Module | str) else list(choice)
    if len(choices) != depth:
        raise InputError(
            f"one activation or one per hidden layer ({depth})",
            f"{len(choices)}",
            f"pass {depth} activations or another depth",
            "activation",
        )
    if not all(isinstance(c, Activation | nn.Module) for c in choices):
        raise InputError(
            "a module or a member of Activation for each layer",
            f"{choice!r}",
            'pass a member such as Activation("relu"), or a torch.nn.Module',
            "activation",
        )
    return [build_activation(c) if isinstance(c, Activation) else copy.deepcopy(c) for c in choices]


@final
class MLP(Network):
    """A multilayer perceptron: h <- act(W h + b) in each hidden layer, then a linear output.

    Args:
        in_features: Inputs.
        out_features: Outputs.
        width: Units in a hidden layer.
        depth: Hidden layers, at least 1.
        activation: One for all hidden layers, or one for each.
        seed: A seed or a generator, for the weights.

    Raises:
        InputError: If a size is below 1 or the number of activations is not `depth`.

    Example:
        >>> import torch
        >>> from overtone import nn
        >>> network = nn.MLP(2, 3, width=64, depth=2, activation=nn.activations.Activation.GELU, seed=0)
        >>> network(torch.zeros(5, 2)).shape, network.describe()
        (torch.Size([5, 3]), "MLP 2 x 64 GELU(approximate='none')")
    """

    def forward(self, features: Tensor) -> Tensor:
        """Return the values (..., out_features) at features (..., in_features)."""
        check_last_axis(features, self.in_features, "features")
        hidden = features
        for linear, activation in zip(self.linears, self.activations, strict=False):
            hidden = activation(linear(hidden))
        return self.linears[-1](hidden)


@final
class ResidualMLP(Network):
    """A residual network: h <- h + act(W h + b) in each hidden layer but the first, then a linear output.

    The arguments and the parameters are those of the `MLP` of the same sizes, so the two differ by the skip
    connections alone.

    Example:
        >>> import torch
        >>> from overtone import nn
        >>> nn.ResidualMLP(2, 3, width=64, depth=4)(torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """

    def forward(self, features: Tensor) -> Tensor:
        """Return the values (..., out_features) at features (..., in_features)."""
        check_last_axis(features, self.in_features, "features")
        hidden = self.activations[0](self.linears[0](features))
        for linear, activation in zip(self.linears[1:-1], self.activations[1:], strict=True):
            hidden = hidden + activation(linear(hidden))
        return self.linears[-1](hidden)
