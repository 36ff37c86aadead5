"""Runs with real-looking content: a linear model learns a signal frequency by frequency, noise included.

The coefficients c of the signal's cosine transform are learned as (1 - exp(-rate t)) c, with a rate that falls with
frequency, so predictions are the signal blurred less and less, and every error is known in closed form.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import fft

from overtone.records import Header, Writer
from tests.records.toy import toy_steps


def radial(shape: tuple[int, ...], spacing: tuple[float, ...]) -> np.ndarray:
    """Frequency of every cosine, in cycles per unit."""
    axes = [np.arange(n) / (2 * n * s) for n, s in zip(shape, spacing, strict=True)]
    return np.sqrt(sum(a**2 for a in np.meshgrid(*axes, indexing="ij", sparse=True)))


def write_run(
    path: Path,
    clean: np.ndarray,
    spacing: tuple[float, ...],
    unit: str,
    kind: str,
    *,
    noise: float = 0.05,
    bands: int = 24,
    steps: int = 5000,
    speed: float = 2.0,
    snapshots: bool = True,
    **attrs: object,
) -> Path:
    """Write a run directory for `clean` (*shape, C) plus white noise; slower for higher frequencies by 1 / f^2."""
    rng = np.random.default_rng(1)
    values = clean + noise * rng.standard_normal(clean.shape)
    shape, axes = clean.shape[:-1], tuple(range(clean.ndim - 1))
    samples = int(np.prod(shape))
    coefficients = fft.dctn(values, axes=axes, norm="ortho") / np.sqrt(samples)
    pure = fft.dctn(clean, axes=axes, norm="ortho") / np.sqrt(samples)
    frequency = radial(shape, spacing)
    nyquist = [0.5 / s for s in spacing]
    lowest = frequency[frequency > 0].min()
    edges = np.concatenate([[0], np.geomspace(lowest * 0.99, min(nyquist), bands)])
    if frequency.max() > edges[-1] * 1.0001:
        edges = np.append(edges, frequency.max() * 1.0001)
    which = np.clip(np.searchsorted(edges, frequency, side="right") - 1, 0, edges.size - 2).ravel()
    flat, flat_pure = coefficients.reshape(samples, -1), pure.reshape(samples, -1)

    def powers(weights: np.ndarray) -> np.ndarray:
        squares = weights[:, None] * flat**2
        return np.stack([np.bincount(which, c, edges.size - 1) for c in squares.T], axis=1)

    modes = np.bincount(which, minlength=edges.size - 1)
    channels = {1: ("value",), 3: ("red", "green", "blue")}.get(clean.shape[-1]) or tuple(
        map(str, range(clean.shape[-1]))
    )
    header = Header(
        edges[:-1],
        edges[1:],
        channels,
        {
            "target_power": powers(np.ones(samples)),
            "noise_power": np.outer(noise**2 * modes / samples, np.ones(len(channels))),
        },
        {
            "origin": "measured",
            "frequency_unit": "Hz" if unit == "s" else f"cycles per {unit}",
            "value_unit": "",
            "estimator": "grid, even extension, 1 window",
            "geometry": {
                "shape": shape,
                "spacing": spacing,
                "origin": [0.0] * len(shape),
                "units": [unit] * len(shape),
            },
            "nyquist": nyquist,
            "kind": kind,
            "signal": path.name,
            "peak": 1.0 if kind == "picture" else float(np.ptp(clean)),
            "seed": 0,
            "network": "linear model of cosines",
            "parameters": values.size,
            "device": "cpu",
            "dtype": "float32",
            "versions": {"overtone": "0.1.0", "torch": "2.13.0"},
            "created": "2026-01-01T00:00:00+00:00",
            "noise_std": noise or None,
            "noise_verdict": "noise" if noise else "clean",
            "bandwidth": [0.3 * n for n in nyquist],
            "reasons": [
                "The signal meets the noise floor near a third of the Nyquist frequency.",
                "A wider encoding fits noise.",
            ],
            **attrs,
        },
    )
    when = toy_steps(steps)
    kept = set(when[np.unique(np.linspace(0, when.size - 1, 9).round().astype(int))].tolist())
    rate = speed / (1 + (frequency.ravel() / lowest) ** 2)
    with Writer.create(path / "record.sqlite", header) as writer:
        if snapshots:
            writer.snapshot("target", -1, values.astype(np.float32))
        for step in when.tolist():
            learned = 1 - np.exp(-rate * step)
            residual = powers((1 - learned) ** 2)
            train = float(residual.sum(0).mean())
            truth = float(((learned[:, None] * flat - flat_pure) ** 2).sum(0).mean())
            row = {
                "residual_power": residual,
                "cross_power": powers(learned),
                "loss": 2 * train,
                "time": 0.01 * step,
            }
            errors = {"train_error": train, "held_out_error": truth + noise**2, "clean_error": truth}
            writer.append(step, row | errors | {"learning_rate": 1e-3})
            if snapshots and step in kept:
                predicted = learned.reshape(*shape, 1) * coefficients * np.sqrt(samples)
                writer.snapshot(
                    "prediction", step, fft.idctn(predicted, axes=axes, norm="ortho").astype(np.float32)
                )
    return path


def picture(folder: Path, size: int = 256, **kwargs: object) -> Path:
    """A photograph."""
    from skimage import data, transform

    values = transform.resize(data.astronaut() / 255.0, (size, size), anti_aliasing=True)
    return write_run(
        folder, values, (1 / size, 1 / size), "picture height", "picture", **({"speed": 5.0} | kwargs)
    )


def audio(folder: Path, rate: int = 8000, seconds: float = 1.5) -> Path:
    """A tone that glides up over a hum, in stereo."""
    t = np.arange(int(rate * seconds)) / rate
    glide = 0.35 * np.sin(2 * np.pi * (200 + 500 * t) * t) * np.exp(-t)
    hum = 0.25 * np.sin(2 * np.pi * 110 * t) + 0.1 * np.sin(2 * np.pi * 2200 * t) * (np.sin(6 * t) > 0)
    values = np.stack([glide + hum, glide + 0.5 * hum], axis=1)
    return write_run(folder, values, (1 / rate,), "s", "audio", noise=0.01, steps=200_000, speed=400.0)


def series(folder: Path, samples: int = 600) -> Path:
    """Temperatures with a trend, a season and a daily swing."""
    day = np.arange(samples) / 4
    values = (
        12
        + 8 * np.sin(2 * np.pi * day / 75)
        + 2.5 * np.sin(2 * np.pi * day / 7)
        + 1.5 * np.sin(2 * np.pi * day)
    )
    return write_run(
        folder, values[:, None], (0.25,), "day", "series", noise=0.8, value_unit="K", steps=20_000, speed=10.0
    )


def volume(folder: Path, size: int = 40) -> Path:
    """A shell with a bright core and a grating inside."""
    axis = np.linspace(-1, 1, size)
    z, y, x = np.meshgrid(axis, 0.9 * axis, axis, indexing="ij")
    r = np.sqrt(x**2 + y**2 + z**2)
    values = (
        np.exp(-((r - 0.7) ** 2) / 0.01)
        + 1.2 * np.exp(-(r**2) / 0.05)
        + 0.2 * (np.sin(18 * x) > 0) * (r < 0.6)
    )
    return write_run(folder, values[..., None], (0.5,) * 3, "mm", "volume", noise=0.05, bands=14, speed=3.0)
