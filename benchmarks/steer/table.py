"""From the battery's runs to its tables. Regrets are in dB of the error on clean samples apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from overtone.tune.stop import Discrepancy, HeldOut
from overtone.tune.stop.least import Least
from overtone.tune.stop.watch import Watch

Runs = dict[tuple[str, str, float], Any]
"""By method, signal and noise."""


def decibel(error: float, best: float) -> float:
    """How much worse than the best, in dB."""
    return 10 * math.log10(error / best)


def best_of_grid(runs: Runs, grid: Sequence[str], name: str, noise: float) -> float:
    """The least error that any bandwidth reached at any step."""
    return min(min(runs[g, name, noise]["clean"]) for g in grid if (g, name, noise) in runs)


def choice(
    runs: Runs, grid: Sequence[str], methods: Sequence[str], cases: Iterable[tuple[str, float]]
) -> list[dict]:
    """A row per signal and noise: regret of each method, each at its own best step, so that the stop does not count."""
    rows = []
    for name, noise in cases:
        best = best_of_grid(runs, grid, name, noise)
        row: dict[str, Any] = {"signal": name, "noise": f"{noise:.0%}"}
        for method in methods:
            row[method] = decibel(min(runs[method, name, noise]["clean"]), best)
        rows.append(row)
    return rows


def control(
    runs: Runs, grid: Sequence[str], methods: Sequence[str], cases: Iterable[tuple[str, float]]
) -> list[dict]:
    """A row per signal and noise: regret of controlled runs as they ended, against the best of the grid at any step."""
    rows = []
    for name, noise in cases:
        best = best_of_grid(runs, grid, name, noise)
        row: dict[str, Any] = {"signal": name, "noise": f"{noise:.0%}"}
        for method in methods:
            run = runs[method, name, noise]
            row[method] = decibel(run["final"], best)
        rows.append(row)
    return rows


def stops(runs: Runs, grid: Sequence[str], cases: Iterable[tuple[str, float]]) -> list[dict]:
    """A row per signal and noise: mean regret over bandwidths of each rule against the best step of the same run."""
    rows = []
    for name, noise in cases:
        found: dict[str, list[float]] = {}
        for label in grid:
            run = runs.get((label, name, noise))
            if run is None:
                continue
            best = min(run["clean"])
            found.setdefault("last step", []).append(decibel(run["clean"][-1], best))
            raw = int(np.argmin(run["held_out"]))
            found.setdefault("raw held-out", []).append(decibel(run["clean"][raw], best))
            for rule, watch, key in _rules(run):
                found.setdefault(rule, []).append(decibel(run["clean"][_kept(watch, run, key)], best))
        rows.append(
            {"signal": name, "noise": f"{noise:.0%}"} | {k: float(np.mean(v)) for k, v in found.items()}
        )
    return rows


def _rules(run: dict[str, Any]) -> list[tuple[str, Watch, tuple[str, str]]]:
    rules: list[tuple[str, Watch, tuple[str, str]]] = [
        ("held-out", HeldOut().watch(), ("held_out_error", "held_out"))
    ]
    if run["noise"] > 0:
        watch = Least(lambda row: max(row["bands"], 0.01 * run["noise"]))
        rules.append(("band errors", watch, ("bands", "bands")))
        rules.append(("discrepancy", Discrepancy(run["noise"]).watch(), ("train_error", "train")))
    return rules


def _kept(watch: Watch, run: dict[str, Any], key: tuple[str, str]) -> int:
    """Row that a watch goes back to when it ends the run, or at its end."""
    for step, value in zip(run["steps"], run[key[1]], strict=True):
        if watch.update(step, {key[0]: value}):
            break
    assert watch.best_step is not None
    return int(run["steps"].index(watch.best_step))


def summary(rows: list[dict]) -> dict[str, Any]:
    """Mean and worst of every column of regrets."""
    columns = [c for c in rows[0] if c not in ("signal", "noise")]
    found = {c: [row[c] for row in rows if c in row] for c in columns}
    return {c: f"{np.mean(v):.2f} (worst {max(v):.2f})" for c, v in found.items() if v}


def markdown(rows: list[dict]) -> str:
    """A table with its mean and worst in the last row."""
    columns = list(dict.fromkeys(c for row in rows for c in row))
    last = {"signal": "mean", "noise": ""} | summary(rows)
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in [*rows, last]:
        cells = [row.get(c, "") for c in columns]
        lines.append("| " + " | ".join(f"{c:.2f}" if isinstance(c, float) else str(c) for c in cells) + " |")
    return "\n".join(lines)
