"""Run the battery: `OMP_NUM_THREADS=1 python -m benchmarks.tuning`. An interrupted battery resumes where it ended.

Per half of the signals and noise: a trained grid of six bandwidths, `plan`, FreSh, fixed defaults (sigma = 10,
omega_0 = 30, a hash grid), two fixed coarse-to-fine schedules, the Controller from a network at the recommended
bandwidth and at four times that; the methods that need no grid also on scattered points. Tables go to stdout and to
`benchmarks/results/tuning.md`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks.tuning import report
from benchmarks.tuning.battery import DESIGN, NOISES, SCATTERED, SEALED
from benchmarks.tuning.table import Runs
from benchmarks.tuning.trial import SHARES
from overtone._sweeps import Local, Store, Task, sweep

RESULTS = Path(__file__).parents[1] / "results"

GRID: dict[str, tuple[str, dict[str, float]]] = {
    f"1/{1 / share:.3g}": ("fixed", {"share": share}) for share in SHARES
}
OTHERS: dict[str, tuple[str, dict[str, float]]] = {
    "plan": ("planned", {}),
    "FreSh": ("shifted", {}),
    "sigma 10": ("sigma", {"sigma": 10.0}),
    "omega 30": ("sine", {"omega": 30.0}),
    "hash grid": ("hashed", {}),
    "growing": ("widened", {"low": 1 / 40, "high": 1 / 8}),
    "opening": ("opened", {"share": 1 / 8}),
    "controller": ("controlled", {"factor": 1.0}),
    "controller from 4x": ("controlled", {"factor": 4.0}),
}

ANYWHERE = [*GRID, "plan", "sigma 10", "omega 30", "hash grid"]
"""Methods that need no grid of samples."""


def tasks(names: tuple[str, ...], methods: list[str]) -> dict[tuple[str, str, float], Task]:
    """Return the runs of these methods, by method, signal and noise."""
    runs = {}
    for name in names:
        for noise in NOISES:
            for method in methods:
                function, settings = (GRID | OTHERS)[method]
                runs[method, name, noise] = Task(
                    f"{method} {name} {noise:g}",
                    f"benchmarks.tuning.trial:{function}",
                    {"name": name, "noise": noise, "seed": 0} | settings,
                )
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path("tuning-runs"))
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--half", choices=["design", "sealed"], help="one half only, without tables")
    parser.add_argument("--methods", nargs="+", choices=list(GRID | OTHERS), help="some only, without tables")
    arguments = parser.parse_args()
    signals = {"design": DESIGN, "sealed": SEALED}
    methods = arguments.methods or list(GRID | OTHERS)
    anywhere = [method for method in methods if method in ANYWHERE]
    chosen = [half for half in signals if arguments.half in (None, half)]
    every = {half: tasks(signals[half], methods) for half in chosen}
    scattered = {half: tasks(SCATTERED[half], anywhere) for half in chosen}
    results = _perform(
        [t for parts in (every, scattered) for part in parts.values() for t in part.values()],
        arguments.store,
        arguments.processes,
    )
    if arguments.half or arguments.methods:
        return

    def results_of(parts: dict[str, dict[tuple[str, str, float], Task]]) -> dict[str, Runs]:
        return {half: {key: results[task.key] for key, task in part.items()} for half, part in parts.items()}

    text = report.write(results_of(every), results_of(scattered), list(GRID))
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "tuning.md").write_text(text, encoding="utf-8")


def _perform(every: list[Task], store: Path, processes: int) -> dict[str, Any]:
    results = {}
    for count, done in enumerate(sweep(every, Store(store), Local(processes)), 1):
        print(f"{count}/{len(every)} {done.task.name} {done.error or ''}", file=sys.stderr, flush=True)
        if done.error is None:
            results[done.task.key] = done.result
    return results


if __name__ == "__main__":
    main()
