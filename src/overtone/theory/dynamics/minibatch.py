"""How far minibatches scatter a run about its mean: the variance of every mode, and of bands and samples."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra import GridTransform
from overtone.theory.dynamics.bounds import bound, last_within
from overtone.theory.dynamics.linear import Linearised, Rate, mean_rate
from overtone.theory.dynamics.rules import Descent

SLIGHT = 1e-7
"""Share of the largest eigenvalue below which a mode's scatter, of the order of the share squared, is left out."""

HALVINGS = 60
"""Of an interval, until it is as short as float64 can tell."""


@final
@dataclass(frozen=True)
class Spread:
    """The scatter of outputs over draws of the batches, at one step.

    Attributes:
        step: Optimizer steps since training began.
        variance: (mode,) variance of the residual's coordinate along each mode, in squared units of the loss's values.
        network: The expansion whose modes these are.
    """

    step: int
    variance: Tensor
    network: Linearised

    @property
    def samples(self) -> Tensor:
        """(N, C) variance of every output, in squared units of the loss's values."""
        return (self._extended.square() @ self.variance).reshape(self.network.outputs.shape)

    def bands(self, transform: GridTransform, shape: tuple[int, ...]) -> Tensor:
        """(band, channel) power that batches add to the residual on average, as mean squares of the loss's values.

        Args:
            transform: The bands, on the grid of all N samples.
            shape: The grid.
        """
        channels = self.network.outputs.shape[1]
        total = None
        for field, variance in zip(self._extended.mT, self.variance, strict=True):
            power = variance * transform.power(transform.coefficients(field.reshape(*shape, channels)))
            total = power if total is None else total + power
        assert total is not None
        return total

    @property
    def _extended(self) -> Tensor:
        """(N C, mode) the modes, continued to samples that are not trained on; zero where nothing is learned."""
        values = self.network.eigenvalues
        known = values > torch.finfo(values.dtype).eps * len(values) * values.max()
        return torch.where(known, self.network.cross / torch.where(known, values, 1.0), 0.0)


def spread(
    network: Linearised,
    rule: Descent,
    rate: Rate,
    batch: int,
    steps: Sequence[int],
    since: int = 0,
    ceiling: float = math.inf,
) -> Iterator[Spread]:
    """The variance of stochastic gradient descent about its mean, for a kernel that stays.

    Batches of B of the n samples are drawn with replacement, C outputs each. With g = rate 2 / (n C) and k the
    eigenvalues, the second moments m_i of the residual along the modes follow

        m_i <- ((1 - g k_i)^2 - (g k_i)^2 / B) m_i + (g k_i)^2 / (B C) sum_j m_j,

    which is exact if the mean square of the residual is the same on every sample, and otherwise replaces it there by
    its mean over the samples. The variance is m_i less the square of the mean, zero at `since`. The recursion is
    diagonalised once per learning rate. Where only a part of the n samples is looked at, the sum over the modes is
    scaled up to all of them.

    Args:
        network: Outputs and kernel after `since` steps.
        rule: Gradient descent without momentum.
        rate: Learning rate per step.
        batch: B.
        steps: Ascending steps, none before `since`.
        since: Step at which `network` was taken.
        ceiling: As in `propagate`.

    Yields:
        The spread at each of `steps`.

    Raises:
        InputError: If there is momentum, the batch is empty or the steps do not ascend.

    Source: Bordelon and Pehlevan 2022 (arXiv 2106.02713), section 3, for features of equal magnitude.
    """
    if rule.momentum or rule.dampening:
        raise InputError("gradient descent without momentum", f"{rule}", "take momentum 0", "spread")
    if batch < 1:
        raise InputError("at least one sample per batch", f"{batch}", "pass for instance 64", "batch")
    mean, now = network.begin(), since
    moments = mean.residual.square()
    mixing: _Mixing | None = None
    for step in steps:
        if step < now:
            raise InputError(f"a step of {now} or more", f"{step}", "pass ascending steps", "steps")
        if step > now:
            held = mean_rate(rate, now, step)
            if mixing is None or mixing.rate != held:
                mixing = _Mixing.of(network, held, batch, ceiling)
            moments = mixing.advance(moments, step - now)
            mean, now = network.advance(mean, rule, held, step - now, ceiling=ceiling), step
        reached = network.eigenvalues > SLIGHT * network.eigenvalues.max()
        variance = (moments - mean.residual.square()).clamp_min(0)
        yield Spread(step, torch.where(reached, variance, 0.0), network)


