"""Weights of an equation's terms with which all fall at one rate, and the choice of a bandwidth with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from overtone._config import ModelConfig
from overtone.operators._advice import COMMON, Advice, advise, fair_weights, kernel_weights, weighted
from overtone.operators._choice import Choice
from overtone.operators._choose import CYCLES, RIDGES, SHARE, choose_bandwidth
from overtone.operators._evidence import is_measurement
from overtone.operators._features import ConfiguredNetwork, FourierFeatures, NetworkFeatures
from overtone.operators._kernel import KernelSolution, kernel_solution, sigma_per_axis
from overtone.operators._least_squares import solve
from overtone.operators._linear_part import Check, checks
from overtone.signals import Measured

UNEVEN = 3.0
"""Ratio of two weights above which the bandwidth is chosen again with them."""


def balanced_choice(problem: Measured, network: Any = None, **options: Any) -> Choice:
    """Return the choice for a problem whose terms fall at one rate; its `problem` has the weights.

    Terms whose weights were set (any but 1) keep them, and so do measurements of samples. The losses by which
    bandwidths are compared depend on the weights, so that the choice is repeated where they are uneven.

    Args:
        problem: The measured field.
        network: As for `choose_bandwidth`.
        **options: Those of `choose_bandwidth`.
    """
    choice = choose_bandwidth(problem, network, **options)
    if choice.balanced:
        return choice
    weights = fair_weights(problem, choice.advice.weights)
    if max(weights.values()) <= UNEVEN * min(weights.values()) or is_measurement(problem):
        return choice
    return choose_bandwidth(weighted(problem, weights), network, **options)


def balanced_network(
    problem: Measured,
    model: ModelConfig,
    bandwidth: tuple[float, ...] | None,
    known: Sequence[Check],
    seed: int,
) -> tuple[dict[str, float], Advice, KernelSolution]:
    """Return weights, advice and the kernel solution for a network whose bandwidth is set, or that has none.

    Args:
        problem: The equation.
        model: The settings of the network.
        bandwidth: Per axis, in cycles per unit; None without one.
        known: What each term's operator is.
        seed: Seed of the random copies and features.
    """
    builder = ConfiguredNetwork(problem, model)
    features = NetworkFeatures.of(builder, bandwidth or (), seed, problem.geometry.axes)
    solution = solve(problem, features, RIDGES[0], known)
    weights = fair_weights(problem, kernel_weights(problem, known, solution))
    problem = weighted(problem, weights)
    kernel = ladder_solution(problem, known, seed)
    solution = solve(problem, features, RIDGES[0], known)
    advice = advise(problem, known, kernel if kernel.trusted else solution, solution, seed)
    return weights, advice, kernel


def ladder_solution(problem: Measured, known: Sequence[Check], seed: int) -> KernelSolution:
    """Return the kernel solution over all standard deviations of frequencies, chosen by a part of the points.

    Args:
        problem: The equation.
        known: What each term's operator is.
        seed: Seed of the split and of the features.
    """
    fitted, held_out = problem.split(SHARE, seed)
    return kernel_solution(fitted, held_out, [sigma_per_axis(problem, c) for c in CYCLES], known, seed=seed)


def common_weights(problem: Measured, seed: int) -> dict[str, float]:
    """Return the weights of all candidates of a comparison: those of Fourier features of one cycle per domain.

    Args:
        problem: The equation.
        seed: Seed of the features.
    """
    known = checks(problem, seed)
    features = FourierFeatures.of([sigma_per_axis(problem, 1.0)], COMMON, seed)
    return fair_weights(problem, kernel_weights(problem, known, solve(problem, features, RIDGES[0], known)))
