"""Momentum rescales time at small learning rates; at large ones it brings the frequencies together."""

from __future__ import annotations

import math

import numpy as np
import torch

from overtone.studies import Axes, Between, Condition, Effort, Family, Measured, Size, Study
from overtone.theory import ntk
from overtone.theory._mode_dynamics import GradientDescent, ModeState

SAMPLES = 256


def measure(seed: int, share: float, momentum: float, second_order: bool, high: int, depth: int) -> Measured:
    """log2 of the ratio of learning steps, highest frequency to lowest, that is left of plain descent's."""
    del seed
    frequencies = [2**i for i in range(int(math.log2(high)) + 1)]
    eigenvalues = circle(depth)
    used = torch.ones_like(eigenvalues) * eigenvalues.max() if second_order else eigenvalues
    steps = {
        "without": halving(eigenvalues[frequencies], GradientDescent(), share / float(eigenvalues.max())),
        "with": halving(used[frequencies], GradientDescent(momentum=momentum), share / float(used.max())),
    }
    octaves = {name: math.log2(found[-1] / found[0]) for name, found in steps.items()}
    return Measured(octaves["with"] - octaves["without"], {n: (frequencies, s) for n, s in steps.items()})


def circle(depth: int) -> torch.Tensor:
    """(frequency,) float64 eigenvalues of a wide ReLU network's tangent kernel on evenly spaced points of a circle."""
    angle = 2 * math.pi * torch.arange(SAMPLES, dtype=torch.float64) / SAMPLES
    wide = ntk.InfiniteNetwork.fully_connected(
        [ntk.DenseLayer.ntk(sigma_b=0.3)] * (depth + 1), ntk.DualActivation.relu()
    )
    points = torch.stack([angle.cos(), angle.sin()], 1)
    return ntk.circulant_eigenvalues(wide(points[:1], points).ntk[0])[: SAMPLES // 2]


def halving(eigenvalues: torch.Tensor, rule: GradientDescent, rate: float) -> list[int]:
    """Steps from which on the residual of each mode stays below a half, to 4 %; each mode begins at 1, at rest."""
    start, last = (
        ModeState.at_rest(torch.ones_like(eigenvalues)),
        int(20 / (rate * float(eigenvalues.min()))) + 200,
    )
    steps = np.unique(np.geomspace(1, last, int(math.log(last) / 0.04)).round().astype(int))
    residual = torch.stack([rule.advance(start, eigenvalues, 1.0, rate, int(n)).residual for n in steps])
    above = residual.abs().numpy() >= 0.5
    return [int(steps[np.flatnonzero(column)[-1] + 1]) if column.any() else 1 for column in above.T]


STUDY = Study(
    name="momentum-rescales-time",
    family=Family.DESIGN,
    claim="Momentum only rescales time and leaves the order in which frequencies are learned as it is.",
    source="Qian 1999, On the momentum term in gradient descent learning algorithms, sections 2 and 3, for the "
    "rescaling; often carried over to frequencies without a source",
    statistic="steps to halve the highest frequency over steps to halve the lowest, with momentum, less the same "
    "without, in octaves",
    criterion=Between(-0.5, 0.5),
    conditions=(
        Condition("1/2000 of the largest stable learning rate", {"share": 0.001, "second_order": False}),
        Condition("1/20 of the largest stable learning rate", {"share": 0.1, "second_order": False}),
        Condition("half of the largest stable learning rate", {"share": 1.0, "second_order": False}),
    ),
    control=Condition("Gauss-Newton directions", {"share": 0.001, "second_order": True}),
    measure=measure,
    axes=Axes("Frequency (cycles per turn)", "Steps to halve its error", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"momentum": 0.9, "high": 2, "depth": 1}),
        Size.QUICK: Effort(1, {"momentum": 0.9, "high": 32, "depth": 3}),
        Size.FULL: Effort(1, {"momentum": 0.9, "high": 64, "depth": 3}),
    },
    depends="the learning rate",
    caveat="The fixed tangent kernel of a wide ReLU network on a circle, with momentum 0.9. Modes whose "
    "eigenvalue times the rate is above (1 - sqrt(0.9))^2 = 0.0026 swing, and all of these halve in about as many "
    "steps. With momentum 0.99 that begins a hundred times lower.",
)
