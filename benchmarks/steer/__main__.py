"""Run the battery: `python -m benchmarks.steer [--small]`. Killed at any moment, it goes on where it was left.

Per half of the signals and noise: a trained grid of eight bandwidths, `choose`, the rule of the spectrum alone, FreSh,
sigma = 10, the Controller from the recommended bandwidth and from four times that. Tables go to stdout and to
`benchmarks/results/steer.md`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmarks.__main__ import machine
from benchmarks.steer import table
from benchmarks.steer.battery import DESIGN, NOISES, SEALED
from benchmarks.steer.trial import SHARES
from overtone.sweeps import Local, Store, Task, sweep

RESULTS = Path(__file__).parents[1] / "results"


def tasks(
    names: tuple[str, ...], noises: tuple[float, ...], shares: tuple[float, ...], steps: int, width: int
) -> dict[tuple[str, str, float], Task]:
    """Every run, by method, signal and noise."""
    found = {}
    for name in names:
        for noise in noises:
            common = {"name": name, "noise": noise, "steps": steps, "width": width, "seed": 0}

            def add(label: str, function: str, common: dict = common, **more: float) -> None:
                key = (label, common["name"], common["noise"])
                found[key] = Task(
                    " ".join(map(str, key)), f"benchmarks.steer.trial:{function}", common | more
                )

            for share in shares:
                add(f"1/{1 / share:.0f}", "fixed", share=share)
            add("choose", "chosen")
            add("spectrum alone", "prior")
            add("FreSh", "shifted")
            add("sigma 10", "sigma", sigma=10.0)
            add("controller", "steered", factor=1.0)
            add("controller from 4x", "steered", factor=4.0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--small", action="store_true", help="two signals, two noises, four bandwidths, 400 steps"
    )
    parser.add_argument("--processes", type=int, default=None)
    parser.add_argument("--store", type=Path, default=Path("steer-runs"))
    wanted = parser.parse_args()
    halves = {"Design half": DESIGN, "Sealed half": SEALED}
    noises, shares, steps, width = NOISES, SHARES, 1000, 256
    if wanted.small:
        halves = {"Slice of the design half": ("camera", "voice")}
        noises, shares, steps, width = (0.0, 0.1), (1 / 32, 1 / 12, 1 / 5, 1 / 2), 400, 64
    every = {half: tasks(names, noises, shares, steps, width) for half, names in halves.items()}
    runs = _perform([t for part in every.values() for t in part.values()], wanted.store, wanted.processes)
    text = f"# Steering\n\n{machine()}; {steps} steps of {width} units, 128 frequencies.\n"
    for half, part in every.items():
        found = {key: runs[task.key] for key, task in part.items() if task.key in runs}
        text += _report(half, found, [f"1/{1 / s:.0f}" for s in shares])
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / ("steer-small.md" if wanted.small else "steer.md")).write_text(text, encoding="utf-8")


def _perform(every: list[Task], store: Path, processes: int | None) -> dict[str, dict]:
    runs = {}
    for count, done in enumerate(sweep(every, Store(store), Local(processes)), 1):
        print(f"{count}/{len(every)} {done.task.name} {done.error or ''}", file=sys.stderr, flush=True)
        if done.error is None:
            runs[done.task.key] = done.result
    return runs


def _report(half: str, runs: table.Runs, grid: list[str]) -> str:
    cases = sorted({(name, noise) for _, name, noise in runs})
    choices, controls = (
        ("choose", "spectrum alone", "FreSh", "sigma 10"),
        ("controller", "controller from 4x"),
    )
    cost = [
        runs["choose", *case]["choosing"] / sum(runs[g, *case]["seconds"] for g in grid) for case in cases
    ]
    looking = [runs[c, *case]["looking"] / runs[c, *case]["seconds"] for c in controls for case in cases]
    within = [_hit(runs["choose", *case]) for case in cases if runs["choose", *case]["expected"]]
    return "\n\n".join(
        [
            f"\n## {half}",
            "### Bandwidth: regret in dB at the best step of each run",
            table.markdown(table.choice(runs, grid, [*choices, *grid], cases)),
            f"`choose` took {np.mean(cost):.1%} of the grid's time on average ({max(cost):.1%} at most); the held-out "
            f"PSNR at the best step was inside the interval it gave in {sum(within)} of {len(within)} cases.",
            "### Controller: regret in dB as it ended",
            table.markdown(table.control(runs, grid, controls, cases)),
            f"Its looks cost {np.mean(looking):.1%} of the training on average ({max(looking):.1%} at most).",
            "### Stop: regret in dB against the best step of the same run, mean over the grid",
            table.markdown(table.stops(runs, grid, cases)),
            "",
        ]
    )


def _hit(run: dict) -> bool:
    psnr = 10 * np.log10(run["peak"] ** 2 / min(run["held_out"]))
    return bool(run["expected"]["low"] <= psnr <= run["expected"]["high"])


if __name__ == "__main__":
    main()
