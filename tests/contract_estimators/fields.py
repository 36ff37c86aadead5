"""Fields that the adapters are tried on."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

ROUNDED = 1e-12
"""Some thousand additions of numbers of size 1, each rounded to 2.2e-16."""


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def harmonic(steps: int, cycles: float, even: bool = False) -> Tensor:
    """(steps, 1) the wave of amplitude 1 at a mode of the line: on even lines at the middles of its cells."""
    at = (torch.arange(steps, dtype=torch.float64) + (0.5 if even else 0)) / steps
    return torch.cos(2 * math.pi * cycles * at)[:, None]


def in_band(bands: int, which: int, power: float = 0.5) -> Tensor:
    wanted = torch.zeros(bands, 1, dtype=torch.float64)
    wanted[which] = power
    return wanted


def mean_square(values: Tensor) -> Tensor:
    return values.double().square().flatten(0, -2).mean(0)
