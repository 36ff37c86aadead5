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
from overtone.nn._utils import Seed, generator, last_axis, size
from overtone.nn.activations import Activation
from overtone.nn.activations._base import HasInit, SpectralActivation, default_initialise
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
        """Per input, the frequency below which 90 % of the power lies that its waves bring.

        In cycles per unit of the input; None if the network brings none.
        """

    @abstractmethod
    def describe(self) -> str:
        """One line for titles and records."""

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Map features (..., in_features) to values (..., out_features).

        Raises:
            InputError: If there are not `in_features` features.
        """


Choice = Activation | nn.Module
"""An activation by name or as a module, of which every layer gets a copy."""


class Network(NetworkBase, ABC):
    """`depth` hidden layers of `width` units with an activation each, and a linear output.

    Building one neither reads nor moves PyTorch's global random state.

    Args:
        in_features: Inputs.
        out_features: Outputs.
        width: Units in a hidden layer.
        depth: Hidden layers, at least 1.
        activation: One for all hidden layers, or one for each.
        seed: A seed, or the generator to draw the weights from.

    Raises:
        InputError: If a size is below 1 or the number of activations is not `depth`.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        width: int = 256,
        depth: int = 3,
        activation: Choice | Sequence[Choice] = Activation.RELU,
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = (
            size(in_features, "in_features"),
            size(out_features, "out_features"),
        )
        self.width, self.depth = size(width, "width"), size(depth, "depth")
        self.activations = nn.ModuleList(_activations(activation, depth))
        widths = [in_features, *[width] * depth, out_features]
        self.linears = nn.ModuleList(
            torch.nn.utils.skip_init(nn.Linear, n, m, device="cpu") for n, m in pairwise(widths)
        )
        self._initialise(generator(seed, "weights"))

    def _initialise(self, source: torch.Generator) -> None:
        """Fill each layer as the activation after it asks, and the output as the last activation asks."""
        askers = [*self.activations, self.activations[-1]]
        for position, (linear, asker) in enumerate(zip(self.linears, askers, strict=True)):
            assert isinstance(linear, nn.Linear)
            if not isinstance(asker, HasInit):
                default_initialise(linear, source)
            elif position == 0:
                asker.initialise_first(linear, source)
            else:
                asker.initialise_later(linear, source)

    @property
    def bandwidth(self) -> tuple[float, ...] | None:
        """Bandwidth of the first layer per input, in cycles per unit of it; None unless it brings any."""
        first = self.activations[0]
        return (
            (first.bandwidth(self.in_features),) * self.in_features
            if isinstance(first, SpectralActivation)
            else None
        )

    def describe(self) -> str:
        """One line for titles and records, "MLP 3 x 256 ReLU"."""
        names = [
            (name, len(list(run)))
            for name, run in groupby(repr(a).removesuffix("()") for a in self.activations)
        ]
        shown = names[0][0] if len(names) == 1 else ", ".join(f"{n} x {name}" for name, n in names)
        return f"{type(self).__name__} {self.depth} x {self.width} {shown}"


def _activations(choice: Choice | Sequence[Choice], depth: int) -> list[nn.Module]:
    """A module of its own for each hidden layer."""
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
            'look a name up with Activation("relu")',
            "activation",
        )
    return [build_activation(c) if isinstance(c, Activation) else copy.deepcopy(c) for c in choices]


@final
class MLP(Network):
    """h <- act(W h + b) in each hidden layer, then a linear output. See `Network` for the arguments."""

    def forward(self, features: Tensor) -> Tensor:
        """Map features (..., in_features) to values (..., out_features)."""
        last_axis(features, self.in_features, "features")
        hidden = features
        for linear, activation in zip(self.linears, self.activations, strict=False):
            hidden = activation(linear(hidden))
        return self.linears[-1](hidden)


@final
class ResidualMLP(Network):
    """h <- h + act(W h + b) in each hidden layer but the first, which has no skip; then a linear output.

    The same parameters as the `MLP` of the same sizes, so that the two differ by the skips alone. See
    `Network` for the arguments.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Map features (..., in_features) to values (..., out_features)."""
        last_axis(features, self.in_features, "features")
        hidden = self.activations[0](self.linears[0](features))
        for linear, activation in zip(self.linears[1:-1], self.activations[1:], strict=True):
            hidden = hidden + activation(linear(hidden))
        return self.linears[-1](hidden)
