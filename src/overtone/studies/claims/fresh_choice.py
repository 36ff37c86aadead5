"""Choosing a bandwidth by the spectrum of untrained networks, against training with each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import nn

import overtone as ot
from overtone.nn import MLP
from overtone.nn.encodings import Gaussian
from overtone.planning import fresh
from overtone.signals import Signal, synthetic
from overtone.studies import AtMost, Axes, Condition, Effort, Family, Measured, Size, Study

BANDWIDTHS = (4.0, 8.0, 16.0, 32.0, 64.0)
"""In cycles per array."""


def measure(
    seed: int,
    exponent: float,
    noise: float,
    told: float,
    samples: int,
    width: int,
    steps: int,
    largest: float = BANDWIDTHS[-1],
) -> Measured:
    """PSNR between samples lost by the bandwidth that untrained spectra choose, against the best one, in dB."""
    clean = synthetic.power_law(samples, exponent, seed)
    signal = synthetic.add_noise(clean, noise, seed=seed) if noise else clean
    shown = signal if told == exponent else synthetic.power_law(samples, told, seed)
    tried = [bandwidth for bandwidth in BANDWIDTHS if bandwidth <= largest]
    chosen = fresh(shown, [candidate(width, bandwidth) for bandwidth in tried], seeds=5)
    quality = [trained(signal, bandwidth, width, steps, seed) for bandwidth in tried]
    note = f"chosen {tried[chosen.best]:g}, best {tried[int(np.argmax(quality))]:g} cycles per array"
    return Measured(max(quality) - quality[chosen.best], {"": (tried, quality)}, (note,))


def candidate(width: int, bandwidth: float) -> Callable[[int], nn.Module]:
    """What builds an untrained network of a bandwidth for a seed."""

    def build(seed: int) -> nn.Module:
        return nn.Sequential(
            Gaussian.from_bandwidth(1, width, bandwidth, seed), MLP(2 * width, 1, width, 2, seed=seed)
        ).double()

    return build


def trained(signal: Signal, bandwidth: float, width: int, steps: int, seed: int) -> float:
    """PSNR on samples that a network of this bandwidth was not trained on, in dB."""
    run = ot.fit(
        signal,
        encoding="gaussian",
        bandwidth=bandwidth,
        width=width,
        depth=2,
        features=width,
        steps=steps,
        held_out=0.25,
        stop=False,
        seed=seed,
    )
    error = float(run.record.held_out_error.values[-1])
    return float(-10 * np.log10(error))


STUDY = Study(
    name="fresh-choice",
    family=Family.DESIGN,
    claim="The spectrum of untrained networks tells which bandwidth to take: the one nearest to the signal's.",
    source="Kania et al. 2025, FreSh: frequency shifting for accelerated neural representation learning "
    "(arXiv:2410.05050), sections 3 and 4",
    statistic="PSNR on held-out samples of the best of five bandwidths less that of the one chosen, in dB",
    criterion=AtMost(1.0),
    conditions=(
        Condition("smooth signal", {"exponent": 4.0, "noise": 0.0, "told": 4.0}),
        Condition("signal of a picture's roughness", {"exponent": 2.0, "noise": 0.0, "told": 2.0}),
        Condition("smooth signal with noise of a half", {"exponent": 4.0, "noise": 0.5, "told": 4.0}),
    ),
    control=Condition(
        "smooth signal, told the spectrum of white noise", {"exponent": 4.0, "noise": 0.0, "told": 0.0}
    ),
    measure=measure,
    axes=Axes("Bandwidth (cycles per array)", "PSNR on held-out samples (dB)", log_x=True),
    efforts={
        Size.SMOKE: Effort(1, {"samples": 32, "width": 8, "steps": 3, "largest": 8.0}),
        Size.QUICK: Effort(4, {"samples": 256, "width": 64, "steps": 150}),
        Size.FULL: Effort(20, {"samples": 1024, "width": 256, "steps": 10_000}),
    },
    depends="noise",
    caveat="Signals in one dimension and Fourier features. Choosing takes 25 untrained networks, training with each "
    "bandwidth five runs, whose last network is judged and not their best. Noisy samples are held out noisy.",
)
