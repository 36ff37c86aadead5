"""Positions of samples: their density on a circle, and the shape of the curve that they lie on."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.nn import MLP
from overtone.studies._claims._shared import first_below, log_spaced_indices, wide_network
from overtone.studies._criteria import AtLeast, Between
from overtone.studies._study import (
    MET_BY_A_CONDITION,
    Condition,
    FigureAxes,
    Measurement,
    SizeSettings,
    Study,
    StudySize,
    Topic,
)

_DENSITY_RATIO = 4
"""Density of samples on one half of the circle over that on the other."""


def measure_density_time(
    seed: int, trained: bool, weighted: bool, cycles: int, samples: int, steps: int, width: int
) -> Measurement:
    """Measure the exponent a in time ~ density^-a, from the times in which each half's error falls to a half."""
    phase = numpy_generator(seed, "phase").uniform(0, 2 * math.pi)
    angle, density = _uneven_angles(samples)
    target = torch.sin(cycles * angle + phase)
    weight = 1 / density if weighted else torch.ones_like(density)
    points = torch.stack([angle.cos(), angle.sin()], 1)
    times, residuals = (
        _weighted_descent(points, target, weight, steps, width, seed)
        if trained
        else _weighted_flow(points, target, weight)
    )
    dense = density > 1
    # Half a wave next to either border is left out: there both densities act on what is learned.
    inner = (angle % math.pi - math.pi / 2).abs() < math.pi / 2 - math.pi / cycles
    power = residuals.square()
    errors = {
        name: (power[:, half & inner].sum(1) / target[half & inner].square().sum()).sqrt().numpy()
        for name, half in (("dense half", dense), ("sparse half", ~dense))
    }
    halved = [first_below(times, error) for error in errors.values()]
    drawn_at = log_spaced_indices(len(times), 60)
    return Measurement(
        math.log(halved[1] / halved[0], _DENSITY_RATIO),
        {name: (times[drawn_at], error[drawn_at]) for name, error in errors.items()},
    )


def _uneven_angles(samples: int) -> tuple[Tensor, Tensor]:
    """Return angles, evenly spaced within each half of the circle, and the density there in units of the mean."""
    dense = samples * _DENSITY_RATIO // (_DENSITY_RATIO + 1)
    counts = (dense, samples - dense)
    angle = torch.cat([math.pi * (i + (torch.arange(n) + 0.5) / n) for i, n in enumerate(counts)])
    density = torch.cat([torch.full((n,), 2 * n / samples) for n in counts])
    return angle.double(), density.double()


def _weighted_flow(x: Tensor, target: Tensor, weight: Tensor) -> tuple[np.ndarray, Tensor]:
    """Return times, and the (time, sample) residuals of gradient flow of the infinitely wide network."""
    # W^1/2 K W^1/2 is symmetric and has the eigenvalues of K W, the matrix of the weighted flow.
    root = weight.sqrt()
    values, modes = torch.linalg.eigh(root[:, None] * wide_network(2)(x, x).ntk * root / len(x))
    times = torch.logspace(-1, 6, 600, dtype=torch.float64) / values.max()
    decay = torch.exp(-times[:, None] * values.clamp(min=0))
    return times.numpy(), ((decay * (modes.mT @ (root * target))) @ modes.mT) / root


def _weighted_descent(
    x: Tensor, target: Tensor, weight: Tensor, steps: int, width: int, seed: int
) -> tuple[np.ndarray, Tensor]:
    """Return steps, and the (step, sample) residuals of gradient descent of a network that begins at 0."""
    x, target, weight = x.float(), target.float(), weight.float()
    network = MLP(2, 1, width, 2, seed=derive_seed(seed, "network"))
    optimizer = torch.optim.SGD(network.parameters(), 38 / width)
    # Subtracted from the outputs, so that the first residual is the target, as in the flow.
    start = network(x).detach()[:, 0]
    residuals = []
    for _ in range(steps):
        residual = target - network(x)[:, 0] + start
        residuals.append(residual.detach())
        optimizer.zero_grad()
        (weight * residual.square()).mean().backward()
        optimizer.step()
    return np.arange(1.0, steps + 1), torch.stack(residuals).double()


DENSITY_TIME = Study(
    name="density-time",
    topic=Topic.ORDER,
    claim="Time to learn is inversely proportional to the density of samples.",
    source=(
        "Basri et al. 2020, Frequency bias in neural networks for input of non-uniform density "
        "(arXiv:2003.04560), section 4"
    ),
    statistic=(
        "a in time ~ density^-a, from the times in which the error falls to a half where samples lie 4 times "
        "as densely and where they do not"
    ),
    criterion=Between(0.75, 1.25),
    conditions=(
        Condition("infinite width, 4 cycles", {"trained": False, "weighted": False, "cycles": 4}),
        Condition("infinite width, 8 cycles", {"trained": False, "weighted": False, "cycles": 8}),
        Condition("trained network, 6 cycles", {"trained": True, "weighted": False, "cycles": 6}),
    ),
    control=Condition(
        "infinite width, 8 cycles, samples weighted by 1 / density",
        {"trained": False, "weighted": True, "cycles": 8},
    ),
    positive=MET_BY_A_CONDITION,
    measure=measure_density_time,
    axes=FigureAxes("Steps, or time of the kernel's flow", "Relative error", log_x=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"samples": 60, "steps": 20, "width": 16}),
        StudySize.QUICK: SizeSettings(5, {"samples": 160, "steps": 1200, "width": 128}),
        StudySize.FULL: SizeSettings(20, {"samples": 1000, "steps": 20_000, "width": 4000}),
    },
    factor="whether the kernel stays as it was at the start",
    caveat=(
        "One wave over a circle, two densities. The trained network has PyTorch's initial weights, and its "
        "kernel changes during training; its two halves share their weights."
    ),
)


