"""Parts that several experiments share: points on a circle, wide networks, training, and times to a threshold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

import numpy as np
import torch
import xarray
from numpy.typing import ArrayLike
from torch import Tensor, nn

from overtone._utils.enums import parse_enum
from overtone._utils.optional import import_optional
from overtone._utils.seeding import derive_seed
from overtone.nn.activations import Activation
from overtone.theory import ntk


def circle(samples: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Return the (N,) angles in radians of evenly spaced points on a circle, and their (N, 2) coordinates."""
    angle = 2 * math.pi * torch.arange(samples, dtype=dtype) / samples
    return angle, torch.stack([angle.cos(), angle.sin()], 1)


def wave_sum(angle: Tensor, frequencies: Sequence[int], phases: Sequence[int]) -> Tensor:
    """Return the (N, 1) sum of cosines of amplitude 1, in cycles per turn and with phases in radians."""
    waves = [torch.cos(k * angle + phase) for k, phase in zip(frequencies, phases, strict=True)]
    return torch.stack(waves).sum(0)[:, None]


def wave_amplitudes(error: Tensor, frequencies: Sequence[int]) -> np.ndarray:
    """Return the amplitude of an (N, 1) error at each of the frequencies, in cycles per turn."""
    return 2 * torch.fft.rfft(error.detach()[:, 0], norm="forward").abs()[list(frequencies)].numpy()


def steps_to_halve(errors: np.ndarray) -> list[int]:
    """Return the step from which on each column of (step, wave) errors stays below a half; at least 1.

    A wave that never stays below it has the number of all steps.
    """
    # The last step above a half and not the first below it: errors oscillate. The sum makes 0 of an empty result.
    return [int((np.flatnonzero(column >= 0.5)[-1:] + 1).sum()) or 1 for column in errors.T]


def first_below(positions: np.ndarray, errors: np.ndarray, threshold: float = 0.5) -> float:
    """Return the first of the (N,) steps or times at which the error is below the threshold; the last if none is."""
    below = np.flatnonzero(errors < threshold)
    return float(positions[below[0]] if len(below) else positions[-1])


def first_reaching(positions: np.ndarray, fraction: np.ndarray, threshold: float = 0.5) -> float:
    """Return the first of the (N,) steps, at least 1, at which the fraction reaches the threshold; else the last."""
    reached = np.flatnonzero(fraction >= threshold)
    return float(max(1, positions[reached[0] if len(reached) else -1]))


def log_spaced_indices(count: int, points: int) -> np.ndarray:
    """Return indices of at most `points` of `count` values, evenly spaced in the logarithm of their number."""
    return np.unique(np.geomspace(1, count, points).round().astype(int)) - 1


def bands_at(record: xarray.Dataset, frequencies: Sequence[float]) -> list[int]:
    """Return the index of the band of a record that contains each of the frequencies."""
    return [int(np.flatnonzero((record.band_low <= k) & (k < record.band_high))[0]) for k in frequencies]


def rank_correlation(x: ArrayLike, y: ArrayLike) -> float:
    """Return Spearman's rank correlation."""
    # Imported here: scipy.stats takes longer to import than the whole catalogue.
    from scipy.stats import spearmanr

    return float(spearmanr(x, y).statistic)


def fit_network(network: nn.Module, inputs: Tensor, target: Tensor, rate: float, steps: int) -> None:
    """Train a network with Adam on the mean squared error of all samples at every step."""
    optimizer = torch.optim.Adam(network.parameters(), rate)
    for _ in range(steps):
        optimizer.zero_grad()
        (network(inputs) - target).square().mean().backward()
        optimizer.step()


def wide_network(
    hidden_layers: int,
    bias: float = 0.3,
    activation: ntk.DualActivation | None = None,
    features: ntk.FeatureMap | None = None,
) -> ntk.InfiniteNetwork:
    """Return the infinitely wide network in the NTK parameterisation; ReLU if no activation is named.

    Without a bias the kernel of a single ReLU layer on a circle has no odd frequencies above 1 (Basri et al. 2019,
    section 4), so that a network would never learn them.
    """
    layers = [ntk.DenseLayer.ntk(sigma_b=bias)] * (hidden_layers + 1)
    return ntk.InfiniteNetwork.fully_connected(layers, activation or ntk.DualActivation.relu(), features)


@contextmanager
def torch_seed(seed: int, name: str) -> Iterator[None]:
    """Seed torch's generator for the stream `name` inside the block, and restore the caller's state afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, name))
        yield


def activation_named(name: str) -> Activation:
    """Return the activation of that name."""
    return parse_enum(Activation, name, "activation")


def scikit_image(module: str) -> ModuleType:
    """Return a module of scikit-image, which overtone does not need otherwise."""
    return import_optional(f"skimage.{module}", "studies")


def scikit_learn(module: str) -> ModuleType:
    """Return a module of scikit-learn, which overtone does not need otherwise."""
    return import_optional(f"sklearn.{module}", "studies")
