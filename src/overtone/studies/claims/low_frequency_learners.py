"""Whether a learner of low frequencies predicts held-out samples better than one of high frequencies."""

from __future__ import annotations

import math

import numpy as np

import overtone as ot
from overtone._utils.seeding import derive_seed
from overtone.signals import Signal, synthetic
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study

LOW, HIGH = 4.0, 64.0
"""Bandwidths of the two learners, in cycles per array."""


def measure(seed: int, target: str, noise: float, samples: int, steps: int) -> Measured:
    """log10 of the high-frequency learner's clean held-out error over the low-frequency learner's, after training."""
    signal = {"smooth": smooth, "rough": rough}[target](samples, derive_seed(seed, "signal"))
    if noise:
        signal = synthetic.add_noise(signal, noise, seed=derive_seed(seed, "noise"))
    errors = {bandwidth: held_out(signal, bandwidth, seed, steps) for bandwidth in (LOW, HIGH)}
    return Measured(math.log10(errors[HIGH] / errors[LOW]), {"": (list(errors), list(errors.values()))})


def smooth(samples: int, seed: int) -> Signal:
    """Waves of up to 4 cycles per array."""
    return synthetic.harmonics([1, 2, 3, 4], [1.0, 0.5, 0.3, 0.2], samples=samples, seed=seed)


def rough(samples: int, seed: int) -> Signal:
    """Waves of 40 to 60 cycles per array, which the low-frequency learner does not reach."""
    return synthetic.harmonics([40, 47, 53, 60], 0.5, samples=samples, seed=seed)


def held_out(signal: Signal, bandwidth: float, seed: int, steps: int) -> float:
    """Mean squared error against the clean signal on the third of the samples that was held out."""
    run = ot.fit(
        signal, bandwidth=bandwidth, width=64, depth=2, features=64, steps=steps, held_out=1 / 3, seed=seed
    )
    wanted = signal.values if signal.clean is None else signal.clean
    error = (run.predict() - wanted)[run.signal.held_out_index]
    return float(np.mean(error.square().numpy()))


STUDY = Study(
    name="low-frequency-learners",
    family=Family.NOISE,
    claim="Learners of low frequencies generalise better; fitting high frequencies is over-fitting.",
    source="Xu et al. 2020, Frequency principle: Fourier analysis sheds light on deep neural networks, section 5 "
    "(arXiv:1901.06523)",
    statistic="log10 of the clean held-out error of a network with a bandwidth of 64 cycles per array over that of "
    "one with 4",
    criterion=AtLeast(0.3),
    conditions=(
        Condition("smooth signal", {"target": "smooth", "noise": 0.0}),
        Condition("smooth signal with noise", {"target": "smooth", "noise": 0.5}),
    ),
    control=Condition("signal of high frequencies", {"target": "rough", "noise": 0.0}),
    measure=measure,
    axes=Axes("Bandwidth (cycles per array)", "Clean held-out error", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"samples": 128, "steps": 5}),
        Size.QUICK: Effort(3, {"samples": 512, "steps": 400}),
        Size.FULL: Effort(20, {"samples": 4096, "steps": 20_000}),
    },
    caveat="It is the signal that decides: the control is the same comparison on a signal of high frequencies, where "
    "fitting them is no over-fitting.",
)
