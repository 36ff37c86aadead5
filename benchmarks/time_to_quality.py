"""Time to the quality of plain Fourier features: `fit`'s plan for a tenth of the time against 2,000 plain steps.

Plain is what a reader of Tancik et al. 2020 would write: sigma = 10, 256 features, 4 x 256 units, Adam at 1e-3, 2,000
steps on all samples up to 8,192. Quality is the PSNR on a tenth of the samples, held out. Time is processor
time without that of looking at the quality, because wall-clock time of a shared machine says little.
"""

from __future__ import annotations

import math
import os
import time

import numpy as np
import skimage.data
import skimage.transform
import torch

import overtone as ot
from overtone import planning
from overtone._training import train
from overtone.fitting import TrainingConfig
from overtone.nn import MLP, CoordinateScaling, Field, OutputScaling, encodings
from overtone.probes import LogSchedule
from overtone.signals import masks

SIDE = int(os.environ.get("PICTURE_SIDE", "64"))
STEPS = 2000
SHARE = 0.1
"""Part of the plain network's time that ours is given."""

Curve = list[tuple[int, float, float]]
"""Steps, seconds and PSNR."""


PHOTOGRAPHS = ("camera", "coins", "moon", "page", "text", "clock", "brick", "grass", "gravel")
"""Grey pictures of scikit-image: portrait, objects, smooth surface, writing, edges and textures."""


def pictures() -> dict[str, ot.Signal]:
    """Ten pictures, with a tenth of their pixels held out."""
    made = {name: getattr(skimage.data, name)() for name in PHOTOGRAPHS}
    made["blobs"] = skimage.data.binary_blobs(256, blob_size_fraction=0.2, rng=0).astype(np.float32)
    signals = {}
    for name, whole in made.items():
        side = min(whole.shape)
        # Wide pictures are cropped to their left square, so that pixels stay square.
        values = skimage.transform.resize(whole[:side, :side], (SIDE, SIDE), anti_aliasing=True)
        signal = ot.signals.image(values.astype(np.float32))
        signals[f"{name} {SIDE} x {SIDE}"] = signal.with_held_out(masks.random(signal.geometry, 0.1, 0))
    return signals


def plain(signal: ot.Signal) -> Field:
    grid, encoding = signal.geometry, encodings.Gaussian(2, 256, 10.0, seed=0)
    return Field(
        encoding,
        MLP(encoding.out_features, signal.values.shape[1], 256, 4, seed=0),
        CoordinateScaling.of(grid.origin, grid.extent, grid.units, encoding.domain),
        OutputScaling(signal.normalisation.offset, signal.normalisation.scale),
    )


def curve(
    field: Field,
    signal: ot.Signal,
    options: TrainingConfig,
    until: float = math.inf,
    seconds: float = math.inf,
) -> Curve:
    """PSNR on the held-out samples over training, up to the first row of `until` dB or more, or of so many seconds."""
    due, held = LogSchedule(1.05).due, signal.held_out_index
    coords, target_values = signal.geometry.coords(held), signal.values[held]
    points: Curve = []
    clock = [0.0, time.process_time()]

    def observe(step: int, *_: object) -> bool:
        clock[0] += time.process_time() - clock[1] if step else 0.0
        with torch.no_grad():
            error = float((field(coords) - target_values).double().square().mean())
        points.append((step, clock[0], 10 * math.log10(signal.peak**2 / error)))
        clock[1] = time.process_time()
        return points[-1][2] >= until or clock[0] > seconds

    train(field, signal, options, observe, wants=due)
    return points


def compared(name: str, signal: ot.Signal) -> list[dict[str, object]]:
    """Rows of one picture: our training alone, and with the choice."""
    theirs = curve(plain(signal), signal, TrainingConfig(steps=STEPS, lr=1e-3, compile=False))
    spent, target = theirs[-1][1:]
    first = next(row for row in theirs if row[2] >= target)
    start = time.process_time()
    plan = planning.plan(signal, planning.Budget(seconds=SHARE * spent))
    chosen = time.process_time() - start
    options = TrainingConfig(steps=20 * plan.steps, batch=plan.batch, lr=plan.lr, compile=False)
    ours = curve(plan.field(signal), signal, options, until=target, seconds=spent)[-1]
    reached = "" if ours[2] >= target else ", so that the quality is not reached"
    what = (
        f"bandwidth {plan.bandwidth[0]:.3g} x {plan.bandwidth[1]:.3g}, {plan.depth} x {plan.width}, "
        f"{plan.batch} samples a step, Adam at {plan.lr:g}; choosing took {chosen:.3g} s"
    )
    return [
        {
            "name": f"{name}: to the {target:.2f} dB of {STEPS} plain steps",
            "ours": ours[1],
            "theirs": spent,
            "unit": "s",
            "ratio": spent / ours[1],
            "target": ">= 10",
            "note": f"ours has {ours[2]:.2f} dB after {ours[0]} steps{reached}; {what}",
        },
        {
            "name": f"{name}: the same, with the choice",
            "ours": ours[1] + chosen,
            "theirs": spent,
            "unit": "s",
            "ratio": spent / (ours[1] + chosen),
            "note": f"plain was there first at step {first[0]}, after {first[1]:.3g} s",
        },
    ]


def main() -> list[dict[str, object]]:
    rows = [row for name, signal in pictures().items() for row in compared(name, signal)]
    with_choice = [float(str(row["ratio"])) for row in rows if str(row["name"]).endswith("with the choice")]
    summary = {
        "name": f"{len(with_choice)} pictures, with the choice: geometric mean",
        "ratio": math.exp(sum(map(math.log, with_choice)) / len(with_choice)),
        "target": ">= 20",
        "note": f"least {min(with_choice):.3g}, most {max(with_choice):.3g}",
    }
    return [summary, *rows]
