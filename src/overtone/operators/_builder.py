"""Networks whose bandwidth is chosen: from settings or a function of the caller, checked once before they are used."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from overtone import units
from overtone._config import Activation, EncodingKind, ModelConfig
from overtone._utils.seeding import derive_seed
from overtone.errors import InputError
from overtone.nn import Field
from overtone.nn._checks import call_factory, check_frequencies, check_outputs, check_same, same_state
from overtone.operators._features import Builder, ConfiguredNetwork
from overtone.operators._kernel import domain_points
from overtone.signals import Measured

SEGMENTS, NODES = 8, 257
"""Short lines on which second derivatives are integrated, and points of each, an odd number."""

KINKS = 0.1
"""Part of the changes of slope that the second derivatives may leave out; smooth networks leave 1e-6."""


SEED = "draw its weights from the seed, by torch.manual_seed(seed) for instance"
"""Requirement for a function that builds networks for a seed."""


def network_builder(
    problem: Measured, network: ModelConfig | Builder | None, sigmas: Sequence[tuple[float, ...]], order: int
) -> Builder:
    """Return the function that builds networks of a bandwidth.

    Args:
        problem: The measured field.
        network: Settings, or a function of the caller (bandwidth, seed) -> module; None for 3 x 64 tanh units after 64
            Gaussian frequencies.
        sigmas: Standard deviations of frequencies that are compared, ascending.
        order: Highest derivative that the operators take.

    Raises:
        InputError: If the settings have no bandwidth; if the function is none, builds no network, ignores bandwidth or
            seed; if the networks have kinks that second derivatives do not see.
    """
    settings = network or ModelConfig(
        EncodingKind.GAUSSIAN, activation=(Activation.TANH,), width=64, depth=3, features=64
    )
    low, high = (tuple(units.gaussian_bandwidth(s) for s in one) for one in (sigmas[0], sigmas[-1]))
    if isinstance(settings, ModelConfig):
        if not settings.has_bandwidth:
            raise InputError(
                "settings of a network that has a bandwidth",
                f"encoding {settings.resolved_encoding.value}",
                'use encoding="gaussian", or a first activation with a frequency such as sine',
                "network",
            )
        builder: Builder = ConfiguredNetwork(problem, settings)
        module = builder(low, 0)
    else:
        builder, module = _checked(problem, settings, low, high)
    if order > 1:
        check_smooth(module, problem, low)
    return builder


def _checked(
    problem: Measured, factory: Builder, low: tuple[float, ...], high: tuple[float, ...]
) -> tuple[Builder, nn.Module]:
    """A function of the caller whose networks passed the checks, and a network of the lowest bandwidth."""
    if not callable(factory) or isinstance(factory, nn.Module):
        raise InputError(
            "settings of a network, or a function that builds one for a bandwidth and a seed",
            type(factory).__name__,
            "pass for instance lambda bandwidth, seed: make_network(bandwidth, seed)",
            "network",
        )

    def build(bandwidth: tuple[float, ...], seed: int) -> nn.Module:
        return call_factory(factory, bandwidth, seed)

    seed = derive_seed(0, "network")
    first, second = build(low, seed), build(low, seed)
    check_same(first, second, SEED)
    if same_state(first, build(low, derive_seed(1, "network"))):
        raise InputError(
            "a function that draws other weights for another seed",
            "the same weights",
            SEED,
            "network",
        )
    device = problem.terms[0].points.device
    places = domain_points(problem, 3, 0).to(device)
    ends = [module.to(device, torch.float64) for module in (second, build(high, seed))]
    at_low, at_high = (check_outputs(module, module, places, problem.outputs) for module in ends)
    if low != high:
        check_frequencies(ends[0], ends[1], (at_low, at_high))
    return build, first


def check_smooth(network: nn.Module, problem: Measured, bandwidth: tuple[float, ...]) -> None:
    """Refuse a network whose second derivatives are not those of its function, as with ReLU or linear interpolation.

    The integral of the second derivative along a line is the change of the slope. Kinks change the slope, but have no
    part in derivatives at points, so that an equation's residual would be small for fields that do not solve it.

    Args:
        network: The network.
        problem: The measured field, whose box the lines lie in.
        bandwidth: Bandwidth of the network per axis, in cycles per unit: lines are a quarter of a cycle long.

    Raises:
        InputError: If so.
    """
    device = problem.terms[0].points.device
    module = copy.deepcopy(network).to(device, torch.float64).eval()
    begin, end = domain_points(problem, 2 * SEGMENTS, 1).to(device).split(SEGMENTS)
    across = end - begin
    cycles = (across.abs() * torch.tensor(bandwidth, dtype=torch.float64, device=device)).sum(1, keepdim=True)
    across = across * (0.25 / cycles.clamp_min(0.25))
    t = torch.linspace(0, 1, NODES, dtype=torch.float64, device=device).repeat(SEGMENTS)[:, None]
    t.requires_grad_(True)
    values = module(begin.repeat_interleave(NODES, 0) + t * across.repeat_interleave(NODES, 0))
    weights = torch.ones(NODES, dtype=torch.float64, device=device)
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    missed = size = 0.0
    for column in values.T:
        slope, curvature = _two_derivatives(column.sum(), t)
        change = slope.reshape(SEGMENTS, NODES)[:, -1] - slope.reshape(SEGMENTS, NODES)[:, 0]
        integral = curvature.reshape(SEGMENTS, NODES) @ weights / (3 * (NODES - 1))
        missed += float((integral - change).square().sum())
        size += float(change.square().sum())
    if math.sqrt(missed) > KINKS * math.sqrt(size):
        raise InputError(
            "a network with the second derivatives that the equation takes",
            "one with kinks, as of ReLU or of linear interpolation in a grid",
            "use tanh, sine or gelu, after Fourier features in place of a grid",
            "network",
        )


def _two_derivatives(total: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    (slope,) = torch.autograd.grad(total, t, create_graph=True, allow_unused=True)
    if slope is None or not slope.requires_grad:
        return torch.zeros_like(t) if slope is None else slope.detach(), torch.zeros_like(t)
    (curvature,) = torch.autograd.grad(slope.sum(), t, retain_graph=True, allow_unused=True)
    return slope.detach(), torch.zeros_like(t) if curvature is None else curvature


def at_its_precision(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return a network as a function of float64 points: fields take them, others in the precision of their weights.

    Args:
        network: The network.
    """
    precision = next((p.dtype for p in network.parameters() if p.is_floating_point()), torch.float64)
    if isinstance(network, Field) or precision == torch.float64:
        return network
    return lambda points: network(points.to(precision))
