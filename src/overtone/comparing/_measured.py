"""Comparison on measurements: networks and classical reconstructions, judged by measurements none of them was given."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overtone._config import Decay, FitConfig, ModelConfig
from overtone.baselines import reconstruct
from overtone.comparing._candidates import NetworkCandidate, network_candidates
from overtone.comparing._statistics import MEAN, grid_cells
from overtone.comparing._task import network_budget
from overtone.comparing._truth import FieldErrors, TrueErrors
from overtone.errors import InputError
from overtone.fitting._measured import (
    FEATURES,
    WIDTH,
    as_outputs,
    measured_fingerprint,
)
from overtone.fitting._measured_run import fit_measured
from overtone.fitting._measured_split import split_measured
from overtone.fitting._wall_clock import WallClock
from overtone.operators import choose_bandwidth
from overtone.operators._training import LEARNING_RATE
from overtone.operators._wording import reasons as choice_reasons
from overtone.planning import Budget
from overtone.planning._reasons import Reason
from overtone.planning._run_size import LEARNING_RATE as USUAL
from overtone.signals import Grid, Measured

if TYPE_CHECKING:
    from overtone.fitting import Run

NETWORKS = ("mlp",)
"""Networks of every comparison."""

HELD_OUT, REFERENCE = "held-out measurements", "the picture"
"""Data on which candidates are scored, in words."""


@dataclass(frozen=True, eq=False)
class MeasuredTask(ABC):
    """A field of whose functionals some are held out of everything.

    Attributes:
        signal: All functionals.
        fitted: Those that candidates get.
        held_out: Those that they are judged by, where no reference is known.
        bandwidth: Bandwidth of the Gaussian features, per axis in cycles per unit.
        reasons: Why.
        bandwidths: Those of networks that have one of their own, by name.
        noun: What is held out.
    """

    noun: ClassVar[str]
    signal: Measured
    fitted: Measured
    held_out: Measured
    bandwidth: tuple[float, ...] = ()
    reasons: tuple[Reason, ...] = ()
    bandwidths: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    @abstractmethod
    def grid(self) -> Grid:
        """The grid on which fields are shown, and judged by a reference."""

    @property
    @abstractmethod
    def judged(self) -> str:
        """Data on which candidates are scored, in words."""

    @property
    @abstractmethod
    def sizes(self) -> tuple[int, int]:
        """Numbers of functionals that candidates get, and that are held out."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Fingerprint that distinguishes this task from others."""

    @property
    @abstractmethod
    def peak(self) -> float:
        """The value that a PSNR refers to."""

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write what was measured to a .npz file, as a note of what the comparison is of."""

    @abstractmethod
    def held_out_cells(self) -> NDArray[np.int64]:
        """Return (M,) the group of each held-out error, whose errors depend on each other."""

    @abstractmethod
    def of_run(self, run: Run, **others: Any) -> MeasuredResult:
        """Return what a run's network is.

        Args:
            run: The run.
            **others: Further attributes of the result.
        """

    @abstractmethod
    def settings_of(self, candidate: NetworkCandidate) -> ModelConfig:
        """Return the settings with which a network is trained.

        Args:
            candidate: The network.
        """

    @abstractmethod
    def baselines(self, seed: int) -> dict[str, MeasuredResult]:
        """Return what is made without training, by name.

        Args:
            seed: Seed of inner splits and features.
        """

    def true_errors(self, results: Mapping[str, Sequence[MeasuredResult]]) -> TrueErrors | None:
        """Return the errors of candidates against the known solution of an equation, else None.

        Args:
            results: Per candidate, one per seed.
        """
        del results
        return None

    @property
    def known_field(self) -> Tensor | None:
        """(P, outputs) the reference on the grid, where it is known there."""
        if self.signal.reference is None:
            return None
        return as_outputs(self.signal.reference(self.grid.coords()))

    @property
    def noisy(self) -> bool:
        """Whether the noise of the measurements is known."""
        return self.signal.terms[0].noise is not None

    def errors(self, outputs: Tensor) -> NDArray[np.float64]:
        """Return squared errors (M,) of outputs at all samples: of the reference, or of held-out measurements.

        Args:
            outputs: (P, outputs), real and imaginary part in turn of a complex field.
        """
        outputs = outputs.double()
        if self.signal.reference is not None:
            truth = as_outputs(self.signal.reference(self.grid.coords()))
            return (outputs - truth).square().sum(1).numpy() / len(self.signal.channels)
        residual = self.held_out.residuals(lambda _: outputs)[0]
        return residual.abs().square().reshape(len(residual), -1).mean(1).double().numpy()

    def cells(self) -> NDArray[np.int64]:
        """Return (M,) the group of each error, whose errors depend on each other."""
        return self.held_out_cells() if self.signal.reference is None else grid_cells(self.grid.shape)

    def with_bandwidths(
        self, networks: Mapping[str, NetworkCandidate], budget: Budget, seed: int
    ) -> MeasuredTask:
        """Return the task with the bandwidth of each network, chosen from what candidates get.

        Args:
            networks: The networks by name.
            budget: Budget of each.
            seed: Seed of the choice.
        """
        chosen: dict[str, tuple[float, ...]] = {}
        first: tuple[tuple[float, ...], tuple[Reason, ...]] = ((), ())
        for name, candidate in networks.items():
            if not candidate.settings.has_bandwidth:
                continue
            model = self.settings_of(candidate)
            choice = choose_bandwidth(self.fitted, model, steps=budget.steps or 1000, seed=seed)
            chosen[name] = choice.bandwidth
            if name == "gaussian" or not first[0]:
                first = choice.bandwidth, tuple(map(Reason.recorded, choice_reasons(choice)))
        return replace(self, bandwidth=first[0], reasons=first[1], bandwidths=chosen)


@final
@dataclass(frozen=True, eq=False)
class SamplesTask(MeasuredTask):
    """Measurements of samples on a grid, of which some are held out of everything."""

    noun = "measurements"

    @staticmethod
    def of(problem: Measured, share: float, seed: int) -> SamplesTask:
        """Hold measurements out.

        Args:
            problem: All measurements of one kind.
            share: Part of them that is held out.
            seed: Seed of the draw.

        Raises:
            InputError: If there are too few, or they are not measurements of samples on a grid.
        """
        if not isinstance(problem.geometry, Grid) or len(problem.terms) != 1 or problem.terms[0].derivatives:
            raise InputError(
                "one kind of measurement of samples on a grid",
                "several kinds, or a field that is not on a grid",
                "compare one kind at a time, or train with operators.train_network",
                "compare",
            )
        fitted, held_out = split_measured(problem, share, seed)
        if held_out is None:
            raise InputError(
                "at least 8 groups of measurements (such as angles), some of them held out",
                "fewer groups, or none held out",
                "measure at more angles, or fit without a comparison",
                "compare",
            )
        return SamplesTask(problem, fitted, held_out)

    @property
    def grid(self) -> Grid:
        """The samples of the picture."""
        assert isinstance(self.signal.geometry, Grid)
        return self.signal.geometry

    @property
    def judged(self) -> str:
        """Data on which candidates are scored, in words."""
        return HELD_OUT if self.signal.reference is None else REFERENCE

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of measurements that candidates get, and that are held out."""
        return self.fitted.terms[0].size, self.held_out.terms[0].size

    @property
    def fingerprint(self) -> str:
        """Fingerprint that distinguishes this task from others."""
        return f"{measured_fingerprint(self.signal)} {measured_fingerprint(self.held_out)}"

    @property
    def peak(self) -> float:
        """The value that a PSNR refers to: the range of the picture, or the largest held-out measurement."""
        if self.signal.reference is not None:
            known = self.signal.reference(self.grid.coords())
            return float(known.abs().max() - (0 if known.is_complex() else known.min()))
        return float(self.held_out.terms[0].data.abs().max())

    def save(self, path: Path) -> None:
        """Write what was measured to a .npz file, as a note of what the comparison is of."""
        with path.open("wb") as stream:
            np.savez(stream, data=self.signal.terms[0].data.cpu().numpy())

    def held_out_cells(self) -> NDArray[np.int64]:
        """Return (M,) the group of each held-out measurement."""
        _, inverse = self.held_out.terms[0].group_numbers().unique(return_inverse=True)
        return np.asarray(inverse.cpu().numpy())

    def of_run(self, run: Run, **others: Any) -> MeasuredResult:
        """Return what a run's network made of the measurements."""
        return MeasuredResult(as_outputs(run.predict()), run.outcome.seconds, **others)

    def settings_of(self, candidate: NetworkCandidate) -> ModelConfig:
        """Return the settings of a network, with the sizes whose choices were measured."""
        return replace(candidate.settings, width=WIDTH, features=FEATURES)

    def baselines(self, seed: int) -> dict[str, MeasuredResult]:
        """Return the constant picture that fits best, and the classical reconstructions."""
        return classical_results(self, seed)


