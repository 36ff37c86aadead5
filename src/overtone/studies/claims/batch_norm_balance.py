"""Batch normalization and the distance between low and high frequencies in time."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from overtone._utils.seeding import derive_seed
from overtone.studies import AtMost, Axes, Condition, Effort, Family, Measured, Size, Study

SAMPLES = 64

FREQUENCIES = [1, 2, 4, 8]
"""Waves of equal amplitude, in cycles per turn."""


def measure(seed: int, optimizer: str, normalised: bool, width: int, steps: int) -> Measured:
    """Octaves between the steps for 8 cycles and for 1 cycle with batch normalization, less those without."""
    courses = {
        "without": learning(seed, optimizer, False, width, steps),
        "with": learning(seed, optimizer, normalised, width, steps),
    }
    octaves = {name: math.log2(learned[-1] / learned[0]) for name, learned in courses.items()}
    return Measured(octaves["with"] - octaves["without"], {n: (FREQUENCIES, c) for n, c in courses.items()})


def learning(seed: int, optimizer: str, normalised: bool, width: int, steps: int) -> list[int]:
    """Steps from which on the error of each wave stays below a half of its first."""
    angle = 2 * math.pi * torch.arange(SAMPLES) / SAMPLES
    points = torch.stack([angle.cos(), angle.sin()], 1)
    layers: list[nn.Module] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "weights"))
        for inputs in (2, width):
            layers += [
                nn.Linear(inputs, width),
                nn.BatchNorm1d(width) if normalised else nn.Identity(),
                nn.ReLU(),
            ]
        network = nn.Sequential(*layers, nn.Linear(width, 1))
    with torch.no_grad():
        target = torch.stack([torch.cos(k * angle + seed) for k in FREQUENCIES]).sum(0)[:, None] + network(
            points
        )
    rules = {
        "Adam": torch.optim.Adam(network.parameters(), 1e-3),
        "gradient descent": torch.optim.SGD(network.parameters(), 0.01, 0.9),
    }
    errors = np.empty((steps, len(FREQUENCIES)))
    for step in range(steps):
        rest = network(points) - target
        errors[step] = 2 * torch.fft.rfft(rest.detach()[:, 0], norm="forward").abs()[FREQUENCIES].numpy()
        rules[optimizer].zero_grad()
        rest.square().mean().backward()
        rules[optimizer].step()
    return [int((np.flatnonzero(column >= 0.5)[-1:] + 1).sum()) or 1 for column in errors.T]


STUDY = Study(
    name="batch-norm-balance",
    family=Family.DESIGN,
    claim="Batch normalization alleviates spectral bias.",
    source="Cai et al. 2024, Batch normalization alleviates the spectral bias in coordinate networks, CVPR",
    statistic="steps to halve the error of 8 cycles over those of 1 cycle with batch normalization, less the same "
    "without, in octaves",
    criterion=AtMost(-0.5),
    conditions=(
        Condition("Adam", {"optimizer": "Adam", "normalised": True}),
        Condition("gradient descent with momentum", {"optimizer": "gradient descent", "normalised": True}),
    ),
    control=Condition("no normalization in either network", {"optimizer": "Adam", "normalised": False}),
    measure=measure,
    axes=Axes("Frequency (cycles per turn)", "Steps to halve its error", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"width": 8, "steps": 3}),
        Size.QUICK: Effort(5, {"width": 64, "steps": 550}),
        Size.FULL: Effort(20, {"width": 256, "steps": 10_000}),
    },
    depends="the optimizer",
    caveat="Small ReLU networks on the points of a circle, trained on all of them at once and looked at in training "
    "mode. Waves not halved at the end count as halved there.",
)
