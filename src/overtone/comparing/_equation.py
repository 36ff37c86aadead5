"""Comparison on an equation: networks and the kernel solution, judged by the solution or by points held out."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overtone._config import ModelConfig
from overtone.comparing._candidates import NetworkCandidate
from overtone.comparing._measured import MeasuredResult, MeasuredTask
from overtone.comparing._statistics import CELLS, MEAN
from overtone.comparing._truth import FieldErrors, TrueErrors, true_errors
from overtone.errors import InputError
from overtone.fitting._equation import CHUNK, differentiable, equation_fingerprint, relative_residual
from overtone.fitting._measured import FEATURES, WIDTH
from overtone.fitting._measured_split import split_measured
from overtone.operators._balance import common_weights, ladder_solution, weighted
from overtone.operators._kernel import zero_field
from overtone.operators._linear_part import checks
from overtone.operators._spectral import spectral_solution
from overtone.probes._view import MetricView
from overtone.probes.views._solution import real_values, solution, solution_lattice
from overtone.signals import Grid, Measured
from overtone.signals._measured import ReferenceSamples

if TYPE_CHECKING:
    from overtone.fitting import Run

KERNEL, SPECTRAL = "kernel solution", "spectral solution"
"""The baselines."""


@final
@dataclass(frozen=True)
class _Solution:
    """A known solution: its values on the grid, or at points of its own, and the view of errors by band there."""

    view: MetricView
    values: Tensor
    points: Tensor | None

    @property
    def power(self) -> float:
        """Power of the solution in all bands; 1 of the zero field."""
        return float(self.view.metric.target_power.sum()) or 1.0


def _values(field: Callable[[Tensor], Tensor], places: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([field(x).double() for x in places.split(CHUNK)])


@final
@dataclass(frozen=True, eq=False)
class EquationTask(MeasuredTask):
    """An equation of whose terms some points are held out of everything."""

    noun = "points"

    @staticmethod
    def of(problem: Measured, share: float, seed: int) -> EquationTask:
        """Hold points out, and weigh the terms so that all fall at one rate.

        Args:
            problem: The equation with its conditions.
            share: Part of each term's points that is held out.
            seed: Seed of the draw.

        Raises:
            InputError: If every term has too few points, or the share is 0.
        """
        problem = weighted(problem, common_weights(problem, seed))
        fitted, held_out = split_measured(problem, share, seed)
        if held_out is None:
            raise InputError(
                "a term of at least 8 points, some of them held out",
                "fewer points, or none held out",
                "pass more points, or fit without a comparison",
                "compare",
            )
        return EquationTask(problem, fitted, held_out)

    @property
    def grid(self) -> Grid:
        """The grid on which fields are shown and judged."""
        return solution_lattice(self.signal)

    @property
    def judged(self) -> str:
        """Data on which candidates are scored, in words."""
        return "held-out points" if self.signal.reference is None else "the solution"

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of points that candidates get, and that are held out."""
        whole = sum(term.size for term in self.signal.terms)
        fitted = sum(term.size for term in self.fitted.terms)
        return fitted, whole - fitted

    @property
    def fingerprint(self) -> str:
        """Fingerprint that distinguishes this task from others."""
        return f"{equation_fingerprint(self.signal)} {equation_fingerprint(self.held_out)}"

    def save(self, path: Path) -> None:
        """Write the points to a .npz file, as a note of what the comparison is of."""
        points = {f"points_{i}": term.points.cpu().numpy() for i, term in enumerate(self.signal.terms)}
        with path.open("wb") as stream:
            np.savez(stream, **points)  # type: ignore[arg-type]

    def result(self, field: Callable[[Tensor], Tensor], seconds: float, **others: Any) -> MeasuredResult:
        """Return what a field is on the grid, with its squared errors.

        Args:
            field: From points (N, d) to values (N, C).
            seconds: Time to make it.
            **others: Further attributes of the result.
        """
        outputs = _values(field, self.grid.coords())
        if self._solution is None:
            return MeasuredResult(outputs, seconds, squares=self._residuals(field), **others)
        known = self._solution
        at_places = outputs if known.points is None else _values(field, known.points)
        difference = at_places - known.values
        squares = difference.square().sum(1).numpy() / len(self.signal.channels)
        size = float(known.values.norm())
        amplitudes = np.sqrt(known.view.compare(at_places)["residual_power"].sum(1) / known.power)
        truth = FieldErrors(
            relative_residual(self.held_out, field),
            float(difference.norm()) / (size or 1.0),
            tuple(amplitudes.tolist()),
        )
        return MeasuredResult(outputs, seconds, squares=squares, truth=truth, **others)

    @functools.cached_property
    def _solution(self) -> _Solution | None:
        """The solution where it is known, and the view that measures errors by band there."""
        reference = self.signal.reference
        if reference is None:
            return None
        view = solution(self.signal)
        if isinstance(reference, ReferenceSamples):
            return _Solution(view, reference.values.double(), reference.points)
        return _Solution(view, real_values(reference(self.grid.coords())), None)

    def true_errors(self, results: Mapping[str, Sequence[MeasuredResult]]) -> TrueErrors | None:
        """Return the errors of candidates against the known solution, None without one."""
        known = self._solution
        if known is None:
            return None
        fields = {name: [one.truth for one in every if one.truth] for name, every in results.items()}
        bands = known.view.metric.bands
        amplitudes = np.sqrt(known.view.metric.target_power.sum(1) / known.power)
        unit = self.signal.geometry.frequency_unit
        return true_errors(fields, bands.edges, amplitudes.tolist(), unit)

    @property
    def known_field(self) -> Tensor | None:
        """(P, outputs) the reference on the grid; None where it is known at points alone."""
        return None if self._solution is None or self._solution.points is not None else self._solution.values

    def cells(self) -> NDArray[np.int64]:
        """Return (M,) the group of each error: boxes of neighbouring places."""
        if self._solution is None or self._solution.points is None:
            return super().cells()
        geometry = self.signal.geometry
        side = max(1, round(CELLS ** (1 / geometry.axes)))
        origin, extent = np.array(geometry.origin), np.array(geometry.extent)
        parts = np.floor((self._solution.points.numpy() - origin) / extent * side).astype(np.int64)
        boxes: NDArray[np.int64] = parts.clip(0, side - 1) @ side ** np.arange(geometry.axes)
        return boxes

    def _residuals(self, field: Callable[[Tensor], Tensor]) -> NDArray[np.float64]:
        """Squared residuals of all held-out points, weighted so that their mean is the loss."""
        terms = list(zip(self.held_out.terms, self.held_out.residuals(field), strict=True))
        count = sum(len(residual) for _, residual in terms)
        parts = []
        for term, residual in terms:
            square = residual.detach().abs().square().reshape(len(residual), -1).mean(1)
            parts.append(term.weight * count / len(residual) * square)
        return torch.cat(parts).double().cpu().numpy()

    def of_run(self, run: Run, **others: Any) -> MeasuredResult:
        """Return what a run's network is.

        Args:
            run: The run.
            **others: Further attributes of the result.
        """
        run.network.eval()
        return self.result(run.network, run.outcome.seconds, **others)

    def held_out_cells(self) -> NDArray[np.int64]:
        """Return (M,) a group for each held-out point."""
        return np.arange(sum(term.size for term in self.held_out.terms))

    @property
    def peak(self) -> float:
        """The value that a PSNR refers to: the range of the solution, or the residual of the zero field."""
        if self._solution is not None:
            return float(self._solution.values.max() - self._solution.values.min())
        return float(np.sqrt(self._residuals(zero_field(self.signal)).mean()))

    @functools.cached_property
    def _order(self) -> int:
        """Highest derivative that the equation takes."""
        return max(one.order for one in checks(self.fitted, 0))

    def settings_of(self, candidate: NetworkCandidate) -> ModelConfig:
        """Return the settings of a network with the derivatives that the equation takes."""
        return differentiable(replace(candidate.settings, width=WIDTH, features=FEATURES), self._order)

    def baselines(self, seed: int) -> dict[str, MeasuredResult]:
        """Return the zero field, the kernel solution and, of linear equations, the spectral one.

        Args:
            seed: Seed of the inner split and of the features.
        """
        known = checks(self.fitted, seed)
        zero = self.result(zero_field(self.signal), 0.0)
        began = time.perf_counter()
        kernel = ladder_solution(self.fitted, known, seed)
        spent = time.perf_counter() - began
        note = "trusted" if kernel.trusted else "not reliable"
        results = {MEAN: zero, KERNEL: self.result(kernel, spent, note=note)}
        began = time.perf_counter()
        spectral = spectral_solution(self.fitted, known, seed)
        if spectral is not None:
            results[SPECTRAL] = self.result(spectral, time.perf_counter() - began)
        return results
