"""How far minibatches scatter a run about its mean: the variance of every mode, and of bands and samples."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor, nn

from overtone._state._evaluation_mode import evaluation_mode_with_gradients
from overtone.errors import InputError
from overtone.spectra import GridTransform
from overtone.theory._mode_dynamics import Descent, ModeState
from overtone.theory.dynamics._linearised import Linearised, Rate, last_true, loss_bound, mean_rate
from overtone.theory.dynamics._preconditioned import split_layers
from overtone.theory.ntk._empirical.features import ExplicitGradients
from overtone.theory.ntk._empirical.sources import PerSampleSource

SLIGHT = 1e-7
"""Share of the largest eigenvalue below which a mode's scatter, of the order of the share squared, is left out."""

HALVINGS = 60
"""Of an interval, until it is as short as float64 can tell."""


@final
@dataclass(frozen=True)
class MinibatchScatter:
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


def minibatch_scatter(
    network: Linearised,
    rule: Descent,
    rate: Rate,
    batch: int,
    steps: Sequence[int],
    since: int = 0,
    ceiling: float = math.inf,
) -> Iterator[MinibatchScatter]:
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
        yield MinibatchScatter(step, torch.where(reached, variance, 0.0), network)


def largest_bounded_rate(network: Linearised, batch: int, limit: float) -> float:
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


def last_bounded_step(
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
    largest = loss_bound(float(moments.sum()))
    for step in steps:
        if step == now:
            continue
        mixing = _Mixing.of(network, mean_rate(rate, now, step), batch, math.inf)
        move = functools.partial(mixing.advance, moments)
        if not float(move(step - now).sum()) <= largest:
            return now + last_true(_inside(move, largest), step - now)
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


SLOW = 1e-6
"""Drive of a mode times steps below which it is not moved."""


def advance_on_batches(
    network: Linearised,
    state: ModeState,
    rule: Descent,
    rate: float,
    batches: Tensor,
    ceiling: float = math.inf,
) -> ModeState:
    """The state after one step per batch, each on the residual of its own samples.

    With w_n how often sample n of N is in a batch of B, times N / B,

        b <- m b + (1 - d) gain (w * r),    a <- a + rate b,    r <- r - rate (K b + inherited).

    Unlike the mean, such a run carries the jitter of its parameters along, which is what slows the learning of
    features down where batches are small.

    Args:
        network: The expansion.
        state: Where training is.
        rule: The optimizer.
        rate: Learning rate.
        batches: (steps, B) rows of the trained samples.
        ceiling: As in `propagate`.
    """
    values = network.eigenvalues
    if ceiling < math.inf:
        values = values.clamp_max(ceiling * rule.limit(rate) / network.gain)
    moved = network.gain * rate * values * len(batches) > SLOW
    modes, held = network.modes[:, moved], values[moved]
    r, b, p = (modes @ each[moved] for each in (state.residual, state.velocity, state.inherited))
    still = network.modes @ state.residual - r
    a, m, left = torch.zeros_like(b), rule.momentum, 1.0
    samples, channels = len(network.train), network.outputs.shape[1]
    for rows in batches:
        weight = torch.bincount(rows, minlength=samples).to(r) * (samples / len(rows))
        pull = (weight[:, None] * (r + still).reshape(samples, channels)).reshape(-1)
        b = m * b + (1 - rule.dampening) * network.gain * pull
        left *= m
        a = a + rate * b
        r = r - rate * (modes @ (held * (modes.mT @ b)) + left * p)
    known = network.eigenvalues > 0
    ratio = torch.where(known, values / torch.where(known, network.eigenvalues, 1.0), 1.0)
    gone = rate * state.fading * (m - m * left) / (1 - m)
    along = network.modes.mT
    return replace(
        state,
        residual=along @ (r + still),
        dual=state.dual + (along @ a) * ratio,
        velocity=along @ b,
        inherited=left * state.inherited,
        carried=state.carried + gone,
        fading=state.fading * left,
    )


def mean_squared_gradients(network: nn.Module, x: Tensor, residual: Tensor) -> dict[str, Tensor]:
    """Mean over the samples of the squared gradient of each sample's own loss, (1 / C) |f - y|^2.

    A linear layer that sees h and passes a back has sample gradients a h^T, so that the mean is that of
    a^2 (h^2)^T, a product; all other layers go by explicit gradients.

    Args:
        network: Maps (N, ...) to (N, C).
        x: (N, ...) samples.
        residual: (N, C) f - y.

    Returns:
        By parameter name, in the parameters' shapes.
    """
    pull = 2 / residual.shape[1] * residual
    found: dict[str, Tensor] = {}
    with evaluation_mode_with_gradients(network, x.device):
        layers, rest = split_layers(network, x)
        for features, names in layers:
            back = torch.einsum("nc,cno->no", pull.to(features.grads), features.grads).square()
            if features.weight:
                found[names["weight"]] = back.mT @ features.inputs.square() / len(x)
            if features.bias:
                found[names["bias"]] = back.mean(0)
        if rest:
            source = PerSampleSource(network, rest)
            (explicit,) = source.take(x).features
            assert isinstance(explicit, ExplicitGradients)
            own = torch.einsum("nc,cnp->np", pull.to(explicit.values), explicit.values)
            named = dict(network.named_parameters())
            parts = own.square().mean(0).split([named[name].numel() for name in source.parameters])
            found |= {
                n: part.reshape(named[n].shape) for n, part in zip(source.parameters, parts, strict=True)
            }
    return found


def minibatch_squared_gradients(
    mean: dict[str, Tensor], each: dict[str, Tensor], batch: int
) -> dict[str, Tensor]:
    """E g_B^2 = g^2 + (E_n g_n^2 - g^2) / B for batches of B samples drawn with replacement.

    Args:
        mean: g, the gradient over all samples, by parameter name.
        each: E_n g_n^2, from `per_sample_squares`.
        batch: B.
    """
    return {
        name: g.square() + (each[name] - g.square()).clamp_min(0) / batch if name in each else g.square()
        for name, g in mean.items()
    }