@final
@dataclass(frozen=True, eq=False)
class MeasuredResult:
    """Result of a candidate on the measurements.

    Attributes:
        outputs: (P, outputs) at all samples.
        seconds: Time to make it.
        parameters: Of a network.
        steps: Of a network.
        note: How it ended.
        squares: (M,) squared errors, where outputs at samples do not give them.
        truth: Residual and errors, where the solution of an equation is known.
    """

    outputs: Tensor
    seconds: float
    parameters: int | None = None
    steps: int | None = None
    note: str = ""
    squares: NDArray[np.float64] | None = None
    truth: FieldErrors | None = None


def networks_of(names: Sequence[str]) -> dict[str, NetworkCandidate]:
    """Return the networks of a comparison by name.

    Args:
        names: Those that were asked for.

    Raises:
        InputError: If a name is unknown.
    """
    known = network_candidates()
    for name in names:
        if name not in known:
            raise InputError(
                f"candidates out of {', '.join(known)}", f"{name!r}", "choose some of them", "candidates"
            )
    return {name: known[name] for name in dict.fromkeys((*NETWORKS, *names))}


def measured_budget(budget: Budget | None) -> Budget:
    """Return the budget of each network and seed.

    Args:
        budget: Limits from the caller.

    Raises:
        InputError: If it limits the parameters, or the steps are too few.
    """
    if budget is not None and budget.parameters is not None:
        raise InputError(
            "a budget in steps or seconds",
            "one in parameters",
            "leave it out: networks have 64 units",
            "parameters",
        )
    return network_budget(budget or Budget())


