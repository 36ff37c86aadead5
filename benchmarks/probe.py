"""A probe's share of training time, default schedule and samples: a ResNet-18 on 32 x 32 pictures, a 2-layer LSTM.

Steps and rows are timed in turn, in processor seconds, and put together for runs of several lengths:
share = rows * row / (steps * step + rows * row). The set-up of a view
has a line of its own, and so has a row of each other view of a picture classifier, in steps.
"""

from __future__ import annotations

import functools
import statistics
import tempfile
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from overtone.probes import LogSchedule, Probe, views
from overtone.spectra.paths import Paths
from overtone.spectra.sensitivity import InputNormalisation

LENGTHS = (1_000, 2_000, 10_000)
TARGET = 0.05
"""Of a run of 2,000 steps or more."""


class Block(nn.Module):
    def __init__(self, inside: int, out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(),
            nn.Conv2d(out, out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        same = stride == 1 and inside == out
        self.short = nn.Identity() if same else nn.Conv2d(inside, out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.short(x))


def resnet18() -> nn.Module:
    """Eight blocks of two convolutions, 64 to 512 channels, 11 million parameters (He et al. 2016, for CIFAR)."""
    blocks = [Block(64, 64, 1), Block(64, 64, 1)]
    for inside, out in ((64, 128), (128, 256), (256, 512)):
        blocks += [Block(inside, out, 2), Block(out, out, 1)]
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 1, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(512, 10),
    )


class Sequences(nn.Module):
    """Two LSTM layers of 128 units and a linear read-out at every moment."""

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.out = nn.LSTM(8, 128, 2, batch_first=True), nn.Linear(128, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.layers(x)[0])


def pictures() -> tuple[nn.Module, Tensor, Tensor, Callable[..., Tensor], int]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2_000, 3, 32, 32, generator=generator)
    y = torch.randint(10, (2_000,), generator=generator)
    return resnet18(), x, y, nn.functional.cross_entropy, 128


def sequences() -> tuple[nn.Module, Tensor, Tensor, Callable[..., Tensor], int]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2_000, 100, 8, generator=generator)
    return Sequences(), x, x[..., :1].cumsum(1), nn.functional.mse_loss, 64


def timed(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.process_time() - start


def measure(name: str, make: Callable[[], tuple], repeats: int) -> list[dict[str, object]]:
    network, x, y, loss, size = make()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network.to(device)
    optimizer = torch.optim.Adam(network.parameters())

    def step() -> None:
        chosen = torch.randint(len(x), (size,))
        optimizer.zero_grad()
        loss(network(x[chosen].to(device)), y[chosen].to(device)).backward()
        optimizer.step()

    made: list[Probe] = []
    setup = timed(lambda: made.append(Probe.of(x, y, network, tempfile.mkdtemp())))
    with made[0] as probe:
        step()
        probe(0)
        steps, rows = [], []
        for i in range(repeats):
            steps.append(timed(step))
            rows.append(timed(lambda i=i: probe(i + 1, force=True)))
    one, row = statistics.median(steps), statistics.median(rows)
    note = f"a row {row:.2f} s of {probe.views[0].inputs.count} samples, a step {one:.2f} s of {size}"
    table = [line(f"{name}, set-up of the {probe.views[0].name} view", setup, float("nan"), "s", note)]
    for length in LENGTHS:
        probing = LogSchedule().count(length) * row
        share = probing / (length * one + probing)
        target = TARGET if length >= 2_000 else float("nan")
        table.append(line(f"{name}, share of {length:,} steps", share, target, "", ""))
    return table


def inside() -> list[dict[str, object]]:
    """Rows of the views that measure more of the ResNet than its outputs at the samples."""
    network, x, y, loss, size = pictures()
    graph = views.graph(x[:512], y[:512])
    candidates = {
        "layers, 4 of 512 samples": views.layers(graph, ["3", "5", "7", "9"]),
        "paths, 16 of 32 places": views.paths(Paths.between_classes(x, y, 16)),
        "sensitivity, 32 pictures, 2 modes a band": views.sensitivity(
            x[:32], y[:32], 1.0, normalise=InputNormalisation.none()
        ),
        "gradients, 64 pictures": views.gradients(x[:64], y[:64], normalise=InputNormalisation.none()),
    }
    loss(network(x[:size]), y[:size]).backward()
    one = timed(lambda: loss(network(x[:size]), y[:size]).backward())
    table = []
    for name, view in candidates.items():
        with Probe(view, network, tempfile.mkdtemp()) as probe:
            row = timed(functools.partial(probe, 0))
        note = f"a row {row:.2f} s of {view.inputs.count} samples, a step {one:.2f} s of {size}"
        table.append(line(f"ResNet-18, a row of {name}", row / one, float("nan"), "steps", note))
    return table


def line(name: str, value: float, target: float, unit: str, note: str) -> dict[str, object]:
    return {"name": name, "ours": value, "ratio": value, "target": target, "unit": unit, "note": note}


def main() -> list[dict[str, object]]:
    resnet, lstm = measure("ResNet-18, 32 x 32", pictures, 3), measure("LSTM, 2 layers", sequences, 7)
    return resnet + lstm + inside()


if __name__ == "__main__":
    for row in main():
        print(f"{row['name']:44s} {row['ours']:9.4f} {row['unit']:2s} <= {row['target']}  {row['note']}")
