"""The kernel solution: least squares on random Fourier features, with the ridge chosen by held-out residuals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from overtone._utils.display import Displayed
from overtone._utils.seeding import derive_seed
from overtone.operators._features import Applied, FourierFeatures, shared_system, unless_ordinary
from overtone.operators._least_squares import RidgeSolver, Solution, solve_nonlinear
from overtone.operators._linear_part import Check
from overtone.signals import Measured

RIDGES = (1e-28, 1e-24, 1e-20, 1e-16, 1e-12, 1e-8, 1e-4)
"""Ridges tried, relative to the largest eigenvalue; held-out residuals choose."""

SAMPLES_RIDGES, EXACT_RIDGES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6), (1e-8, 1e-10, 1e-12)
"""Ridges tried on measurements of samples, and further ones where no noise is known: smaller ones fit noise where no
held-out measurement shows it."""

FREQUENCIES = {1: 150, 2: 300}
"""Random frequencies per number of axes; that of two axes for more."""

SIZED = 500
"""Random points at which the size of a solution is taken."""

TRUSTED = 1e-3
"""Root of held-out loss over that of the zero field below which the solution is trusted (equations without noise)."""

UNDETERMINED = 1e-4
"""Size of A on fields of mean square 1, relative to its median, below which the data do not determine a field."""

RESOLVED = 1e-6
"""Relative size of the combinations of features that count as fields."""


@final
@dataclass(frozen=True, eq=False, repr=False)
class KernelSolution(Displayed):
    """A solution by least squares on random Fourier features, with the facts that say whether it can be trusted.

    Attributes:
        field: Function from points (N, d) to values (N, outputs).
        sigma: Standard deviation of the frequencies per axis, in cycles per unit.
        ridge: The ridge with the lowest held-out residual, relative to the largest eigenvalue.
        relative_residual: Root of the held-out loss over that of the zero field.
        undetermined: Number of fields, among those that the features resolve, on which all functionals nearly vanish;
            the data determine the solution only up to these fields.
        resolved: Number of fields that the features resolve.
        converged: Whether the Gauss-Newton steps converged; True for linear equations.
    """

    field: Solution
    sigma: tuple[float, ...]
    ridge: float
    relative_residual: float
    undetermined: int
    resolved: int
    converged: bool

    _display = "kernel_display"

    def __repr__(self) -> str:
        words = "trusted" if self.trusted else "not trusted"
        return f"<KernelSolution: {words}, held-out residual {self.relative_residual:.2g} of the data>"

    @property
    def trusted(self) -> bool:
        """Whether held-out residuals are small and the data determine the field."""
        return self.relative_residual < TRUSTED and self.undetermined == 0 and self.converged

    def __call__(self, x: Tensor) -> Tensor:
        """Return the field (N, outputs) at points (N, d)."""
        return self.field(x)


def solution_scale(problem: Measured, kernel: KernelSolution) -> float:
    """Return the factor of a network's outputs for an equation: 1, or the solution's size where that is far from 1.

    Args:
        problem: The equation.
        kernel: Its kernel solution; one that is not trusted says nothing of the size.
    """
    if not kernel.trusted:
        return 1.0
    with torch.no_grad():
        return unless_ordinary(float(kernel(domain_points(problem, SIZED, 0)).square().mean().sqrt()))


def zero_field(problem: Measured) -> Callable[[Tensor], Tensor]:
    """Return the zero field of a problem, of which residuals can take derivatives."""

    # sin(0 x), since derivatives of 0 * x have no graph.
    def zero(x: Tensor) -> Tensor:
        return torch.sin(0 * x.sum(1, keepdim=True)).expand(-1, problem.outputs)

    return zero


def zero_loss(problem: Measured) -> float:
    """Return the loss of the zero field."""
    return float(problem.loss(zero_field(problem)).detach())


def kernel_solution(
    train: Measured,
    held_out: Measured,
    sigmas: Sequence[tuple[float, ...]],
    checks: Sequence[Check],
    *,
    seed: int = 0,
) -> KernelSolution:
    """Return the solution of least held-out loss over standard deviations of frequencies and ridges.

    Args:
        train: The functionals to fit.
        held_out: Those that choose.
        sigmas: Standard deviations of frequencies to try, per axis.
        checks: What each term's operator is.
        seed: Seed of the frequencies.
    """
    linear = all(known.linear for known in checks)
    zero = zero_loss(held_out)
    count = FREQUENCIES.get(train.geometry.axes, FREQUENCIES[2])
    # Nonlinear equations are linearised in each Gauss-Newton step: one ridge.
    ridges = RIDGES if linear else (1e-12,)
    best: tuple[float, Solution, tuple[float, ...], float] | None = None
    near: Solution | None = None
    for sigma in sigmas:
        features = FourierFeatures.of([sigma], count, derive_seed(seed, "kernel"))
        if linear:
            matrix, start = Applied(train, features, checks).system()
            decomposed = RidgeSolver(matrix, accurate=True)
            fields = [
                (r, Solution(features, decomposed.solve(-start, r).reshape(len(train.channels), -1), 0.0))
                for r in ridges
            ]
        else:
            solutions = solve_nonlinear(Applied(train, features, checks), ridges, near)
            fields = list(zip(ridges, solutions, strict=True))
            near = solutions[-1] if solutions[-1].converged else near
        for ridge, field in fields:
            loss = float(held_out.loss(field).detach())
            if math.isfinite(loss) and (best is None or loss < best[0]):
                best = (loss, field, sigma, ridge)
    assert best is not None
    loss, field, sigma, ridge = best
    few, many = undetermined(train, field, checks)
    relative = math.sqrt(loss / zero) if zero > 0 else math.sqrt(loss)
    return KernelSolution(field, sigma, ridge, relative, few, many, field.converged)


def samples_solution(
    train: Measured, held_out: Measured, sigmas: Sequence[tuple[float, ...]], *, seed: int = 0
) -> KernelSolution:
    """As `kernel_solution`, of measurements whose maps treat each column alike, from normal equations.

    Args:
        train: The functionals to fit.
        held_out: Those that choose.
        sigmas: Standard deviations of frequencies to try, per axis.
        seed: Seed of the frequencies.
    """
    count = FREQUENCIES.get(train.geometry.axes, FREQUENCIES[2])
    ridges = SAMPLES_RIDGES if any(term.noise for term in train.terms) else SAMPLES_RIDGES + EXACT_RIDGES
    results = []
    for sigma in sigmas:
        features = FourierFeatures.of([sigma], count, derive_seed(seed, "kernel"))
        # Both parts read the same images of the features.
        whole, starts = shared_system(replace(train, terms=train.terms + held_out.terms), features)
        rows = (
            len(whole) * sum(t.size for t in train.terms) // sum(t.size for t in train.terms + held_out.terms)
        )
        (matrix, other), (start, offset) = (x.split([rows, len(x) - rows]) for x in (whole, starts))
        power, vectors = torch.linalg.eigh(matrix.mH @ matrix)
        product = vectors.mH @ (matrix.mH @ -start)
        for ridge in ridges:
            damped = power.clamp(min=0) + ridge * power[-1]
            solution = vectors @ (product / damped[:, None])
            loss = float((other @ solution + offset).abs().square().sum())
            if math.isfinite(loss):
                results.append((loss, ridge, sigma, Solution(features, solution.T, 0.0), matrix))
    loss, ridge, sigma, field, matrix = min(results, key=lambda one: one[0])
    zero = float(sum(t.weight * t.data.abs().square().mean() for t in held_out.terms))
    few, many = _undetermined_samples(train, field, matrix)
    relative = math.sqrt(loss / zero) if zero > 0 else math.sqrt(loss)
    return KernelSolution(field, sigma, ridge, relative, few, many, True)


def _undetermined_samples(problem: Measured, field: Solution, matrix: Tensor) -> tuple[int, int]:
    """As `undetermined`, from the operator's matrix and the values of the features at the samples."""
    values = field.features(problem.terms[0].points.double()).to(matrix.dtype)
    power, vectors = torch.linalg.eigh(values.mH @ values / len(values))
    large = power > RESOLVED**2 * power[-1]
    images = matrix @ (vectors[:, large] / power[large].sqrt())
    gram = images.mH @ images if len(images) >= images.shape[1] else images @ images.mH
    singular = torch.linalg.eigvalsh(gram).clamp(min=0).sqrt()
    fields, channels = int(large.sum()), len(problem.channels)
    missing = max(0, fields - len(singular))
    few = missing + int((singular < UNDETERMINED * singular.median()).sum())
    return channels * few, channels * fields


