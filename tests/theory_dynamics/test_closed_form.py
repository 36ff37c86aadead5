"""Loss curves of Fourier-feature networks from the closed-form kernel: closer the wider the network."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from overtone.theory import ntk
from overtone.theory._mode_dynamics import GradientDescent
from overtone.theory.dynamics import Linearised, PilotRun


class Scaled(nn.Linear):
    """A dense layer in NTK parameterisation without bias: y = sqrt(2 / n) W x, W ~ N(0, 1)."""

    def __init__(self, inputs: int, outputs: int, source: torch.Generator) -> None:
        super().__init__(inputs, outputs, bias=False, dtype=torch.float64)
        with torch.no_grad():
            self.weight.copy_(torch.randn(outputs, inputs, generator=source, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return math.sqrt(2 / self.in_features) * super().forward(x)


def network(inputs: int, width: int, seed: int) -> nn.Sequential:
    source = torch.Generator().manual_seed(seed)
    sizes = [inputs, width, width, width, 1]
    layers = [(Scaled(n, m, source), nn.ReLU()) for n, m in itertools.pairwise(sizes)]
    return nn.Sequential(*[each for pair in layers for each in pair][:-1])


def error(width: int, power: float, seed: int) -> float:
    """Largest difference of log10 loss until 5 % of the start is left."""
    x = torch.arange(32, dtype=torch.float64)[:, None] / 32
    b = torch.arange(1, 2 if math.isinf(power) else 17, dtype=torch.float64)
    a = torch.ones(1, dtype=torch.float64) if math.isinf(power) else b**-power
    a = a / a.norm()
    k = torch.arange(1, 7, dtype=torch.float64)
    y = (torch.cos(2 * math.pi * x * k + k) / k).sum(1, keepdim=True)
    features = torch.cat([a * (2 * math.pi * x * b).cos(), a * (2 * math.pi * x * b).sin()], 1)
    limit = ntk.InfiniteNetwork.fully_connected(
        [ntk.DenseLayer.ntk()] * 4, ntk.DualActivation.relu(), ntk.FeatureMap.fourier(b[:, None], a)
    )
    body = network(features.shape[1], width, seed)
    with torch.no_grad():
        start = body(features)
    linear = Linearised.of(start, y, limit(x).ntk)
    rate = 0.5 / (linear.gain * float(linear.eigenvalues[-1]))
    pilot = PilotRun(body, torch.optim.SGD(body.parameters(), rate), features, y)
    worst, first = 0.0, linear.loss(linear.initial_state())
    for moment in linear.propagate(GradientDescent(), lambda _: rate, range(600)):
        pilot.advance(moment.step - pilot.step)
        loss = float((pilot.outputs(features) - y).square().mean())
        worst = max(worst, abs(math.log10(moment.loss / loss)))
        if loss < 0.05 * first:
            return worst
    raise AssertionError("5 % of the initial loss was not reached")


@pytest.mark.parametrize("power", [0.0, 1.0, math.inf])
def test_wide_networks_follow_the_closed_form(power: float) -> None:
    """Sixteen times the width is a quarter of the error (1 / sqrt(width)); the scatter of four seeds may double it."""
    narrow, broad = (sum(error(width, power, seed) for seed in range(4)) / 4 for width in (24, 384))
    assert broad < 0.5 * narrow
    assert broad < 0.3
