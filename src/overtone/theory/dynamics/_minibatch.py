"""Minibatches in linearised training: variance over batches, randomly drawn batches, and squared gradients."""

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
from overtone.theory._mode_dynamics import GradientDescent, ModeState
from overtone.theory.dynamics._linearised import Linearised, Rate, last_true, loss_bound, mean_rate
from overtone.theory.dynamics._preconditioned import split_layers
from overtone.theory.ntk._empirical.features import ExplicitGradients
from overtone.theory.ntk._empirical.sources import PerSampleSource

NEGLIGIBLE = 1e-7
"""Share of the largest eigenvalue below which a mode's variance, of the order of the share squared, is neglected."""

HALVINGS = 60
"""Number of bisections after which an interval is as short as float64 can represent."""


@final
@dataclass(frozen=True)
class MinibatchScatter:
    """Variance of the outputs over random batches, at one step.

    Attributes:
        step: Optimizer steps since training began.
        variance: (mode,) variance of the residual's coordinate along each mode, in squared units of the loss's values.
        network: The expansion that defines the modes.
    """

    step: int
    variance: Tensor
    network: Linearised

    @property
    def samples(self) -> Tensor:
        """(N, C) variance of every output, in squared units of the loss's values."""
        return (self._extended.square() @ self.variance).reshape(self.network.outputs.shape)

    def bands(self, transform: GridTransform, shape: tuple[int, ...]) -> Tensor:
        """Return the (band, channel) power that batches add to the residual on average, in squared units of the loss.

        Args:
            transform: The bands, on the grid of all N samples.
            shape: Shape of the grid.
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
        """Return (N C, mode) modes, extended to samples outside the training set; zero for unlearned modes."""
        values = self.network.eigenvalues
        learned = values > torch.finfo(values.dtype).eps * len(values) * values.max()
        return torch.where(learned, self.network.cross / torch.where(learned, values, 1.0), 0.0)


def minibatch_scatter(
    network: Linearised,
    rule: GradientDescent,
    rate: Rate,
    batch: int,
    steps: Sequence[int],
    since: int = 0,
    ceiling: float = math.inf,
) -> Iterator[MinibatchScatter]:
    """Yield the variance of stochastic gradient descent about its mean, for a fixed kernel.

    Batches of B of the n samples are drawn with replacement, C outputs each. With g = rate 2 / (n C) and k the
    eigenvalues, the second moments m_i of the residual along the modes follow

        m_i <- ((1 - g k_i)^2 - (g k_i)^2 / B) m_i + (g k_i)^2 / (B C) sum_j m_j,

    which is exact if the mean square of the residual is the same on every sample; otherwise it is replaced by its
    mean over the samples. The variance is m_i minus the square of the mean, zero at `since`. The recursion is
    diagonalised once per learning rate. If the network has only a part of the n samples, the sum over the modes is
    scaled to all of them.

    Args:
        network: Outputs and kernel after `since` steps.
        rule: Gradient descent without momentum.
        rate: Learning rate per step.
        batch: B.
        steps: Ascending steps, all at `since` or later.
        since: Step of `network`.
        ceiling: Share of the stable limit to which faster modes are clamped.

    Yields:
        The scatter at each of `steps`.

    Raises:
        InputError: If momentum is not zero, the batch is empty or the steps do not ascend.

    Source: Bordelon and Pehlevan 2022 (arXiv 2106.02713), section 3, for features of equal magnitude.
    """
    if rule.momentum or rule.dampening:
        raise InputError(
            "gradient descent without momentum", f"{rule}", "set the momentum to 0", "minibatch_scatter"
        )
    if batch < 1:
        raise InputError("at least one sample per batch", f"{batch}", "pass for instance 64", "batch")
    mean, now = network.initial_state(), since
    moments = mean.residual.square()
    mixing: _MomentMixing | None = None
    for step in steps:
        if step < now:
            raise InputError(f"a step of {now} or more", f"{step}", "pass ascending steps", "steps")
        if step > now:
            average = mean_rate(rate, now, step)
            if mixing is None or mixing.rate != average:
                mixing = _MomentMixing.of(network, average, batch, ceiling)
            moments = mixing.advance(moments, step - now)
            mean, now = network.advance(mean, rule, average, step - now, ceiling=ceiling), step
        # The variance is a difference of two nearly equal squares: it would be rounding error in modes that hardly
        # change.
        reached = network.eigenvalues > NEGLIGIBLE * network.eigenvalues.max()
        variance = (moments - mean.residual.square()).clamp_min(0)
        yield MinibatchScatter(step, torch.where(reached, variance, 0.0), network)


def largest_bounded_rate(network: Linearised, batch: int, limit: float) -> float:
    """Return the largest learning rate at which the expected square of the residual stays bounded.

    There the largest eigenvalue of the recursion of `minibatch_scatter` is 1: with g = rate 2 / (n C),

        sum_i g k_i / (2 - (1 - 1 / B) g k_i) = B C,

    solved by bisection.

    Args:
        network: Outputs and kernel.
        batch: B.
        limit: The largest stable rate of full batches, which is larger.
    """
    drive = network.gain * network.eigenvalues
    goal = batch * network.gain * network.outputs.shape[1] ** 2 * len(network.train) / 2
    low, high = 0.0, limit
    for _ in range(HALVINGS):
        rate = (low + high) / 2
        shared = rate * drive / (2 - (1 - 1 / batch) * rate * drive)
        low, high = (rate, high) if float(shared.sum()) < goal else (low, rate)
    return low


def last_bounded_step(
    network: Linearised, rate: Rate, batch: int, steps: Sequence[int], since: int = 0
) -> int | None:
    """Return the last step at which the expected loss of stochastic gradient descent is within bounds.

    Args:
        network: Outputs and kernel after `since` steps.
        rate: Learning rate per step.
        batch: Samples per step.
        steps: Ascending steps, all at `since` or later.
        since: Step of `network`.

    Returns:
        The step; None if the loss is within bounds at all of `steps`.
    """
    moments, now = network.initial_state().residual.square(), since
    largest = loss_bound(float(moments.sum()))
    for step in steps:
        if step == now:
            continue
        mixing = _MomentMixing.of(network, mean_rate(rate, now, step), batch, math.inf)
        move = functools.partial(mixing.advance, moments)
        if not float(move(step - now).sum()) <= largest:
            return now + last_true(_within(move, largest), step - now)
        moments, now = move(step - now), step
    return None


def _within(move: Callable[[int], Tensor], largest: float) -> Callable[[int], bool]:
    return lambda steps: float(move(steps).sum()) <= largest


@final
@dataclass(frozen=True)
class _MomentMixing:
    """Recursion of the second moments at one learning rate, diagonalised in the basis where it is symmetric."""

    rate: float
    root: Tensor
    values: Tensor
    vectors: Tensor

    @staticmethod
    def of(network: Linearised, rate: float, batch: int, ceiling: float) -> _MomentMixing:
        drive = (network.gain * rate * network.eigenvalues).clamp_max(2 * ceiling)
        drive = torch.where(drive > NEGLIGIBLE * drive.max(), drive, 0.0)
        channels = network.outputs.shape[1]
        whole = 2 / (network.gain * channels * len(network.train))
        root = drive * (whole / (batch * channels)) ** 0.5
        uncoupled = (1 - drive).square() - drive.square() / batch
        # In units of the root the coupling of the modes is a symmetric matrix of rank one, so that eigh applies.
        return _MomentMixing(rate, root, *torch.linalg.eigh(torch.diag(uncoupled) + torch.outer(root, root)))

    def advance(self, moments: Tensor, steps: int) -> Tensor:
        """Return the moments after some steps. Unlearned modes have constant moments, which drive the others."""
        learned = self.root > 0
        scaled = torch.where(learned, moments / torch.where(learned, self.root, 1.0), 0.0)
        driven = self.vectors.mT @ (self.root * moments[~learned].sum())
        # The constant drive sums to a geometric series, (1 - v^n) / (1 - v); n at v = 1.
        powers, near_one = self.values**steps, (1 - self.values).abs() < 1e-12
        summed = torch.where(
            near_one, float(steps), (1 - powers) / torch.where(near_one, 1.0, 1 - self.values)
        )
        after = self.root * (self.vectors @ (powers * (self.vectors.mT @ scaled) + summed * driven))
        return torch.where(learned, after, moments)


MIN_DRIVE = 1e-6
"""Drive of a mode times steps below which its change is neglected."""


def advance_on_batches(
    network: Linearised,
    state: ModeState,
    rule: GradientDescent,
    rate: float,
    batches: Tensor,
    ceiling: float = math.inf,
) -> ModeState:
    """Return the state after one step per batch, each on the residual of its samples.

    With w_n the number of times that sample n of N is in a batch of B, times N / B,

        b <- m b + (1 - d) gain (w * r),    a <- a + rate b,    r <- r - rate (K b + inherited).

    Unlike the mean, such a run includes the random motion of its parameters, which slows feature learning for small
    batches.

    Args:
        network: The expansion.
        state: Current state.
        rule: The optimizer.
        rate: Learning rate.
        batches: (steps, B) rows of the trained samples.
        ceiling: Share of the stable limit to which faster modes are clamped.
    """
    values = network.eigenvalues
    if ceiling < math.inf:
        values = values.clamp_max(ceiling * rule.stable_limit(rate) / network.gain)
    # Minibatches couple the modes, so that steps are computed one by one on the samples. Slow modes, which are the
    # majority, would hardly change and are omitted from the products.
    active = network.gain * rate * values * len(batches) > MIN_DRIVE
    modes, active_values = network.modes[:, active], values[active]
    r, b, p = (modes @ vector[active] for vector in (state.residual, state.velocity, state.inherited))
    inactive_residual = network.modes @ state.residual - r
    a, m, remaining = torch.zeros_like(b), rule.momentum, 1.0
    samples, channels = len(network.train), network.outputs.shape[1]
    for rows in batches:
        weight = torch.bincount(rows, minlength=samples).to(r) * (samples / len(rows))
        gradient = (weight[:, None] * (r + inactive_residual).reshape(samples, channels)).reshape(-1)
        b = m * b + (1 - rule.dampening) * network.gain * gradient
        remaining *= m
        a = a + rate * b
        r = r - rate * (modes @ (active_values * (modes.mT @ b)) + remaining * p)
    # As in `Linearised.advance`: the dual belongs to the kernel of the expansion, not to the clamped one.
    positive = network.eigenvalues > 0
    ratio = torch.where(positive, values / torch.where(positive, network.eigenvalues, 1.0), 1.0)
    displacement = rate * state.fading * (m - m * remaining) / (1 - m)
    projection = network.modes.mT
    return replace(
        state,
        residual=projection @ (r + inactive_residual),
        dual=state.dual + (projection @ a) * ratio,
        velocity=projection @ b,
        inherited=remaining * state.inherited,
        carried=state.carried + displacement,
        fading=state.fading * remaining,
    )


def mean_squared_gradients(network: nn.Module, x: Tensor, residual: Tensor) -> dict[str, Tensor]:
    """Return the mean over the samples of the squared gradient of each sample's loss, (1 / C) |f - y|^2.

    A linear layer with input h and gradient a at its output has sample gradients a h^T, so that the mean is the
    product of a^2 and (h^2)^T; all other layers use explicit gradients.

    Args:
        network: Maps (N, ...) to (N, C).
        x: (N, ...) samples.
        residual: (N, C) f - y.

    Returns:
        Mean squared gradients by parameter name, in the parameters' shapes.
    """
    gradient = 2 / residual.shape[1] * residual
    squares: dict[str, Tensor] = {}
    with evaluation_mode_with_gradients(network, x.device):
        layers, other_names = split_layers(network, x)
        for features, names in layers:
            squared = torch.einsum("nc,cno->no", gradient.to(features.grads), features.grads).square()
            if features.weight:
                squares[names["weight"]] = squared.mT @ features.inputs.square() / len(x)
            if features.bias:
                squares[names["bias"]] = squared.mean(0)
        if other_names:
            source = PerSampleSource(network, other_names)
            (explicit,) = source.take(x).features
            assert isinstance(explicit, ExplicitGradients)
            gradients = torch.einsum("nc,cnp->np", gradient.to(explicit.values), explicit.values)
            named = dict(network.named_parameters())
            parts = gradients.square().mean(0).split([named[name].numel() for name in source.parameters])
            squares |= {
                n: part.reshape(named[n].shape) for n, part in zip(source.parameters, parts, strict=True)
            }
    return squares


def minibatch_squared_gradients(
    mean: dict[str, Tensor], samples: dict[str, Tensor], batch: int
) -> dict[str, Tensor]:
    """Return E g_B^2 = g^2 + (E_n g_n^2 - g^2) / B for batches of B samples drawn with replacement.

    Args:
        mean: g, the gradient over all samples, by parameter name.
        samples: E_n g_n^2, from `mean_squared_gradients`.
        batch: B.
    """
    return {
        name: g.square() + (samples[name] - g.square()).clamp_min(0) / batch
        if name in samples
        else g.square()
        for name, g in mean.items()
    }
