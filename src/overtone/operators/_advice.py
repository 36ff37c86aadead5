"""Advice from a problem's operators before training: waves, layers, points, scales, precision and weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from overtone.operators._derivatives import derivatives
from overtone.operators._features import Applied, FourierFeatures
from overtone.operators._kernel import KernelSolution, domain_points, sigma_per_axis
from overtone.operators._least_squares import Solution
from overtone.operators._linear_part import Check, linear_part
from overtone.operators._symbol import Symbol
from overtone.signals import Grid, Measured
from overtone.spectra import axis_grid

SHARE = 0.99
"""Share of the solution's power that lies below its highest frequency."""

LINE, LINES = 512, 32
"""Samples along an axis and number of lines on which the solution's frequencies are measured."""

ROWS = 1024
"""Points on lines at which a field is evaluated at once."""

COMPARABLE = (0.1, 10.0)
"""Lengths of a domain with which the usual settings of libraries agree."""

SINGLE = 2.0**-23
"""Relative spacing of float32 numbers."""

COMMON = 64
"""Frequencies of the features that weigh the terms before a bandwidth is known."""

UNSEEN = 1e8
"""Ratio of two weights above which a training with equal ones would not see one of the terms."""


@final
@dataclass(frozen=True)
class Advice:
    """Facts for the training of a network on a problem.

    Attributes:
        waves: Per axis, lowest and highest frequency that the equation forces on its solutions, in cycles per unit;
            None where it forces none.
        layers: Per axis, the width of boundary layers, in units; None where there are none.
        frequencies: Per axis, the frequency below which 99 % of the solution's variation lies, in cycles per unit.
        points_per_wavelength: Per axis, collocation points per period of that frequency, counting N^(1/d) points along
            each axis.
        scales: Per axis, the factor that brings the domain to length 1; 1 where its length is between 0.1 and 10.
        single_precision_floor: Root mean square residual that rounding to float32 leaves, over that which the network's
            ridge leaves; above 1, float64 is needed.
        weights: Per term, the factor of its mean square that lets all terms fall at one rate, with that of the first
            term at 1: the inverse of the mean eigenvalue of its part of the last layer's kernel.
    """

    waves: tuple[tuple[float, float] | None, ...]
    layers: tuple[float | None, ...]
    frequencies: tuple[float, ...]
    points_per_wavelength: tuple[float, ...]
    scales: tuple[float, ...]
    single_precision_floor: float
    weights: dict[str, float]


def advise(
    problem: Measured,
    checks: Sequence[Check],
    reference: Callable[[Tensor], Tensor],
    network: Solution,
    seed: int,
) -> Advice:
    """Return the facts.

    Args:
        problem: The measured field.
        checks: What each term's operator is.
        reference: The best estimate of the field: the kernel solution where it can be trusted.
        network: The random-feature solution of the network at the chosen bandwidth.
        seed: Seed of the lines on which frequencies are measured.
    """
    axes = problem.geometry.axes
    waves, layers = _from_symbol(problem, checks)
    frequencies = solution_frequencies(problem, reference, seed)
    places = max(len(term.points) for term in problem.terms)
    along = places ** (1 / axes)
    extent = problem.geometry.extent
    return Advice(
        waves,
        layers,
        frequencies,
        tuple(along / (f * e) if f > 0 else math.inf for f, e in zip(frequencies, extent, strict=True)),
        tuple(1.0 if COMPARABLE[0] <= e <= COMPARABLE[1] else 1 / e for e in extent),
        _single_precision_floor(problem, checks, network),
        kernel_weights(problem, checks, network),
    )


def _from_symbol(
    problem: Measured, checks: Sequence[Check]
) -> tuple[tuple[tuple[float, float] | None, ...], tuple[float | None, ...]]:
    axes = problem.geometry.axes
    for term, known in zip(problem.terms, checks, strict=True):
        if not term.local or known.order == 0:
            continue
        part = linear_part(term, problem.outputs).reduced()
        if part.coefficients.shape[1] != part.coefficients.shape[2]:
            continue
        symbol = Symbol(
            *(term.name, term.points, part.indices, part.coefficients, known.order),
            *(known.nonlinearity, problem.geometry.extent),
        )
        return (
            tuple(symbol.wave_frequencies(axis) if known.linear else None for axis in range(axes)),
            tuple(symbol.layer_width(axis) if known.linear else None for axis in range(axes)),
        )
    return (None,) * axes, (None,) * axes


def solution_frequencies(
    problem: Measured, field: Callable[[Tensor], Tensor], seed: int = 0, share: float = SHARE
) -> tuple[float, ...]:
    """Return per axis the frequency below which most of a field's variation lies, on random lines along the axis.

    Args:
        problem: Gives the box.
        field: From points (N, d) to values (N, C).
        seed: Seed of the lines.
        share: Part of the power that lies below the frequency.

    Returns:
        In cycles per unit; 0 along an axis on which the field is constant.
    """
    geometry = problem.geometry
    result = []
    for axis in range(geometry.axes):
        lines = 1 if geometry.axes == 1 else LINES
        # Of a field on a grid, half its spacing resolves what its samples can hold.
        count = min(LINE, 2 * geometry.shape[axis]) if isinstance(geometry, Grid) else LINE
        start = domain_points(problem, lines, seed)
        spacing = geometry.extent[axis] / count
        steps = geometry.origin[axis] + spacing * (
            torch.arange(count, dtype=torch.float64, device="cpu") + 0.5
        )
        with torch.no_grad():
            values = _on_lines(field, start, axis, steps)
        spectrum = axis_grid(values, 0, (spacing,), channel_axis=-1)
        power = spectrum.power[1:].sum(1).cpu().cumsum(0)
        if not float(power[-1]) > 0:
            result.append(0.0)
            continue
        band = int((power < share * power[-1]).sum())
        result.append(float(spectrum.bands.high[1:][band]))
    return tuple(result)


