"""`choose_bandwidth`: a bandwidth for a network on a measured field, before it is trained."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor, nn

from overtone import units
from overtone._config import ModelConfig
from overtone._utils.seeding import derive_seed
from overtone.errors import InputError
from overtone.operators._advice import advise, visible_weights, weighted
from overtone.operators._builder import at_its_precision, network_builder
from overtone.operators._choice import Choice, ChoiceVerdict, TriedBandwidth
from overtone.operators._derivatives import multi_indices
from overtone.operators._dominant import dominant_functionals
from overtone.operators._evidence import RIDGES as EVIDENCE_RIDGES
from overtone.operators._evidence import evidence_losses, is_measurement
from overtone.operators._features import Applied, Builder, ConfiguredNetwork, NetworkFeatures
from overtone.operators._kernel import (
    KernelSolution,
    domain_points,
    kernel_solution,
    samples_solution,
    sigma_per_axis,
    solution_scale,
    zero_loss,
)
from overtone.operators._least_squares import RidgeSolver, Solution, solve, solve_nonlinear
from overtone.operators._linear_part import Check, checks, linear_part
from overtone.operators._training import LEARNING_RATE, train_network
from overtone.signals import Measured, Term
from overtone.signals._measured import maps_columns

CYCLES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Standard deviations of Gaussian frequencies that are tried, in cycles per domain."""

RIDGES = (1e-7, 1e-8)
"""Ridges that stand for a training of about a thousand steps of Adam; the geometric mean of their losses ranks."""

RACED = 2
"""Number of the best candidates are trained briefly."""

RACE, PILOT = 0.12, 0.06
"""Steps of a short training over those of the training, in a race of the best and in one of all."""

DECISIVE = 0.7
"""Ratio of the scores of two short trainings below which they decide; else the ranking stays."""

JUDGED = 2000
"""Random places at which trained networks are compared with the kernel solution."""

CLEAR = 30.0**0.5
"""Ratio of scores between the best and the second above which no race is run."""

SHARPER = 0.1
"""Ratio of held-out residuals of the kernel solution and the best candidate up to which the former is their truth."""

SOLVED, FAR = 0.1, 0.9
"""Least error of the candidates below which they are trained briefly, and above which errors rank none of them."""

SHARE = 0.25
"""Part of the groups of each term that is held out."""

AFTERWARDS = 4
"""Bandwidths of measurements that take as long as the kernel solution, the network's and advice together."""

TOO_LONG = 3.0
"""Times that the comparison of a single bandwidth and what follows may take longer than the choice should."""

BISTABLE = 0.1
"""Part of its largest size to which the coefficient of u itself changes sign over the range of the boundary data."""


