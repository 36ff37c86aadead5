"""How fast a frequency along a curve is learned depends on how the curve lies in space."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.nn import MLP
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study
from overtone.theory import ntk

TURN = torch.tensor([[math.cos(1.0), math.sin(1.0)], [-math.sin(1.0), math.cos(1.0)]])
"""A turn by one radian, so that a flower without petals is the circle lying elsewhere."""


def measure(
    seed: int, trained: bool, petals: int, cycles: int, samples: int, steps: int, width: int
) -> Measured:
    """How many times as long a wave takes along the circle as along the flower, as a logarithm to base 2."""
    phase = numpy_generator(seed, "phase").uniform()
    t = torch.arange(samples) / samples
    target = torch.sin(2 * math.pi * (cycles * t + phase))[:, None]
    halved, curves = [], {}
    for name, x in (("circle", curve(t, 0)), ("flower", curve(t, petals) @ TURN)):
        times, left = descent(x, target, steps, width, seed) if trained else flow(x, target)
        below = np.flatnonzero(left < 0.5)
        halved.append(times[below[0]] if len(below) else times[-1])
        shown = np.unique(np.geomspace(1, len(times), 50).round().astype(int)) - 1
        curves[name] = times[shown], left[shown]
    return Measured(float(np.log2(halved[0] / halved[1])), curves)


def curve(t: Tensor, petals: int) -> Tensor:
    """(N, 2) the curve R (cos 2 pi t, sin 2 pi t) with R = 1 + sin(2 pi petals t) / 2, a circle for no petals."""
    radius = 1 + 0.5 * torch.sin(2 * math.pi * petals * t)
    return radius[:, None] * torch.stack([torch.cos(2 * math.pi * t), torch.sin(2 * math.pi * t)], 1)


def flow(x: Tensor, target: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Times, and relative error that gradient flow of the infinitely wide network leaves."""
    wide = ntk.InfiniteNetwork.fully_connected(
        [ntk.DenseLayer.ntk(sigma_b=0.3)] * 6, ntk.DualActivation.relu()
    )
    values, modes = torch.linalg.eigh(wide(x.double(), x.double()).ntk / len(x))
    times = torch.logspace(-1, 6, 1000, dtype=torch.float64)
    kept = torch.exp(-times[:, None] * values.clamp(min=0))
    left = (kept * (modes.mT @ target.double())[:, 0]).norm(dim=1) / target.norm()
    return times.numpy(), left.numpy()


def descent(x: Tensor, target: Tensor, steps: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps, and relative error of a network that Adam trains."""
    network = MLP(2, 1, width, 3, seed=derive_seed(seed, "network"))
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    left = []
    for _ in range(steps):
        loss = (network(x) - target).square().mean()
        left.append(math.sqrt(2 * loss.item()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return np.arange(1.0, steps + 1), np.asarray(left)


STUDY = Study(
    name="manifold-embedding",
    family=Family.ORDER,
    claim="On a manifold the bias depends on its embedding: the more a curve winds, the sooner high frequencies along "
    "it are learned.",
    source="Rahaman et al. 2019, On the spectral bias of neural networks, section 4, experiment 4 (arXiv:1806.08734)",
    statistic="time to halve the error of a wave along a circle over that along a flower, in octaves",
    criterion=AtLeast(1.0),
    conditions=(
        Condition("20 petals, 47 cycles", {"trained": False, "petals": 20, "cycles": 47}),
        Condition("10 petals, 47 cycles", {"trained": False, "petals": 10, "cycles": 47}),
        Condition("20 petals, 5 cycles", {"trained": False, "petals": 20, "cycles": 5}),
        Condition("10 petals, 17 cycles, trained", {"trained": True, "petals": 10, "cycles": 17}),
    ),
    control=Condition(
        "no petals, but turned, 17 cycles, trained", {"trained": True, "petals": 0, "cycles": 17}
    ),
    measure=measure,
    axes=Axes("Steps, or time of the kernel's flow", "Relative error", log_x=True),
    efforts={
        Size.SMOKE: Effort(1, {"samples": 128, "steps": 10, "width": 16}),
        Size.QUICK: Effort(5, {"samples": 256, "steps": 800, "width": 64}),
        Size.FULL: Effort(20, {"samples": 1000, "steps": 50_000, "width": 256}),
    },
    depends="how much the curve winds beside the wave",
    caveat="A wave that is not learned on the circle counts as learned at the end. Where not said otherwise it is the "
    "flow of the infinitely wide network with 5 hidden layers. Waves whose frequency is a multiple of the petals are "
    "left out; they can be a property of the shape itself.",
)
