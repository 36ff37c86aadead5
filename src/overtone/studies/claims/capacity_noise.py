"""What a wider network adds is the fitting of noise."""

from __future__ import annotations

import torch

import overtone as ot
from overtone._utils.seeding import derive_seed
from overtone.signals import synthetic
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study


def measure(
    seed: int, encoding: str, own: bool, widths: list[int], samples: int, steps: int, depth: int
) -> Measured:
    """Share of the training noise that the widest network has fitted, less that of the narrowest."""
    clean = synthetic.harmonics([1, 2, 3], [1.0, 0.5, 0.3], samples=samples, seed=seed)
    seen = synthetic.add_noise(clean, 0.5, seed=derive_seed(seed, "noise"))
    looked_for = seen if own else synthetic.add_noise(clean, 0.5, seed=derive_seed(seed, "other noise"))
    noise = (looked_for.values - clean.values)[:, 0]
    shares, errors = [], []
    for width in widths:
        run = ot.fit(
            seen,
            encoding=encoding,
            bandwidth=None if encoding == "none" else 32.0,
            width=width,
            depth=depth,
            features=32,
            lr=3e-3,
            steps=steps,
            held_out=0,
            seed=seed,
        )
        left = (run.predict() - clean.values)[:, 0]
        shares.append(float(torch.dot(left, noise) / torch.dot(noise, noise)))
        errors.append(float(left.square().mean()))
    return Measured(
        shares[-1] - shares[0], {"share of the noise": (widths, shares), "error": (widths, errors)}
    )


STUDY = Study(
    name="capacity-noise",
    family=Family.NOISE,
    claim="Capacity beyond what the signal needs buys the fitting of noise.",
    source="Zhang et al. 2017, Understanding deep learning requires rethinking generalization, section 2 "
    "(arXiv:1611.03530)",
    statistic="share of the training noise that is in the widest network's predictions less that in the narrowest's",
    criterion=AtLeast(0.2),
    conditions=(
        Condition("Fourier features", {"encoding": "gaussian", "own": True}),
        Condition("plain coordinates", {"encoding": "none", "own": True}),
    ),
    control=Condition("noise that was not trained on", {"encoding": "gaussian", "own": False}),
    measure=measure,
    axes=Axes("Width", "Share of the noise fitted, and error on the clean signal", log_x=True),
    efforts={
        Size.SMOKE: Effort(1, {"widths": [4, 8], "samples": 64, "steps": 5, "depth": 2}),
        Size.QUICK: Effort(3, {"widths": [4, 16, 64], "samples": 256, "steps": 500, "depth": 2}),
        Size.FULL: Effort(
            20, {"widths": [4, 8, 16, 32, 64, 128, 256], "samples": 1024, "steps": 9000, "depth": 3}
        ),
    },
    depends="whether the input reaches the frequencies of the noise",
    caveat="Width is the capacity that is varied, at an equal number of steps; with many more steps narrow ones fit "
    "more noise as well.",
)