def choose_bandwidth(
    problem: Measured,
    network: ModelConfig | Builder | None = None,
    *,
    steps: int = 1500,
    cycles: Sequence[float] = CYCLES,
    share: float = SHARE,
    learning_rate: float = LEARNING_RATE,
    seed: int = 0,
) -> Choice:
    """Choose the bandwidth of a network for a field known through operators.

    The operators are applied to the last hidden layers of random copies of the network itself. Ridge least squares
    with 1e-7 and 1e-8 of the largest eigenvalue stands for the training. Of linear equations the errors to the
    kernel solution rank, where its held-out residual is a tenth of the best candidate's and some error is below
    0.9; if the least is below 0.1, the best two by errors and by losses are trained briefly. Else held-out losses
    rank, and the best two are trained briefly where the ridges name different ones. The short training decides if
    it separates them. Nonlinear equations take Gauss-Newton steps; where they do not settle, all candidates are
    trained briefly. Equations with several stable states are outside the method, and the verdict says so.

    If weights are all 1 and one term is so much smaller than another that no training would see it (a second
    derivative on a domain of length 1e6), the choice is made with weights that bring all terms to one size. They are
    those of `choice.problem`.

    Measurements of samples, without derivatives, are ranked by their evidence: the likelihood of all data under random
    combinations of the features and noise of 1e-5 and 1e-6 of the largest eigenvalue. Nothing is held out or trained.
    If no bandwidth explains the data better than white noise does, the verdict is CANNOT_TELL and the lowest is taken.

    Args:
        problem: From `operators.equation`, `signals.measured` or another source.
        network: Settings (Gaussian features, 3 x 64 tanh by default), or a function (bandwidth per axis in cycles per
            unit, seed) -> module, whose output is an `nn.Linear`.
        steps: Steps of the training that follows.
        cycles: Standard deviations of frequencies to try, in cycles per domain (the longest axis of each unit).
        share: Part of each term's groups that is held out, of measurements from the kernel solution alone.
        learning_rate: Of Adam, in the short training.
        seed: Seed of splits, networks and features.

    Raises:
        InputError: If steps or cycles are not positive, or the network is none of this field, its bandwidth and seed.

    Example:
        >>> import torch
        >>> from overtone import operators
        >>> def residual(x, u):
        ...     (du,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        ...     (d2u,) = torch.autograd.grad(du.sum(), x, create_graph=True)
        ...     return d2u / (2 * torch.pi * 3.2) ** 2 + u
        >>> terms = {"equation": (residual, 200), "boundary": (lambda x, u: u - torch.cos(x), [[0.0], [1.0]])}
        >>> choice = operators.choose_bandwidth(operators.equation(terms, [(0, 1)]), cycles=(0.5, 2, 8))
        >>> choice.sigma, choice.kernel_is_better
        ((2.0,), True)
    """
    _check_arguments(steps, cycles)
    known, ladder = checks(problem, seed), sorted(float(c) for c in cycles)
    builder = _builder(problem, network, ladder, known)
    if is_measurement(problem):
        return _choose_for_samples(problem, builder, ladder, known, steps, share, seed, None)
    weights = visible_weights(problem, known, seed)
    if weights is not None:
        problem = weighted(problem, weights)
    fitted, held_out = problem.split(share, seed)
    zero = zero_loss(held_out) or 1.0
    sigmas = [sigma_per_axis(problem, c) for c in ladder]
    kernel = kernel_solution(fitted, held_out, sigmas, known, seed=seed)
    determined = all(one.linear for one in known) and kernel.undetermined == 0
    judge = _Judge(problem, held_out, zero, kernel if kernel.trusted or determined else None, seed)
    candidates: list[TriedBandwidth] = []
    near: Solution | None = None
    for cycle, sigma in zip(ladder, sigmas, strict=True):
        features = NetworkFeatures.of(builder, _bandwidth(sigma), seed, problem.geometry.axes)
        one, near = _candidate(fitted, held_out, features, (cycle, sigma), judge, known, near)
        candidates.append(one)
    if not _errors_rank(candidates, kernel):
        candidates = [replace(one, errors=()) for one in candidates]
        judge = replace(judge, kernel=kernel if kernel.trusted else None)
    if isinstance(builder, ConfiguredNetwork):
        builder = replace(builder, size=solution_scale(problem, kernel))
    verdict, entrants = _entrants(problem, candidates, known)
    if len(entrants) > 1:
        part = RACE if verdict is ChoiceVerdict.RACED else PILOT
        for position in entrants:
            module = builder(_bandwidth(sigmas[position]), derive_seed(seed, "race"))
            train_network(
                fitted, module, max(1, round(part * steps)), learning_rate=learning_rate, total=steps
            )
            candidates[position] = replace(candidates[position], trained=judge(module))
    best = _winner(candidates, entrants, verdict)
    features = NetworkFeatures.of(builder, _bandwidth(sigmas[best]), seed, problem.geometry.axes)
    solution = solve(problem, features, RIDGES[0], known)
    advice = advise(problem, known, kernel if kernel.trusted else solution, solution, seed)
    return Choice(
        *(problem, verdict, candidates[best], tuple(candidates), steps, kernel, known, solution, advice),
        balanced=weights is not None,
    )


