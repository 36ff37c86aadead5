"""The last hidden layer of a network as features of coordinates, with its derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn._networks import CoordinateScaling, Field
from overtone.nn._networks.mlp import MLP, Network
from overtone.nn.activations import Sine
from overtone.nn.encodings import Encoding, FourierEncoding
from overtone.operators._derivatives import (
    MultiIndex,
    composed,
    derivatives,
    lower_indices,
    wave_derivatives,
)

ELEMENTWISE = (nn.Tanh, nn.Sigmoid, nn.SiLU, nn.GELU, nn.Softplus, Sine)
"""Smooth activations of single numbers, through which derivatives are carried as power series."""


@final
@dataclass(frozen=True, eq=False)
class HiddenLayer:
    """The activations that a network's last linear layer reads, as a function of coordinates.

    Attributes:
        network: A field, a network, or any other module.
        linears: Layers of which one is applied last; the one that was made last need not be.
    """

    network: nn.Module
    linears: tuple[nn.Module, ...]

    def __call__(self, x: Tensor) -> Tensor:
        """Return the activations (N, F) at points (N, d)."""
        captured: list[Tensor] = []

        def capture(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            captured[:] = [inputs[0]]

        handles = [linear.register_forward_pre_hook(capture) for linear in self.linears]
        try:
            self.network(x)
        finally:
            for handle in handles:
                handle.remove()
        return captured[-1]

    def derivatives(self, points: Tensor, indices: Sequence[MultiIndex]) -> Tensor:
        """Return (A, N, F) partial derivatives, layer by layer where the network is a plain one."""
        network = self.network
        body = network.body if isinstance(network, Field) else None
        if not isinstance(body, MLP) or not all(isinstance(a, ELEMENTWISE) for a in body.activations):
            # A bound method has no derivatives of its own.
            return derivatives(self.__call__, points, indices)
        lower = lower_indices(indices)
        encoding, frame = network.encoding, network.frame
        assert isinstance(encoding, Encoding)
        assert isinstance(frame, CoordinateScaling)
        with torch.no_grad():
            if isinstance(encoding, FourierEncoding) and type(encoding).forward is FourierEncoding.forward:
                frequencies = encoding.frequencies.double() * frame.scale
                jets = wave_derivatives(encoding(frame(points), network.dtype), frequencies, lower)
            else:
                jets = derivatives(lambda x: encoding(frame(x), network.dtype), points, lower)
            for linear, activation in zip(body.linears[:-1], body.activations, strict=True):
                assert isinstance(linear, nn.Linear)
                jets = jets @ linear.weight.T
                jets[0] += linear.bias
                jets = composed(activation, jets, lower)
        return jets[[lower.index(index) for index in indices]]


def hidden_layer(network: nn.Module) -> HiddenLayer:
    """Return the activations that a network's last linear layer reads, as a function of coordinates.

    Args:
        network: A field, a network, or any module with an `nn.Linear` that is applied last.

    Raises:
        InputError: If there is no linear layer.
    """
    body = network.body if isinstance(network, Field) else network
    linears = [m for m in body.modules() if isinstance(m, nn.Linear)]
    if not linears:
        raise InputError(
            "a network whose output is a linear layer",
            type(network).__name__,
            "end it with nn.Linear",
            "network",
        )
    return HiddenLayer(network, tuple(body.linears[-1:] if isinstance(body, Network) else linears))
