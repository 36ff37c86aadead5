"""Closed-form loss curves of Fourier-feature networks in NTK parameterisation, a part of benchmarks/accuracy.md."""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from torch import Tensor, nn

from overtone.theory import ntk
from overtone.theory.dynamics import Linearised, PilotRun
from overtone.theory.risk import GradientDescent

CURVES_SEEDS = range(24)

CURVES = """
## Closed-form loss curves

Largest difference in log10 of the loss until it has fallen to 5 % of its start, from the kernel of infinite width
and the network's own initial output, mean of 24 seeds, each with a target of its own; 32 samples, features cos and
sin of 1..16 cycles with amplitudes b^-p, NTK parameterisation, gradient descent. Aim: 0.10 at width 1,024, and below
0.7 of the error at width 256. The error scatters from seed to seed as much as its mean, so that the ratio of means
over three seeds says little.
"""


class Scaled(nn.Module):
    """A dense layer in NTK parameterisation: y = W x sigma_w / sqrt(n), W ~ N(0, 1), no bias."""

    def __init__(
        self, inputs: int, outputs: int, source: torch.Generator, gain: float = math.sqrt(2)
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.gain = gain / math.sqrt(inputs)
        with torch.no_grad():
            self.linear.weight.copy_(torch.randn(outputs, inputs, generator=source))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x * self.gain)


def ntk_mlp(inputs: int, width: int, seed: int) -> nn.Sequential:
    """Three hidden ReLU layers in NTK parameterisation."""
    source = torch.Generator().manual_seed(seed)
    sizes = [inputs, width, width, width, 1]
    layers: list[nn.Module] = []
    for n, m in itertools.pairwise(sizes):
        layers += [Scaled(n, m, source), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def loss_curve_error(width: int, power: float, seed: int = 0) -> float:
    """Largest |log10 predicted - log10 measured loss| until the measured loss is 5 % of its start.

    1-D, 32 samples, frequencies b = 1..16 with amplitudes b^-p (only b = 1 for infinity), three hidden ReLU
    layers without bias in NTK parameterisation, gradient descent at half of 1 / (largest eigenvalue). Predicted
    from the closed-form kernel of infinite width and the network's own initial output.
    """
    x = torch.arange(32, dtype=torch.float64)[:, None] / 32
    b = torch.arange(1, 2 if math.isinf(power) else 17, dtype=torch.float64)
    amplitude = torch.ones_like(b) if math.isinf(power) else b**-power
    amplitude = amplitude / amplitude.norm()
    source = torch.Generator().manual_seed(seed)
    k = torch.arange(1, 13, dtype=torch.float64)
    wave = torch.cos(2 * math.pi * x * k + 6 * torch.rand(12, generator=source, dtype=torch.float64))
    y = (wave / (1 + k)).sum(1, keepdim=True)
    angle = 2 * math.pi * x * b
    features = torch.cat([amplitude * angle.cos(), amplitude * angle.sin()], 1)
    inputs = ntk.FeatureMap.fourier(b[:, None], amplitude)
    limit = ntk.InfiniteNetwork.fully_connected([ntk.DenseLayer.ntk()] * 4, ntk.DualActivation.relu(), inputs)
    kernel = limit(x).ntk
    body = ntk_mlp(features.shape[1], width, seed).double()
    optimizer = torch.optim.SGD(body.parameters(), 1.0)
    pilot = PilotRun(body, optimizer, features, y)
    linear = Linearised.of(pilot.outputs(features), y, kernel)
    rate = 0.5 / (linear.gain * float(linear.eigenvalues[-1]))
    pilot.optimizer.param_groups[0]["lr"] = rate
    pilot = PilotRun(body, torch.optim.SGD(body.parameters(), rate), features, y)
    error, start = 0.0, None
    for moment in linear.propagate(GradientDescent(), lambda _: rate, range(2000)):
        pilot.advance(moment.step - pilot.step)
        loss = float((pilot.outputs(features) - y).square().mean())
        start = loss if start is None else start
        error = max(error, abs(math.log10(moment.loss / loss)))
        if loss < 0.05 * start:
            return error
    return math.nan


def curves(widths: tuple[int, ...] = (256, 1024)) -> list[dict[str, object]]:
    """Closed-form loss curves of Fourier-feature networks at two widths."""
    rows = []
    for power in (0.0, 1.0, math.inf):
        errors = [
            float(np.mean([loss_curve_error(width, power, seed) for seed in CURVES_SEEDS]))
            for width in widths
        ]
        row = {"p": power, **{f"width {w}": e for w, e in zip(widths, errors, strict=True)}}
        row |= {"ratio": errors[-1] / errors[0]}
        row |= {"met": "yes" if errors[-1] <= 0.1 and errors[-1] < 0.7 * errors[0] else "no"}
        print(row, flush=True)
        rows.append(row)
    return rows
