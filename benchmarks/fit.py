"""Steps per second of `fit` against a bare PyTorch loop with the same network, batches and optimizer.

Noise of a shared machine is met by taking short turns, ours and theirs alternating, and comparing processor
time as well as wall-clock time.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import skimage.data
import skimage.transform
import torch
from torch import Tensor

import overtone as ot
from overtone._training import train
from overtone.fitting import FitConfig, TrainingConfig
from overtone.fitting._monitor import plan_monitor, window_of
from overtone.fitting._prepare import prepare
from overtone.planning import measure_noise
from overtone.probes import LogSchedule, Probe, views

STEPS = 2000
TURNS = 8
PER_TURN = 12


def picture() -> ot.Signal:
    """Return a gray picture of 256 x 256 pixels."""
    values = skimage.transform.resize(skimage.data.camera(), (256, 256), anti_aliasing=True)
    return ot.signals.image(values.astype(np.float32))


def bare(field: torch.nn.Module, everywhere: Tensor, values: Tensor, steps: int, batch: int) -> None:
    """Train as a plain PyTorch loop does, with coordinates and normalised values in memory."""
    optimizer = torch.optim.Adam(field.parameters(), 1e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        index = torch.randint(len(values), (batch,), generator=generator)
        loss = torch.nn.functional.mse_loss(field.normalised(everywhere[index]), values[index])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


def timed(work) -> tuple[float, float]:
    """Wall-clock and processor seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> list[dict]:
    signal = picture()
    noise = measure_noise(signal)
    options = TrainingConfig(steps=PER_TURN)
    batch = options.batch_of(signal.values.shape[0])
    values, everywhere = signal.normalisation.apply(signal.values), signal.coords
    ours, theirs = [], []
    for turn in range(TURNS):
        for_ours = prepare(signal, FitConfig().replace(seed=turn, held_out=0.0)).field
        for_theirs = prepare(signal, FitConfig().replace(seed=turn, held_out=0.0)).field
        ours.append(
            timed(lambda f=for_ours: train(f, signal, options, lambda *_: None, wants=lambda _: False))
        )
        theirs.append(timed(lambda f=for_theirs: bare(f, everywhere, values, PER_TURN, batch)))
    loop = [t / o for (o, _), (t, _) in zip(ours, theirs, strict=True)]
    loop_processor = [t / o for (_, o), (_, t) in zip(ours, theirs, strict=True)]
    step = min(t for t, _ in theirs) / PER_TURN
    row, row_processor = probe_row(signal, noise, batch)
    rows = LogSchedule().count(STEPS)
    processor_step = min(p for _, p in theirs) / PER_TURN
    whole_processor = STEPS * processor_step
    share = whole_processor / (whole_processor / statistics.median(loop_processor) + rows * row_processor)
    return [
        {
            "name": "training loop, steps per second",
            "ours": 1 / (min(o for o, _ in ours) / PER_TURN),
            "theirs": 1 / step,
            "unit": "1/s",
            "ratio": statistics.median(loop),
            "target": ">= 0.97",
            "note": f"batch {batch}, 256 features, 3 x 256; processor time {statistics.median(loop_processor):.3f}",
        },
        {
            "name": f"with the default probe over {STEPS} steps",
            "ours": STEPS / (STEPS * step / statistics.median(loop) + rows * row),
            "theirs": 1 / step,
            "unit": "1/s",
            "ratio": STEPS * step / (STEPS * step / statistics.median(loop) + rows * row),
            "target": ">= 0.95",
            "note": (
                f"{rows} rows of {row * 1e3:.0f} ms on the whole picture; processor time "
                f"{share:.3f}; "
                "floor of a row: one forward pass, a third of a step per batch of samples"
            ),
        },
    ]


def probe_row(signal: ot.Signal, noise: ot.spectra.NoiseFloor, batch: int) -> tuple[float, float]:
    """Wall-clock and processor seconds of one row, the median of several."""
    field = prepare(signal, FitConfig().replace(held_out=0.0)).field
    monitor = plan_monitor(signal.geometry, STEPS, batch)
    with tempfile.TemporaryDirectory() as folder:
        view = views.GridView(signal, window_of(monitor), noise=noise)
        probe = Probe(view, field, Path(folder) / "run")
        with probe:
            times = [timed(lambda s=step: probe(s, 1.0, 1.0, force=True)) for step in range(8)]
    return statistics.median(t for t, _ in times), statistics.median(p for _, p in times)
