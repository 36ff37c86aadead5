"""Errors of trained networks against the Barron bound: `python -m benchmarks barron`.

One hidden layer of n sigmoids on sums of cosines of known constant C, in one and two dimensions: the mean square error
after training stays below (2 r C)^2 / n, and grows with C at the same width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.theory import barron

WIDTHS = (4, 16, 64, 256)
SCALES = (1.0, 4.0, 16.0)
STEPS, RATE = 1500, 1e-2


def target(dimension: int, constant: float) -> barron.CosineSum:
    """Five cosines whose Barron constant is `constant`; their frequencies grow with it."""
    draws = numpy_generator(0, "barron", str(dimension))
    frequencies = torch.from_numpy(draws.normal(size=(5, dimension))) * math.sqrt(constant)
    phases = torch.from_numpy(draws.uniform(0, 2 * math.pi, 5))
    alone = barron.CosineSum(frequencies, torch.ones(5, dtype=torch.float64), phases)
    return barron.CosineSum(frequencies, torch.full((5,), constant / alone.constant).double(), phases)


def trained_error(f: barron.CosineSum, x: Tensor, width: int) -> float:
    """Mean square error on the samples after training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(0, "barron", str(width)))
        network = nn.Sequential(nn.Linear(x.shape[1], width), nn.Sigmoid(), nn.Linear(width, 1))
        with torch.no_grad():
            network[0].weight.mul_(10)
            network[0].bias.mul_(10)
    y = f(x.double()).float()[:, None]
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = (network(x) - y).square().mean()
        loss.backward()
        optimizer.step()
    return float((network(x) - y).detach().square().mean())


def main() -> list[dict[str, object]]:
    """Error and bound for every dimension, constant and width."""
    rows: list[dict[str, object]] = []
    for dimension in (1, 2):
        draws = torch.Generator().manual_seed(derive_seed(0, "barron samples") % 2**31)
        x = torch.rand(512, dimension, generator=draws) - 0.5
        radius = 0.5 * math.sqrt(dimension)
        for scale in SCALES:
            f = target(dimension, scale)
            for width in WIDTHS:
                error, promised = trained_error(f, x, width), barron.error_bound(f.constant, radius, width)
                rows.append(
                    {
                        "name": f"{dimension}-D, C = {scale:g}, {width} units",
                        "ours": error,
                        "theirs": promised,
                        "unit": "mean square error",
                        "ratio": promised / error,
                        "target": 1.0,
                        "note": "below the bound" if error < promised else "above the bound",
                    }
                )
    return rows
