"""The tangent kernel at the start predicts how the loss falls."""

from __future__ import annotations

import math

import numpy as np
import torch

from overtone._utils.steps import log_steps
from overtone.nn import MLP, encodings
from overtone.signals import synthetic
from overtone.studies import AtMost, Axes, Condition, Effort, Family, Measured, Size, Study
from overtone.theory import ntk
from overtone.theory._mode_dynamics import GradientDescent
from overtone.theory.dynamics import Linearised

END = 0.05
"""Share of the first loss down to which prediction and training are compared."""

HE = 6**0.5
"""Times PyTorch's uniform weights it makes their variance 2 / fan-in."""


def measure(
    seed: int, power: float, assumed: float, gain: float, width: int, points: int, steps: int
) -> Measured:
    """Largest distance in decades of the predicted loss from the measured one, until 5 % of the start."""
    x = torch.arange(points, dtype=torch.float64)[:, None] / points
    y = synthetic.power_law(points, 1.0, seed=seed).values.double()
    y = (y - y.mean()) / y.std()
    trained, other = network(power, gain, width, seed), network(assumed, gain, width, seed)
    linear = Linearised.of(trained(x).detach(), y, ntk.empirical_ntk(other, x).matrix)
    rate = 0.5 / (linear.gain * float(linear.eigenvalues[-1]))
    moments = list(linear.propagate(GradientDescent(), lambda _: rate, log_steps(steps)))
    found = train(trained, x, y, rate, [moment.step for moment in moments])
    counted = found >= END * found[0]
    predicted = np.array([moment.loss for moment in moments])
    apart = np.abs(np.log10(predicted / found))[counted]
    shown = np.array([max(1, moment.step) for moment in moments])
    curves = {"predicted": (shown, predicted / found[0]), "measured": (shown, found / found[0])}
    return Measured(float(apart.max()) if np.isfinite(apart).all() else math.nan, curves)


def network(power: float, gain: float, width: int, seed: int) -> torch.nn.Module:
    """Three hidden layers behind 16 tones with amplitudes j^-power, `gain` times PyTorch's first weights."""
    body = MLP(32, 1, width, 3, seed=seed)
    with torch.no_grad():
        for name, parameter in body.named_parameters():
            if name.endswith("weight"):
                parameter.mul_(gain)
    return torch.nn.Sequential(encodings.PowerLaw(1, 16, power), body).double()


def train(
    trained: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, rate: float, at: list[int]
) -> np.ndarray:
    """Mean squared error after each of the steps `at` of gradient descent."""
    optimiser = torch.optim.SGD(trained.parameters(), rate)
    losses = []
    for _ in range(at[-1] + 1):
        optimiser.zero_grad()
        loss = (trained(x) - y).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return np.array(losses)[at]


STUDY = Study(
    name="kernel-predicts-training",
    family=Family.THEORY,
    claim="The tangent kernel of a network with Fourier features, taken before training, predicts how its loss falls.",
    source="Tancik et al. 2020, Fourier features let networks learn high frequency functions in low dimensional "
    "domains, section 4 and figure 3 (arXiv:2006.10739)",
    statistic="largest distance of the predicted loss from the measured one until it is 5 % of the first, in decades",
    criterion=AtMost(0.1),
    conditions=(
        Condition("512 units, amplitudes 1", {"power": 0.0, "assumed": 0.0, "width": 512}),
        Condition("512 units, amplitudes 1/j", {"power": 1.0, "assumed": 1.0, "width": 512}),
        Condition("64 units, amplitudes 1/j", {"power": 1.0, "assumed": 1.0, "width": 64}),
        Condition("512 units, PyTorch's weights", {"power": 1.0, "assumed": 1.0, "width": 512, "gain": 1.0}),
    ),
    control=Condition("kernel of other features", {"power": 0.0, "assumed": 2.0, "width": 512}),
    measure=measure,
    axes=Axes("Steps", "Loss, relative to the first", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"gain": HE, "points": 16, "steps": 30}),
        Size.QUICK: Effort(3, {"gain": HE, "points": 32, "steps": 300}),
        Size.FULL: Effort(20, {"gain": HE, "points": 32, "steps": 5000}),
    },
    depends="the width and the first weights",
    caveat="Gradient descent on a small one-dimensional problem, training loss only, at half of the largest stable "
    "learning rate. Nothing is said about Adam or about what follows the first 95 % of the loss.",
)