def _on_lines(field: Callable[[Tensor], Tensor], start: Tensor, axis: int, steps: Tensor) -> Tensor:
    """Values (S, L C) of a field on lines along an axis, from one point of each."""
    inner = field.field if isinstance(field, KernelSolution) else field
    if isinstance(inner, Solution) and isinstance(inner.features, FourierFeatures):
        values = inner.features.on_lines(inner.coefficients, start, axis, steps)
        return (torch.view_as_real(values) if values.is_complex() else values).flatten(1)
    x = start[None].repeat(len(steps), 1, 1)
    x[..., axis] = steps[:, None]
    # In parts, which stay in the processor's cache.
    parts = [field(rows).double() for rows in x.flatten(0, 1).split(ROWS)]
    return torch.cat(parts).reshape(len(steps), -1)


def _single_precision_floor(problem: Measured, checks: Sequence[Check], network: Solution) -> float:
    """Rounding of the terms of an equation in float32, over the residual that the network's ridge leaves."""
    worst = 0.0
    for term, known in zip(problem.terms, checks, strict=True):
        if not term.local or known.order == 0:
            continue
        part = linear_part(term, problem.outputs, order=known.order + 1).reduced()
        with torch.no_grad():
            jets = torch.einsum(
                "anf,cf->anc",
                derivatives(network.features, term.points.double(), part.indices),
                network.coefficients,
            )
        sizes = torch.einsum("nkca,anc->nk", part.coefficients.abs(), jets.abs().double())
        rounding = SINGLE * float(sizes.square().mean().sqrt()) * math.sqrt(term.weight)
        worst = max(worst, rounding)
    return worst / math.sqrt(network.loss) if network.loss > 0 else 0.0


def kernel_weights(problem: Measured, checks: Sequence[Check], network: Solution) -> dict[str, float]:
    """Return the weights with which all terms fall at one rate: mean kernel eigenvalue of the first over each term's.

    The kernel is that of the last layer, so that its trace over a term is the mean squared row of the operator applied
    to the features. Wang, Yu & Perdikaris 2022 ("When and why PINNs fail to train", algorithm 1) take all layers.

    Args:
        problem: The measured field.
        checks: What each term's operator is.
        network: The random-feature solution, about which nonlinear terms are linearised.
    """
    matrix, _ = Applied(problem, network.features, checks).system(
        None if all(known.linear for known in checks) else network.coefficients
    )
    rates, first = [], 0
    doubled = not problem.complex_values
    for term in problem.terms:
        rows = term.data.numel() * (2 if doubled and term.data.is_complex() else 1)
        # Rows carry sqrt(weight / rows): their summed square over the weight is the mean square.
        rates.append(
            float(matrix[first : first + rows].abs().square().sum()) / term.weight if term.weight else 0.0
        )
        first += rows
    return {
        term.name: rates[0] / rate if rate > 0 else 1.0
        for term, rate in zip(problem.terms, rates, strict=True)
    }


def visible_weights(problem: Measured, checks: Sequence[Check], seed: int) -> dict[str, float] | None:
    """Return the weights of terms of which a training with weights of 1 would not see the smallest; None elsewhere.

    They are those with which all terms fall at one rate for waves of about one cycle per domain, with that of the
    largest term at 1, so that the loss is of its size.

    Args:
        problem: The equation.
        checks: What each term's operator is; nonlinear ones are linearised about zero.
        seed: Seed of the waves.
    """
    if any(term.weight != 1 for term in problem.terms):
        return None
    waves = FourierFeatures.of([sigma_per_axis(problem, 1.0)], COMMON, seed)
    zeros = torch.zeros(problem.outputs, 2 * COMMON + 1, dtype=torch.float64, device="cpu")
    weights = kernel_weights(problem, checks, Solution(waves, zeros, 0.0))
    smallest = min(weights.values())
    return (
        None if max(weights.values()) < UNSEEN * smallest else {n: w / smallest for n, w in weights.items()}
    )


def fair_weights(problem: Measured, advised: Mapping[str, float]) -> dict[str, float]:
    """Return the weights with which all terms fall at one rate, or those that were set.

    Args:
        problem: The problem.
        advised: The former.
    """
    if any(term.weight != 1 for term in problem.terms):
        return {term.name: term.weight for term in problem.terms}
    return dict(advised)


def weighted(problem: Measured, weights: Mapping[str, float]) -> Measured:
    """Return a problem with the weights of its terms replaced.

    Args:
        problem: The problem.
        weights: By name of the term.
    """
    terms = tuple(replace(term, weight=weights.get(term.name, term.weight)) for term in problem.terms)
    return replace(problem, terms=terms)
