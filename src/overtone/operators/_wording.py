"""Sentences of a choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from overtone.operators._evidence import is_measurement

if TYPE_CHECKING:
    from overtone._config import ModelConfig
    from overtone.operators._advice import Advice
    from overtone.operators._choice import Choice
    from overtone.operators._kernel import KernelSolution
    from overtone.signals import Measured

PER_WAVELENGTH = 4.0
"""Collocation points per wavelength below which the points are called too few."""

CONTRADICTION = 0.1
"""Held-out residual of the kernel solution over that of the zero field, above which data may be contradictory."""


def choice_sentences(choice: Choice) -> str:
    """Return what was chosen, and what else the operators say, one sentence a line."""
    return "\n".join([*reasons(choice), *_waves(choice.problem, choice.advice), *_training(choice)])


def reasons(choice: Choice) -> list[str]:
    """Return why a bandwidth was chosen, without advice on the training."""
    linear = all(known.linear for known in choice.checks) and not is_measurement(choice.problem)
    kernel = _kernel(choice.kernel, linear, choice.kernel_is_better, "choice.kernel")
    return [_bandwidth(choice), *_skipped(choice), *_ranking(choice), *kernel]


def fit_reasons(
    choice: Choice | None,
    model: ModelConfig,
    problem: Measured,
    advice: Advice,
    kernel: KernelSolution,
    weights: Mapping[str, float],
    linear: bool,
    held_out: int | None,
) -> tuple[str, ...]:
    """Return why a fit of an equation has its settings.

    Args:
        choice: The choice; None if the bandwidth was set, or there is none to set.
        model: The settings of the network.
        problem: The points that are trained on.
        advice: What is advised.
        kernel: The kernel solution.
        weights: Weights of the terms in the loss.
        linear: Whether all terms are linear.
        held_out: Points that are held out; None if none were asked for.
    """
    better = kernel.trusted if choice is None else choice.kernel_is_better
    if choice is None:
        lines = ["The bandwidth was set by hand." if model.has_bandwidth else "The network has no bandwidth."]
    else:
        lines = [_bandwidth(choice), *_skipped(choice), *_ranking(choice)]
    lines += [*_kernel(kernel, linear, better, "run.kernel"), *_waves(problem, advice), *_points(advice)]
    if advice.single_precision_floor > 1:
        lines.append(
            "The network is trained in float64: rounding in float32 is larger than the residuals that are expected."
        )
    if held_out is not None and held_out == 0:
        lines.append(
            "No points are held out, because every term has fewer than 8: the run cannot stop early."
        )
    if len(weights) > 1:
        named = ", ".join(f"{name} {value:.2g}" for name, value in weights.items())
        lines.append(f"The loss has the weights {named}.")
    return tuple(lines)


def _per_axis(values: tuple[float, ...]) -> str:
    return " x ".join(f"{value:.3g}" for value in values)


def _bandwidth(choice: Choice) -> str:
    unit = choice.problem.geometry.frequency_unit
    head = f"sigma {_per_axis(choice.sigma)} {unit} ({choice.best.cycles:g} cycles per domain)"
    if is_measurement(choice.problem):
        if choice.verdict.value == "cannot tell":
            return (
                "Cannot tell which bandwidth is best: at none of them do the network's random features explain the "
                f"measurements better than noise. {head} is the lowest, the safest choice."
            )
        return f"{head}: there, the network's own random features give the measurements the highest evidence."
    smallest = "error to the kernel solution" if choice.best.errors else "held-out loss"
    return {
        "ranked": f"{head}: there, least squares on the network's own random features has the lowest {smallest}.",
        "raced": f"{head}: the best in short trainings of the bandwidths that least squares on the network's own "
        "random features ranked first.",
        "pilot": f"{head}: the Gauss-Newton steps did not converge, so that short trainings of all candidates decided.",
        "cannot tell": f"Cannot tell which bandwidth is best: the equation has several stable states, so that small "
        f"residuals do not mean small errors. {head} had the smallest residuals after short trainings.",
    }[choice.verdict.value]


def _skipped(choice: Choice) -> list[str]:
    tried, left_out = len(choice.candidates), len(choice.skipped)
    if not left_out:
        return []
    verb = "bandwidth was" if tried == 1 else "bandwidths were"
    return [f"{tried} of {tried + left_out} {verb} compared, as many as the limit of time allows."]


def _ranking(choice: Choice) -> list[str]:
    if not choice.uncertain or choice.verdict.value == "cannot tell":
        return []
    left = f"an error of {choice.best.score:.0%}"
    if not choice.best.errors:
        left = f"{choice.best.loss:.0%} of the loss of the zero field"
    return [
        f"The ranking is weak: least squares leaves {left}; compare the neighbouring bandwidths by training, or use a "
        "wider network."
    ]


def _kernel(kernel: KernelSolution, linear: bool, better: bool, answer: str) -> list[str]:
    if kernel.undetermined:
        return [
            f"The data leave {kernel.undetermined} of {kernel.resolved} fields undetermined: no solution is unique, "
            "whatever the network."
        ]
    if kernel.relative_residual > CONTRADICTION and linear:
        return [
            f"The best smooth field still leaves {kernel.relative_residual:.0%} of the data: boundary data may "
            "contradict each other or the equation, or the solution has jumps."
        ]
    if better:
        return [
            f"Least squares on random Fourier features solves the problem to {kernel.relative_residual:.1e} of the "
            "data on held-out points; no network trained for these steps is expected to be as accurate. "
            f"Use {answer}."
        ]
    return []


def _waves(problem: Measured, advice: Advice) -> list[str]:
    unit, names = problem.geometry.frequency_unit, problem.geometry.units
    lines = []
    for axis, (waves, layer) in enumerate(zip(advice.waves, advice.layers, strict=True)):
        if waves is not None:
            ends = f"{waves[0]:.3g}" if waves[1] < 1.01 * waves[0] else f"{waves[0]:.3g} to {waves[1]:.3g}"
            lines.append(f"Solutions oscillate along axis {axis} with {ends} {unit}.")
        if layer is not None:
            lines.append(f"Solutions have layers {layer:.3g} {names[axis]} wide along axis {axis}.")
    return lines


def _points(advice: Advice) -> list[str]:
    lines = []
    few = [v for v in advice.points_per_wavelength if v < PER_WAVELENGTH]
    if few:
        lines.append(
            f"There are {min(few):.2g} points per wavelength of the solution's highest frequency: use more points."
        )
    if any(s != 1 for s in advice.scales):
        lines.append(
            f"Scale the coordinates by {_per_axis(advice.scales)} instead of raising sigma: the usual settings of "
            "libraries suit domains of length 1."
        )
    return lines


def _training(choice: Choice) -> list[str]:
    advice, lines = choice.advice, _points(choice.advice)
    if advice.single_precision_floor > 1:
        lines.append("Rounding in float32 is larger than the residuals that are expected: train in float64.")
    weights = ", ".join(f"{name} {value:.2g}" for name, value in advice.weights.items())
    if choice.balanced:
        lines.append(_balanced(choice))
    elif len(advice.weights) > 1:
        lines.append(f"Weights with which all terms fall at the same rate: {weights}.")
    return lines


def _balanced(choice: Choice) -> str:
    weights = ", ".join(f"{term.name} {term.weight:.2g}" for term in choice.problem.terms)
    return (
        "With weights of 1 a training would not see the smallest term, which is more than 1e8 times below the largest: "
        f"the bandwidth was chosen with the weights {weights}. Train with them, as choice.problem does, or scale the "
        "terms."
    )
