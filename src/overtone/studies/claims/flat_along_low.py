"""The loss is steep along low frequencies, where the tangent kernel's eigenvalues are large."""

from __future__ import annotations

import math

import torch

from overtone._utils.enums import parse_enum
from overtone.nn import MLP
from overtone.nn.activations import Activation
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study
from overtone.theory import ntk

SAMPLES = 128

FREQUENCIES = [1, 2, 4, 8, 16]
"""In cycles per turn."""


def measure(seed: int, activation: str, trained: bool, even: bool, width: int, steps: int) -> Measured:
    """log10 of the loss's curvature along 16 cycles over that along 1 cycle."""
    angle = 2 * math.pi * torch.arange(SAMPLES, dtype=torch.float64) / SAMPLES
    points = torch.stack([angle.cos(), angle.sin()], 1)
    waves = torch.stack([torch.cos(k * angle + seed) for k in FREQUENCIES], 1)
    network = MLP(2, 1, width, 2, parse_enum(Activation, activation, "activation"), seed).double()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(steps if trained else 0):
        optimizer.zero_grad()
        (network(points) - waves.sum(1, keepdim=True)).square().mean().backward()
        optimizer.step()
    kernel = torch.eye(SAMPLES, dtype=torch.float64) if even else ntk.empirical_ntk(network, points).matrix
    steep = curvature(kernel, waves)
    return Measured(float((steep[-1] / steep[0]).log10()), {"": (FREQUENCIES, (steep / steep[0]).numpy())})


def curvature(kernel: torch.Tensor, waves: torch.Tensor) -> torch.Tensor:
    """(wave,) second derivative of the mean square error at a fit, along the step that each wave's gradient takes.

    With the Jacobian J, kernel K = J J^T and wave u the direction is J^T u / |J^T u|, and the curvature
    (2 / N) u^T K K u / u^T K u.
    """
    pushed = kernel @ waves
    return 2 / len(kernel) * pushed.square().sum(0) / (waves * pushed).sum(0)


STUDY = Study(
    name="flat-along-low",
    family=Family.DESIGN,
    claim="The loss is flatter along low frequencies.",
    source="Rahaman et al. 2019, On the spectral bias of neural networks (arXiv:1806.08734), section 4, for low "
    "frequencies being robust to changes of parameters; said of the loss without a source",
    statistic="log10 of the curvature of the loss along steps towards 16 cycles over that towards 1 cycle",
    criterion=AtLeast(0.3),
    conditions=(
        Condition("ReLU, untrained", {"activation": "relu", "trained": False, "even": False}),
        Condition("ReLU, trained", {"activation": "relu", "trained": True, "even": False}),
        Condition("tanh, trained", {"activation": "tanh", "trained": True, "even": False}),
    ),
    control=Condition("orthogonal waves, linear", {"activation": "relu", "trained": False, "even": True}),
    measure=measure,
    axes=Axes("Frequency (cycles per turn)", "Curvature (of 1 cycle's)", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"width": 8, "steps": 2}),
        Size.QUICK: Effort(5, {"width": 96, "steps": 100}),
        Size.FULL: Effort(20, {"width": 512, "steps": 10_000}),
    },
    depends="the activation",
    caveat="Curvature where the fit is perfect, that is without the residual's share. Flat directions that change no "
    "output are not looked at, nor how far minima reach.",
)
