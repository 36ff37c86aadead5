"""Parts of the studies of equations: problems on a line with known solutions, networks, and errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from overtone import operators
from overtone._utils.seeding import numpy_generator
from overtone.nn import MLP
from overtone.nn.encodings import Gaussian
from overtone.signals import Measured
from overtone.spectra import axis_grid

TAU = 2 * math.pi

ENDS = ((0.0,), (1.0,))

SAMPLES = 512
"""Even samples on which errors and spectra are measured."""


def first(x: Tensor, u: Tensor) -> Tensor:
    """Return the first derivative (N, 1) of a field (N, 1) on a line."""
    return torch.autograd.grad(u.sum(), x, create_graph=True)[0]


def second(x: Tensor, u: Tensor) -> Tensor:
    """Return the second derivative (N, 1) of a field (N, 1) on a line."""
    return first(x, first(x, u))


def even_samples(count: int = SAMPLES) -> Tensor:
    """Return (N, 1) even samples of [0, 1]."""
    return (torch.arange(count, dtype=torch.float64)[:, None] + 0.5) / count


@final
@dataclass(frozen=True)
class Waves:
    """A field on [0, 1] that is a sum of sines.

    Attributes:
        frequencies: In cycles.
        amplitudes: One per wave.
        phases: In radians.
    """

    frequencies: tuple[float, ...]
    amplitudes: tuple[float, ...]
    phases: tuple[float, ...]

    @staticmethod
    def of(frequencies: Sequence[float], amplitudes: Sequence[float], seed: int) -> Waves:
        """Return waves of random phases."""
        phases = numpy_generator(seed, "phases").uniform(0, TAU, len(frequencies))
        return Waves(tuple(frequencies), tuple(amplitudes), tuple(phases.tolist()))

    def __call__(self, x: Tensor, order: int = 0) -> Tensor:
        """Return a derivative (N, 1) of the field at (N, 1) points."""
        total = torch.zeros_like(x)
        for k, amplitude, phase in zip(self.frequencies, self.amplitudes, self.phases, strict=True):
            total = total + amplitude * (TAU * k) ** order * torch.sin(
                TAU * k * x + phase + order * math.pi / 2
            )
        return total


@final
@dataclass(frozen=True)
class LinearEquation:
    """An equation a u'' + b u' + c u = f on [0, 1] with the values of its solution at both ends.

    Attributes:
        solution: The solution, at points and an order of derivative.
        coefficients: c, b and a.
    """

    solution: Callable[..., Tensor]
    coefficients: tuple[float, float, float]

    def source(self, x: Tensor) -> Tensor:
        """Return f (N, 1)."""
        total = torch.zeros_like(x)
        for order, coefficient in enumerate(self.coefficients):
            if coefficient:
                total = total + coefficient * self.solution(x, order)
        return total

    def residual(self, x: Tensor, u: Tensor) -> Tensor:
        """Return a u'' + b u' + c u - f (N, 1)."""
        value, slope, bend = self.coefficients
        total = value * u - self.source(x.detach())
        if slope or bend:
            du = first(x, u)
            total = total + slope * du
            if bend:
                total = total + bend * first(x, du)
        return total

    def difference(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the error (N, 1) of a field at points, the residual of boundary values."""
        return u - self.solution(x.detach())

    def problem(self, points: int, seed: int, weight: float = 1.0, samples: bool = False) -> Measured:
        """Return what is trained on: the equation at random points with its boundary, or values at these points.

        Args:
            points: Number of points.
            seed: Of the points.
            weight: Of the boundary's mean square.
            samples: Take values of the solution instead of the equation and its boundary.
        """
        if samples:
            return operators.equation({"values": (self.difference, points)}, [(0.0, 1.0)], seed=seed)
        terms = {"equation": (self.residual, points), "boundary": (self.difference, ENDS)}
        return operators.equation(terms, [(0.0, 1.0)], weights={"boundary": weight}, seed=seed)


def helmholtz(cycles: float, solution: Waves) -> LinearEquation:
    """Return u'' / k^2 + u = f for a wave number of so many cycles."""
    return LinearEquation(solution, (1.0, 0.0, 1 / (TAU * cycles) ** 2))


def poisson(solution: Waves, scale: float = 1.0) -> LinearEquation:
    """Return u'' / scale = f."""
    return LinearEquation(solution, (0.0, 0.0, 1 / scale))


def boundary_layer(width: float) -> LinearEquation:
    """Return u' - width u'' = 1 of a solution that falls to 0 in a layer at the right end."""

    def solution(x: Tensor, order: int = 0) -> Tensor:
        layer = torch.exp((x - 1) / width) / width**order
        linear = (x + 0.0, torch.ones_like(x), torch.zeros_like(x))[order]
        offset = math.exp(-1 / width) if order == 0 else 0.0
        return linear - (layer - offset) / (1 - math.exp(-1 / width))

    return LinearEquation(solution, (0.0, 1.0, -width))


class FourierNetwork(nn.Module):
    """Fourier features of one or several standard deviations through one tanh trunk, joined before the output.

    With several it is the multi-scale network of Wang, Wang and Perdikaris 2021; with one, a plain network behind
    Fourier features; with none, a plain network on [-1, 1].

    Args:
        sigmas: Standard deviations of frequencies, in cycles per unit.
        width: Units in a hidden layer, and features of an encoding.
        depth: Hidden layers.
        seed: Of features and weights.
    """

    def __init__(self, sigmas: Sequence[float], width: int, depth: int, seed: int) -> None:
        super().__init__()
        self.encodings = nn.ModuleList(
            Gaussian(1, width, s, seed=seed + 1000 * i) for i, s in enumerate(sigmas)
        )
        inputs = 2 * width if len(sigmas) else 1
        self.trunk = MLP(inputs, width, width, depth - 1, activation=nn.Tanh(), seed=seed)
        self.output = nn.Linear(width * max(1, len(sigmas)), 1)
        nn.init.zeros_(self.output.bias)
        with torch.no_grad():
            draw = torch.Generator().manual_seed(seed)
            self.output.weight.normal_(0, self.output.in_features**-0.5, generator=draw)

    def forward(self, x: Tensor) -> Tensor:
        """Return the field (N, 1) at (N, 1) points of [0, 1]."""
        dtype = self.output.weight.dtype
        inputs = [encoding(x, dtype) for encoding in self.encodings] or [(2 * x - 1).to(dtype)]
        return self.output(torch.cat([torch.tanh(self.trunk(each)) for each in inputs], dim=1))


def error_of(network: Callable[[Tensor], Tensor], solution: Callable[[Tensor], Tensor]) -> float:
    """Return the relative L2 error of a network on even samples."""
    x = even_samples()
    with torch.no_grad():
        truth = solution(x)
        return float((network(x).double() - truth).norm() / truth.norm())


def trained_error(
    problem: Measured, solution: Callable[[Tensor], Tensor], network: nn.Module, steps: int
) -> float:
    """Train a network with Adam and a cosine from 2e-3 to 0, and return its relative error."""
    operators.train_network(problem, network, steps)
    return error_of(network, solution)


def bandwidth_of(field: Callable[[Tensor], Tensor], share: float = 0.9) -> float:
    """Return the frequency, in cycles, below which a share of a field's power lies, its mean apart; 0 of a constant."""
    with torch.no_grad():
        values = field(even_samples())
    spectrum = axis_grid(values, 0, (1 / SAMPLES,), channel_axis=-1)
    power = spectrum.power[1:].sum(1).cumsum(0)
    if float(power[-1]) < 1e-20:
        return 0.0
    band = int((power < share * power[-1]).sum())
    return float(spectrum.bands.centre[1:][band])
