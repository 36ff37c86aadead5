"""Time and memory of the cloud estimators as the number of rows grows, 784 features a row."""

from __future__ import annotations

import math
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch

from overtone.spectra import clouds

FEATURES = 784
ROWS = {
    "filtering": (1_000, 10_000, 100_000),
    "near and far": (1_000, 10_000, 100_000),
    "directions": (1_000, 10_000, 100_000),
    "graph": (1_000, 10_000, 100_000),
    "graph, no plane": (1_000, 10_000),
}
"""Sizes per estimator. Rows without a plane are the worst case of the graph: no projection shows their neighbours."""
LIMIT = 24.0
STEEPEST = 1.3


def samples(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ten clusters on a 20-dimensional plane with a little noise, and a smooth target of 3 channels."""
    generator = torch.Generator().manual_seed(0)
    plane = torch.randn(20, FEATURES, generator=generator) / math.sqrt(FEATURES)
    centres = 3 * torch.randn(10, 20, generator=generator)
    within = torch.randn(count, 20, generator=generator)
    inner = within + centres[torch.randint(10, (count,), generator=generator)]
    coords = inner @ plane + 0.02 * torch.randn(count, FEATURES, generator=generator)
    return coords, torch.sin(inner[:, :3])


def once(what: str, count: int) -> tuple[float, float, float]:
    """Processor seconds, peak GiB of the process and, for filters, their worst measured error."""
    torch.set_num_threads(1)
    coords, target = samples(count)
    if what == "graph, no plane":
        coords = torch.randn(coords.shape, generator=torch.Generator().manual_seed(1))
    widths = [1.8, 2.1, 4.9]
    start, error = time.process_time(), 0.0
    if what == "filtering":
        error = float(clouds.GaussianFilter(coords, widths).split(target).approximation.max())
    elif what == "near and far":
        sums = clouds.KernelSums.tree()
        error = float(clouds.GaussianFilter(coords, widths, sums).split(target).approximation.max())
    elif what == "directions":
        directions = clouds.DirectionTransform.principal(coords, 8)
        clouds.DirectionTransform(coords, directions, 64).coefficients(target)
    else:
        clouds.GraphTransform(coords, 32).spectrum(target)
    seconds = time.process_time() - start
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, error


def fresh(what: str, count: int) -> tuple[float, float, float]:
    """Run `once` in a fresh process, so that the peak belongs to this call alone."""
    code = f"from benchmarks.clouds import once; print(*once({what!r}, {count}))"
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    seconds, memory, error = map(float, done.stdout.split())
    return seconds, memory, error


def main() -> list[dict[str, object]]:
    """A row per estimator and size, then one with the exponent from the smallest size to the largest."""
    table: list[dict[str, object]] = []
    for what, sizes in ROWS.items():
        times = {}
        for count in sizes:
            seconds, memory, error = fresh(what, count)
            times[count] = seconds
            note = f"peak {memory:.2f} GiB of {LIMIT:.0f}" + (f", filter off by {error:.1%}" if error else "")
            table.append(row(f"{what}, {count:,} x {FEATURES}", seconds, float("nan"), "s", note))
        exponent = math.log(times[sizes[-1]] / times[sizes[0]]) / math.log(sizes[-1] / sizes[0])
        target = STEEPEST if what in ("filtering", "near and far") else float("nan")
        table.append(row(f"{what}, exponent of growth", exponent, target, "", "seconds ~ rows^exponent"))
    return table


def row(name: str, value: float, target: float, unit: str, note: str) -> dict[str, object]:
    return {"name": name, "ours": value, "ratio": value, "target": target, "unit": unit, "note": note}


if __name__ == "__main__":
    for line in main():
        print(f"{line['name']:40s} {line['ours']:9.3f} {line['unit']:2s} <= {line['target']}  {line['note']}")
