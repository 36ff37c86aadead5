"""Whether swish and leaky ReLU reach a given error in fewer steps than ReLU."""

from __future__ import annotations

import numpy as np

import overtone as ot
from overtone.signals import Signal, synthetic
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study
from overtone.studies.study import Numbers


def measure(seed: int, activation: str, encoding: str, side: int, width: int, steps: int) -> Measured:
    """log10 of ReLU's loss over the other's, averaged over the recorded steps after the tenth."""
    picture = synthetic.power_law((side, side), 3.0, seed)
    at, relu = course(picture, "relu", encoding, seed, width, steps)
    _, other = course(picture, activation, encoding, seed, width, steps)
    late = np.asarray(at) > min(10, steps // 2)
    gain = float(np.log10(np.asarray(relu)[late] / np.asarray(other)[late]).mean())
    return Measured(gain, {"relu": (at, relu), activation: (at, other)})


def course(
    picture: Signal, activation: str, encoding: str, seed: int, width: int, steps: int
) -> tuple[Numbers, Numbers]:
    """Recorded steps and mean squared errors."""
    record = ot.fit(
        picture,
        encoding=encoding,
        bandwidth=None if encoding == "none" else 6.0,
        activation=activation,
        width=width,
        features=64,
        steps=steps,
        held_out=0,
        seed=seed,
    ).record
    return record.step.values[1:], record.train_error.values[1:]


STUDY = Study(
    name="activations-against-relu",
    family=Family.ACTIVATIONS,
    claim="Swish and leaky ReLU converge faster than ReLU.",
    source="Ramachandran, Zoph, Le 2017, Searching for activation functions, section 4 (arXiv:1710.05941)",
    statistic="log10 of ReLU's error over the other's at equal steps, averaged over the logarithm of the step",
    criterion=AtLeast(0.05),
    conditions=(
        Condition("swish", {"activation": "swish", "encoding": "none"}),
        Condition("leaky ReLU", {"activation": "leaky-relu", "encoding": "none"}),
        Condition("swish after Fourier features", {"activation": "swish", "encoding": "gaussian"}),
        Condition("leaky ReLU after Fourier features", {"activation": "leaky-relu", "encoding": "gaussian"}),
    ),
    control=Condition("sigmoid", {"activation": "sigmoid", "encoding": "none"}),
    measure=measure,
    axes=Axes("Step", "Mean squared error", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"side": 8, "width": 8, "steps": 20}),
        Size.QUICK: Effort(3, {"side": 24, "width": 64, "steps": 200}),
        Size.FULL: Effort(20, {"side": 256, "width": 256, "steps": 10_000}),
    },
    depends="the activation and the encoding",
    caveat="Fields from coordinates are learned, not the classifiers of the source, at one learning rate for all, with "
    "an initialisation that was made for ReLU.",
)
