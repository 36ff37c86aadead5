"""Models that are linear in their parameters, for which the theory is exact."""

from __future__ import annotations

from collections.abc import Callable

import torch
import xarray
from torch import Tensor, nn

from overtone._training import TrainingConfig, train
from overtone.nn import MLP, Field, OutputScaling, encodings
from overtone.nn.activations import Activation
from overtone.probes import Probe
from overtone.signals import Grid, Normalisation, Signal


class Linear(nn.Module):
    """f(x) = cos(A x) W in float64: linear in W, with a layer, or bare parameters, to carry W."""

    mixing: Tensor

    def __init__(self, features: int, channels: int, seed: int = 0, layer: bool = True) -> None:
        super().__init__()
        source = torch.Generator().manual_seed(seed)
        self.register_buffer("mixing", torch.randn(2, features, generator=source, dtype=torch.float64))
        start = torch.randn(channels, features, generator=source, dtype=torch.float64)
        if layer:
            self.head = nn.Linear(features, channels, dtype=torch.float64)
            with torch.no_grad():
                self.head.weight.copy_(start)
                self.head.bias.fill_(0.3)
        else:
            self.weight = nn.Parameter(start)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.cos(x @ self.mixing)
        return self.head(hidden) if hasattr(self, "head") else hidden @ self.weight.mT


def samples(count: int = 10, channels: int = 2, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Random points and targets in float64."""
    source = torch.Generator().manual_seed(seed)
    return (
        torch.randn(count, 2, generator=source, dtype=torch.float64),
        torch.randn(count, channels, generator=source, dtype=torch.float64),
    )


def tones(frequencies: tuple[int, ...] = (1, 2, 3), samples: int = 32) -> Signal:
    """A periodic sum of cosines of amplitude 1 on [0, 1)."""
    grid = Grid.unit_box((samples,), periodic=True)
    angle = 2 * torch.pi * grid.coords()
    values = sum((torch.cos(k * angle + k) for k in frequencies), torch.zeros_like(angle))
    peak = float(values.max() - values.min())
    return Signal(values, grid, "synthetic", "tones", ("value",), "", peak, Normalisation.of(values))


def field(
    signal: Signal, width: int = 32, depth: int = 1, activation: Activation = Activation.RELU, seed: int = 0
) -> Field:
    """A small field on [cos, sin] of the coordinate, in float64."""
    encoding = encodings.Basic(1)
    body = MLP(encoding.out_features, 1, width, depth, activation, seed=seed)
    restore = OutputScaling(signal.normalisation.offset, signal.normalisation.scale)
    return Field(encoding, body, restore=restore).double()


def trained(
    network: Field, signal: Signal, options: TrainingConfig, wants: Callable[[int], bool] | None = None
) -> xarray.Dataset:
    """Train a network and return its record, at the probe's own steps unless told otherwise."""
    with Probe(signal, network) as probe:
        train(
            network,
            signal,
            options,
            lambda s, loss, r, last: probe(s, loss, r, force=last) and None,
            wants=wants or probe.schedule.due,
        )
        return probe.record
