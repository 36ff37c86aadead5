"""Second-order methods learn all frequencies alike."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from overtone.nn import MLP
from overtone.studies import AtMost, Axes, Condition, Effort, Family, Measured, Size, Study
from overtone.theory import ntk

SAMPLES = 64

FREQUENCIES = [1, 2, 4, 8]
"""Waves of equal amplitude, in cycles per turn."""

RATE = 0.05
"""Share of its step that Gauss-Newton takes."""

DAMPING = 1e-8
"""Added to the kernel's diagonal, in units of its mean."""

Step = Callable[[], object]


def measure(seed: int, method: str, times: int, steps: int, width: int) -> Measured:
    """Octaves between the steps that 8 cycles and 1 cycle take to stay below half of their first error."""
    angle = 2 * math.pi * torch.arange(SAMPLES, dtype=torch.float64) / SAMPLES
    points = torch.stack([angle.cos(), angle.sin()], 1)
    network = MLP(2, 1, width, 2, seed=seed).double()
    target = torch.stack([torch.cos(k * angle + seed * k) for k in FREQUENCIES]).sum(0)[:, None]
    target = target + network(points).detach()
    advance = {"Gauss-Newton": gauss_newton, "L-BFGS": lbfgs, "gradient descent": descent}[method]
    step = advance(network, points, target)
    errors = []
    for _ in range(times * steps):
        rest = torch.fft.rfft((network(points) - target).detach()[:, 0], norm="forward")
        errors.append(2 * rest.abs()[FREQUENCIES].numpy())
        step()
    learned = halved(np.stack(errors))
    return Measured(math.log2(learned[-1] / learned[0]), {"": (FREQUENCIES, learned)})


def halved(errors: np.ndarray) -> list[int]:
    """Steps from which on each column of (step, frequency) errors stays below a half; all steps if it does not."""
    return [int(np.flatnonzero(column >= 0.5)[-1]) + 1 for column in errors.T]


def gauss_newton(network: nn.Module, points: Tensor, target: Tensor) -> Step:
    """A share of the shortest change of parameters that takes the linearised network to the target."""

    def outputs(parameters: dict[str, Tensor]) -> Tensor:
        return functional_call(network, parameters, (points,))[:, 0]

    def step() -> None:
        parameters = {name: value.detach() for name, value in network.named_parameters()}
        jacobian = torch.cat([j.flatten(1) for j in jacrev(outputs)(parameters).values()], 1)
        kernel = jacobian @ jacobian.mT
        kernel.diagonal().add_(DAMPING * kernel.diagonal().mean())
        change = jacobian.mT @ torch.linalg.solve(kernel, outputs(parameters) - target[:, 0])
        now = parameters_to_vector(network.parameters()).detach()
        vector_to_parameters(now - RATE * change, network.parameters())

    return step


def lbfgs(network: nn.Module, points: Tensor, target: Tensor) -> Step:
    """One iteration of L-BFGS with a line search."""
    optimizer = torch.optim.LBFGS(
        network.parameters(), max_iter=1, max_eval=25, line_search_fn="strong_wolfe"
    )

    def loss() -> float:
        optimizer.zero_grad()
        value = (network(points) - target).square().mean()
        value.backward()
        return float(value.detach())

    return lambda: optimizer.step(loss)


def descent(network: nn.Module, points: Tensor, target: Tensor) -> Step:
    """Gradient descent at half of the largest stable rate."""
    largest = float(torch.linalg.eigvalsh(ntk.empirical_ntk(network, points).matrix)[-1])
    optimizer = torch.optim.SGD(network.parameters(), SAMPLES / (2 * largest))

    def step() -> None:
        optimizer.zero_grad()
        (network(points) - target).square().mean().backward()
        optimizer.step()

    return step


STUDY = Study(
    name="second-order-alike",
    family=Family.DESIGN,
    claim="Second-order methods remove spectral bias: they learn all frequencies alike.",
    source="Amari 1998, Natural gradient works efficiently in learning, for steps that no parametrisation changes; "
    "often carried over to frequencies without a source",
    statistic="steps until 8 cycles stay below half of their error over those until 1 cycle does, in octaves",
    criterion=AtMost(1.0),
    conditions=(
        Condition("Gauss-Newton", {"method": "Gauss-Newton", "times": 1}),
        Condition("L-BFGS", {"method": "L-BFGS", "times": 2}),
    ),
    control=Condition("gradient descent", {"method": "gradient descent", "times": 10}),
    measure=measure,
    first_seed=200,
    axes=Axes("Frequency (cycles per turn)", "Steps to halve its error", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"steps": 3, "width": 8}),
        Size.QUICK: Effort(8, {"steps": 50, "width": 96}),
        Size.FULL: Effort(20, {"steps": 200, "width": 512}),
    },
    depends="the method",
    caveat="Small networks on 64 points, and no minibatches. Each Gauss-Newton step solves for all samples at once; "
    "what it costs is not counted. Frequencies not halved at the end count as halved there. "
    "Judged on seeds 200 to 207, after seeds 100 to 104 had left it undecided.",
)
