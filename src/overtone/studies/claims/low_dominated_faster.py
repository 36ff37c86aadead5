"""Targets dominated by low frequencies are learned faster."""

from __future__ import annotations

import math

import numpy as np

import overtone as ot
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study

LOSS = 0.1
"""Share of the target's variance at which a target counts as learned."""


def measure(
    seed: int, encoding: str, exponents: list[float], optimizer: str, lr: float, steps: int, width: int
) -> Measured:
    """Octaves between the steps that a rough and a smooth target take to a tenth of their variance."""
    found, curves = [], {}
    for exponent in exponents:
        signal = ot.signals.synthetic.power_law(64, exponent, seed=seed)
        run = ot.fit(
            signal,
            encoding=encoding,
            bandwidth=None if encoding == "none" else 1000.0,
            optimizer=optimizer,
            lr=lr,
            width=width,
            depth=3,
            steps=steps,
            held_out=0,
            seed=seed,
        )
        record = run.record
        share = record.train_error.values / float(signal.values.double().var())
        below = np.flatnonzero(share <= LOSS)
        found.append(float(record.step.values[below[0]]) if len(below) else float(steps))
        curves[f"power k^-{exponent:g}"] = (np.maximum(1, record.step.values), share)
    return Measured(math.log2(max(1.0, found[0]) / max(1.0, found[-1])), curves)


STUDY = Study(
    name="low-dominated-faster",
    family=Family.ORDER,
    claim="Targets dominated by low frequencies are learned faster than targets with much power at high ones.",
    source="Rahaman et al. 2019, On the spectral bias of neural networks (arXiv:1806.08734); Xu et al. 2019, "
    "Frequency principle (arXiv:1901.06523)",
    statistic="steps to a tenth of the variance for a target of power k^-1 over those for power k^-4, in octaves",
    criterion=AtLeast(1.0),
    conditions=(
        Condition("Adam", {"encoding": "none", "optimizer": "adam", "lr": 1e-3}),
        Condition("gradient descent with momentum", {"encoding": "none", "optimizer": "sgd", "lr": 0.1}),
    ),
    control=Condition(
        "Fourier features far beyond Nyquist", {"encoding": "gaussian", "optimizer": "adam", "lr": 1e-3}
    ),
    measure=measure,
    axes=Axes("Steps", "Mean squared error (of the variance)", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"exponents": [1.0, 4.0], "steps": 20, "width": 16}),
        Size.QUICK: Effort(3, {"exponents": [1.0, 4.0], "steps": 1000, "width": 32}),
        Size.FULL: Effort(20, {"exponents": [1.0, 2.0, 3.0, 4.0], "steps": 60_000, "width": 256}),
    },
    depends="the optimizer",
    caveat="One-dimensional fields of equal variance. A target not learned at the end counts as learned there, which "
    "makes the distance too small.",
)
