"""`choose_bandwidth`: a bandwidth for a network on a measured field, before it is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import final

import torch
from torch import Tensor, nn

from overtone import units
from overtone._config import Activation, EncodingKind, ModelConfig
from overtone._utils.display import Displayed
from overtone._utils.seeding import derive_seed
from overtone.errors import InputError
from overtone.operators import _folds
from overtone.operators._advice import Advice, advise
from overtone.operators._derivatives import multi_indices
from overtone.operators._dominant import with_dominant_apart
from overtone.operators._features import Applied, Builder, ConfiguredNetwork, NetworkFeatures
from overtone.operators._folds import is_measurement
from overtone.operators._kernel import (
    KernelSolution,
    domain_points,
    kernel_solution,
    samples_solution,
    zero_loss,
)
from overtone.operators._least_squares import RidgeSolver, Solution, solve
from overtone.operators._linear_part import Check, checks, linear_part
from overtone.operators._training import LEARNING_RATE, train_network
from overtone.signals import Measured, Term
from overtone.signals._measured import maps_columns

CYCLES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Standard deviations of Gaussian frequencies that are tried, in cycles per domain."""

RIDGES = (1e-7, 1e-8)
"""Ridges that stand for a training of about a thousand steps of Adam; the geometric mean of their losses ranks."""

RACED, RACED_NONLINEAR = 2, 3
"""How many of the best candidates are trained briefly: Gauss-Newton steps rank less surely."""

RACE, PILOT = 0.12, 0.06
"""Steps of a short training over those of the training, in a race of the best and in one of all."""

DECISIVE = 0.7
"""Ratio of the scores of two short trainings below which they decide; else the ranking stays."""

JUDGED = 2000
"""Random places at which trained networks are compared with the kernel solution."""

CLEAR = 30.0
"""Factor of held-out loss between the best and the second above which no race is run."""

UNCERTAIN = 0.1
"""Loss of the best candidate over that of the zero field above which least squares does not rank reliably."""

WEAK, BLIND = 0.99, 0.9
"""Loss of measurements over that of the zero field above which least squares does not rank at all, and the root of it
above which short trainings do not either."""

BISTABLE = 0.1
"""Part of its largest size to which the coefficient of u itself changes sign over the range of the boundary data."""


class ChoiceVerdict(Enum):
    """How far the choice can be relied on; the value is its name in JSON."""

    RANKED = "ranked"
    RACED = "raced"
    PILOT = "pilot"
    CANNOT_TELL = "cannot tell"


@final
@dataclass(frozen=True)
class TriedBandwidth:
    """A bandwidth that was tried.

    Attributes:
        cycles: Standard deviation of Gaussian frequencies, in cycles per domain.
        sigma: Per axis, in cycles per unit.
        losses: Held-out loss at each of the ridges, over that of the zero field.
        trained: After a short training, relative error to the kernel solution where that is trusted, else the root of
            the held-out loss over that of the zero field; None if it did not take part.
        converged: Whether Gauss-Newton steps settled.
    """

    cycles: float
    sigma: tuple[float, ...]
    losses: tuple[float, ...]
    trained: float | None = None
    converged: bool = True

    @property
    def loss(self) -> float:
        """Geometric mean of the held-out losses over the ridges, which ranks the candidates."""
        return math.exp(sum(math.log(max(x, 1e-300)) for x in self.losses) / len(self.losses))


@final
@dataclass(frozen=True, eq=False, repr=False)
class Choice(Displayed):
    """The bandwidth for a network on a measured field, with everything it was chosen by.

    Attributes:
        problem: The measured field.
        verdict: RANKED by least squares alone; RACED where a short training decided between the best; PILOT by short
            trainings of all candidates; CANNOT_TELL for equations with several stable states, and for
            measurements of which no bandwidth, trained briefly, predicts held-out ones better than zero.
        best: The chosen candidate.
        candidates: All of them, lowest first.
        steps: Steps of the training that the choice is for.
        kernel: The kernel solution.
        checks: What each term's operator is.
        network: Random-feature solution of the network at the chosen bandwidth, at the ridge of training.
        advice: Waves, layers, points, scales, precision and weights.
    """

    problem: Measured
    verdict: ChoiceVerdict
    best: TriedBandwidth
    candidates: tuple[TriedBandwidth, ...]
    steps: int
    kernel: KernelSolution
    checks: tuple[Check, ...]
    network: Solution
    advice: Advice

    _display = "choice_display"

    @property
    def sigma(self) -> tuple[float, ...]:
        """Standard deviation of Gaussian frequencies per axis, in cycles per unit."""
        return self.best.sigma

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Bandwidth per axis, the frequency below which 90 % of the power lies, in cycles per unit."""
        return tuple(units.gaussian_bandwidth(s) for s in self.sigma)

    @property
    def uncertain(self) -> bool:
        """Whether the ranking is weak, because least squares at the ridges of training leaves much of the data."""
        return self.best.loss > UNCERTAIN and not is_measurement(self.problem)

    @property
    def kernel_is_better(self) -> bool:
        """Whether the kernel solution can be trusted and leaves smaller held-out residuals than the network's."""
        return self.kernel.trusted and self.kernel.relative_residual**2 < min(self.best.losses)

    def setting(self, library: str) -> tuple[float, ...]:
        """Return the value for a library's own parameter, one per axis, on coordinates in physical units.

        Args:
            library: A key of `units.CONVENTIONS`: "deepxde" for `sigmas` of MsFFN and STMsFFN, "jaxpi" for
                `embed_scale`, "tancik" for normally distributed frequencies with 2 pi, "siren" for omega_0.

        Raises:
            InputError: If the name is unknown.
        """
        return tuple(
            units.convert(b, "bandwidth", library, (0.0, 1.0), (0.0, 1.0), inputs=len(self.sigma))
            for b in self.bandwidth
        )

    def __repr__(self) -> str:
        sigma = " x ".join(f"{s:.3g}" for s in self.sigma)
        return f"<Choice: sigma {sigma} {self.problem.geometry.frequency_unit}, {self.verdict.value}>"

    def __str__(self) -> str:
        """The choice in sentences."""
        from overtone.operators._wording import choice_sentences

        return choice_sentences(self)


