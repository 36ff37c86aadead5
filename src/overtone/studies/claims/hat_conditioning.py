"""Hat functions are well conditioned where ReLU functions are not."""

from __future__ import annotations

import numpy as np

from overtone.studies import AtMost, Axes, Condition, Effort, Family, Measured, Size, Study

FINE = 32
"""Midpoints per knot of the quadrature; the integrands are piecewise quadratic, so its error is 1 / (12 FINE^2)."""


def measure(seed: int, basis: str, knots: list[int]) -> Measured:
    """Growth exponent with the number of knots of the condition number of the Gram matrix of a basis on [0, 1]."""
    del seed
    conditions = [float(np.linalg.cond(gram(basis, n))) for n in knots]
    slope = float(np.polyfit(np.log(knots), np.log(conditions), 1)[0])
    return Measured(slope, {"": (knots, conditions)})


def gram(basis: str, n: int) -> np.ndarray:
    """(n, n) inner products over [0, 1] of `relu` or `hat` functions on n uniform knots."""
    x = (np.arange(n * FINE) + 0.5) / (n * FINE)
    distance = n * x[:, None] - np.arange(n)
    functions = np.maximum(0, distance) / n if basis == "relu" else np.maximum(0, 1 - np.abs(distance))
    return functions.T @ functions / len(x)


STUDY = Study(
    name="hat-conditioning",
    family=Family.ACTIVATIONS,
    claim="Hat functions remove the spectral bias of ReLU functions, because their Gram matrix is well conditioned.",
    source="Hong et al. 2022, On the activation function dependence of the spectral bias (arXiv:2208.04924), section 3",
    statistic="exponent with which the condition number of the Gram matrix grows with the number of uniform knots",
    criterion=AtMost(0.5),
    conditions=(Condition("hat functions", {"basis": "hat"}),),
    control=Condition("ReLU functions", {"basis": "relu"}),
    measure=measure,
    axes=Axes("Knots", "Condition number", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"knots": [8, 16, 32]}),
        Size.QUICK: Effort(1, {"knots": [32, 64, 128, 256]}),
        Size.FULL: Effort(1, {"knots": [64, 128, 256, 512, 1024]}),
    },
    caveat="It is the mechanism that is tested, on fixed knots. Swapping the activation of a deep network is another "
    "matter, and with PyTorch's default initialisation does not remove the bias.",
)
