"""A network as the training loss sees it: from coordinates to the values that are compared with targets."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn import Field
from overtone.signals import Normalisation, Signal
from overtone.theory.ntk.empirical.calling import half_the_digits, outputs_of
from overtone.theory.ntk.empirical.plan import trained_parameters
from overtone.theory.ntk.empirical.samples import check_samples, first_outputs
from overtone.theory.ntk.empirical.untouched import untouched

LOOKED_AT = 64
"""Samples at which training and evaluation mode are compared."""


@final
class Normalised(nn.Module):
    """A field's outputs as the training loss sees them."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.field = field

    def forward(self, coords: Tensor) -> Tensor:
        """(N, C) normalised values at (N, d) physical coordinates."""
        return self.field.normalised(coords)


@final
class Plain(nn.Module):
    """Any module that maps coordinates in its parameters' precision to values as they are."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, coords: Tensor) -> Tensor:
        """(N, C) values at (N, d) physical coordinates."""
        return outputs_of(self.network, coords.to(precision(self.network)))


def precision(network: nn.Module) -> torch.dtype:
    """Precision of a network's parameters."""
    return next((p.dtype for p in network.parameters() if p.is_floating_point()), torch.float32)


def as_trained(network: nn.Module) -> nn.Module:
    """The network whose outputs the loss compares with targets: a field's before they are restored, else its own."""
    return Normalised(network) if isinstance(network, Field) else Plain(network)


def in_its_values(signal: Signal, network: nn.Module) -> Signal:
    """The signal normalised as the network's outputs are: not at all unless the network is a field."""
    if isinstance(network, Field):
        return signal
    channels = signal.values.shape[1]
    none = Normalisation(
        torch.zeros(channels, device="cpu").double(), torch.ones(channels, device="cpu").double()
    )
    return replace(signal, normalisation=none)


def check_network(network: nn.Module, signal: Signal) -> None:
    """Raise InputError unless a network can be predicted at a signal's samples.

    Args:
        network: Any module.
        signal: What is predicted.
    """
    trained = list(trained_parameters(network).values())
    seen, coords = as_trained(network), signal.coords.to(trained[0].device)
    if not isinstance(network, Field):
        _check_distinct(coords, precision(network))
    check_samples(seen, coords=coords)
    step = -(-len(coords) // LOOKED_AT)
    with untouched(seen, coords.device):
        usual = first_outputs(seen, coords[::step])
        if usual.shape[1] != signal.values.shape[1]:
            raise InputError(
                f"a network of {signal.values.shape[1]} outputs, one for each channel of the signal",
                f"{usual.shape[1]}",
                "predict a network of as many outputs as the signal has channels",
                "network",
            )
        if not outputs_of(seen, coords[::step]).requires_grad:
            raise InputError(
                "a network whose outputs have gradients",
                "outputs that no parameter has a gradient from, as under torch.no_grad() or after detach()",
                "let it compute its outputs with gradients on",
                "network",
            )
        seen.train()
        training = first_outputs(seen, coords[::step])
    difference = (training - usual).nan_to_num().abs().max()
    if difference > half_the_digits(usual.dtype) * usual.nan_to_num().abs().max():
        raise InputError(
            "a network that computes the same in training and in evaluation mode",
            f"outputs that differ by {float(difference):.1e}",
            "predict it without dropout and without statistics of the batch",
            "network",
        )


def _check_distinct(coords: Tensor, dtype: torch.dtype) -> None:
    """Samples at different places must not coincide in the network's precision."""
    apart, left = (len(torch.unique(each, dim=0)) for each in (coords, coords.to(dtype)))
    if left < apart:
        raise InputError(
            f"coordinates that {str(dtype).removeprefix('torch.')} tells apart",
            f"{apart} places of which it makes {left}",
            "convert the network to float64 with .double(), or shift and scale the coordinates of the signal",
            "network",
        )
