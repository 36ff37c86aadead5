"""FreSh: choose the network whose untrained spectrum is nearest to the signal's; for comparison with `plan`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.signals import Grid, Signal

ENTRIES = 64
"""Number of entries of a spectrum that are compared."""

MAX_SAMPLES = 128
"""Largest number of samples per axis at which untrained networks are evaluated: twice the entries."""


@final
@dataclass(frozen=True)
class Fresh:
    """Distances of the candidates' untrained spectra from the signal's.

    Attributes:
        distance: (candidate,) mean Wasserstein distance over seeds, in entries of the spectrum.
        spread: (candidate,) standard deviation over seeds.
        best: Index of the candidate of smallest distance.
    """

    distance: NDArray[np.float64]
    spread: NDArray[np.float64]
    best: int


def fresh(
    signal: Signal,
    candidates: Sequence[Callable[[int], nn.Module]],
    *,
    seeds: int = 10,
    entries: int = ENTRIES,
) -> Fresh:
    """Choose between networks by the spectrum of their untrained outputs.

    The spectrum of values on a grid is |FFT|, added over channels and over all frequencies with the same k_1 + ... +
    k_d, k_i >= 0 in cycles per extent; the constant is dropped and the first `entries` are kept. Its Wasserstein-1
    distance to the signal's, both scaled to sum 1, is averaged over seeds. Networks are evaluated at no more than 128
    samples an axis. Neither noise nor the fit after training enters; `plan` uses both.

    Args:
        signal: On a grid; of samples that are held out or ignored the values are used as well.
        candidates: Functions that build an untrained network for a seed, from physical coordinates to values.
        seeds: Networks per candidate.
        entries: Entries compared.

    Returns:
        The distances and the choice.

    Raises:
        InputError: If there is no candidate or no seed.

    Example:
        >>> from overtone import planning, signals
        >>> signal = signals.synthetic.harmonics([2], samples=64)
        >>> build = planning.plan(signal, planning.Budget(parameters=2000)).field
        >>> planning.fresh(signal, [lambda seed: build(signal, seed)], seeds=2).best
        0

    Source:
        Kania et al. 2025, "FreSh: Frequency Shifting for Accelerated Neural Representation Learning", ICLR, arXiv
        2410.05050, section 3.
    """
    if not candidates or seeds < 1:
        raise InputError(
            "at least one candidate and one seed",
            f"{len(candidates)} and {seeds}",
            "pass at least one of each",
            "fresh",
        )
    target = summed_spectrum(signal.grid_values, entries)
    grid = _coarse(signal.geometry)
    distances = np.array(
        [
            [
                _distance(target, summed_spectrum(_outputs(build(seed), grid), entries))
                for seed in range(seeds)
            ]
            for build in candidates
        ]
    )
    distance = distances.mean(axis=1)
    return Fresh(distance, distances.std(axis=1), int(distance.argmin()))


def summed_spectrum(values: Tensor, entries: int = ENTRIES) -> NDArray[np.float64]:
    """Return |FFT| added over channels and over frequencies of the same sum, without the constant.

    Args:
        values: (*shape, C).
        entries: Largest number of entries returned.

    Returns:
        (entries or fewer,) float64, of k_1 + ... + k_d = 1, 2, ...
    """
    axes = tuple(range(values.ndim - 1))
    size = torch.fft.fftn(values.double().cpu(), dim=axes).abs().sum(-1)
    # Half of each axis is enough: frequencies k and -k of real values have the same magnitude along it.
    for axis in axes:
        size = size.narrow(axis, 0, size.shape[axis] // 2 + 1)
    sums = torch.zeros(1, dtype=torch.int64, device="cpu")
    for axis in axes:
        sums = sums[..., None] + torch.arange(size.shape[axis], device="cpu")
    total = torch.bincount(sums.reshape(-1), weights=size.reshape(-1))
    return np.asarray(total.numpy()[1 : entries + 1])


def _distance(target: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    from scipy.stats import wasserstein_distance

    count = min(len(target), len(other))
    positions = np.arange(count)
    # Weights of a constant signal are all 0, which no distribution has; the smallest number makes them uniform.
    tiny = np.finfo(float).tiny
    return float(wasserstein_distance(positions, positions, target[:count] + tiny, other[:count] + tiny))


def _coarse(grid: Grid) -> Grid:
    shape = tuple(min(n, MAX_SAMPLES) for n in grid.shape)
    spacing = tuple(e / n for e, n in zip(grid.extent, shape, strict=True))
    return Grid(shape, spacing, grid.origin, grid.units, grid.periodic)


def _outputs(network: nn.Module, grid: Grid) -> Tensor:
    with torch.no_grad():
        return torch.cat([network(part) for part in grid.coords().split(1 << 13)]).reshape(*grid.shape, -1)
