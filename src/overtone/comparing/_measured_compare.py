"""`compare` of measurements: trains each network in a run directory, and judges all candidates by the same errors."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from overtone._utils.text import number, plural
from overtone.comparing._compare import conclude, score_of
from overtone.comparing._comparison import ComparisonResult
from overtone.comparing._directory import ComparisonDirectory, stored_bandwidths
from overtone.comparing._equation import EquationTask
from overtone.comparing._measured import (
    MeasuredResult,
    MeasuredTask,
    SamplesTask,
    decibels_of,
    measured_budget,
    networks_of,
    trained_result,
)
from overtone.comparing._wording import budget_words
from overtone.errors import RunError
from overtone.fitting._equation import is_equation
from overtone.planning import Budget
from overtone.probes.views._solution import picture
from overtone.signals import Measured


def compare_measured(
    problem: Measured,
    out: str | Path | None,
    candidates: Sequence[str],
    budget: Budget | None,
    *,
    seeds: int,
    held_out: float,
    seed: int,
    overwrite: bool,
    report: Callable[[str], None],
) -> ComparisonResult:
    """As `compare`, for measurements of one kind.

    Args:
        problem: The measurements.
        out: Directory; a temporary one if None. A later call continues what is there.
        candidates: Networks by name.
        budget: Budget of each network and seed.
        seeds: Repetitions of each network.
        held_out: Part of the measurements that is held out of everything.
        seed: The first seed; also that of the split.
        overwrite: Replace an earlier comparison.
        report: Gets a line for each finished part.
    """
    networks, limits = networks_of(candidates), measured_budget(budget)
    task: MeasuredTask = (EquationTask if is_equation(problem) else SamplesTask).of(problem, held_out, seed)
    folder = ComparisonDirectory(Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="overtone-")))
    folder.check_task(task, overwrite)
    report(f"compare {problem.name}: choosing the bandwidths from the {task.noun} for training")
    known = {} if overwrite else stored_bandwidths(folder.path, limits)
    missing = {name: one for name, one in networks.items() if name not in known}
    chosen = task.with_bandwidths(missing, limits, seed)
    bandwidths = dict(known) | dict(chosen.bandwidths)
    task = replace(
        chosen,
        bandwidth=chosen.bandwidth or bandwidths.get("gaussian") or next(iter(bandwidths.values()), ()),
        bandwidths=bandwidths,
    )
    folder.begin(task, overwrite)
    folder.store_bandwidths(limits, task.bandwidths)
    report(f"{plural(len(networks) * seeds, 'training')} with {budget_words(limits)} each -> {folder.path}")
    by_seed: dict[str, dict[int, MeasuredResult]] = {
        name: {seed: result} for name, result in task.baselines(seed).items()
    }
    failed: dict[str, str] = {}
    for name, network in networks.items():
        for number_of in range(seed, seed + seeds):
            try:
                result = trained_result(task, folder.results, name, network, limits, number_of, report)
            except RunError as problem_of_run:
                failed[name] = str(problem_of_run)
                continue
            by_seed.setdefault(name, {})[number_of] = result
    return _judged(folder, task, limits, networks, by_seed, failed, report)


def _judged(
    folder: ComparisonDirectory,
    task: MeasuredTask,
    budget: Budget,
    networks: dict[str, Any],
    by_seed: dict[str, dict[int, MeasuredResult]],
    failed: dict[str, str],
    report: Callable[[str], None],
) -> ComparisonResult:
    grid, channels = task.grid, len(task.signal.channels)
    results, scores, errors, predictions = {}, [], {}, {}
    for name, every in by_seed.items():
        squares = {
            s: task.errors(one.outputs) if one.squares is None else one.squares for s, one in every.items()
        }
        results[name] = {
            s: {
                "error": float(squares[s].mean()),
                "seconds": one.seconds,
                "parameters": one.parameters,
                "note": one.note,
                "steps": one.steps,
            }
            for s, one in every.items()
        }
        errors[name] = np.stack(list(squares.values()))
        scores.append(score_of(name, name in networks, list(results[name].values()), task.peak))
        first = next(iter(every.values()))
        predictions[name] = picture(first.outputs.double(), grid.shape, channels)
        report(f"{name}: {number(decibels_of(task, errors[name]))} dB")
    if (known := task.known_field) is not None:
        predictions["reference"] = picture(known.double(), grid.shape, channels)
    compared = conclude(folder, task, budget, results, scores, errors, task.cells(), predictions, failed)
    return replace(
        compared, truth=task.true_errors({name: [*every.values()] for name, every in by_seed.items()})
    )
