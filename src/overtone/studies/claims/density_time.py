"""Where samples lie densely a network learns sooner."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.nn import MLP
from overtone.studies import Axes, Between, Condition, Effort, Family, Measured, Size, Study
from overtone.theory import ntk

RATIO = 4
"""How many times as dense samples lie on one half of the circle as on the other."""


def measure(
    seed: int, trained: bool, weighed: bool, cycles: int, samples: int, steps: int, width: int
) -> Measured:
    """Exponent a in time ~ density^-a, from the times in which each half's error falls to a half."""
    phase = numpy_generator(seed, "phase").uniform(0, 2 * math.pi)
    angle, density = places(samples)
    target = torch.sin(cycles * angle + phase)
    weight = 1 / density if weighed else torch.ones_like(density)
    circle = torch.stack([angle.cos(), angle.sin()], 1)
    times, left = (
        descent(circle, target, weight, steps, width, seed) if trained else flow(circle, target, weight)
    )
    dense = density > 1
    inner = (angle % math.pi - math.pi / 2).abs() < math.pi / 2 - math.pi / cycles
    power = left.square()
    course = {
        name: (power[:, half & inner].sum(1) / target[half & inner].square().sum()).sqrt().numpy()
        for name, half in (("dense half", dense), ("sparse half", ~dense))
    }
    halved = [crossing(times, errors) for errors in course.values()]
    shown = np.unique(np.geomspace(1, len(times), 60).round().astype(int)) - 1
    return Measured(
        math.log(halved[1] / halved[0], RATIO), {name: (times[shown], e[shown]) for name, e in course.items()}
    )


def places(samples: int) -> tuple[Tensor, Tensor]:
    """Angles, evenly spaced within each half of the circle, and the density there in units of the mean."""
    dense = samples * RATIO // (RATIO + 1)
    counts = (dense, samples - dense)
    angle = torch.cat([math.pi * (i + (torch.arange(n) + 0.5) / n) for i, n in enumerate(counts)])
    density = torch.cat([torch.full((n,), 2 * n / samples) for n in counts])
    return angle.double(), density.double()


def flow(x: Tensor, target: Tensor, weight: Tensor) -> tuple[np.ndarray, Tensor]:
    """Times, and (time, sample) what gradient flow of the infinitely wide network leaves."""
    wide = ntk.InfiniteNetwork.fully_connected(
        [ntk.DenseLayer.ntk(sigma_b=0.3)] * 3, ntk.DualActivation.relu()
    )
    root = weight.sqrt()
    values, modes = torch.linalg.eigh(root[:, None] * wide(x, x).ntk * root / len(x))
    times = torch.logspace(-1, 6, 600, dtype=torch.float64) / values.max()
    kept = torch.exp(-times[:, None] * values.clamp(min=0))
    return times.numpy(), ((kept * (modes.mT @ (root * target))) @ modes.mT) / root


def descent(
    x: Tensor, target: Tensor, weight: Tensor, steps: int, width: int, seed: int
) -> tuple[np.ndarray, Tensor]:
    """Steps, and (step, sample) what gradient descent of a network leaves, its output 0 to begin with."""
    x, wanted, weight = x.float(), target.float(), weight.float()
    network = MLP(2, 1, width, 2, seed=derive_seed(seed, "network"))
    optimizer = torch.optim.SGD(network.parameters(), 38 / width)
    start = network(x).detach()[:, 0]
    left = []
    for _ in range(steps):
        rest = wanted - network(x)[:, 0] + start
        left.append(rest.detach())
        optimizer.zero_grad()
        (weight * rest.square()).mean().backward()
        optimizer.step()
    return np.arange(1.0, steps + 1), torch.stack(left).double()


def crossing(times: np.ndarray, errors: np.ndarray) -> float:
    """The time at which the error is first below a half; the last one if it never is."""
    below = np.flatnonzero(errors < 0.5)
    return float(times[below[0]] if len(below) else times[-1])


STUDY = Study(
    name="density-time",
    family=Family.ORDER,
    claim="Time to learn is inversely proportional to the density of samples.",
    source="Basri et al. 2020, Frequency bias in neural networks for input of non-uniform density (arXiv:2003.04560), "
    "section 4",
    statistic="a in time ~ density^-a, from the times in which the error falls to a half where samples lie 4 times as "
    "densely and where not",
    criterion=Between(0.75, 1.25),
    conditions=(
        Condition("infinite width, 4 cycles", {"trained": False, "weighed": False, "cycles": 4}),
        Condition("infinite width, 8 cycles", {"trained": False, "weighed": False, "cycles": 8}),
        Condition("trained network, 6 cycles", {"trained": True, "weighed": False, "cycles": 6}),
    ),
    control=Condition(
        "infinite width, 8 cycles, samples weighed by 1 / density",
        {"trained": False, "weighed": True, "cycles": 8},
    ),
    measure=measure,
    axes=Axes("Steps, or time of the kernel's flow", "Relative error", log_x=True),
    efforts={
        Size.SMOKE: Effort(1, {"samples": 60, "steps": 20, "width": 16}),
        Size.QUICK: Effort(5, {"samples": 160, "steps": 1200, "width": 128}),
        Size.FULL: Effort(20, {"samples": 1000, "steps": 20_000, "width": 4000}),
    },
    depends="whether the network keeps to its initial kernel",
    caveat="One wave over a circle, two densities. The trained network begins as PyTorch does, and changes its kernel "
    "while it learns; its two halves share their weights.",
)