def choose_in_time(
    problem: Measured, network: ModelConfig, steps: int, seed: int, seconds: float | None
) -> Choice:
    """As `choose_bandwidth` for measurements of samples, within about a time.

    Args:
        problem: The measurements.
        network: Settings of the network.
        steps: Steps of the training that follows.
        seed: Seed of networks and features.
        seconds: Time of the choice; None for no limit. Fewer bandwidths are compared within it, of the middle of the
            ladder first, and one at least.

    Raises:
        InputError: If even one takes far longer.
    """
    known = checks(problem, seed)
    builder = _builder(problem, network, CYCLES, known)
    return _choose_for_samples(problem, builder, CYCLES, known, steps, SHARE, seed, seconds)


def _choose_for_samples(
    problem: Measured,
    builder: Builder,
    ladder: Sequence[float],
    known: tuple[Check, ...],
    steps: int,
    share: float,
    seed: int,
    seconds: float | None,
) -> Choice:
    """The bandwidth of the greatest evidence, within a time if there is a limit."""
    began = time.monotonic()
    axes, number = problem.geometry.axes, len(ladder)
    tried: list[TriedBandwidth] = []
    device = problem.terms[0].points.device
    for cycles in sorted(ladder, key=lambda c: abs(math.log(c))):
        if len(tried) >= number:
            break
        sigma = sigma_per_axis(problem, cycles)
        features = NetworkFeatures.of(builder, _bandwidth(sigma), seed, axes, device=device)
        tried.append(TriedBandwidth(cycles, sigma, evidence_losses(problem, features, known)))
        if seconds is not None:
            # What follows takes about as long as that many bandwidths.
            each = (time.monotonic() - began) / len(tried)
            if (1 + AFTERWARDS) * each > TOO_LONG * seconds:
                raise InputError(
                    f"a limit of time that leaves about {(1 + AFTERWARDS) * each:.0f} s for the choice of a bandwidth",
                    f"one that leaves {seconds:.2g} s",
                    "allow more time, or set the bandwidth, which needs no choice",
                    "seconds",
                )
            number = math.floor(seconds / each) - AFTERWARDS
    candidates = tuple(sorted(tried, key=lambda one: one.cycles))
    best = min(candidates, key=lambda one: one.loss)
    verdict = ChoiceVerdict.RANKED
    if not best.loss < 1:
        # The smoothest does the least harm.
        verdict, best = ChoiceVerdict.CANNOT_TELL, candidates[0]
    dominant = [dominant_functionals(problem, term) for term in problem.terms]
    fitted, held_out = problem.split(share, seed, dominant)
    # Plain features have no harmonics, so that their best frequencies are two to four times as high.
    sigmas = [tuple(factor * s for s in best.sigma) for factor in ((2, 4) if seconds is None else (2,))]
    kernel = (
        samples_solution(fitted, held_out, sigmas, seed=seed)
        if all(map(maps_columns, problem.terms))
        else kernel_solution(fitted, held_out, sigmas, known, seed=seed)
    )
    features = NetworkFeatures.of(builder, _bandwidth(best.sigma), seed, axes, device=device)
    solution = solve(problem, features, EVIDENCE_RIDGES[0], known)
    advice = advise(problem, known, kernel if kernel.trusted else solution, solution, seed)
    skipped = tuple(c for c in ladder if c not in [one.cycles for one in tried])
    return Choice(problem, verdict, best, candidates, steps, kernel, known, solution, advice, skipped)


def _check_arguments(steps: int, cycles: Sequence[float]) -> None:
    if steps < 1:
        raise InputError("at least one step", f"{steps}", "pass the steps of the training", "steps")
    if not cycles or not all(math.isfinite(c) and c > 0 for c in cycles):
        raise InputError(
            "positive numbers of cycles per domain",
            f"{tuple(cycles)}",
            "pass for instance (2.0, 4.0, 8.0)",
            "cycles",
        )


