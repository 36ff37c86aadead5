"""The battery's page of tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.__main__ import machine
from benchmarks.tuning import table
from benchmarks.tuning.battery import FINER, LENGTH, NOISES, POINTS, SIDE, VOLUME
from benchmarks.tuning.run import RATE, STEPS
from benchmarks.tuning.trial import DEPTH, FEATURES, WIDTH

CHOICES = ("plan", "FreSh", "sigma 10", "omega 30", "hash grid")
ANYWHERE = tuple(choice for choice in CHOICES if choice != "FreSh")
CONTROLS, SCHEDULES = ("controller", "controller from 4x"), ("growing", "opening")


def write(runs_by_half: dict[str, table.Runs], scattered: dict[str, table.Runs], grid: Sequence[str]) -> str:
    """Markdown: per half a summary by noise, then every case.

    Args:
        runs_by_half: The runs of each half, by its name.
        scattered: The runs on scattered points.
        grid: The names of the grid's runs.
    """
    text = [
        "# Tuning",
        f"{machine()}, one thread; {STEPS} steps of Adam at {RATE:g}, {DEPTH} layers of {WIDTH} units after {FEATURES} "
        f"frequencies; pictures {SIDE} x {SIDE}, recordings and series {LENGTH}, volumes {VOLUME}^3, "
        f"scattered points {POINTS} of {FINER} x {FINER} pixels; one seed. Regrets in dB.",
    ]
    for half, runs in runs_by_half.items():
        cases = sorted({(name, noise) for _, name, noise in runs})
        text += [f"## The {half} half", *_half(runs, grid, cases)]
    for half, runs in scattered.items():
        cases = sorted({(name, noise) for _, name, noise in runs})
        text += [f"## Scattered points, the {half} half", *_scattered(runs, grid, cases)]
    return "\n\n".join(text) + "\n"


def _half(runs: table.Runs, grid: Sequence[str], cases: list[tuple[str, float]]) -> list[str]:
    choice = table.choice(runs, grid, CHOICES, cases)
    control = table.control(runs, grid, CONTROLS, SCHEDULES, cases)
    stops = table.stops(runs, grid, cases)
    controlling = [
        runs[c, *case]["controlling"] / runs[c, *case]["seconds"] for c in CONTROLS for case in cases
    ]
    lost = [b["controller from 4x"] - b["controller"] for b in control]
    return [
        "### Bandwidth, each method at its own best step, against the best of the grid",
        by_noise(choice),
        _chosen(runs, grid, cases),
        "### Controller as it ended; the best bandwidth and schedules stopped by the held-out error",
        by_noise(control),
        f"From a network at four times the bandwidth it lost {np.mean(lost):.2f} dB on average ({max(lost):.2f} at "
        f"most). Measurements cost {np.mean(controlling):.1%} of the training on average ({max(controlling):.1%} at "
        "most).",
        "### Stop, against the best step of the same run, mean over the grid",
        by_noise(stops),
        _early(runs, grid, cases),
        "### Every case",
        every(choice),
        every(control),
        every(stops),
    ]


def _scattered(runs: table.Runs, grid: Sequence[str], cases: list[tuple[str, float]]) -> list[str]:
    return [
        "FreSh, the noise floor (and with it joint, band errors and discrepancy) and the controller need a grid.",
        "### Bandwidth, each method at its own best step, against the best of the grid",
        by_noise(table.choice(runs, grid, ANYWHERE, cases)),
        _chosen(runs, grid, cases),
        "### Stop, against the best step of the same run, mean over the grid",
        by_noise(table.stops(runs, grid, cases)),
        _early(runs, grid, cases),
    ]


def _chosen(runs: table.Runs, grid: Sequence[str], cases: list[tuple[str, float]]) -> str:
    cost = [runs["plan", *case]["choosing"] / sum(runs[g, *case]["seconds"] for g in grid) for case in cases]
    within = [_hit(runs["plan", *case]) for case in cases if runs["plan", *case]["expected"]]
    return (
        f"`plan` took {np.mean(cost):.1%} of the grid's time on average ({max(cost):.1%} at most); the held-out PSNR "
        f"at the best step was inside the interval it gave in {sum(within)} of {len(within)} cases."
    )


def _early(runs: table.Runs, grid: Sequence[str], cases: list[tuple[str, float]]) -> str:
    early, total, worst = table.early(runs, grid, cases)
    return (
        f"Without noise, {early} of {total} runs were stopped more than a tenth before their best step; the worst of "
        f"them lost {worst:.2f} dB."
    )


def _hit(run: dict[str, Any]) -> bool:
    psnr = 10 * np.log10(run["peak"] ** 2 / min(run["held_out"]))
    return bool(run["expected"]["low"] <= psnr <= run["expected"]["high"])


def by_noise(rows: table.Rows) -> str:
    """Mean (worst) of every column at each level of noise, and over all."""
    columns = _columns(rows)
    lines = ["| noise | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for noise in (*NOISES, None):
        part = [row for row in rows if noise in (row["noise"], None)]
        cells = [_mean([row[c] for row in part if c in row]) for c in columns]
        lines.append("| " + " | ".join(["all" if noise is None else f"{noise:.0%}", *cells]) + " |")
    return "\n".join(lines)


def every(rows: table.Rows) -> str:
    """Return a line for each case."""
    columns = _columns(rows)
    lines = ["| signal | noise | " + " | ".join(columns) + " |", "|---|---|" + "---|" * len(columns)]
    for row in rows:
        cells = [f"{row[c]:.2f}" if c in row else "" for c in columns]
        lines.append("| " + " | ".join([row["signal"], f"{row['noise']:.0%}", *cells]) + " |")
    return "\n".join(lines)


def _columns(rows: table.Rows) -> list[str]:
    return [c for c in dict.fromkeys(c for row in rows for c in row) if c not in ("signal", "noise")]


def _mean(values: list[float]) -> str:
    return f"{np.mean(values):.2f} ({max(values):.2f})" if values else ""
