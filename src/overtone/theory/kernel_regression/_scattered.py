"""NTK regression of scattered samples, through landmarks (Nystroem)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone._utils.seeding import numpy_generator
from overtone._utils.special import decay_integral
from overtone.errors import InputError
from overtone.theory.kernel_regression._fit import training_times
from overtone.theory.kernel_regression._krylov import earliest_minimum
from overtone.theory.ntk import InfiniteNetwork

ROWS = 2048
"""Number of samples whose kernel with the landmarks is computed at once."""


@final
@dataclass(frozen=True)
class ScatteredFit:
    """A fit of scattered samples, stopped at the minimum held-out error.

    Attributes:
        prediction: (M, C) fit at the evaluation points, in value units.
        times: (T,) training times, in units of 1 / kernel.
        error: (T, C) mean squared held-out error, in value units squared.
        index: Index of the chosen time.
        rank: Number of features that the landmarks span.
        exact: Whether every training sample was a landmark.
    """

    prediction: Tensor
    times: Tensor
    error: Tensor
    index: int
    rank: int
    exact: bool


def fit_scattered(
    network: InfiniteNetwork,
    coords: Tensor,
    values: Tensor,
    held_out: Tensor,
    at: Tensor,
    *,
    landmarks: int = 1024,
    seed: int = 0,
) -> ScatteredFit:
    """Fit scattered samples by gradient flow of an infinitely wide network's kernel.

    The kernel is approximated with landmarks Z drawn from the training samples, k(x, Z) k(Z, Z)^-1 k(Z, x'), whose
    features one eigendecomposition diagonalises; for up to `landmarks` training samples it is the exact kernel.
    Cost N m^2 for m landmarks.

    Args:
        network: An infinitely wide network with any inputs.
        coords: (N, d) samples, in the unit of the network's inputs.
        values: (N, C) their values.
        held_out: (N,) bool, the samples that determine the time.
        at: (M, d) evaluation points.
        landmarks: Maximum number of landmarks.
        seed: Seed of the random landmarks.

    Returns:
        The fit.

    Raises:
        InputError: If shapes do not fit, or there are no held-out or no training samples.

    Source:
        Landmarks: Williams and Seeger 2000, "Using the Nystroem method to speed up kernel machines", NIPS 13.

    Example:
        >>> import torch
        >>> from overtone.theory import kernel_regression, ntk
        >>> x = torch.linspace(0, 1, 20).double()[:, None]
        >>> dense = [ntk.DenseLayer.ntk(sigma_b=1.0)] * 3
        >>> network = ntk.InfiniteNetwork.fully_connected(dense, ntk.DualActivation.relu())
        >>> fit = kernel_regression.fit_scattered(network, x, x.square(), torch.arange(20) % 5 == 2, at=x)
        >>> fit.exact, fit.prediction.shape
        (True, torch.Size([20, 1]))
    """
    if values.ndim != 2 or len(values) != len(coords) or held_out.shape != coords.shape[:1]:
        raise InputError(
            "values (N, C) and a mask (N,) for coords (N, d)",
            f"{tuple(values.shape)}, {tuple(held_out.shape)} and {tuple(coords.shape)}",
            "pass one row per sample",
            "coords",
        )
    if not bool(held_out.any()) or bool(held_out.all()):
        raise InputError(
            "held-out samples and training samples",
            f"{int(held_out.sum())} of {len(held_out)} held out",
            "hold out about a tenth",
            "held_out",
        )
    x, y = coords[~held_out].double(), values[~held_out].double()
    mean = y.mean(0)
    # If every training sample is a landmark, the features reproduce the exact kernel.
    count = min(landmarks, len(x))
    chosen = torch.from_numpy(numpy_generator(seed, "landmarks").permutation(len(x))[:count]).to(x.device)
    # k(x, Z) R with R R^T = k(Z, Z)^-1: features whose inner products are the landmark kernel.
    root = _inverse_root(network(x[chosen]).ntk)
    features = _features(network, x, x[chosen], root)
    # In the eigenbasis of the features every mode is learned independently, at all times at once.
    rates, rotation = torch.linalg.eigh(features.mT @ features)
    rates = rates.clamp_min(0)
    aligned = rotation.mT @ (features.mT @ (y - mean))
    times = training_times(float(rates.max())).to(x.device)
    probe = _features(network, coords[held_out].double(), x[chosen], root) @ rotation
    truth = values[held_out].double() - mean
    error = torch.stack(
        [(probe @ (decay_integral(rates, t)[:, None] * aligned) - truth).square().mean(0) for t in times]
    )
    index = earliest_minimum(error.mean(1))
    evaluation = _features(network, at.double(), x[chosen], root) @ rotation
    fitted = evaluation @ (decay_integral(rates, times[index])[:, None] * aligned) + mean
    return ScatteredFit(fitted.to(values.dtype), times, error, index, len(rates), count == len(x))


def _inverse_root(kernel: Tensor) -> Tensor:
    """Return (m, r) R with R R^T the inverse of the kernel on its numerical range."""
    values, vectors = torch.linalg.eigh(kernel)
    positive = values > len(values) * torch.finfo(values.dtype).eps * values[-1]
    return vectors[:, positive] / values[positive].sqrt()


def _features(network: InfiniteNetwork, x: Tensor, landmarks: Tensor, root: Tensor) -> Tensor:
    return torch.cat([network(part, landmarks).ntk @ root for part in x.split(ROWS)])
