"""Networks between fields: a probe's share of training time, and the amplitude loss against the mean square error.

A U-Net on fields of 64 x 64, batches of 16. Steps and rows are timed in turn, in processor seconds. The share of the
probe is that of a run with the default schedule, rows * row / (steps * step + rows * row), on 256 samples, of which
`Probe.of` draws 32. The loss is compared by the median ratio of neighbouring steps of training.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from overtone.nn.losses import AmplitudeCoherence
from overtone.probes import LogSchedule, Probe
from overtone.spectra import GridTransform

LENGTHS = (1_000, 2_000, 10_000)
PROBE_TARGET = 0.05
"""Of a run of 2,000 steps or more."""
LOSS_TARGET = 1.3


def convolutions(inside: int, out: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inside, out, 3, padding=1),
        nn.BatchNorm2d(out),
        nn.ReLU(),
        nn.Conv2d(out, out, 3, padding=1),
        nn.BatchNorm2d(out),
        nn.ReLU(),
    )


class UNet(nn.Module):
    """Three scales with skip connections."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.first, self.second = convolutions(1, width), convolutions(width, 2 * width)
        self.third = convolutions(2 * width, 4 * width)
        self.back, self.last = convolutions(6 * width, 2 * width), convolutions(3 * width, width)
        self.pool, self.up = nn.AvgPool2d(2), nn.Upsample(scale_factor=2, mode="bilinear")
        self.out = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.first(x)
        middle = self.second(self.pool(fine))
        coarse = self.third(self.pool(middle))
        middle = self.back(torch.cat([self.up(coarse), middle], 1))
        return self.out(self.last(torch.cat([self.up(middle), fine], 1)))


def seconds(function: Callable[[], object]) -> float:
    """Return the processor seconds of a call."""
    before = time.process_time()
    function()
    return time.process_time() - before


def main(repeats: int = 5) -> list[dict]:
    """Return the rows of the table: shares of the probe, and the ratio of the losses."""
    torch.manual_seed(0)
    clean = torch.randn(256, 1, 64, 64).cumsum(-1).cumsum(-2)
    clean = clean / clean.std()
    noisy = clean + 0.5 * torch.randn_like(clean)
    network = UNet()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    amplitude = AmplitudeCoherence(GridTransform((64, 64)))

    def step(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        batch = torch.randint(256, (16,))
        optimizer.zero_grad()
        loss(network(noisy[batch]), clean[batch]).backward()
        optimizer.step()

    probe = Probe.of(noisy, clean, network, tempfile.mkdtemp())
    for loss in (nn.functional.mse_loss, amplitude):
        step(loss)
    probe(0)
    plain, losses, rows = [], [], []
    for turn in range(1, repeats + 1):
        plain.append(min(seconds(lambda: step(nn.functional.mse_loss)) for _ in range(3)))
        losses.append(min(seconds(lambda: step(amplitude)) for _ in range(3)))
        rows.append(seconds(lambda turn=turn: probe(turn, force=True)))
    probe.close()
    one, row = statistics.median(plain), statistics.median(rows)
    schedule = LogSchedule()
    table = []
    for length in LENGTHS:
        count = sum(schedule.due(n) for n in range(length + 1))
        table.append(
            {
                "name": f"probe of 32 of 256 fields, share of {length:,} steps",
                "ratio": count * row / (length * one + count * row),
                "target": f"< {PROBE_TARGET}" if length >= 2_000 else "",
                "step (ms)": 1e3 * one,
                "row or loss step (ms)": 1e3 * row,
                "rows": count,
            }
        )
    ratio = statistics.median(a / b for a, b in zip(losses, plain, strict=True))
    table.append(
        {
            "name": "step with AmplitudeCoherence / step with the mean square error",
            "ratio": ratio,
            "target": f"< {LOSS_TARGET}",
            "step (ms)": 1e3 * one,
            "row or loss step (ms)": 1e3 * statistics.median(losses),
        }
    )
    return table
