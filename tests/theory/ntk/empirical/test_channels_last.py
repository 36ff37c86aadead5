"""Pictures with their channels last in memory, and networks that do not take them so."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from overtone.theory.ntk import empirical_ntk
from overtone.theory.ntk._empirical.selection import select_sources
from overtone.theory.ntk._empirical.sources import JacobianMethod, LayerwiseSource
from tests.theory.ntk.slow import error, kernel, randomise, seeded


class Viewed(nn.Module):
    """Reads the memory of its features in the usual order, which fails where the channels are last."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(2, 3, 3), nn.Linear(48, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.first(x)).view(len(x), -1))


class Reshaped(Viewed):
    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.first(x)).reshape(len(x), -1))


def check(build, wanted):
    network = randomise(build().double())
    x = torch.randn(5, 2, 6, 6, generator=seeded(1), dtype=torch.float64)
    (source,) = select_sources(network, x, 1 << 20)
    assert isinstance(source, LayerwiseSource)
    assert source.channels_last is wanted
    found = empirical_ntk(network, x)
    assert set(found.methods) == {JacobianMethod.LAYERS}
    # Sums of some hundred products in double precision.
    assert error(found.matrix, kernel(network, x)) < 1e-12


def test_channels_are_last_where_the_network_takes_them():
    check(Reshaped, True)


def test_channels_stay_where_the_network_views_its_features():
    check(Viewed, False)


def test_networks_without_convolutions_get_their_samples_as_they_are():
    check(lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 4), nn.Tanh(), nn.Linear(4, 1)), False)