def choose_bandwidth(
    problem: Measured,
    network: ModelConfig | Builder | None = None,
    *,
    steps: int = 1500,
    cycles: Sequence[float] = CYCLES,
    share: float = 0.25,
    learning_rate: float = LEARNING_RATE,
    seed: int = 0,
) -> Choice:
    """Choose the bandwidth of a network for a field known through operators.

    The operators are applied to the last hidden layers of random copies of the network itself. Ridge least squares with
    1e-7 and 1e-8 of the largest eigenvalue stands for the training. The bandwidths of least held-out loss are then
    trained briefly, which decides if it separates them: by the error to the kernel solution where that can be trusted,
    else by held-out loss. Nonlinear equations take Gauss-Newton steps; where they do not settle, all candidates are
    trained briefly. Equations with several stable states are outside the method, and the verdict says so.

    Measurements of samples, without derivatives, are ranked by least squares alone: with 1e-3 to 1e-5 of the largest
    eigenvalue and held-out losses over five splits, which never hold the dominant ones out. If none is below 0.99 of
    that of the zero field, all candidates are trained briefly; if these predict what is held out hardly better than
    zero, the verdict is CANNOT_TELL and the lowest bandwidth is returned.

    Args:
        problem: From `operators.equation`, `signals.measured` or another source.
        network: Settings (Gaussian features, 3 x 64 tanh by default), or a function (bandwidth per axis in cycles per
            unit, seed) -> module, whose output is an `nn.Linear`.
        steps: Steps of the training that follows.
        cycles: Standard deviations of frequencies to try, in cycles per domain (the longest axis of each unit).
        share: Part of each term's groups that is held out.
        learning_rate: Of Adam, in the short training.
        seed: Seed of splits, networks and features.

    Raises:
        InputError: If steps or cycles are not positive, or the settings have no bandwidth.

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
    whole, samples = problem, is_measurement(problem)
    problem = with_dominant_apart(problem) if samples else problem
    builder = _builder(problem, network)
    known = checks(problem, seed)
    fitted, held_out = problem.split(share, seed)
    zero = zero_loss(held_out) or 1.0
    ladder = sorted(float(c) for c in cycles)
    sigmas = [_per_axis(problem, c) for c in ladder]
    candidates = [
        _measured_candidate(problem, builder, c, sigma, known, share, seed)
        if samples
        else _candidate(fitted, held_out, builder, c, sigma, known, zero, seed)
        for c, sigma in zip(ladder, sigmas, strict=True)
    ]
    verdict, entrants = _entrants(problem, candidates, known)
    kernel = (
        # Plain features have no harmonics, so that their best frequencies are two to four times as high.
        samples_solution(fitted, held_out, sigmas[entrants[0] + 1 :][:2] or sigmas[-1:], seed=seed)
        if samples and all(map(maps_columns, problem.terms))
        else kernel_solution(fitted, held_out, sigmas, known, seed=seed)
    )
    if len(entrants) > 1:
        part = RACE if verdict is ChoiceVerdict.RACED else PILOT
        judge = _Judge(problem, held_out, zero, kernel if kernel.trusted else None, seed)
        for position in entrants:
            module = builder(_bandwidth(sigmas[position]), derive_seed(seed, "race"))
            train_network(
                fitted, module, max(1, round(part * steps)), learning_rate=learning_rate, total=steps
            )
            candidates[position] = replace(candidates[position], trained=judge(module))
    if samples and verdict is ChoiceVerdict.PILOT and not min(c.trained or 0.0 for c in candidates) < BLIND:
        # Where nothing predicts what is held out better than zero does, the smoothest does the least harm.
        verdict, entrants = ChoiceVerdict.CANNOT_TELL, [0]
    best = _winner(candidates, entrants, verdict)
    features = NetworkFeatures.of(builder, _bandwidth(sigmas[best]), seed, problem.geometry.axes)
    ridge = _folds.RIDGES[1] if samples else RIDGES[0]
    solution = solve(problem, features, ridge, known)
    advice = advise(problem, known, kernel if kernel.trusted else solution, solution, seed)
    return Choice(whole, verdict, candidates[best], tuple(candidates), steps, kernel, known, solution, advice)


def _check_arguments(steps: int, cycles: Sequence[float]) -> None:
    if steps < 1:
        raise InputError("at least one step", f"{steps}", "pass the steps of the training", "steps")
    if not cycles or not all(math.isfinite(c) and c > 0 for c in cycles):
        raise InputError("positive numbers of cycles per domain", f"{tuple(cycles)}", "pass some", "cycles")


def _builder(problem: Measured, network: ModelConfig | Builder | None) -> Builder:
    settings = network or ModelConfig(
        EncodingKind.GAUSSIAN, activation=(Activation.TANH,), width=64, depth=3, features=64
    )
    if not isinstance(settings, ModelConfig):
        return settings
    if not settings.has_bandwidth:
        raise InputError(
            "settings of a network that has a bandwidth",
            f"encoding {settings.resolved_encoding.value}",
            'use encoding="gaussian", or a first activation with a frequency such as sine',
            "network",
        )
    return ConfiguredNetwork(problem, settings)


def _per_axis(problem: Measured, cycles: float) -> tuple[float, ...]:
    """Cycles per unit of each axis: axes of one unit share a scale, that of the longest, as networks scale them."""
    geometry = problem.geometry
    pairs = list(zip(geometry.extent, geometry.units, strict=True))
    return tuple(cycles / max(e for e, u in pairs if u == unit) for _, unit in pairs)


def _bandwidth(sigma: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(units.gaussian_bandwidth(s) for s in sigma)


def _candidate(
    fitted: Measured,
    held_out: Measured,
    builder: Builder,
    cycles: float,
    sigma: tuple[float, ...],
    known: tuple[Check, ...],
    zero: float,
    seed: int,
) -> TriedBandwidth:
    """Held-out losses of the network's features at each ridge."""
    features = NetworkFeatures.of(builder, _bandwidth(sigma), seed, fitted.geometry.axes)
    if not all(one.linear for one in known):
        fields = [solve(fitted, features, ridge, known) for ridge in RIDGES]
        losses = [float(held_out.loss(field).detach()) for field in fields]
        return TriedBandwidth(
            cycles,
            sigma,
            tuple(loss / zero for loss in losses),
            converged=all(field.converged for field in fields),
        )
    matrix, start = Applied(fitted, features, known).system()
    # The held-out system needs its derivatives once; residuals of every ridge are products with it.
    other, offset = Applied(held_out, features, known).system()
    decomposed = RidgeSolver(matrix)
    losses = [
        float((other @ decomposed.solve(-start, ridge) + offset).abs().square().sum()) for ridge in RIDGES
    ]
    return TriedBandwidth(cycles, sigma, tuple(loss / zero for loss in losses))


