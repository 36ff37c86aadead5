"""A network kept to low frequencies cannot learn the rest if it is kept there exactly, and can if only its input is."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from overtone.nn import MLP, BandLimited
from overtone.nn.encodings import Gaussian
from overtone.nn.layers import AdaptiveFilter
from overtone.signals import synthetic
from overtone.spectra import Bands, grid
from overtone.studies import AtMost, Axes, Condition, Effort, Family, Measured, Size, Study

SAMPLES = 128

LOW, HIGH = [1, 2, 4], [16, 32]
"""Waves of equal amplitude, in cycles per array, on either side of the limit."""

LIMIT = 8.0


def measure(seed: int, kept: str, width: int, steps: int) -> Measured:
    """Fraction of the waves above the limit that a trained network holds."""
    signal = synthetic.harmonics([*LOW, *HIGH], samples=SAMPLES, seed=seed)
    coords, target = signal.coords.float(), signal.values.float()
    network = build(kept, width, seed)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        (network(coords) - target).square().mean().backward()
        optimizer.step()
    bands = Bands.linear((SAMPLES,), 1 / SAMPLES, periodic=True)
    found = grid(network(coords).detach()[:, 0], periodic=True, bands=bands, reference=target[:, 0])
    assert found.cross is not None
    assert found.reference_power is not None
    waves = [*LOW, *HIGH]
    learned = (found.cross[waves, 0] / found.reference_power[waves, 0]).numpy()
    return Measured(float(np.mean(learned[len(LOW) :])), {"": (waves, learned)})


def build(kept: str, width: int, seed: int) -> nn.Module:
    """A network on coordinates in [0, 1) that is kept to low frequencies in one way or another."""
    body = MLP(2 * width, 1, width, 2, seed=seed)
    networks: dict[str, nn.Module] = {
        "every layer": BandLimited.octaves(1, 1, LIMIT, width, 2, period=1.0, seed=seed),
        "output": nn.Sequential(Gaussian.from_bandwidth(1, width, 64.0, seed), body, Smoothed(LIMIT)),
        "input": nn.Sequential(Gaussian.from_bandwidth(1, width, LIMIT / 2, seed), body),
        "not": BandLimited.octaves(1, 1, 8 * LIMIT, width, 2, period=1.0, seed=seed),
    }
    return networks[kept]


class Smoothed(nn.Module):
    """A low pass over the whole grid, of values (N, 1)."""

    def __init__(self, cutoff: float) -> None:
        super().__init__()
        self.low_pass = AdaptiveFilter(1, cutoff, spacing=1 / SAMPLES, periodic=True)

    def forward(self, values: Tensor) -> Tensor:
        """To the same shape."""
        return self.low_pass(values.T[None])[0].T


STUDY = Study(
    name="low-alone-stays-low",
    family=Family.DESIGN,
    claim="A network that is kept to low frequencies cannot learn the rest.",
    source="Lindell et al. 2022, BACON: band-limited coordinate networks (arXiv:2112.04645), section 3, for networks "
    "that are kept exactly; said of low-frequency inputs without a source",
    statistic="fraction of 16 and 32 cycles that is learned by a network kept to 8",
    criterion=AtMost(0.1),
    conditions=(
        Condition("every layer limited", {"kept": "every layer"}),
        Condition("output filtered", {"kept": "output"}),
        Condition("Fourier features limited, then ReLU", {"kept": "input"}),
    ),
    control=Condition("every layer limited to 64 cycles", {"kept": "not"}),
    measure=measure,
    axes=Axes("Frequency (cycles per array)", "Learned fraction", log_x=True),
    efforts={
        Size.SMOKE: Effort(1, {"width": 8, "steps": 3}),
        Size.QUICK: Effort(4, {"width": 64, "steps": 400}),
        Size.FULL: Effort(20, {"width": 256, "steps": 10_000}),
    },
    depends="where the network is limited",
    caveat="Every sample is trained on, so that it is seen what can be fitted and not how well it is filled in between "
    "samples. The features' frequencies lie 90 % below 4 cycles, with few above 8.",
)
