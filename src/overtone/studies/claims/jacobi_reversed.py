"""Networks learn in the order opposite to that of classical relaxation."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import spearmanr

import overtone as ot
from overtone.records import metrics
from overtone.studies import AtMost, Axes, Condition, Effort, Family, Measured, Size, Study

MODES = [1, 2, 4, 8, 12]
"""Frequencies in cycles per period, all below half of the grid's Nyquist."""

POINTS = 64


def measure(seed: int, inverse: bool, activation: str, steps: int, sweeps: int, width: int) -> Measured:
    """Rank correlation of the order in which relaxation halves errors with that in which a network learns them."""
    relaxed = relaxation(inverse, sweeps)
    learned = learning(seed, activation, steps, width)
    value = float(spearmanr(relaxed, learned).statistic) if np.ptp(learned) else math.nan
    return Measured(value, {"relaxation": (MODES, relaxed), "network": (MODES, learned)})


def relaxation(inverse: bool, sweeps: int) -> np.ndarray:
    """Sweeps until the error of each mode stays below a half.

    Jacobi's on the periodic -u'' = g, where a sweep takes the mean of both neighbours, or Richardson's on the equation
    that is its inverse, where a sweep leaves 1 - 1/k^2 of frequency k.
    """
    x = np.arange(POINTS) / POINTS
    error = sum(np.sin(2 * np.pi * k * x) for k in MODES)
    kept = 1 - 1 / np.maximum(1, np.arange(POINTS // 2 + 1)) ** 2
    sizes = []
    for _ in range(sweeps):
        sizes.append(2 / POINTS * np.abs(np.fft.rfft(error))[MODES])
        if inverse:
            error = np.fft.irfft(np.fft.rfft(error) * kept, POINTS)
        else:
            error = (np.roll(error, 1) + np.roll(error, -1)) / 2
    return last_above(np.arange(sweeps), np.stack(sizes))


def learning(seed: int, activation: str, steps: int, width: int) -> np.ndarray:
    """Steps until a fitted network's error in each mode stays below a half; modes of equal amplitude."""
    signal = ot.signals.synthetic.harmonics(MODES, samples=POINTS, seed=seed)
    run = ot.fit(
        signal,
        encoding="none",
        activation=activation,
        width=width,
        depth=3,
        steps=steps,
        held_out=0,
        seed=seed,
    )
    record = run.record
    bands = [int(np.flatnonzero((record.band_low <= k) & (k < record.band_high))[0]) for k in MODES]
    errors = metrics.relative_error(record).isel(channel=0).values[:, bands]
    return last_above(record.step.values, errors)


def last_above(steps: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """(mode,) the last of the (step,) steps at which the (step, mode) error is a half or more, at least 1."""
    above = errors >= 0.5
    last = len(steps) - 1 - above[::-1].argmax(0)
    return np.maximum(1, np.where(above.any(0), steps[last], 0))


STUDY = Study(
    name="jacobi-reversed",
    family=Family.ORDER,
    claim="A network removes low frequencies of its error first, Jacobi's relaxation of the same problem high ones.",
    source="Xu et al. 2019, Frequency principle: Fourier analysis sheds light on deep neural networks, section 5 "
    "(arXiv:1901.06523)",
    statistic="rank correlation, over frequencies, of the sweeps in which Jacobi's method halves the error with the "
    "steps in which a network does",
    criterion=AtMost(-0.9),
    conditions=(
        Condition("ReLU", {"activation": "relu", "inverse": False}),
        Condition("tanh", {"activation": "tanh", "inverse": False}),
    ),
    control=Condition("relaxation of the integral equation, ReLU", {"activation": "relu", "inverse": True}),
    measure=measure,
    first_seed=300,
    revision=2,
    axes=Axes("Frequency (cycles per period)", "Sweeps or steps", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"steps": 120, "sweeps": 400, "width": 32}),
        Size.QUICK: Effort(10, {"steps": 1500, "sweeps": 1000, "width": 48}),
        Size.FULL: Effort(20, {"steps": 60_000, "sweeps": 4000, "width": 256}),
    },
    depends="the activation",
    caveat="Frequencies below half of the grid's Nyquist, where Jacobi's factor |cos(2 pi k / n)| falls. The network "
    "fits the solution itself and not the equation. Frequencies not learned at the end count as learned there. "
    "Judged on seeds 300 to 309, after three seeds had left it undecided.",
)