def _measured_candidate(
    problem: Measured,
    builder: Builder,
    cycles: float,
    sigma: tuple[float, ...],
    known: tuple[Check, ...],
    share: float,
    seed: int,
) -> TriedBandwidth:
    """Held-out losses on measurements, over several splits."""
    features = NetworkFeatures.of(builder, _bandwidth(sigma), seed, problem.geometry.axes)
    return TriedBandwidth(cycles, sigma, _folds.fold_losses(problem, features, known, share, seed))


def _entrants(
    problem: Measured, candidates: Sequence[TriedBandwidth], known: tuple[Check, ...]
) -> tuple[ChoiceVerdict, list[int]]:
    """Positions of the candidates that are to be trained briefly, the best first, and the verdict."""
    everyone = sorted(range(len(candidates)), key=lambda i: candidates[i].loss)
    if is_measurement(problem):
        # Losses that are all near that of zero differ by chance; networks may learn what least squares does not.
        ranked = candidates[everyone[0]].loss < WEAK
        return (ChoiceVerdict.RANKED, everyone[:1]) if ranked else (ChoiceVerdict.PILOT, everyone)
    if bistable(problem, known):
        return ChoiceVerdict.CANNOT_TELL, everyone
    linear = all(one.linear for one in known)
    if not linear and not candidates[everyone[0]].converged:
        return ChoiceVerdict.PILOT, everyone
    limit = CLEAR * candidates[everyone[0]].loss
    close = [i for i in everyone if candidates[i].loss <= limit][: RACED if linear else RACED_NONLINEAR]
    return (ChoiceVerdict.RANKED if len(close) == 1 else ChoiceVerdict.RACED), close


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
            loss = float(self.held_out.loss(network).detach()) / self.zero
            return math.sqrt(loss) if math.isfinite(loss) else math.inf
        x = domain_points(self.problem, JUDGED, self.seed)
        with torch.no_grad():
            truth = self.kernel(x)
            score = float((network(x).double() - truth).norm() / truth.norm())
        return score if math.isfinite(score) else math.inf


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
