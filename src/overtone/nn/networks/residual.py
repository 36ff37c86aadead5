"""The fully connected network with skips."""

from __future__ import annotations

from typing import final

from torch import Tensor

from overtone.nn.checks import last_axis
from overtone.nn.networks.network import Network


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
