"""From the battery's runs to rows of figures. Regrets are in dB of the error on the test samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from benchmarks.tuning.battery import build
from overtone.early_stopping import DiscrepancyPrinciple, HeldOut, HeldOutAndNoise
from overtone.early_stopping._monitor import SmoothedMinimum, StoppingMonitor
from overtone.planning import measure_noise
from overtone.signals import Grid

Runs = dict[tuple[str, str, float], Any]
"""By method, signal and noise."""

Rows = list[dict[str, Any]]
Cases = Iterable[tuple[str, float]]


def decibel(error: float, best: float) -> float:
    """Return how much worse an error is than the best, in dB."""
    return 10 * math.log10(error / best)


def best_of_grid(runs: Runs, grid: Sequence[str], case: tuple[str, float]) -> float:
    """Return the least error of any bandwidth at any step."""
    return min(min(runs[g, *case]["clean"]) for g in grid)


def stopped_of_grid(runs: Runs, grid: Sequence[str], case: tuple[str, float]) -> float:
    """Return the least error of any bandwidth, each stopped by its held-out error."""
    return min(stopped(runs[g, *case]) for g in grid)


def stopped(run: dict[str, Any]) -> float:
    """Return the error of a run stopped by its held-out error."""
    return float(run["clean"][_restored_row(HeldOut().monitor(), run, "held_out_error", "held_out")])


def choice(runs: Runs, grid: Sequence[str], methods: Sequence[str], cases: Cases) -> Rows:
    """Return the regret of each method, each at its own best step, so that the stop does not count."""
    rows = []
    for case in cases:
        best = best_of_grid(runs, grid, case)
        row: dict[str, Any] = {"signal": case[0], "noise": case[1]}
        for method in methods:
            run = runs[method, *case]
            run = runs[grid[run["best"]], *case] if "best" in run else run
            row[method] = decibel(min(run["clean"]), best)
        rows.append(row)
    return rows


def control(
    runs: Runs, grid: Sequence[str], controls: Sequence[str], schedules: Sequence[str], cases: Cases
) -> Rows:
    """Regret of controlled runs as they ended, and of schedules and the best bandwidth stopped by held-out error.

    The reference is the best of the grid at its best step, which is unknown without the clean signal.
    """
    rows = []
    for case in cases:
        best = best_of_grid(runs, grid, case)
        row: dict[str, Any] = {"signal": case[0], "noise": case[1]}
        row |= {method: decibel(runs[method, *case]["final"], best) for method in controls}
        row["best fixed"] = decibel(stopped_of_grid(runs, grid, case), best)
        row |= {method: decibel(stopped(runs[method, *case]), best) for method in schedules}
        rows.append(row)
    return rows


def stops(runs: Runs, grid: Sequence[str], cases: Cases) -> Rows:
    """Mean regret over bandwidths of each rule against the best step of the same run."""
    rows = []
    for case in cases:
        regrets: dict[str, list[float]] = {}
        signal = build(*case, seed=0)
        variance = (
            float(measure_noise(signal).std.square().mean()) if isinstance(signal.geometry, Grid) else None
        )
        for run in (runs[g, *case] for g in grid):
            clean, best = run["clean"], min(run["clean"])
            rows_by_rule = {"held-out": _restored_row(HeldOut().monitor(), run, "held_out_error", "held_out")}
            if variance is not None:
                rows_by_rule["joint"] = _joint(run, variance)
            if run["noise"] > 0:
                rows_by_rule["band errors"] = _restored_row(_bands(run), run, "bands", "bands")
                rows_by_rule["discrepancy"] = _restored_row(
                    DiscrepancyPrinciple(run["noise"]).monitor(), run, "train_error", "train"
                )
            rows_by_rule["windowed variance"] = _nearest(run["steps"], run["windowed_variance_step"])
            rows_by_rule["raw held-out"] = int(np.argmin(run["held_out"]))
            rows_by_rule["last step"] = len(clean) - 1
            for rule, row in rows_by_rule.items():
                regrets.setdefault(rule, []).append(decibel(clean[row], best))
        rows.append(
            {"signal": case[0], "noise": case[1]} | {k: float(np.mean(v)) for k, v in regrets.items()}
        )
    return rows


def early(runs: Runs, grid: Sequence[str], cases: Cases) -> tuple[int, int, float]:
    """On clean data: runs stopped more than a tenth before their best step, all runs, and the worst loss in dB."""
    count, total, worst = 0, 0, 0.0
    for case in (case for case in cases if case[1] == 0):
        for run in (runs[g, *case] for g in grid):
            index = _restored_row(HeldOut().monitor(), run, "held_out_error", "held_out")
            total += 1
            if run["steps"][index] < 0.9 * run["steps"][int(np.argmin(run["clean"]))]:
                count += 1
                worst = max(worst, decibel(run["clean"][index], min(run["clean"])))
    return count, total, worst


def _joint(run: dict[str, Any], variance: float) -> int:
    monitor = HeldOutAndNoise(variance).monitor()
    for step, held_out, train in zip(run["steps"], run["held_out"], run["train"], strict=True):
        if monitor.update(step, {"held_out_error": held_out, "train_error": train}):
            break
    assert monitor.best_step is not None
    return int(run["steps"].index(monitor.best_step))


def _bands(run: dict[str, Any]) -> StoppingMonitor:
    return SmoothedMinimum(lambda row: max(row["bands"] or math.nan, 0.01 * run["noise"]))


def _nearest(steps: Sequence[int], step: int | None) -> int:
    return -1 if step is None else int(np.abs(np.log(np.asarray(steps) / max(step, 1))).argmin())


def _restored_row(monitor: StoppingMonitor, run: dict[str, Any], name: str, column: str) -> int:
    """Return the row that a monitor restores when it ends the run, or at the last step."""
    for step, value in zip(run["steps"], run[column], strict=True):
        if monitor.update(step, {name: value}):
            break
    assert monitor.best_step is not None
    return int(run["steps"].index(monitor.best_step))
