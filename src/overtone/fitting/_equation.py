"""Fits of equations, before their first step: split of the points, weights, choice, and the kernel solution beside."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overtone._config import Activation, FitConfig, ModelConfig
from overtone._state._evaluation_mode import evaluation_mode_with_gradients
from overtone._training import make_optimizer
from overtone.errors import InputError
from overtone.fitting._measured import (
    PreparedMeasured,
    axis_bandwidth,
    counts,
    named_bandwidth,
    settled,
    untrained,
)
from overtone.fitting._measured_split import judged_measurements, split_measured
from overtone.operators import KernelSolution
from overtone.operators._balance import balanced_choice, balanced_network, weighted
from overtone.operators._builder import check_smooth
from overtone.operators._choice import Choice, ChoiceVerdict
from overtone.operators._choose import SHARE, bistable
from overtone.operators._evidence import is_measurement
from overtone.operators._kernel import kernel_solution, solution_scale, zero_loss
from overtone.operators._linear_part import Check, checks
from overtone.operators._wording import fit_reasons
from overtone.probes import View
from overtone.probes.views._residuals import residuals
from overtone.probes.views._solution import picture, solution_lattice
from overtone.signals import Domain, Measured
from overtone.signals._measured import ReferenceSamples

if TYPE_CHECKING:
    import xarray

    from overtone.fitting._run import Run

SMOOTHNESS = {
    Activation.RELU: 1,
    Activation.LEAKY_RELU: 1,
    Activation.HAT: 1,
}
"""Highest derivatives of activations that are not zero almost everywhere, where there is a highest one."""

CHUNK = 4096
"""Points at which fields are evaluated together."""

REFERENCE, KERNEL = "reference", "kernel solution"
"""Field that the solution is compared with."""


def is_equation(problem: Measured) -> bool:
    """Whether a field lies in a domain without samples, or a term takes derivatives of it.

    Args:
        problem: The field.
    """
    return isinstance(problem.geometry, Domain) or not is_measurement(problem)


@final
@dataclass(frozen=True)
class PreparedEquation(PreparedMeasured):
    """A fit of an equation before its first step.

    Attributes:
        kernel: The kernel solution.
        known: What each term's operator is.
        decided: What was decided before the training, as the record holds it.
        attribute: Name of the record's attribute with the facts of the fit.
    """

    kernel: KernelSolution
    known: tuple[Check, ...]
    decided: Mapping[str, Any]
    attribute: ClassVar[str] = "equation"

    @property
    def kind(self) -> None:
        """None: nothing was measured."""
        return None

    @property
    def samples(self) -> int:
        """Values of a stored picture."""
        return solution_lattice(self.problem).samples * len(self.problem.channels)

    def handed_back(self, run: Run) -> Run:
        """Return a run with the kernel solution beside its network.

        Args:
            run: The run.
        """
        return replace(run, kernel=self.kernel)

    @property
    def compared(self) -> str | None:
        """Field that the solution is compared with: the reference, else the kernel solution where it can be trusted."""
        if self.problem.reference is not None:
            return REFERENCE
        return KERNEL if self.decided["kernel"]["trusted"] else None

    @property
    def truth(self) -> Callable[[Tensor], Tensor] | None:
        """The field that errors are measured against."""
        return {REFERENCE: self.problem.reference, KERNEL: self.kernel, None: None}[self.compared]

    def views(self) -> list[View]:
        """Return what is recorded: residuals of each term, and the field where it can be compared."""
        judged = None if self.held_out is None else judged_measurements(self.problem, self.held_out)
        return residuals(replace(self.fitted, reference=self.truth), self.field, held_out=judged)

    def begin(
        self, seconds: float | None = None
    ) -> tuple[dict[str, Any], list[tuple[str, int, NDArray[Any]]]]:
        """Return the facts known before the training, and pictures with name and step.

        Args:
            seconds: Limit of the time of classical pictures, of which there are none.
        """
        del seconds
        grid = solution_lattice(self.problem)
        held_out = (None,) * len(self.problem.terms) if self.held_out is None else self.held_out.terms
        terms = [
            {
                "name": whole.name,
                "points": part.size,
                # Terms of few points are in both parts: none of theirs is held out.
                "held_out": 0 if out is None or part.size == whole.size else out.size,
                "weight": whole.weight,
            }
            for whole, part, out in zip(self.problem.terms, self.fitted.terms, held_out, strict=True)
        ]
        facts = dict(self.decided) | {
            "functionals": counts(self.fitted, self.held_out),
            "terms": terms,
            "compared": self.compared,
            "lattice": asdict(grid),
            "records": [view.name for view in self.views()][1:],
        }
        facts["kernel"] = dict(facts["kernel"]) | self._score(self.kernel, self.problem.reference)
        shown = [("kernel", 0, self._values(self.kernel))]
        if self.problem.reference is not None and not isinstance(self.problem.reference, ReferenceSamples):
            shown.append(("reference", -1, self._values(self.problem.reference)))
        return facts, [(name, step, self._picture(values)) for name, step, values in shown]

    def final(self) -> tuple[dict[str, Any], NDArray[Any]]:
        """Return errors of the network as it is, and its picture."""
        # With gradients, which the residuals of an equation take.
        with evaluation_mode_with_gradients(self.field, torch.device("cpu")):
            return self._score(self.field, self.truth), self._picture(self._values(self.field))

    def _values(self, field: Callable[[Tensor], Tensor], places: Tensor | None = None) -> Tensor:
        places = solution_lattice(self.problem).coords() if places is None else places
        with torch.no_grad():
            return torch.cat([field(x).double() for x in places.split(CHUNK)])

    def _picture(self, values: Tensor) -> NDArray[np.float32]:
        return picture(values, solution_lattice(self.problem).shape, len(self.problem.channels))

    def _score(
        self, field: Callable[[Tensor], Tensor], truth: Callable[[Tensor], Tensor] | None
    ) -> dict[str, Any]:
        """Roots of losses over those of the zero field, per term and together, and the relative error of the field."""
        result: dict[str, Any] = {
            "train": relative_residual(self.fitted, field),
            "held_out": None,
            "error": None,
        }
        if self.held_out is not None:
            result["held_out"] = relative_residual(self.held_out, field)
        if truth is not None:
            places = None
            if isinstance(truth, ReferenceSamples):
                known, places = truth.values, truth.points
            else:
                known = self._values(truth)
            size = float(known.norm())
            difference = self._values(field, places) - known
            result["error"] = float(difference.norm()) / size if size > 0 else None
        return result


def relative_residual(problem: Measured, field: Callable[[Tensor], Tensor]) -> float:
    """Return the root of the loss over that of the zero field.

    Args:
        problem: The equation, or some of its points.
        field: From points (N, d) to values (N, outputs).
    """
    zero, loss = zero_loss(problem), float(problem.loss(field).detach())
    return math.sqrt(loss / zero) if zero > 0 else math.sqrt(loss)


def prepare_equation(
    problem: Measured, config: FitConfig, record: xarray.Dataset | None = None
) -> PreparedEquation:
    """Return a fit before its first step: weights and bandwidth, unless they were set, and the kernel solution.

    Args:
        problem: The equation with its conditions.
        config: The settings; of a run that is resumed with its bandwidth.
        record: The record of a run that is resumed.

    Raises:
        InputError: If a setting does not apply, or the network has fewer derivatives than the equation takes.
    """
    seed = config.training.seed
    known = checks(problem, seed)
    config = settled(replace(config, model=differentiable(config.model, max(one.order for one in known))))
    model, steps = config.model, config.training.max_steps or 1000
    bandwidth = axis_bandwidth(named_bandwidth(model), problem)
    fitted, held_out = split_measured(problem, config.stopping.held_out, seed)
    reasons: tuple[str, ...] = ()
    if record is not None:
        decided = dict(record.attrs["equation"])
        weights = {term["name"]: float(term["weight"]) for term in decided["terms"]}
        kernel = _kernel(fitted, weights, [tuple(decided["kernel"]["sigma"])], known, seed)
    else:
        if model.has_bandwidth and bandwidth is None:
            choice: Choice | None = balanced_choice(fitted, model, steps=steps, seed=seed)
            assert choice is not None
            bandwidth, kernel, advice = choice.bandwidth, choice.kernel, choice.advice
            weights = {term.name: term.weight for term in choice.problem.terms}
        else:
            choice = None
            if max(one.order for one in known) > 1:
                cycle = tuple(1 / length for length in problem.geometry.extent)
                check_smooth(untrained(problem, model, bandwidth, seed), problem, bandwidth or cycle)
            weights, advice, kernel = balanced_network(fitted, model, bandwidth, known, seed)
        decided = _decisions(problem, kernel, known, choice) | {
            "advice": asdict(advice),
            "size": solution_scale(problem, kernel),
        }
        linear, share = all(one.linear for one in known), config.stopping.held_out
        asked = counts(fitted, held_out)["held_out"] if share else None
        reasons = fit_reasons(choice, model, fitted, advice, kernel, weights, linear, asked)
    problem = weighted(problem, weights)
    fitted, held_out = split_measured(problem, config.stopping.held_out, seed)
    # Runs of earlier versions have no size: their outputs are not scaled.
    field = untrained(problem, model, bandwidth, seed, decided.get("size", 1.0))
    if decided["advice"]["single_precision_floor"] > 1:
        field = field.double()
    optimizer = make_optimizer(field, config.training)
    return PreparedEquation(
        *(problem, fitted, held_out, config, field, optimizer, bandwidth, reasons, 0.0),
        *(kernel, known, decided),
    )


def _kernel(
    fitted: Measured,
    weights: dict[str, float],
    sigmas: list[tuple[float, ...]],
    known: tuple[Check, ...],
    seed: int,
) -> KernelSolution:
    train, held_out = weighted(fitted, weights).split(SHARE, seed)
    return kernel_solution(train, held_out, sigmas, known, seed=seed)


def differentiable(model: ModelConfig, order: int) -> ModelConfig:
    """Return the settings with tanh in place of the default ReLU, which has no second derivative.

    Args:
        model: The settings of the network.
        order: Highest derivative that the equation takes.

    Raises:
        InputError: If another activation has no derivative of this order.
    """
    if model.activation == (Activation.RELU,):
        return replace(model, activation=(Activation.TANH,))
    for one in model.activation:
        if SMOOTHNESS.get(one, order) < order:
            raise InputError(
                f"an activation with derivatives of order {order}, which the equation takes",
                f"{one.value}, whose second derivative is zero",
                "use tanh, sine or gelu",
                "activation",
            )
    return model


def _decisions(
    problem: Measured, kernel: KernelSolution, known: tuple[Check, ...], choice: Choice | None
) -> dict[str, Any]:
    several = bistable(problem, known)
    facts: dict[str, Any] = {
        "verdict": None if choice is None else choice.verdict.value,
        "candidates": []
        if choice is None
        else [
            asdict(one) | {"loss": one.loss, "score": one.score, "chosen": one is choice.best}
            for one in choice.candidates
        ],
        "uncertain": choice is not None and choice.uncertain,
        "bistable": several or (choice is not None and choice.verdict is ChoiceVerdict.CANNOT_TELL),
        "linear": all(one.linear for one in known),
        "kernel": {
            # Small residuals of equations with several stable states do not mean small errors.
            "trusted": kernel.trusted and not several,
            "residual": kernel.relative_residual,
            "sigma": list(kernel.sigma),
            "ridge": kernel.ridge,
            "undetermined": kernel.undetermined,
            "resolved": kernel.resolved,
            "converged": kernel.converged,
        },
    }
    return facts


def equation_fingerprint(problem: Measured) -> str:
    """Number of functionals and the crc32 of the points and of the residuals of a fixed wave there.

    Args:
        problem: The equation.
    """
    total = 0
    extent = torch.tensor(problem.geometry.extent, dtype=torch.float64, device="cpu")

    def wave(x: Tensor) -> Tensor:
        phase = (x / extent).sum(1, keepdim=True)
        return torch.cat([torch.sin(phase + channel) for channel in range(problem.outputs)], dim=1)

    for term, residual in zip(problem.terms, problem.residuals(wave), strict=True):
        values = torch.view_as_real(residual) if residual.is_complex() else residual
        # Six digits, so that the order of sums does not matter.
        scale = max(float(values.detach().abs().max()), 1e-300)
        rounded = (values.detach().double() / scale * 1e6).round().to(torch.int64)
        for part in (term.points.double(), rounded):
            total = zlib.crc32(part.contiguous().cpu().numpy().data, total)
        total = zlib.crc32(f"{scale:.5g}".encode(), total)
    return f"{sum(term.size for term in problem.terms)} functionals {total:08x}"