def classical_results(task: MeasuredTask, seed: int) -> dict[str, MeasuredResult]:
    """Return the constant picture that fits best, and the classical reconstructions.

    Args:
        task: The task.
        seed: Seed of the inner split, by which weights are chosen.
    """
    term = task.fitted.terms[0]
    dtype = torch.complex128 if task.signal.complex_values else torch.float64
    ones = torch.ones(len(term.points), len(task.signal.channels), dtype=dtype, device="cpu")
    image = term.operator(term.points, ones)
    square = image.abs().square().sum(0)
    level = (image.conj() * term.data).sum(0) / square.clamp_min(1e-300)
    constant = ones * (level if task.signal.complex_values else level.real)
    results = {MEAN: MeasuredResult(as_outputs(constant), 0.0)}
    inner, judged = split_measured(task.fitted, 0.1, seed)

    def judge(values: Tensor) -> float:
        return float((judged or inner).loss(lambda _: as_outputs(values)))

    pictures = reconstruct(task.fitted, judge, inner)
    return results | {one.name: MeasuredResult(as_outputs(one.values), one.seconds) for one in pictures}


def trained_result(
    task: MeasuredTask,
    folder: Path,
    name: str,
    candidate: NetworkCandidate,
    budget: Budget,
    seed: int,
    report: Callable[[str], None],
) -> MeasuredResult:
    """Train a network in a run directory of its own, or take the run that is there.

    Args:
        task: The task.
        folder: Directory of all runs.
        name: Name of the candidate.
        candidate: The network.
        budget: Its budget.
        seed: Its seed.
        report: Gets a line when it is done.

    Raises:
        KeyboardInterrupt: If it was interrupted.
    """
    spent = "-".join("any" if limit is None else f"{limit:g}" for limit in (budget.steps, budget.seconds))
    path = folder / f"{name}-{seed}-{spent}"
    rate = LEARNING_RATE if candidate.lr >= USUAL else candidate.lr
    config = FitConfig(model=candidate.settings).replace(
        bandwidth=task.bandwidths.get(name),
        steps=budget.steps,
        seconds=budget.seconds,
        seed=seed,
        lr=rate,
        decay=Decay.COSINE,
    )
    resume = (path / "record.sqlite").is_file() and (path / "run.json").is_file()
    options: dict[str, Any] = {"overwrite": not resume, "progress": False, "source": None}
    run = fit_measured(task.fitted, path, config, WallClock(), resume=resume, **options)
    if run.interrupted:
        raise KeyboardInterrupt
    report(
        f"{name}, seed {seed}: step {run.network_step} of {run.outcome.step}{', from an earlier run' * run.unchanged}"
    )
    note = f"network of step {run.network_step}"
    parameters = sum(p.numel() for p in run.network.parameters())
    return task.of_run(run, parameters=parameters, steps=run.outcome.step, note=note)


def decibels_of(task: MeasuredTask, errors: NDArray[np.float64]) -> float:
    """Return the PSNR of squared errors.

    Args:
        task: The task.
        errors: (M,) squared errors.
    """
    return 10 * math.log10(task.peak**2 / max(float(errors.mean()), 1e-300))
