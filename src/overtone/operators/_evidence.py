"""Evidence of measurements of samples: how well features explain data, without any of them held out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from overtone.operators._features import Applied, Features, shared_system
from overtone.operators._linear_part import Check
from overtone.signals import Measured
from overtone.signals._measured import maps_columns

RIDGES = (1e-5, 1e-6)
"""Ridges that stand for a training on measurements of samples; noise needs more than equations do."""


def is_measurement(problem: Measured) -> bool:
    """Whether no term differentiates: samples were measured, and no equation is known."""
    return not any(term.derivatives for term in problem.terms)


def samples_system(problem: Measured, features: Features, checks: Sequence[Check]) -> tuple[Tensor, Tensor]:
    """Return A (R, F) and r (R, C) with weighted residuals r of the zero field at all measurements.

    Maps that treat every channel alike have one A for all; of others C is 1, and A has the features of each channel.

    Args:
        problem: A field known through linear maps of its samples.
        features: The features.
        checks: What each term's operator is.
    """
    if all(map(maps_columns, problem.terms)):
        return shared_system(problem, features)
    matrix, start = Applied(problem, features, checks).system()
    return matrix, start[:, None]


def evidence_losses(problem: Measured, features: Features, checks: Sequence[Check]) -> tuple[float, ...]:
    """Return at each ridge the mean square error of predicting each datum from those before it, over that of zero.

    Gaussian fields that are combinations of the features have data with covariance s (A A* + ridge lambda_max 1), and
    log p(d) / R is, at the most likely scale s, -1/2 log of the geometric mean of the variances with which each datum
    is predicted from those before it, up to a constant. White noise of the data's power has loss 1. Nothing is held
    out, so that measurements which nothing else predicts, as distant lines of k-space, count as well.

    Args:
        problem: A field known through linear maps of its samples.
        features: The features.
        checks: What each term's operator is.

    Source: MacKay 1992, "Bayesian interpolation", equations 2.12 and 4.9.
    """
    matrix, start = samples_system(problem, features, checks)
    power = float(start.abs().square().sum())
    if power == 0:
        return (1.0,) * len(RIDGES)
    rows = len(start)
    eigenvalues, vectors = torch.linalg.eigh(matrix.mH @ matrix)
    eigenvalues = eigenvalues.clamp(min=0)
    projected = (vectors.mH @ (matrix.mH @ start)).abs().square().sum(1)
    losses = []
    for ridge in RIDGES:
        noise = ridge * float(eigenvalues[-1])
        # d* (A A* + noise)^-1 d by the Woodbury identity.
        square = (power - float((projected / (eigenvalues + noise)).sum())) / noise
        determinant = float((1 + eigenvalues / noise).log().sum()) / rows + math.log(noise)
        losses.append(square / power * math.exp(determinant))
    return tuple(losses)
