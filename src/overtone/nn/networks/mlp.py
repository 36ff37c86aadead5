"""The plain fully connected network."""

from __future__ import annotations

from typing import final

from torch import Tensor

from overtone.nn.checks import last_axis
from overtone.nn.networks.network import Network


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
