"""The runs of a battery, computed once and kept in a folder, and the rows of their table."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.steer.battery import BATTERIES, ONE_FREQUENCY, Case, grid
from overtone._sweeps import Local, Store, Task, sweep

STORE = Path("steer-runs")
"""Folder of the results."""

SAME = 1e-3
"""Relative difference below which a chosen bandwidth is one of the grid."""

CHOICES = ("thorough", "quick")


class Judged(NamedTuple):
    """Regrets of one case in dB.

    Attributes:
        case: The case.
        regret: Of each way of choosing.
        cost: Steps of the trials as a part of the run.
        seconds: Seconds of the thorough choice over those of a run, and of the whole grid.
        by_cycles: Regret of every bandwidth of the grid that has the usual shape, by its cycles per extent.
    """

    case: Case
    regret: dict[str, float]
    cost: float
    seconds: tuple[float, float]
    by_cycles: dict[float, float]


def training(case: Case, cycles: Sequence[float]) -> Task:
    """The run of a case at one bandwidth, per axis in cycles per extent."""
    settings = _settings(case) | {"cycles": list(cycles)}
    return Task(f"{case.name}, {tuple(cycles)}", "benchmarks.steer.runs:trained", settings)


def choice(case: Case, choose: str) -> Task:
    """The choice of a case."""
    settings = _settings(case) | {"choose": choose}
    return Task(f"{case.name}, {choose}", "benchmarks.steer.runs:chosen", settings)


def _settings(case: Case) -> dict[str, Any]:
    return {
        "signal": case.signal,
        "noise": case.noise,
        "network": case.network,
        "steps": case.steps,
        "seed": case.seed,
    }


def perform(tasks: Sequence[Task], store: Store) -> dict[str, Any]:
    """Run what is missing, one after another, and return all results by key."""
    results = {}
    for count, done in enumerate(sweep(tasks, store, Local(1)), 1):
        print(f"{count}/{len(tasks)} {done.task.name} {done.error or ''}", file=sys.stderr, flush=True)
        if done.error is None:
            results[done.task.key] = done.result
    return results


def judge(cases: Sequence[Case], store: Store) -> list[Judged]:
    """Train the grid of every case, choose, and compare."""
    grids = {case: [training(case, cycles) for cycles in grid(case)] for case in cases}
    done = perform([task for tasks in grids.values() for task in tasks], store)
    choices = {(case, how): choice(case, how) for case in cases for how in CHOICES}
    done |= perform(list(choices.values()), store)
    runs = {key: _run_of(key[0], done[task.key]["cycles"]) for key, task in choices.items()}
    done |= perform(list({task.key: task for task in runs.values()}.values()), store)
    judged = []
    for case in cases:
        levels = {tuple(t.settings["cycles"]): min(done[t.key]["clean"]) for t in grids[case]}
        best = min(levels.values())
        regret = {how: _db(min(done[runs[case, how].key]["clean"]) / best) for how in CHOICES}
        spent = done[choices[case, "thorough"].key]
        seconds = [done[t.key]["seconds"] for t in grids[case]]
        usual = list(levels)[: _rungs(case)]
        judged.append(
            Judged(
                case,
                regret,
                spent["trial_steps"] / case.steps,
                (spent["seconds"] / float(np.mean(seconds)), spent["seconds"] / sum(seconds)),
                {_middle(cycles): _db(levels[cycles] / best) for cycles in usual},
            )
        )
    return judged


def _rungs(case: Case) -> int:
    """Candidates of the usual shape, which come first."""
    middles = [_middle(cycles) for cycles in grid(case)]
    return next((k for k in range(1, len(middles)) if middles[k] <= middles[k - 1]), len(middles))


def _run_of(case: Case, cycles: Sequence[float]) -> Task:
    """The run at a chosen bandwidth, that of the grid where it is one of the grid."""
    if case.network in ONE_FREQUENCY:
        # One frequency for all axes.
        cycles = [max(cycles)] * len(cycles) if len(set(grid(case)[0])) == 1 else cycles
    for candidate in grid(case):
        if all(abs(a / b - 1) < SAME for a, b in zip(candidate, cycles, strict=True)):
            return training(case, candidate)
    return training(case, cycles)


def _middle(cycles: Sequence[float]) -> float:
    return round(math.exp(sum(map(math.log, cycles)) / len(cycles)), 6)


def _db(ratio: float) -> float:
    return 10 * math.log10(ratio)


def rows(store: Path) -> list[dict[str, Any]]:
    """Rows of all batteries: a summary by group, then every case."""
    table = []
    for battery, cases in BATTERIES.items():
        judged = judge(cases, Store(store))
        table += _summary(f"{battery}, all", judged)
        for network in sorted({case.network for case in cases}):
            for group in ("1-D", "2-D", "3-D", "scattered", "table"):
                some = [j for j in judged if (j.case.network, j.case.group) == (network, group)]
                if len(some) > 1:
                    table += _summary(f"{battery}, {network}, {group}", some)
            table += _summary(f"{battery}, {network}", [j for j in judged if j.case.network == network])
        table += [_row(f"{battery}: {j.case.name}", j) for j in judged]
    return table


def _row(name: str, one: Judged) -> dict[str, Any]:
    return {
        "name": name,
        "thorough": round(one.regret["thorough"], 2),
        "quick": round(one.regret["quick"], 2),
        "best constant": "",
        "trials": f"{one.cost:.0%}",
        "note": f"{one.seconds[0]:.2f} of a run's time, {one.seconds[1]:.3f} of the grid's",
    }


def _summary(name: str, some: Sequence[Judged]) -> list[dict[str, Any]]:
    """Mean / median / worst / share above 1 dB."""

    def words(values: Sequence[float]) -> str:
        above = sum(v > 1 for v in values) / len(values)
        return f"{np.mean(values):.2f} / {np.median(values):.2f} / {max(values):.2f} / {above:.0%}"

    constant, regrets = best_constant(some)
    return [
        {
            "name": f"**{name}** ({len(some)})",
            "thorough": words([j.regret["thorough"] for j in some]),
            "quick": words([j.regret["quick"] for j in some]),
            "best constant": f"{constant:g} cycles: {words(regrets)}",
            "trials": f"{np.mean([j.cost for j in some]):.0%}",
            "note": f"{np.mean([j.seconds[0] for j in some]):.2f} of a run's time, "
            f"{np.mean([j.seconds[1] for j in some]):.3f} of the grid's",
        }
    ]


def best_constant(some: Sequence[Judged]) -> tuple[float, list[float]]:
    """The bandwidth in cycles per extent of the least mean regret, known only afterwards, and its regrets."""

    def regret(one: Judged, cycles: float) -> float:
        nearest: Callable[[float], float] = lambda other: abs(math.log(other / cycles))  # noqa: E731
        return one.by_cycles[min(one.by_cycles, key=nearest)]

    options = {c: [regret(one, c) for one in some] for c in (0.25 * 2**k for k in (*range(10), -1, -2))}
    best = min(options, key=lambda c: float(np.mean(options[c])))
    return best, options[best]


def lost_by_another_run(cases: Sequence[Case], store: Store, seeds: int) -> list[float]:
    """What is lost in each run by the best bandwidth of the run of the same case with another seed, both ways, in dB.

    Args:
        cases: The cases.
        store: Store of the runs.
        seeds: What is added to the seed of a case; it seeds weights, noise and samples.
    """
    others = {case: replace(case, seed=case.seed + seeds) for case in cases}
    tasks = {
        one: [training(one, cycles) for cycles in grid(case)]
        for case, other in others.items()
        for one in (case, other)
    }
    done = perform([task for some in tasks.values() for task in some], store)
    lost = []
    for case, other in others.items():
        for here, there in ((case, other), (other, case)):
            levels = [min(done[task.key]["clean"]) for task in tasks[here]]
            elsewhere = [min(done[task.key]["clean"]) for task in tasks[there]]
            lost.append(_db(levels[elsewhere.index(min(elsewhere))] / min(levels)))
    return lost


def main() -> None:
    """Judge one battery."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("battery", choices=list(BATTERIES))
    parser.add_argument("--store", type=Path, default=STORE)
    parser.add_argument("--grid", action="store_true", help="train the grid only, and show nothing")
    parser.add_argument("--network", help="only the cases of this kind of network")
    parser.add_argument(
        "--other-seed", type=int, help="judge the best bandwidths of runs with this added to the seed"
    )
    arguments = parser.parse_args()
    cases = [c for c in BATTERIES[arguments.battery] if arguments.network in (None, c.network)]
    if arguments.other_seed:
        lost = lost_by_another_run(cases, Store(arguments.store), arguments.other_seed)
        print(f"{np.mean(lost):.2f} / {np.median(lost):.2f} / {max(lost):.2f}")
        return
    if arguments.grid:
        perform([training(case, cycles) for case in cases for cycles in grid(case)], Store(arguments.store))
        return
    judged = judge(cases, Store(arguments.store))
    for row in [*_summary("all", judged), *(_row(j.case.name, j) for j in judged)]:
        print(row)


if __name__ == "__main__":
    main()
