"""`compare`: candidates under one budget on one signal."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack, final

import numpy as np
import torch

from overtone._config import Choosing, EncodingKind
from overtone._sweeps import Store, Task, Workers, sweep
from overtone._sweeps.workers import TaskOutcome, run_task
from overtone._utils.enums import parse_enum
from overtone._utils.numbers import as_float, whole
from overtone._utils.statistics import student_half_width
from overtone._utils.text import format_per_axis, number, plural
from overtone._utils.torch_defaults import standard
from overtone.comparing._candidates import DEFAULT, Candidate, NetworkCandidate, select_candidates
from overtone.comparing._comparison import ComparisonResult
from overtone.comparing._directory import ComparisonDirectory, stored_bandwidths, stored_size_limits
from overtone.comparing._measured import MeasuredTask
from overtone.comparing._statistics import (
    CONFIDENCE,
    MEAN,
    ComparisonVerdict,
    Margin,
    Score,
    decide_winner,
    grid_cells,
    psnr_margin,
)
from overtone.comparing._task import DEFAULT_BUDGET, MIN_STEPS, ComparisonTask, SizeLimits, network_budget
from overtone.comparing._wording import budget_words
from overtone.comparing._worker import prediction_path
from overtone.errors import InputError, RunError
from overtone.fitting._fit import Reference, with_known_solution
from overtone.fitting._prepare import find_device, hold_out
from overtone.planning import Budget
from overtone.signals import Grid, Measured, Signal, require_grid

MAX_SEEDS = 10_000
"""Maximum number of repetitions of a candidate."""


class KnownSolution(TypedDict, total=False):
    """The solution of an equation, as a keyword of `compare`."""

    reference: Reference | None


FUNCTION = "overtone.comparing._worker:run_candidate"

STORED_AS = "overtone.comparing.work:attempt"
"""Name of the function in the keys of results on disk, so that earlier comparisons can be continued."""


@standard()
def compare(
    signal: Signal[Grid] | Measured,
    out: str | Path | None = None,
    *,
    candidates: Sequence[str] = DEFAULT,
    budget: Budget | None = None,
    seeds: int = 3,
    held_out: float = 0.1,
    seed: int = 0,
    device: str | torch.device = "auto",
    overwrite: bool = False,
    workers: Workers | None = None,
    progress: bool = False,
    choose: Choosing | str | None = None,
    **solution: Unpack[KnownSolution],
) -> ComparisonResult:
    """Fit networks, kernel regression and interpolation to the same samples, and compare them on held-out samples.

    The mean, linear, cubic and band-limited interpolation, a smoothing spline, kernel regression and a plain network
    are always included. None of them uses a held-out sample: each choice (a stop, a cut-off) is made on validation
    samples from the training samples. Networks use the bandwidth that `planning.plan` chooses on the training
    samples.

    Results of finished tasks are stored in `out`; a later call with the same signal continues the comparison.

    Args:
        signal: A signal with a held-out mask; otherwise `held_out` samples are drawn. Predictions are compared with
            the clean reference at held-out samples, if it is known. Of measurements (`signals.kspace` and others)
            groups are held out; candidates are networks and classical reconstructions, judged by the reference picture
            if it is known, else by held-out measurements. Of an equation (`operators.equation`) points of each term are
            held out; candidates are networks, the zero field, the kernel solution and, of linear equations on a line or
            in a plane, Chebyshev collocation, judged by the solution if it is known (`reference`), else
            by held-out points.
        out: Directory; a temporary one if None.
        candidates: Further networks by name: an encoding (gaussian, positional, hash-grid, ...) before ReLU, or an
            activation with frequencies (siren, gabor, finer, ...).
        budget: Budget of each network and seed; 1,000 steps if neither steps nor seconds are limited, and 256 units
            per hidden layer if the parameters are not limited.
        seeds: Repetitions of each candidate that depends on a seed.
        held_out: Fraction of the samples held out at random; ignored if the signal has a mask.
        seed: The first seed; also the seed of the mask.
        device: Device of the training; "auto" uses a GPU if there is one.
        overwrite: Replace an earlier comparison in `out`.
        workers: Processes for the tasks; the current process if None. Local processes use the cores in parallel; a
            script that passes them must be guarded by `if __name__ == "__main__"`.
        progress: Whether to report finished parts on stderr.
        choose: "thorough" trains several bandwidths of each network briefly, for a quarter of a run in all; "quick"
            does not. None is thorough.
        **solution: `reference` of an equation: its solution where it is known, to judge by: a function from points to
            values (N, C), or a pair of points and values. It is never trained on. The result then has errors by band
            and regrets beside the residuals (`truth`), and says where residuals rank otherwise.

    Returns:
        The comparison.

    Raises:
        InputError: If an argument is invalid, no sample is held out, or the budget is too small.
        RunError: If every network failed.

    Example:
        >>> import overtone as ot
        >>> from overtone.comparing import compare
        >>> compare(ot.signals.synthetic.power_law((8, 8), 2.0), candidates=["sine"])
        Traceback (most recent call last):
            ...
        overtone.errors.InputError: candidates: expected candidates out of mlp, basic, ...
    """
    for name in solution.keys() - KnownSolution.__optional_keys__:
        raise TypeError(f"compare() got an unexpected keyword argument {name!r}")
    if (reference := solution.get("reference")) is not None:
        signal = with_known_solution(signal, reference)
    if isinstance(signal, Measured):
        from overtone.comparing._measured_compare import compare_measured

        if choose is not None:
            raise InputError("settings that apply to measurements", "choose", "leave it out", "choose")
        # An in-process loop: maps of measurements cannot be sent to other processes.
        return compare_measured(
            *(signal, out, candidates, budget),
            seeds=whole(seeds, "seeds", 1, MAX_SEEDS),
            held_out=held_out,
            seed=whole(seed, "seed", 0),
            overwrite=overwrite,
            report=_report if progress else _silent,
        )
    selected = select_candidates(candidates)
    budget = network_budget(budget or Budget())
    if as_float(seeds) < 1:
        raise InputError("at least one seed", f"{seeds}", "pass for instance 3", "seeds")
    seeds, seed = whole(seeds, "seeds", 1, MAX_SEEDS), whole(seed, "seed", 0)
    target_device = find_device(device)
    choosing = parse_enum(Choosing, choose or Choosing.THOROUGH, "choose")
    report = _report if progress else _silent
    split = hold_out(require_grid(signal, "a comparison"), held_out, seed)
    task = ComparisonTask.without_bandwidth(split)
    # All invalid arguments are refused here, before the bandwidth is chosen and before a file is written.
    for candidate in selected.values():
        candidate.check(task, budget, target_device)
    folder = ComparisonDirectory(Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="overtone-")))
    folder.check_task(task, overwrite)
    # Timing differs from call to call: a continued comparison must use its original sizes.
    stored = None if overwrite else stored_size_limits(folder.path, budget)
    limits = stored or SizeLimits.of(task, budget, target_device)
    report(f"compare {signal.name}: choosing the bandwidth from the training samples")
    task = task.choose_bandwidth(budget, choosing, target_device)
    known = {} if overwrite else stored_bandwidths(folder.path, budget)
    task = replace(
        task, bandwidths=known | _bandwidths(task, selected, budget, choosing, target_device, known)
    )
    # Some encodings have more parameters at the bandwidth that was chosen.
    for candidate in selected.values():
        candidate.check(task, budget, target_device)
    fingerprint = folder.begin(task, overwrite)
    folder.store_limits(budget, limits)
    folder.store_bandwidths(budget, task.bandwidths)
    jobs = _jobs(folder, task, fingerprint, selected, budget, range(seed, seed + seeds), str(device))
    report(_announcement(task, budget, jobs, selected, folder))
    for warning in limits.warnings:
        report(f"warning: {warning}")
    results, failed = _run(jobs, Store(folder.results), workers, progress, task.signal.peak)
    if MEAN in failed or all(n not in results for n, c in selected.items() if c.trained):
        raise RunError(
            "a network to succeed",
            next(iter(failed.values())),
            "change the budget or the candidates",
            "compare",
        )
    return _evaluate(folder, task, budget, selected, results, failed)


@final
class SerialWorkers(Workers):
    """The current process with all its cores: needs no guarded main module, and suits notebooks and GPUs."""

    def run(self, tasks: Sequence[Task]) -> Iterator[TaskOutcome]:
        """Run every task; see `Workers.run`."""
        for task in tasks:
            yield run_task(task)


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def _silent(line: str) -> None:
    """Do nothing."""


def _announcement(
    task: ComparisonTask,
    budget: Budget,
    jobs: Mapping[str, Sequence[Task]],
    selected: Mapping[str, Candidate],
    folder: ComparisonDirectory,
) -> str:
    """Return one line about the tasks."""
    trainings = sum(len(several) for name, several in jobs.items() if selected[name].trained)
    bandwidth = f"bandwidth {format_per_axis(task.bandwidth)} {task.signal.geometry.frequency_unit}"
    parts = plural(sum(map(len, jobs.values())), "part")
    return f"{bandwidth}, {parts}, {trainings} of them trainings with {budget_words(budget)} each -> {folder.path}"


def _budget_of(candidate: Candidate, budget: Budget) -> Budget:
    """Return the budget of a network; other candidates have a fixed one, so that all budgets share their results."""
    return budget if candidate.trained else DEFAULT_BUDGET


def _bandwidths(
    task: ComparisonTask,
    selected: Mapping[str, Candidate],
    budget: Budget,
    choose: Choosing,
    device: torch.device,
    known: Mapping[str, tuple[float, ...]],
) -> dict[str, tuple[float, ...]]:
    """Choose a bandwidth for each network that has one and is not that of the task, by name."""
    chosen = {}
    for name, candidate in selected.items():
        if not isinstance(candidate, NetworkCandidate) or name in known:
            continue
        model = candidate.settings
        if model.has_bandwidth and model.resolved_encoding is not EncodingKind.GAUSSIAN:
            chosen[name] = task.bandwidth_of(model, candidate.lr, budget, choose, device)
    return chosen


def _jobs(
    folder: ComparisonDirectory,
    task: ComparisonTask,
    fingerprint: str,
    selected: Mapping[str, Candidate],
    budget: Budget,
    seeds: Sequence[int],
    device: str,
) -> dict[str, list[Task]]:
    """Return the tasks of each candidate, one per seed if it depends on one."""
    jobs = {}
    for name, candidate in selected.items():
        limits = _budget_of(candidate, budget)
        settings: dict[str, Any] = {
            "folder": str(folder.path.resolve()),
            "samples": fingerprint,
            "candidate": name,
            "device": device,
            "steps": limits.steps,
            "seconds": limits.seconds,
            "parameters": limits.parameters,
        }
        if name in task.bandwidths:
            settings["bandwidth"] = list(task.bandwidths[name])
        jobs[name] = [
            Task(
                f"{name}, seed {s}" if candidate.seeded else name, FUNCTION, settings | {"seed": s}, STORED_AS
            )
            for s in (seeds if candidate.seeded else seeds[:1])
        ]
    return jobs


def _run(
    jobs: Mapping[str, Sequence[Task]], store: Store, workers: Workers | None, progress: bool, peak: float
) -> tuple[dict[str, dict[int, Any]], dict[str, str]]:
    """Return results by candidate and seed, and one error for each candidate without a result."""
    tasks = [task for several in jobs.values() for task in several]
    results: dict[str, dict[int, Any]] = {}
    failed: dict[str, str] = {}
    for done, finished in enumerate(sweep(tasks, store, workers or SerialWorkers()), 1):
        name = finished.task.settings["candidate"]
        if finished.error is None:
            results.setdefault(name, {})[finished.task.settings["seed"]] = finished.result
            level = (
                f"{_psnr(finished.result['error'], peak):.1f} dB in {number(finished.result['seconds'])} s"
            )
        else:
            failed[name] = level = finished.error
        if progress:
            stored = ", from an earlier run" if finished.stored else ""
            _report(f"[{done}/{len(tasks)}] {finished.task.name}: {level}{stored}")
    return results, failed


def _evaluate(
    folder: ComparisonDirectory,
    task: ComparisonTask,
    budget: Budget,
    selected: Mapping[str, Candidate],
    results: Mapping[str, Mapping[int, Any]],
    failed: Mapping[str, str],
) -> ComparisonResult:
    """Return scores, margins and verdict from the stored results and predictions."""
    # Errors are computed on held-out samples only; predictions are stored whole, for pictures.
    held = task.signal.held_out_index.cpu().numpy()
    truth = task.reference.cpu().double().numpy()[held]
    scores, errors, predictions = [], {}, {}
    for name, by_seed in results.items():
        limits = _budget_of(selected[name], budget)
        values = [_load(prediction_path(folder.path, name, seed, limits)) for seed in sorted(by_seed)]
        errors[name] = np.stack([np.square(p[held] - truth).mean(1) for p in values])
        predictions[name] = values[0]
        ordered = [by_seed[seed] for seed in sorted(by_seed)]
        scores.append(score_of(name, selected[name].trained, ordered, task.signal.peak))
    box = grid_cells(task.signal.geometry.shape)[held]
    return conclude(folder, task, budget, results, scores, errors, box, predictions, failed)


def conclude(
    folder: ComparisonDirectory,
    task: ComparisonTask | MeasuredTask,
    budget: Budget,
    results: Mapping[str, Mapping[int, Any]],
    scores: list[Score],
    errors: Mapping[str, np.ndarray],
    box: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    failed: Mapping[str, str],
) -> ComparisonResult:
    """Return margins and verdict from scores and squared errors.

    Args:
        folder: Directory of the comparison.
        task: Its task.
        budget: Budget of each network and seed.
        results: Results by candidate and seed.
        scores: Scores of the candidates, in the order in which they were named.
        errors: (seeds, M) squared errors by candidate.
        box: (M,) index of the group of dependent errors.
        predictions: Of each candidate's first seed.
        failed: Errors of candidates without a score.
    """
    # The sort is stable: of equal scores the candidate that was named first leads.
    scores.sort(key=lambda s: -s.mean)
    # The verdict compares the best, the best network and the best other candidate with all candidates below them.
    leading = {scores[0].name}
    leading |= {next((s.name for s in scores if s.trained is kind), MEAN) for kind in (True, False)}
    margins: dict[tuple[str, str], Margin] = {
        (a.name, b.name): psnr_margin(errors[a.name], errors[b.name], box)
        for place, a in enumerate(scores)
        if a.name in leading
        for b in scores[place + 1 :]
    }
    trained = {s.name for s in scores if s.trained}
    verdict = mark_undertrained(decide_winner(scores, margins), results, trained)
    return ComparisonResult(
        folder.path, task, budget, tuple(scores), margins, verdict, predictions, dict(failed)
    )


def mark_undertrained(
    verdict: ComparisonVerdict,
    results: Mapping[str, Mapping[int, Any]],
    trained: Collection[str],
) -> ComparisonVerdict:
    """Return the verdict with the networks that had too few steps to learn.

    Args:
        verdict: The verdict.
        results: Results by candidate and seed.
        trained: Names of the trained networks.
    """
    fewest = {
        name: min(r.get("steps") or MIN_STEPS for r in by_seed.values())
        for name, by_seed in results.items()
        if name in trained
    }
    few = {name: steps for name, steps in fewest.items() if steps < MIN_STEPS}
    return replace(verdict, undertrained=few) if few else verdict


def score_of(name: str, trained: bool, results: Sequence[Mapping[str, Any]], peak: float) -> Score:
    """Return the score of a candidate.

    Args:
        name: Its name.
        trained: Whether it is a trained network.
        results: One per seed.
        peak: The value that a PSNR refers to.
    """
    levels = np.array([_psnr(r["error"], peak) for r in results])
    half = student_half_width(levels, CONFIDENCE)
    return Score(
        name,
        trained,
        tuple(levels.tolist()),
        float(levels.mean()) - half,
        float(levels.mean()) + half,
        float(np.mean([r["seconds"] for r in results])),
        results[0]["parameters"],
        results[0]["note"],
    )


def _load(path: Path) -> np.ndarray:
    try:
        return np.load(path).astype(np.float64)
    except (OSError, ValueError) as broken:
        raise InputError(
            "a stored prediction", "a missing or damaged file", "restart with --overwrite", str(path)
        ) from broken


def _psnr(error: float, peak: float) -> float:
    # An exact prediction gets a finite level: intervals and figures need one.
    return float(10 * np.log10(peak**2 / max(error, np.finfo(np.float64).tiny)))
