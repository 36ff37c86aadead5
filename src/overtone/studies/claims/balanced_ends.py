"""Networks of several scales, grids and losses that follow the error, and how evenly they learn both ends."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from overtone.nn import MLP, MultiScale, parameter_groups
from overtone.nn.activations import Activation
from overtone.nn.encodings import Basic, HashGrid
from overtone.nn.losses import BandFollowing, FocalFrequency
from overtone.signals import synthetic
from overtone.spectra import Bands, GridTransform
from overtone.studies import AtMost, Axes, Condition, Effort, Family, Measured, Size, Study

SAMPLES = 64

FREQUENCIES = [1, 2, 4, 8]
"""Waves of equal amplitude, in cycles per array."""


def measure(seed: int, network: str, loss: str, width: int, steps: int) -> Measured:
    """Octaves between the steps that the slowest and the fastest wave take to stay below half of their amplitude."""
    signal = synthetic.harmonics(FREQUENCIES, samples=SAMPLES, seed=seed)
    coords, target = signal.coords.float(), signal.values.float()
    bands = Bands.linear((SAMPLES,), 1 / SAMPLES, periodic=True)
    transform = GridTransform((SAMPLES,), 1 / SAMPLES, True, bands)
    wanted = transform.power(transform.coefficients(target))[:, 0]
    losses: dict[str, nn.Module] = {
        "mean square": nn.MSELoss(),
        "focal": FocalFrequency(transform),
        "following": BandFollowing(transform, wanted),
    }
    body, error = build(network, width, seed), losses[loss]
    optimizer = torch.optim.Adam(parameter_groups(body, 1e-3))
    left = np.empty((steps, len(FREQUENCIES)))
    for step in range(steps):
        values = body(coords)
        rest = transform.power(transform.coefficients(values.detach() - target))[:, 0]
        left[step] = (rest / wanted)[FREQUENCIES].sqrt().numpy()
        optimizer.zero_grad()
        error(values, target).backward()
        optimizer.step()
    learned = [int((np.flatnonzero(column >= 0.5)[-1:] + 1).sum()) or 1 for column in left.T]
    return Measured(math.log2(max(learned) / min(learned)), {"": (FREQUENCIES, learned)})


def build(network: str, width: int, seed: int) -> nn.Module:
    """A network on [0, 1); all but the hash grid see the points of a circle."""
    if network == "hash grid":
        return nn.Sequential(HashGrid(1, 32.0, 2.0, 5, seed=seed), MLP(10, 1, width, 2, seed=seed))
    scales = (1.0, 2.0, 4.0, 8.0)
    body = (
        MultiScale(2, 1, width // 2, 2, Activation.HAT, scales, seed=seed)
        if network == "scales"
        else MLP(2, 1, width, 2, seed=seed)
    )
    return nn.Sequential(Basic(1), body)


STUDY = Study(
    name="balanced-ends",
    family=Family.DESIGN,
    claim="Multi-resolution networks and adaptive filtering of the error balance low and high frequencies.",
    source="Liu et al. 2020, MscaleDNN (arXiv:2007.11207); Müller et al. 2022, Instant neural graphics primitives "
    "(arXiv:2201.05989); Jiang et al. 2021, Focal frequency loss (arXiv:2012.12821)",
    statistic="steps in which the slowest of 1, 2, 4 and 8 cycles is learned over those of the fastest, in octaves",
    criterion=AtMost(1.0),
    conditions=(
        Condition(
            "sub-networks of hat functions at four scales", {"network": "scales", "loss": "mean square"}
        ),
        Condition("hash grid", {"network": "hash grid", "loss": "mean square"}),
        Condition("focal frequency loss", {"network": "plain", "loss": "focal"}),
        Condition("weights that follow the error", {"network": "plain", "loss": "following"}),
    ),
    control=Condition("plain network, mean square", {"network": "plain", "loss": "mean square"}),
    measure=measure,
    axes=Axes("Frequency (cycles per array)", "Steps to learn it", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"width": 8, "steps": 3}),
        Size.QUICK: Effort(4, {"width": 64, "steps": 400}),
        Size.FULL: Effort(20, {"width": 256, "steps": 20_000}),
    },
    depends="the remedy",
    caveat="Points of a circle, all trained on, and Adam; what is between the samples is not looked at. Waves not "
    "learned at the end count as learned there. Sub-networks of ReLU in place of hat functions do not help.",
)