def _builder(
    problem: Measured,
    network: ModelConfig | Builder | None,
    ladder: Sequence[float],
    known: Sequence[Check],
) -> Builder:
    sigmas = [sigma_per_axis(problem, cycles) for cycles in ladder]
    return network_builder(problem, network, sigmas, max(one.order for one in known))


def _bandwidth(sigma: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(units.gaussian_bandwidth(s) for s in sigma)


def _candidate(
    fitted: Measured,
    held_out: Measured,
    features: NetworkFeatures,
    bandwidth: tuple[float, tuple[float, ...]],
    judge: _Judge,
    known: tuple[Check, ...],
    near: Solution | None,
) -> tuple[TriedBandwidth, Solution | None]:
    """Held-out losses of a network's features at each ridge, and errors to the kernel solution.

    Nonlinear equations are solved from a field near the solution, and leave theirs to the next bandwidth.
    """
    if not all(one.linear for one in known):
        fields = solve_nonlinear(Applied(fitted, features, known), RIDGES, near)
        losses = tuple(float(held_out.loss(field).detach()) / judge.zero for field in fields)
        converged = all(field.converged for field in fields)
        return TriedBandwidth(*bandwidth, losses, converged=converged), fields[0] if converged else near
    matrix, start = Applied(fitted, features, known).system()
    # The held-out system needs its derivatives once; residuals of every ridge are products with it.
    other, offset = Applied(held_out, features, known).system()
    decomposed = RidgeSolver(matrix)
    solutions = [decomposed.solve(-start, ridge) for ridge in RIDGES]
    losses = tuple(float((other @ w + offset).abs().square().sum()) / judge.zero for w in solutions)
    return TriedBandwidth(*bandwidth, losses, errors=judge.errors(features, solutions)), None


def _entrants(
    problem: Measured, candidates: Sequence[TriedBandwidth], known: tuple[Check, ...]
) -> tuple[ChoiceVerdict, list[int]]:
    """Positions of the candidates that are to be trained briefly, the best first, and the verdict."""
    everyone = sorted(range(len(candidates)), key=lambda i: candidates[i].score)
    if bistable(problem, known):
        return ChoiceVerdict.CANNOT_TELL, everyone
    linear = all(one.linear for one in known)
    if not linear and not candidates[everyone[0]].converged:
        return ChoiceVerdict.PILOT, everyone
    best = candidates[everyone[0]]
    # A short training tells no more where even the whole one stays far from the solution.
    if best.score > SOLVED if best.errors else _ridges_agree(candidates):
        return ChoiceVerdict.RANKED, everyone[:1]
    near = _closest([one.score for one in candidates], RACED)
    if best.errors:
        # Where errors and losses differ, the short training decides between the best of both.
        near |= _closest([math.sqrt(one.loss) for one in candidates], RACED)
    close = [i for i in everyone if i in near]
    return (ChoiceVerdict.RANKED if len(close) == 1 else ChoiceVerdict.RACED), close


def _closest(scores: Sequence[float], count: int) -> set[int]:
    """Positions of the best, and of the next ones if they are not clearly worse."""
    order = sorted(range(len(scores)), key=lambda i: scores[i])
    return {i for i in order[:count] if scores[i] <= CLEAR * scores[order[0]]}


def _errors_rank(candidates: Sequence[TriedBandwidth], kernel: KernelSolution) -> bool:
    """Whether the kernel solution is much better than all candidates, and some of them come near it."""
    if not all(one.errors for one in candidates):
        return False
    residual = math.sqrt(min(one.loss for one in candidates))
    return kernel.relative_residual < SHARPER * residual and min(one.score for one in candidates) < FAR


def _ridges_agree(candidates: Sequence[TriedBandwidth]) -> bool:
    """Whether one candidate has the least loss at every ridge."""
    best = {min(range(len(candidates)), key=lambda i: candidates[i].losses[r]) for r in range(len(RIDGES))}
    return len(best) == 1


def _winner(candidates: Sequence[TriedBandwidth], entrants: Sequence[int], verdict: ChoiceVerdict) -> int:
    """The candidate of the best score, unless a race that did not separate the best leaves the ranking as it is."""
    fastest = min(entrants, key=lambda i: candidates[i].trained or 0.0)
    if verdict is ChoiceVerdict.RACED:
        scores = [candidates[i].trained or 0.0 for i in (fastest, entrants[0])]
        return fastest if scores[0] < DECISIVE * scores[1] else entrants[0]
    return fastest


@final
@dataclass(frozen=True, eq=False)
class _Judge:
    """The score of a trained network: relative error to a trusted kernel solution, else the root of held-out loss."""

    problem: Measured
    held_out: Measured
    zero: float
    kernel: KernelSolution | None
    seed: int

    def __call__(self, network: nn.Module) -> float:
        if self.kernel is None:
            loss = float(self.held_out.loss(at_its_precision(network)).detach()) / self.zero
            return math.sqrt(loss) if math.isfinite(loss) else math.inf
        places, truth = self._truth
        with torch.no_grad():
            score = float((at_its_precision(network)(places).double() - truth).norm() / truth.norm())
        return score if math.isfinite(score) else math.inf

    def errors(self, features: NetworkFeatures, solutions: Sequence[Tensor]) -> tuple[float, ...]:
        """Return relative errors of combinations of features to the kernel solution; none where it does not judge."""
        if self.kernel is None:
            return ()
        places, truth = self._truth
        with torch.no_grad():
            values = features(places)
        fields = [
            Solution(lambda _: values, w.reshape(len(self.problem.channels), -1), 0.0) for w in solutions
        ]
        return tuple(float((field(places) - truth).norm() / truth.norm()) for field in fields)

    @functools.cached_property
    def _truth(self) -> tuple[Tensor, Tensor]:
        """Random places in the domain, and the kernel solution there."""
        assert self.kernel is not None
        places = domain_points(self.problem, JUDGED, self.seed)
        with torch.no_grad():
            return places, self.kernel(places)


def bistable(problem: Measured, known: Sequence[Check]) -> bool:
    """Whether small changes of a constant field grow at some of its values and decay at others.

    For du/dt = f(u), that is f' of both signs over the range of the boundary data: several states attract solutions,
    and small residuals do not mean small errors (Allen-Cahn).

    Args:
        problem: The measured field.
        known: What each term's operator is.
    """
    sizes = [term for term, one in zip(problem.terms, known, strict=True) if term.local and one.order == 0]
    level = max(
        [float(linear_part(term, problem.outputs, order=1).value.abs().max()) for term in sizes] or [1.0]
    )
    for term, one in zip(problem.terms, known, strict=True):
        if not term.local or one.linear or one.order == 0:
            continue
        rates = []
        for part in torch.linspace(-1, 1, 9, dtype=torch.float64, device="cpu").tolist():
            state = torch.zeros(1, len(term.points), problem.outputs, dtype=torch.float64, device="cpu")
            state[0] = part * (level or 1.0)
            rates.append(_reaction(term, problem.outputs, state, one.order))
        low, high = min(r.min() for r in rates), max(r.max() for r in rates)
        if float(low) < 0 < float(high) and min(-float(low), float(high)) > BISTABLE * max(
            -float(low), float(high)
        ):
            return True
    return False


def _reaction(term: Term, channels: int, constant: Tensor, order: int) -> Tensor:
    """Coefficients of the field itself in each channel's residual, about a constant field."""
    indices = multi_indices(term.points.shape[1], order + 1)
    state = torch.zeros(len(indices), *constant.shape[1:], dtype=torch.float64, device="cpu")
    state[0] = constant[0]
    coefficients = linear_part(term, channels, state, order + 1).coefficients[..., 0]
    diagonal = torch.diagonal(coefficients, dim1=1, dim2=2)
    return diagonal.real if diagonal.is_complex() else diagonal