def undetermined(problem: Measured, field: Solution, checks: Sequence[Check]) -> tuple[int, int]:
    """Return how many fields of mean square 1 the functionals do not see, and how many the features resolve.

    Args:
        problem: The measured field; a nonlinear one is linearised about the solution.
        field: The solution, whose features are the fields considered.
        checks: What each term's operator is.
    """
    matrix, _ = Applied(problem, field.features, checks).system(
        None if all(known.linear for known in checks) else field.coefficients
    )
    values = field.features(domain_points(problem, 2 * matrix.shape[1], 0)).to(matrix.dtype)
    # Per channel the same features: combinations of mean square 1 that are no more than rounding apart are left out.
    _, sizes, basis = torch.linalg.svd(values / math.sqrt(len(values)), full_matrices=False)
    large = sizes > RESOLVED * sizes[0]
    combinations = basis[large].mH / sizes[large]
    channels = matrix.shape[1] // values.shape[1]
    blocks = [part @ combinations for part in matrix.split(values.shape[1], dim=1)]
    singular = torch.linalg.svdvals(torch.cat(blocks, dim=1))
    fields = channels * int(large.sum())
    # Fewer functionals than fields leave at least the difference.
    missing = max(0, fields - len(singular))
    return missing + int((singular < UNDETERMINED * singular.median()).sum()), fields


def sigma_per_axis(problem: Measured, cycles: float) -> tuple[float, ...]:
    """Return cycles per unit of each axis: axes of one unit share a scale, that of the longest, as networks scale them.

    Args:
        problem: Gives the box.
        cycles: Cycles per domain.
    """
    geometry = problem.geometry
    pairs = list(zip(geometry.extent, geometry.units, strict=True))
    return tuple(cycles / max(e for e, u in pairs if u == unit) for _, unit in pairs)


def domain_points(problem: Measured, count: int, seed: int) -> Tensor:
    """Return random points (count, d) in the box that holds the field.

    Args:
        problem: The measured field.
        count: Number of points.
        seed: Seed of the draw.
    """
    geometry = problem.geometry
    draw = torch.Generator(device="cpu").manual_seed(derive_seed(seed, "points in the domain") % 2**63)
    unit = torch.rand(count, geometry.axes, generator=draw, dtype=torch.float64, device="cpu")
    low, extent = (
        torch.tensor(v, dtype=torch.float64, device="cpu") for v in (geometry.origin, geometry.extent)
    )
    return low + extent * unit
