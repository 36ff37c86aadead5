"""The scale of Fourier features sets the width of the tangent kernel."""

from __future__ import annotations

import numpy as np
import torch

from overtone.studies import Axes, Between, Condition, Effort, Family, Measured, Size, Study
from overtone.theory import ntk


def measure(seed: int, encoded: bool, depth: int, scales: list[float], points: int) -> Measured:
    """Exponent with which the kernel's half width falls as the scale grows."""
    del seed
    layers = [ntk.DenseLayer.ntk(sigma_b=0.1)] * (depth + 1)
    widths = []
    for scale in scales:
        inputs = ntk.FeatureMap.gaussian_fourier(scale) if encoded else None
        kernel = ntk.InfiniteNetwork.fully_connected(layers, ntk.DualActivation.relu(), inputs)
        widths.append(half_width(kernel, 1.0 if encoded else scale, points))
    slope = float(np.polyfit(np.log(scales), np.log(widths), 1)[0])
    return Measured(slope, {"": (scales, widths)})


def half_width(kernel: ntk.InfiniteNetwork, stretch: float, points: int) -> float:
    """Distance from the middle of [-1, 1] at which the kernel has come halfway from there to the end."""
    x = torch.linspace(0, 1, points, dtype=torch.float64)[:, None]
    row = kernel(stretch * (x[:1] - 0.5), stretch * (x - 0.5)).ntk[0].numpy()
    level = (row[0] + row[-1]) / 2
    return float(np.interp(0.0, np.sign(row[-1] - row[0]) * (row - level), x[:, 0].numpy()))


STUDY = Study(
    name="fourier-kernel-width",
    family=Family.THEORY,
    claim="The scale of Gaussian Fourier features tunes the width of the tangent kernel, which is its reciprocal.",
    source="Tancik et al. 2020, Fourier features let networks learn high frequency functions in low dimensional "
    "domains, sections 4 and 5 (arXiv:2006.10739)",
    statistic="exponent with which the half width of the tangent kernel changes with the scale",
    criterion=Between(-1.1, -0.9),
    conditions=tuple(Condition(f"depth {n}", {"encoded": True, "depth": n}) for n in (1, 3, 6)),
    control=Condition("coordinate multiplied by the scale, depth 3", {"encoded": False, "depth": 3}),
    measure=measure,
    axes=Axes(
        "Scale (cycles per unit; factor of the coordinate)", "Half width (units)", log_x=True, log_y=True
    ),
    efforts={
        Size.SMOKE: Effort(1, {"scales": [2.0, 4.0], "points": 500}),
        Size.QUICK: Effort(1, {"scales": [1.0, 2.0, 4.0, 8.0, 16.0, 32.0], "points": 20_000}),
        Size.FULL: Effort(1, {"scales": [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0], "points": 100_000}),
    },
    depends="the depth",
    caveat="Infinitely many units and frequencies, before training, where it follows from the features' inner product.",
)
