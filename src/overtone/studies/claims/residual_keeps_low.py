"""Skips keep low frequencies readable in deep layers, where a deep plain network has lost them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from overtone.nn import MLP, ResidualMLP
from overtone.spectra import Bands, GridTransform
from overtone.spectra.linear_readout import read_out
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study

SAMPLES = 256

FREQUENCIES = [1, 2, 4, 8, 16, 32]
"""Waves to be read from the last hidden layer, in cycles per turn."""

LOW = 3
"""How many of them count as low."""


def measure(seed: int, gain: float, trained: bool, depth: int, width: int, steps: int) -> Measured:
    """Error of low frequencies read from the last layer without skips, less that with them."""
    angle = 2 * math.pi * torch.arange(SAMPLES) / SAMPLES
    points = torch.stack([angle.cos(), angle.sin()], 1)
    waves = torch.stack([torch.cos(k * angle + k) for k in FREQUENCIES]).sum(0)[:, None]
    transform = GridTransform((SAMPLES,), 1, True, Bands.linear((SAMPLES,), 1.0, periodic=True))
    errors = {}
    for name, kind in (("without skips", MLP), ("with skips", ResidualMLP)):
        network = kind(2, 1, width, depth, seed=seed)
        with torch.no_grad():
            for name_of, weights in network.named_parameters():
                weights.mul_(gain if name_of.endswith("weight") else 1)
        if trained:
            fit(network, points, torch.cos(8 * angle)[:, None], steps)
        layer, errors[name] = last_layer(network, points), torch.ones(len(FREQUENCIES), dtype=torch.float64)
        if bool((layer != layer[0]).any()):
            errors[name] = read_out({"last": layer}, waves, transform).relative_error[0, FREQUENCIES, 0]
    lost = {name: float(error[:LOW].square().mean().sqrt()) for name, error in errors.items()}
    value = lost["without skips"] - lost["with skips"]
    return Measured(value, {name: (FREQUENCIES, error.numpy()) for name, error in errors.items()})


def fit(network: MLP | ResidualMLP, points: Tensor, target: Tensor, steps: int) -> None:
    """Adam on the mean square error."""
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        (network(points) - target).square().mean().backward()
        optimizer.step()


def last_layer(network: MLP | ResidualMLP, points: Tensor) -> Tensor:
    """(N, width) what the output layer sees."""
    seen: list[Tensor] = []
    handle = network.linears[-1].register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    network(points)
    handle.remove()
    return seen[0]


STUDY = Study(
    name="residual-keeps-low",
    family=Family.DESIGN,
    claim="Residual connections keep low-frequency information, which deep plain networks lose.",
    source="He et al. 2016, Identity mappings in deep residual networks (arXiv:1603.05027), section 2, for signals in "
    "general; said of low frequencies without a source",
    statistic="relative error of 1, 2 and 4 cycles read from the last hidden layer by ridge regression, without skips "
    "less with them",
    criterion=AtLeast(0.25),
    conditions=(
        Condition("untrained, 4 layers", {"gain": 1.0, "trained": False, "depth": 4}),
        Condition("untrained, 32 layers", {"gain": 1.0, "trained": False, "depth": 32}),
        Condition("untrained, 32 layers of He's weights", {"gain": 6**0.5, "trained": False, "depth": 32}),
        Condition("8 layers trained on 8 cycles alone", {"gain": 1.0, "trained": True, "depth": 8}),
    ),
    control=Condition("a single layer, which has no skip", {"gain": 1.0, "trained": False, "depth": 1}),
    measure=measure,
    axes=Axes("Frequency (cycles per turn)", "Relative error of the read-out", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"width": 8, "steps": 3}),
        Size.QUICK: Effort(5, {"width": 64, "steps": 100}),
        Size.FULL: Effort(20, {"width": 256, "steps": 5000}),
    },
    depends="the depth and the weights",
    caveat="Points of a circle. PyTorch's default weights shrink what varies by about 3 in power a layer, He's do not. "
    "Skips keep 8 and 16 cycles as well, and often more of them: it is information of any frequency that is kept.",
)
