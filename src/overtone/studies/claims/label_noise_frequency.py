"""Label noise of low frequency is learned with the signal; that of high frequency is learned late."""

from __future__ import annotations

import math

import numpy as np
import torch

from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.nn import MLP
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study

FREQUENCIES = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Of the noise, in cycles per unit of the distance from the origin."""

DIMENSION = 10


def measure(seed: int, centred: bool, dealt: bool, samples: int, steps: int, width: int) -> Measured:
    """log10 of the least clean validation error under noise of the lowest frequency over that under the highest."""
    draw = numpy_generator(seed, "samples")
    x = draw.standard_normal((2 * samples, DIMENSION)) * 2.1
    clean = np.tanh(x @ draw.standard_normal(DIMENSION) / 3)
    distance = np.linalg.norm(x, axis=1)
    least = []
    for k in FREQUENCIES:
        noise = np.sin(2 * math.pi * k * distance)
        if centred:
            noise = math.sqrt(0.5) * (noise - noise[:samples].mean()) / noise[:samples].std()
        noise = draw.permutation(noise) if dealt else noise
        least.append(float(min(errors(x, clean, noise, seed, steps, width))))
    return Measured(math.log10(least[0] / least[-1]), {"": (FREQUENCIES, least)})


def errors(
    x: np.ndarray, clean: np.ndarray, noise: np.ndarray, seed: int, steps: int, width: int
) -> list[float]:
    """Mean squared error on the clean second half of the samples, after each step of training on the noisy first."""
    half = len(x) // 2
    points, wanted = torch.from_numpy(x).float(), torch.from_numpy(clean).float()[:, None]
    labels = wanted[:half] + torch.from_numpy(noise[:half]).float()[:, None]
    network = MLP(x.shape[1], 1, width, 3, seed=derive_seed(seed, "network"))
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    found = []
    for _ in range(steps):
        predicted = network(points)
        found.append(float((predicted[half:].detach() - wanted[half:]).square().mean()))
        optimizer.zero_grad()
        (predicted[:half] - labels).square().mean().backward()
        optimizer.step()
    return found


STUDY = Study(
    name="label-noise-frequency",
    family=Family.NOISE,
    claim="Label noise of low frequency hurts more than that of high frequency.",
    source="Rahaman et al. 2019, On the spectral bias of neural networks, section 3, experiment 3 (arXiv:1806.08734)",
    statistic="log10 of the least error on clean validation samples under noise of 0.05 cycles per unit over that "
    "under noise of 1 cycle per unit",
    criterion=AtLeast(0.3),
    conditions=(
        Condition("radial waves as they are", {"centred": False, "dealt": False}),
        Condition("radial waves of mean 0 and equal power", {"centred": True, "dealt": False}),
    ),
    control=Condition("mean 0 and equal power, dealt to other samples", {"centred": True, "dealt": True}),
    measure=measure,
    axes=Axes("Frequency of the noise (cycles per unit)", "Least clean error", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"samples": 64, "steps": 5, "width": 16}),
        Size.QUICK: Effort(3, {"samples": 500, "steps": 200, "width": 64}),
        Size.FULL: Effort(20, {"samples": 12_000, "steps": 5000, "width": 256}),
    },
    depends="whether the noise keeps its mean",
    caveat="The samples are drawn in ten dimensions in place of the source's digits, with distances as spread as "
    "there. A wave of 0.05 cycles hardly changes sign over them, so as it is it acts as an offset of all labels.",
)