def bears(network: Linearised, batch: int, limit: float) -> float:
    """The largest learning rate at which the expected square of the residual stays bounded, as `spread` has it.

    That is where the largest eigenvalue of its recursion is 1: with g = rate 2 / (n C),

        sum_i g k_i / (2 - (1 - 1 / B) g k_i) = B C,

    found by bisection.

    Args:
        network: Outputs and kernel.
        batch: B.
        limit: The rate that all samples at once bear, which is larger.
    """
    drive = network.gain * network.eigenvalues
    wanted = batch * network.gain * network.outputs.shape[1] ** 2 * len(network.train) / 2
    low, high = 0.0, limit
    for _ in range(HALVINGS):
        rate = (low + high) / 2
        shared = rate * drive / (2 - (1 - 1 / batch) * rate * drive)
        low, high = (rate, high) if float(shared.sum()) < wanted else (low, rate)
    return low


def bounded_until(
    network: Linearised, rate: Rate, batch: int, steps: Sequence[int], since: int = 0
) -> int | None:
    """The last step at which the expected loss of stochastic gradient descent is within bounds.

    Args:
        network: Outputs and kernel after `since` steps.
        rate: Learning rate per step.
        batch: Samples per step.
        steps: Ascending steps, none before `since`.
        since: Step at which `network` was taken.

    Returns:
        The step; None if all of `steps` are.
    """
    moments, now = network.begin().residual.square(), since
    largest = bound(float(moments.sum()))
    for step in steps:
        if step == now:
            continue
        mixing = _Mixing.of(network, mean_rate(rate, now, step), batch, math.inf)
        move = functools.partial(mixing.advance, moments)
        if not float(move(step - now).sum()) <= largest:
            return now + last_within(_inside(move, largest), step - now)
        moments, now = move(step - now), step
    return None


def _inside(move: Callable[[int], Tensor], largest: float) -> Callable[[int], bool]:
    return lambda steps: float(move(steps).sum()) <= largest


@final
@dataclass(frozen=True)
class _Mixing:
    """The recursion of the second moments at one learning rate, diagonalised in the basis where it is symmetric."""

    rate: float
    root: Tensor
    values: Tensor
    vectors: Tensor

    @staticmethod
    def of(network: Linearised, rate: float, batch: int, ceiling: float) -> _Mixing:
        drive = (network.gain * rate * network.eigenvalues).clamp_max(2 * ceiling)
        drive = torch.where(drive > SLIGHT * drive.max(), drive, 0.0)
        channels = network.outputs.shape[1]
        whole = 2 / (network.gain * channels * len(network.train))
        root = drive * (whole / (batch * channels)) ** 0.5
        alone = (1 - drive).square() - drive.square() / batch
        return _Mixing(rate, root, *torch.linalg.eigh(torch.diag(alone) + torch.outer(root, root)))

    def advance(self, moments: Tensor, steps: int) -> Tensor:
        """Modes that are not learned keep their moments, and drive the others by them."""
        part = self.root > 0
        scaled = torch.where(part, moments / torch.where(part, self.root, 1.0), 0.0)
        driven = self.vectors.mT @ (self.root * moments[~part].sum())
        powers, near = self.values**steps, (1 - self.values).abs() < 1e-12
        summed = torch.where(near, float(steps), (1 - powers) / torch.where(near, 1.0, 1 - self.values))
        after = self.root * (self.vectors @ (powers * (self.vectors.mT @ scaled) + summed * driven))
        return torch.where(part, after, moments)
