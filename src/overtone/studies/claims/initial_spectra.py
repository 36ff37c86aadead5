"""What an untrained network holds: ReLU more high frequencies than tanh and sigmoid, at ordinary weights."""

from __future__ import annotations

import math

import numpy as np
import torch

from overtone._utils.enums import parse_enum
from overtone._utils.seeding import derive_seed
from overtone.nn import MLP
from overtone.nn.activations import Activation
from overtone.spectra import Bands, grid
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study

SPLIT = 8
"""Frequencies from here on count as high, in cycles per turn."""


def measure(seed: int, other: str, gain: float, draws: int, width: int, samples: int) -> Measured:
    """log10 of how much larger the high frequencies' share of power is in ReLU networks than in those of `other`."""
    found = {
        name: np.mean(
            [spectrum(name, gain, derive_seed(seed, f"{n}"), width, samples) for n in range(draws)], 0
        )
        for name in ("relu", other)
    }
    frequency = np.arange(samples // 2 + 1)
    high = {name: float(power[frequency >= SPLIT].sum()) for name, power in found.items()}
    curves = {name: (frequency[1:33], power[1:33]) for name, power in found.items()}
    return Measured(math.log10(high["relu"] / high[other]), curves)


def spectrum(activation: str, gain: float, seed: int, width: int, samples: int) -> np.ndarray:
    """Share of each whole frequency in the power of a new network's output along a circle, its mean left out."""
    angle = 2 * torch.pi * torch.arange(samples, dtype=torch.float64) / samples
    network = MLP(2, 1, width, 3, parse_enum(Activation, activation, "activation"), seed).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(gain)
        values = network(torch.stack([angle.cos(), angle.sin()], 1))[:, 0]
    bands = Bands.linear((samples,), 1 / samples, periodic=True)
    power = grid(values, periodic=True, bands=bands).power[:, 0].numpy()
    power[0] = 0
    return power / power.sum()


STUDY = Study(
    name="initial-spectra",
    family=Family.ACTIVATIONS,
    claim="ReLU emphasises high frequencies, sigmoid and tanh low ones.",
    source="Rahaman et al. 2019, On the spectral bias of neural networks, section 2 (arXiv:1806.08734), for the decay "
    "of ReLU networks; the comparison is often stated without a source",
    statistic="log10 of the share of power from 8 cycles per turn on in untrained ReLU networks over that in networks "
    "with the other activation, on a circle",
    criterion=AtLeast(0.3),
    conditions=(
        Condition("tanh", {"other": "tanh", "gain": 1.0}),
        Condition("sigmoid", {"other": "sigmoid", "gain": 1.0}),
        Condition("tanh, all weights 8 times as large", {"other": "tanh", "gain": 8.0}),
        Condition("sigmoid, all weights 8 times as large", {"other": "sigmoid", "gain": 8.0}),
    ),
    control=Condition("sine of frequency 30", {"other": "sine", "gain": 1.0}),
    measure=measure,
    axes=Axes("Frequency (cycles per turn)", "Share of power", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"draws": 2, "width": 16, "samples": 128}),
        Size.QUICK: Effort(3, {"draws": 20, "width": 128, "samples": 512}),
        Size.FULL: Effort(20, {"draws": 100, "width": 1024, "samples": 2048}),
    },
    depends="the size of the weights",
    caveat="It is the untrained network that is measured. What it holds at first tells where training begins, not how "
    "fast each frequency is learned.",
)
