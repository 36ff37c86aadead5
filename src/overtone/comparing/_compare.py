"""`compare`: candidates under one budget on one signal."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from overtone._sweeps import Store, Task, Workers, sweep
from overtone._sweeps.workers import TaskOutcome, run_task
from overtone._utils.numbers import as_float, whole
from overtone._utils.text import number, per_axis, plural
from overtone._utils.torch_defaults import standard
from overtone.comparing._candidates import MEAN, USUAL, Candidate, select_candidates
from overtone.comparing._comparison import Comparison
from overtone.comparing._directory import ComparisonDirectory, stored_size_limits
from overtone.comparing._statistics import (
    ComparisonVerdict,
    Margin,
    Score,
    decide_winner,
    grid_cells,
    psnr_margin,
    student,
)
from overtone.comparing._task import LEAST_STEPS, USUAL_BUDGET, ComparisonTask, SizeLimits, described, within
from overtone.comparing._worker import prediction_path
from overtone.errors import InputError, RunError
from overtone.fitting._prepare import find_device, hold_out
from overtone.planning import Budget
from overtone.signals import Signal, require_grid


@final
class SerialWorkers(Workers):
    """This process, with all its cores: needs no guarded main module, and suits notebooks and GPUs."""

    def run(self, tasks: Sequence[Task]) -> Iterator[TaskOutcome]:
        """Run every task; see `Workers.run`."""
        for task in tasks:
            yield run_task(task)


MOST_SEEDS = 10_000
"""Repetitions of a candidate, at most."""

FUNCTION = "overtone.comparing._worker:run_candidate"

STORED_AS = "overtone.comparing.work:attempt"
"""Name of the function in the keys of results on disk, so that comparisons begun earlier go on."""


@standard()
def compare(
    signal: Signal,
    out: str | Path | None = None,
    *,
    candidates: Sequence[str] = USUAL,
    steps: int | None = None,
    seconds: float | None = None,
    parameters: int | None = None,
    seeds: int = 3,
    held_out: float = 0.1,
    seed: int = 0,
    device: str | torch.device = "auto",
    overwrite: bool = False,
    workers: Workers | None = None,
    progress: bool = False,
) -> Comparison:
    """Let networks, their kernel twin and interpolation learn the same samples, and judge them by others.

    The mean, linear, cubic and band-limited interpolation, a smoothing spline, the kernel twin and a plain network
    always take part. None of them sees a held-out sample: whatever they choose (a stop, a cut-off), they choose by
    training samples that they set aside. Networks have the bandwidth that `planning.choose` finds for those.

    Finished parts are kept in `out`; called again with the same signal, it goes on.

    Args:
        signal: With a held-out mask of its own, or `held_out` draws one. Where a clean reference is known, held-out
            samples are compared with that.
        out: Directory; a temporary one if None.
        candidates: Networks that take part besides, by name: an encoding (gaussian, positional, hash-grid, ...) before
            ReLU, or an activation with frequencies (siren, gabor, finer, ...).
        steps: Optimizer steps of each network; 1,000 if neither steps nor seconds are given.
        seconds: Wall-clock time of each network and seed.
        parameters: Most parameters of each network, which decide its width; 256 units per hidden layer if None.
        seeds: How often each candidate that draws anything is repeated.
        held_out: Fraction of the samples held out at random; ignored if the signal has a mask.
        seed: The first seed; also draws the mask.
        device: Where networks are trained; "auto" takes a GPU if there is one.
        overwrite: Replace an earlier comparison in `out`.
        workers: Who does the work; this process if None. `sweeps.Local()` uses the cores side by side; a script that
            passes it has to be guarded by `if __name__ == "__main__"`.
        progress: Whether to tell on stderr what has ended.

    Returns:
        The comparison.

    Raises:
        InputError: If an argument is wrong, nothing is held out, or the budget is too small to do anything.
        RunError: If every network failed.
    """
    taking_part = select_candidates(candidates)
    budget = within(steps, seconds, parameters)
    if as_float(seeds) < 1:
        raise InputError("at least one seed", f"{seeds}", "pass for instance 3", "seeds")
    seeds, seed = whole(seeds, "seeds", 1, MOST_SEEDS), whole(seed, "seed", 0)
    where = find_device(device)
    say = _told if progress else _silent
    split = hold_out(require_grid(signal, "a comparison"), held_out, seed)
    if len(split.held_out_index):
        say(f"compare {signal.name}: choosing the bandwidth by the samples to learn from")
    problem = ComparisonTask.of(split)
    for candidate in taking_part.values():
        candidate.check(problem, budget, where)
    folder = ComparisonDirectory(Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="overtone-")))
    known = None if overwrite else stored_size_limits(folder.path, budget)
    extent = known or SizeLimits.of(problem, budget, where)
    mark = folder.begin(problem, overwrite)
    folder.keep(budget, extent)
    tasks = _tasks(folder, mark, taking_part, budget, range(seed, seed + seeds), str(device))
    say(_announcement(problem, budget, tasks, taking_part, folder))
    for warning in extent.warnings:
        say(f"warning: {warning}")
    results, failed = _run(tasks, Store(folder.results), workers, progress, problem.signal.peak)
    if MEAN in failed or all(n not in results for n, c in taking_part.items() if c.trained):
        raise RunError(
            "a network to succeed",
            next(iter(failed.values())),
            "change the budget or the candidates",
            "compare",
        )
    return _judge(folder, problem, budget, taking_part, results, failed)


def _told(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def _silent(line: str) -> None:
    """Say nothing."""


def _announcement(
    problem: ComparisonTask,
    budget: Budget,
    tasks: Mapping[str, Sequence[Task]],
    taking_part: Mapping[str, Candidate],
    folder: ComparisonDirectory,
) -> str:
    """What is about to happen, in one line."""
    trainings = sum(len(several) for name, several in tasks.items() if taking_part[name].trained)
    reach = f"bandwidth {per_axis(problem.bandwidth)} {problem.signal.geometry.frequency_unit}"
    parts = plural(sum(map(len, tasks.values())), "part")
    return f"{reach}, {parts}, {trainings} of them trainings with {described(budget)} each -> {folder.path}"


def _spent(candidate: Candidate, budget: Budget) -> Budget:
    """The budget of a network; what is none always has the same, so that it is not done again for another."""
    return budget if candidate.trained else USUAL_BUDGET


def _tasks(
    folder: ComparisonDirectory,
    mark: str,
    taking_part: Mapping[str, Candidate],
    budget: Budget,
    seeds: Sequence[int],
    device: str,
) -> dict[str, list[Task]]:
    tasks = {}
    for name, candidate in taking_part.items():
        own = _spent(candidate, budget)
        given: dict[str, Any] = {
            "folder": str(folder.path.resolve()),
            "samples": mark,
            "candidate": name,
            "device": device,
        }
        given |= {"steps": own.steps, "seconds": own.seconds, "parameters": own.parameters}
        used = seeds if candidate.drawn else seeds[:1]
        tasks[name] = [
            Task(f"{name}, seed {s}" if candidate.drawn else name, FUNCTION, given | {"seed": s}, STORED_AS)
            for s in used
        ]
    return tasks


def _run(
    tasks: Mapping[str, Sequence[Task]], store: Store, workers: Workers | None, progress: bool, peak: float
) -> tuple[dict[str, dict[int, Any]], dict[str, str]]:
    """Results by candidate and seed, and the sentence of one failure for those that have no result."""
    every = [task for several in tasks.values() for task in several]
    results: dict[str, dict[int, Any]] = {}
    failed: dict[str, str] = {}
    for done, ended in enumerate(sweep(every, store, workers or SerialWorkers()), 1):
        name = ended.task.settings["candidate"]
        if ended.error is None:
            results.setdefault(name, {})[ended.task.settings["seed"]] = ended.result
            level = f"{_decibel(ended.result['error'], peak):.1f} dB in {number(ended.result['seconds'])} s"
        else:
            failed[name] = level = ended.error
        if progress:
            kept = ", kept from before" if ended.stored else ""
            _told(f"[{done}/{len(every)}] {ended.task.name}: {level}{kept}")
    return results, failed


def _judge(
    folder: ComparisonDirectory,
    problem: ComparisonTask,
    budget: Budget,
    taking_part: Mapping[str, Candidate],
    results: Mapping[str, Mapping[int, Any]],
    failed: Mapping[str, str],
) -> Comparison:
    held = problem.signal.held_out_index.cpu().numpy()
    truth = problem.reference.cpu().double().numpy()[held]
    scores, errors, shown = [], {}, {}
    for name, by_seed in results.items():
        predicted = [
            _prediction(prediction_path(folder.path, name, seed, _spent(taking_part[name], budget)))
            for seed in sorted(by_seed)
        ]
        errors[name] = np.stack([np.square(p[held] - truth).mean(1) for p in predicted])
        shown[name] = predicted[0]
        ordered = [by_seed[seed] for seed in sorted(by_seed)]
        scores.append(_score(name, taking_part[name], ordered, problem.signal.peak))
    scores.sort(key=lambda s: -s.mean)
    better = {scores[0].name}
    better |= {next((s.name for s in scores if s.trained is kind), MEAN) for kind in (True, False)}
    box = grid_cells(problem.signal.geometry.shape)[held]
    margins: dict[tuple[str, str], Margin] = {
        (a.name, b.name): psnr_margin(errors[a.name], errors[b.name], box)
        for place, a in enumerate(scores)
        if a.name in better
        for b in scores[place + 1 :]
    }
    decision = with_steps(decide_winner(scores, margins), results, taking_part)
    return Comparison(folder.path, problem, budget, tuple(scores), margins, decision, shown, dict(failed))


def with_steps(
    decision: ComparisonVerdict,
    results: Mapping[str, Mapping[int, Any]],
    taking_part: Mapping[str, Candidate],
) -> ComparisonVerdict:
    """The verdict with a word on networks that had no time to learn anything."""
    taken = {
        name: min(r.get("steps") or LEAST_STEPS for r in by_seed.values())
        for name, by_seed in results.items()
        if taking_part[name].trained
    }
    short = {name: steps for name, steps in taken.items() if steps < LEAST_STEPS}
    if not short:
        return decision
    told = ", ".join(f"{name} {plural(steps, 'step')}" for name, steps in short.items())
    *before, last = decision.sentences
    why = f"{last} Too few to judge a network by had {told}: allow more time."
    return replace(decision, sentences=(*before, why))


def _score(name: str, candidate: Candidate, results: Sequence[Mapping[str, Any]], peak: float) -> Score:
    levels = np.array([_decibel(r["error"], peak) for r in results])
    half = student(levels)
    return Score(
        name,
        candidate.trained,
        tuple(levels.tolist()),
        float(levels.mean()) - half,
        float(levels.mean()) + half,
        float(np.mean([r["seconds"] for r in results])),
        results[0]["parameters"],
        results[0]["note"],
    )


def _prediction(path: Path) -> np.ndarray:
    try:
        return np.load(path).astype(np.float64)
    except (OSError, ValueError) as broken:
        raise InputError(
            "a kept prediction", "a missing or damaged file", "begin again with --overwrite", str(path)
        ) from broken


def _decibel(error: float, peak: float) -> float:
    return float(10 * np.log10(peak**2 / max(error, np.finfo(np.float64).tiny)))