_ROTATION = torch.tensor([[math.cos(1.0), math.sin(1.0)], [-math.sin(1.0), math.cos(1.0)]])
"""Rotation by one radian, so that a flower without petals is the rotated circle."""


def measure_manifold_embedding(
    seed: int, trained: bool, petals: int, cycles: int, samples: int, steps: int, width: int
) -> Measurement:
    """Measure log2 of the time that a wave takes along the circle over that along the flower."""
    phase = numpy_generator(seed, "phase").uniform()
    t = torch.arange(samples) / samples
    target = torch.sin(2 * math.pi * (cycles * t + phase))[:, None]
    halved, curves = [], {}
    for name, x in (("circle", _flower(t, 0)), ("flower", _flower(t, petals) @ _ROTATION)):
        times, errors = _adam_errors(x, target, steps, width, seed) if trained else _wide_errors(x, target)
        halved.append(first_below(times, errors))
        drawn_at = log_spaced_indices(len(times), 50)
        curves[name] = times[drawn_at], errors[drawn_at]
    return Measurement(float(np.log2(halved[0] / halved[1])), curves)


def _flower(t: Tensor, petals: int) -> Tensor:
    """Return the (N, 2) curve R (cos 2 pi t, sin 2 pi t), R = 1 + sin(2 pi petals t) / 2; a circle for no petals."""
    radius = 1 + 0.5 * torch.sin(2 * math.pi * petals * t)
    return radius[:, None] * torch.stack([torch.cos(2 * math.pi * t), torch.sin(2 * math.pi * t)], 1)


def _wide_errors(x: Tensor, target: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return times, and the relative error of gradient flow of the infinitely wide network."""
    values, modes = torch.linalg.eigh(wide_network(5)(x.double(), x.double()).ntk / len(x))
    times = torch.logspace(-1, 6, 1000, dtype=torch.float64)
    decay = torch.exp(-times[:, None] * values.clamp(min=0))
    errors = (decay * (modes.mT @ target.double())[:, 0]).norm(dim=1) / target.norm()
    return times.numpy(), errors.numpy()


def _adam_errors(
    x: Tensor, target: Tensor, steps: int, width: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return steps, and the relative error of a network that Adam trains."""
    network = MLP(2, 1, width, 3, seed=derive_seed(seed, "network"))
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    errors = []
    for _ in range(steps):
        loss = (network(x) - target).square().mean()
        # The target is a sine, of mean square 1/2.
        errors.append(math.sqrt(2 * loss.item()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return np.arange(1.0, steps + 1), np.asarray(errors)


MANIFOLD_EMBEDDING = Study(
    name="manifold-embedding",
    topic=Topic.ORDER,
    claim=(
        "On a manifold the bias depends on its embedding: the more often a curve winds, the sooner high "
        "frequencies along it are learned."
    ),
    source=(
        "Rahaman et al. 2019, On the spectral bias of neural networks, section 4, experiment 4 "
        "(arXiv:1806.08734)"
    ),
    statistic="time to halve the error of a wave along a circle over that along a flower, in octaves",
    criterion=AtLeast(1.0),
    conditions=(
        Condition("20 petals, 47 cycles", {"trained": False, "petals": 20, "cycles": 47}),
        Condition("10 petals, 47 cycles", {"trained": False, "petals": 10, "cycles": 47}),
        Condition("10 petals, 17 cycles, trained", {"trained": True, "petals": 10, "cycles": 17}),
    ),
    control=Condition(
        "no petals, but rotated, 17 cycles, trained", {"trained": True, "petals": 0, "cycles": 17}
    ),
    positive=MET_BY_A_CONDITION,
    measure=measure_manifold_embedding,
    axes=FigureAxes("Steps, or time of the kernel's flow", "Relative error", log_x=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"samples": 128, "steps": 10, "width": 16}),
        StudySize.QUICK: SizeSettings(5, {"samples": 256, "steps": 800, "width": 64}),
        StudySize.FULL: SizeSettings(20, {"samples": 1000, "steps": 50_000, "width": 256}),
    },
    factor="how often the curve winds, compared with the wave",
    caveat=(
        "A wave that is not learned on the circle counts as learned at the end. Conditions without training "
        "are the gradient flow of the infinitely wide network with 5 hidden layers. Waves of fewer cycles "
        "than petals are low frequencies, of which the claim says nothing. Waves whose frequency is a "
        "multiple of the petals are left out; they can be a property of the shape itself."
    ),
)


STUDIES = (
    DENSITY_TIME,
    MANIFOLD_EMBEDDING,
)
