"""Regret of stopping rules, and of averaged weights, on signals of two sets: `python -m benchmarks stopping`.

The rules and their constants were chosen while looking at the signals of the set "design". Those of the set "sealed"
were written down beforehand and evaluated once, afterwards. Each signal has noise of 0, 3 and 10 % of its range; three
hidden layers of 64 units after 64 Gaussian features train for 600 and for 2,000 steps of Adam, on full batches and on
minibatches of 64 samples; a quarter of the samples is set apart. The regret of a rule is its error against the clean
signal there, over that of the best step of the same run, in dB. About half an hour on one core.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import skimage.color
import skimage.data
import skimage.transform
import torch
from torch import nn

from overtone._training import WeightAverage
from overtone._utils.seeding import numpy_generator
from overtone.early_stopping import HeldOut, HeldOutAndNoise
from overtone.fitting._stopping import RAW_GAIN
from overtone.probes import LogSchedule
from overtone.spectra import NoiseVerdict, noise_floor

SAMPLES, SIDE = 768, 32
NOISE = (0.0, 0.03, 0.1)
STEPS = (600, 2000)
BATCH = 64
BANDWIDTH = {1: 8.0, 2: 4.0}
"""Standard deviation of the frequencies in cycles per extent, by the number of axes."""

PICTURES = {
    "design": {
        "camera": 0.15,
        "coins": 0.25,
        "moon": 0.15,
        "brick": 0.2,
        "page": 0.4,
        "cat": 0.2,
        "text": 0.5,
        "clock": 0.3,
    },
    "sealed": {
        "rocket": 0.2,
        "coffee": 0.2,
        "astronaut": 0.15,
        "grass": 0.15,
        "gravel": 0.2,
        "hubble_deep_field": 0.2,
        "retina": 0.1,
        "cell": 0.15,
    },
}
"""Pictures of scikit-image by set, and the factor by which they are scaled before a crop of 32 x 32."""


def signals(which: str) -> dict[str, np.ndarray]:
    """Return 20 signals of a set, eight of one axis and twelve of two, scaled to [0, 1]."""
    rng = numpy_generator(0, "benchmark", "stopping", which)
    t = np.linspace(0, 1, SAMPLES)
    y, x = np.meshgrid(np.linspace(0, 1, SIDE), np.linspace(0, 1, SIDE), indexing="ij")
    radius = np.hypot(x - 0.5, y - 0.5)
    if which == "design":
        found = {
            "tones": sum(np.sin(2 * np.pi * k * t + rng.uniform(0, 6)) for k in (2, 7, 19)),
            "steps": np.searchsorted(np.sort(rng.uniform(0, 1, 9)), t) % 2 + 0.3 * t,
            "power law 1.5": power_law((2 * SAMPLES,), 1.5, rng)[:SAMPLES],
            "power law 1": power_law((2 * SAMPLES,), 1.0, rng)[:SAMPLES],
            "chirp": np.sin(2 * np.pi * (3 * t + 14 * t**2)),
            "pulses": sum(np.exp(-(((t - c) / 0.012) ** 2)) for c in (0.2, 0.43, 0.47, 0.8)),
            "decay": np.exp(-3 * t) * np.cos(9 * t),
            "sawtooth": (5 * t) % 1,
            "power law 2, picture": power_law((2 * SIDE,) * 2, 2.0, rng)[:SIDE, :SIDE],
            "rings": np.sin(60 * radius**2),
            "stripes": np.sin(2 * np.pi * 6 * x) * np.cos(2 * y),
            "disc": 1.0 * ((x - 0.4) ** 2 + (y - 0.6) ** 2 < 0.06),
        }
    else:
        bumps = ((0.1, 4, 0.01), (0.23, 5, 0.02), (0.4, 4.2, 0.03), (0.76, 5.1, 0.01), (0.81, 4.2, 0.02))
        found = {
            "tones": sum(
                a * np.sin(2 * np.pi * k * t + rng.uniform(0, 6)) for k, a in ((1, 1), (11, 0.6), (31, 0.3))
            ),
            "blocks": np.repeat(rng.standard_normal(16), SAMPLES // 16),
            "power law 2": power_law((2 * SAMPLES,), 2.0, rng)[:SAMPLES],
            "power law 1.2": power_law((2 * SAMPLES,), 1.2, rng)[:SAMPLES],
            "doppler": np.sqrt(t * (1 - t)) * np.sin(2.1 * np.pi / (t + 0.05)),
            "bumps": sum(a / (1 + abs((t - c) / w)) ** 4 for c, a, w in bumps),
            "trend": t**3 - 0.4 * t,
            "modulated": (1 + 0.8 * np.sin(2 * np.pi * 2 * t)) * np.sin(2 * np.pi * 17 * t),
            "power law 1.5, picture": power_law((2 * SIDE,) * 2, 1.5, rng)[:SIDE, :SIDE],
            "checkerboard": 1.0 * ((np.floor(5 * x) + np.floor(5 * y)) % 2),
            "wave packet": np.exp(-8 * radius**2) * np.cos(40 * (x + y)),
            "triangle": 1.0 * ((x > 0.2) & (y > x)),
        }
    for name, scale in PICTURES[which].items():
        found[name] = crop(getattr(skimage.data, name)(), scale, rng)
    return {name: (v - np.min(v)) / np.ptp(v) for name, v in found.items()}


def power_law(shape: tuple[int, ...], exponent: float, rng: np.random.Generator) -> np.ndarray:
    """Return a random field whose amplitude spectrum falls as k^-exponent."""
    radius = np.sqrt(sum(np.meshgrid(*((n * np.fft.fftfreq(n)) ** 2 for n in shape), indexing="ij")))
    radius.flat[0] = np.inf
    return np.fft.ifftn(np.fft.fftn(rng.standard_normal(shape)) * radius**-exponent).real


def crop(picture: np.ndarray, scale: float, rng: np.random.Generator) -> np.ndarray:
    """Return a part of 32 x 32 of a picture that was scaled down, in grey."""
    grey = skimage.color.rgb2gray(picture / 255.0) if picture.ndim == 3 else picture.astype(float)
    shape = [int(scale * n) for n in grey.shape]
    small = skimage.transform.resize(grey, shape, anti_aliasing=True)
    top, left = (int(rng.integers(0, n - SIDE + 1)) for n in small.shape)
    return small[top : top + SIDE, left : left + SIDE]


@dataclass(frozen=True)
class Curves:
    """Errors of a run, and of the average of its weights, at recorded steps: each (row, 2)."""

    steps: list[int]
    train: np.ndarray
    held_out: np.ndarray
    clean: np.ndarray


def run(values: np.ndarray, noise: float, minibatches: bool, seed: int) -> tuple[Curves, float]:
    """Train once; return the errors, and the variance of the noise where it is certain, else 0."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.linspace(0, 1, n) for n in values.shape), indexing="ij")
    coords = torch.tensor(np.stack(axes, -1).reshape(-1, values.ndim)).float()
    clean = torch.tensor(values.reshape(-1)).float()
    noisy = clean + noise * torch.tensor(rng.standard_normal(len(clean))).float()
    apart, rest = np.split(rng.permutation(len(clean)), [len(clean) // 4])
    held_out, train = np.split(rest, [len(rest) // 10])
    floor = noise_floor(noisy.reshape(values.shape))
    variance = float(floor.std.square().mean()) if floor.verdict is NoiseVerdict.NOISE else 0.0
    torch.manual_seed(seed)
    phases = 2 * torch.pi * coords @ (BANDWIDTH[values.ndim] * torch.randn(values.ndim, 64))
    features = torch.cat([phases.sin(), phases.cos()], 1)
    layers = [layer for _ in range(3) for layer in (nn.LazyLinear(64), nn.ReLU())]
    network = nn.Sequential(*layers, nn.LazyLinear(1))
    network(features)
    average = WeightAverage(network)
    mean, scale = noisy[train].mean(), noisy[train].std()
    target = (noisy - mean) / scale
    optimizer, schedule = torch.optim.Adam(network.parameters(), 1e-3), LogSchedule()
    rows: list[list[tuple[float, float, float]]] = []
    steps: list[int] = []
    for step in range(1, max(STEPS) + 1):
        batch = rng.choice(train, BATCH) if minibatches else train
        optimizer.zero_grad()
        (network(features[batch])[:, 0] - target[batch]).square().mean().backward()
        optimizer.step()
        average.update(step)
        if schedule.due(step) or step in STEPS:
            steps.append(step)
            with torch.no_grad():
                outputs = [n(features)[:, 0] * scale + mean for n in (network, average.network)]
            rows.append(
                [
                    (
                        float((o - noisy)[train].square().mean()),
                        float((o - noisy)[held_out].square().mean()),
                        float((o - clean)[apart].square().mean()),
                    )
                    for o in outputs
                ]
            )
    table = np.array(rows)
    return Curves(steps, table[..., 0], table[..., 1], table[..., 2]), variance


def stopped(curves: Curves, variance: float, until: int, column: int) -> tuple[int, float, int]:
    """Return the row that a rule restores by a column of errors, its smoothed error, and the row at which it ends."""
    monitor = (HeldOutAndNoise(variance) if variance else HeldOut()).monitor()
    last = 0
    for i, step in enumerate(curves.steps):
        if step > until:
            break
        last = i
        row = {"train_error": curves.train[i, column], "held_out_error": curves.held_out[i, column]}
        if monitor.update(step, row):
            break
    best = monitor.best_step
    assert best is not None
    return curves.steps.index(best), monitor.lowest, last


def regrets(curves: Curves, variance: float, until: int) -> dict[str, float]:
    """Return the regret of each rule in dB."""
    rows = sum(step <= until for step in curves.steps)
    best = curves.clean[:rows, 0].min()

    def regret(row: int, column: int) -> float:
        return 10 * float(np.log10(curves.clean[row, column] / best))

    alone, *_ = stopped(curves, 0.0, until, 0)
    joint, *_ = stopped(curves, variance, until, 0)
    averaged, lowest, last = stopped(curves, variance, until, 1)
    # As in a fit: the run ends by the errors of the average; the weights are restored if they are clearly better.
    raw, raw_lowest, _ = stopped(curves, variance, curves.steps[last], 0)
    restored = (raw, 0) if raw_lowest < (1 - RAW_GAIN) * lowest else (averaged, 1)
    return {
        "last step": regret(rows - 1, 0),
        "held-out error": regret(alone, 0),
        "with certain noise": regret(joint, 0),
        "with noise and averaged weights": regret(*restored),
    }


def main() -> list[dict[str, object]]:
    """A row per set, kind of batch, kind of signal and rule."""
    table: list[dict[str, object]] = []
    for which in ("design", "sealed"):
        found: dict[tuple[str, str, str], list[float]] = {}
        for name, values in signals(which).items():
            for noise in NOISE:
                for minibatches in (False, True):
                    curves, variance = run(values, noise, minibatches, zlib.crc32(name.encode()) % 1000)
                    kind = "noisy" if noise else "clean"
                    batches = f"minibatches of {BATCH}" if minibatches else "full batches"
                    for until in STEPS:
                        for rule, value in regrets(curves, variance, until).items():
                            found.setdefault((batches, kind, rule), []).append(value)
        for (batches, kind, rule), values in found.items():
            table.append(
                {
                    "set": which,
                    "batches": batches,
                    "signals": kind,
                    "rule": rule,
                    "cases": len(values),
                    "mean dB": float(np.mean(values)),
                    "median dB": float(np.median(values)),
                    "worst dB": float(np.max(values)),
                    "above 1 dB": int(np.sum(np.array(values) > 1)),
                }
            )
    return table
