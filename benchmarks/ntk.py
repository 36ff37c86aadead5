"""The finite neural tangent kernel against the Jacobian contraction that `torch.func` offers."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from overtone.theory.ntk import finite

SAMPLES = {"mlp": 1024, "conv": 256, "dense": 256}
TARGETS = {"mlp": 100.0, "conv": 5.0, "dense": 5.0}
REPEATS = 2


def problem(kind: str, samples: int) -> tuple[nn.Module, Tensor]:
    """The network in its default initialisation and random samples."""
    source = torch.Generator().manual_seed(0)
    if kind == "mlp":
        widths = (512, 256, 256, 256)
        layers = [each for a, b in itertools.pairwise(widths) for each in (nn.Linear(a, b), nn.ReLU())]
        return nn.Sequential(*layers, nn.Linear(256, 1)), torch.randn(samples, 512, generator=source)
    head = [nn.Linear(1024, 1)] if kind == "conv" else [nn.Linear(1024, 256), nn.ReLU(), nn.Linear(256, 1)]
    network = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(64, 64, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        *head,
    )
    return network, torch.randn(samples, 3, 16, 16, generator=source)


def ours(network: nn.Module, x: Tensor) -> Tensor:
    return finite(network, x).matrix


def theirs(network: nn.Module, x: Tensor) -> Tensor:
    """J J^T as the tutorial of `torch.func` has it: explicit gradients of all samples, contracted by parameter."""
    parameters = {name: p.detach() for name, p in network.named_parameters()}

    def outputs(point: dict[str, Tensor], sample: Tensor) -> Tensor:
        return functional_call(network, point, (sample[None],)).squeeze(0)

    jacobian = vmap(jacrev(outputs), (None, 0))(parameters, x)
    return torch.stack([j.flatten(1) @ j.flatten(1).mT for j in jacobian.values()]).sum(0)


def seconds(call: Callable[[], object], repeats: int) -> float:
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return min(taken)


def peak(kind: str, way: str) -> float:
    """Megabytes of resident memory that the kernel takes beyond a warm start, in this process."""
    call = {"ours": ours, "theirs": theirs}[way]
    network, x = problem(kind, SAMPLES[kind])
    call(network, x[:4])
    before = status("VmRSS")
    call(network, x)
    return status("VmHWM") - before


def status(field: str) -> float:
    """Megabytes, from the kernel's account of this process; unlike getrusage's it does not begin at the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(field))


def fresh_peak(kind: str, way: str) -> float:
    code = f"from benchmarks.ntk import peak; print(peak({kind!r}, {way!r}))"
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    return float(done.stdout)


def main() -> list[dict[str, object]]:
    """Rows of time and memory; `ratio` is theirs over ours."""
    names = {
        "mlp": "512-256-256-256-1 ReLU MLP",
        "conv": "three convolutions on 16 x 16, 3-32-64-64",
        "dense": "the same with a dense layer of 256",
    }
    rows: list[dict[str, object]] = []
    for kind, samples in SAMPLES.items():
        network, x = problem(kind, samples)
        ours(network, x[:4]), theirs(network, x[:4])
        found, exact = ours(network, x), theirs(network, x)
        off = float((found - exact).abs().max() / exact.abs().max())
        mine = seconds(lambda n=network, x=x: ours(n, x), 5)  # type: ignore[misc]
        other = seconds(lambda n=network, x=x: theirs(n, x), REPEATS)  # type: ignore[misc]
        what = f"kernel of {samples} samples, {names[kind]}"
        rows.append(
            {
                "name": f"{what}: time",
                "ours": mine,
                "theirs": other,
                "ratio": other / mine,
                "target": TARGETS[kind],
                "unit": "s",
                "note": f"processor time against vmap(jacrev) and J J^T; they differ by {off:.1e} of the largest entry",
            }
        )
        mine, other = fresh_peak(kind, "ours"), fresh_peak(kind, "theirs")
        rows.append(
            {
                "name": f"{what}: extra peak memory",
                "ours": mine,
                "theirs": other,
                "ratio": other / mine,
                "target": 4.0,
                "unit": "MB",
                "note": "resident memory of a fresh process beyond that of 4 samples",
            }
        )
    return rows


if __name__ == "__main__":
    for row in main():
        figures = f"{row['ours']:9.3f} {row['theirs']:9.3f} {row['unit']:3s}"
        print(f"{row['name']:75s} {figures} x{row['ratio']:.1f} >= {row['target']}  {row['note']}")
