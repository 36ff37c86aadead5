"""The scatter of minibatches against many drawn runs of a linear model."""

from __future__ import annotations

import itertools

import pytest
import torch

from overtone.errors import InputError
from overtone.spectra import GridTransform
from overtone.theory._mode_dynamics import GradientDescent
from overtone.theory.dynamics import Linearised
from overtone.theory.dynamics._linearised import EDGE_FRACTION
from overtone.theory.dynamics._minibatch import minibatch_scatter

SAMPLES, BATCH, RATE, STEPS = 12, 3, 0.35, 25


def waves(channels: int = 1) -> Linearised:
    """A kernel that is stationary on a circle and random signs as residual: all samples alike in the mean square."""
    x = torch.arange(SAMPLES, dtype=torch.float64) / SAMPLES
    gap = 2 * torch.pi * (x[:, None] - x[None])
    kernel = 1 + 2 * torch.cos(gap) + torch.cos(2 * gap) + 0.5 * torch.cos(3 * gap)
    source = torch.Generator().manual_seed(3)
    signs = 1.0 - 2.0 * torch.randint(0, 2, (SAMPLES, channels), generator=source).double()
    full = torch.kron(kernel, torch.eye(channels, dtype=torch.float64))
    return Linearised.of(torch.zeros_like(signs), signs, full)


def drawn(network: Linearised, steps: int, runs: int) -> torch.Tensor:
    """(runs, mode) residuals of stochastic gradient descent, batches with replacement."""
    kernel, source = network.kernel, torch.Generator().manual_seed(0)
    r = (network.outputs - network.targets).reshape(-1).expand(runs, -1)
    channels = network.outputs.shape[1]
    for _ in range(steps):
        picks = torch.randint(SAMPLES, (runs, BATCH), generator=source)
        counts = torch.zeros(runs, SAMPLES, dtype=torch.float64)
        counts.scatter_add_(1, picks, torch.ones(runs, BATCH, dtype=torch.float64))
        weight = (SAMPLES / BATCH * counts).repeat_interleave(channels, 1)
        r = r - RATE * network.gain * (weight * r) @ kernel
    return r @ network.modes


@pytest.mark.parametrize("channels", [1, 2])
def test_the_variance_is_that_of_many_runs(channels: int) -> None:
    network, runs = waves(channels), 20000
    found = next(iter(minibatch_scatter(network, GradientDescent(), lambda _: RATE, BATCH, [STEPS])))
    actual = drawn(network, STEPS, runs).var(0)
    # The variance of a variance over R runs is about 2 / R of its square (heavier tails: twice that), so that four
    # standard deviations are 6 %; what the mean over the samples replaces adds as much.
    assert float(found.variance.sum() / actual.sum()) == pytest.approx(1, abs=0.12)
    other = next(iter(minibatch_scatter(network, GradientDescent(), lambda _: RATE, 2 * BATCH, [STEPS])))
    assert abs(float(other.variance.sum() / actual.sum()) - 1) > 0.3


def test_one_step_is_exact_where_all_samples_have_the_same_error() -> None:
    """All batches of three of twelve, each as likely as any other."""
    network = waves()
    found = next(iter(minibatch_scatter(network, GradientDescent(), lambda _: RATE, BATCH, [1])))
    r = (network.outputs - network.targets).reshape(-1)
    ends = []
    for picks in itertools.product(range(SAMPLES), repeat=BATCH):
        weight = torch.zeros(SAMPLES, dtype=torch.float64)
        for pick in picks:
            weight[pick] += SAMPLES / BATCH
        ends.append(r - RATE * network.gain * network.kernel @ (weight * r))
    actual = (torch.stack(ends) @ network.modes).var(0, correction=0)
    torch.testing.assert_close(found.variance, actual, rtol=1e-9, atol=1e-12)


def test_powers_are_iterated_steps_and_all_samples_scatter_as_the_bands_do() -> None:
    network = waves()
    steps = list(range(11))
    every = list(minibatch_scatter(network, GradientDescent(), lambda _: RATE, BATCH, steps))
    last = next(iter(minibatch_scatter(network, GradientDescent(), lambda _: RATE, BATCH, [10])))
    torch.testing.assert_close(every[-1].variance, last.variance, rtol=1e-9, atol=1e-12)
    assert float(every[0].variance.sum()) == 0
    transform = GridTransform((SAMPLES,), (1 / SAMPLES,), (True,), None)
    power = last.bands(transform, (SAMPLES,))
    # Parseval: the power of all bands is the mean variance of the samples.
    assert float(power.sum()) == pytest.approx(float(last.samples.mean()), rel=1e-6)


def test_momentum_and_empty_batches_are_refused() -> None:
    with pytest.raises(InputError, match="gradient descent without momentum"):
        next(iter(minibatch_scatter(waves(), GradientDescent(momentum=0.9), lambda _: RATE, BATCH, [1])))
    with pytest.raises(InputError, match="at least one sample per batch, got 0"):
        next(iter(minibatch_scatter(waves(), GradientDescent(), lambda _: RATE, 0, [1])))


def test_a_part_of_the_samples_scatters_as_it_does_in_the_whole() -> None:
    """Two far copies of one signal: looked at alone, each has the variance that it has beside the other."""
    network = waves()
    zero = torch.zeros_like(network.kernel)
    rows = [torch.cat(row, 1) for row in ((network.kernel, zero), (zero, network.kernel))]
    twice = Linearised.of(network.outputs.repeat(2, 1), network.targets.repeat(2, 1), torch.cat(rows))
    half = Linearised.of(network.outputs, network.targets, network.kernel, mean_over=2 * SAMPLES)
    both, one = (
        next(iter(minibatch_scatter(each, GradientDescent(), lambda _: RATE, BATCH, [STEPS])))
        for each in (twice, half)
    )
    # Sums over modes, since eigenvectors of equal eigenvalues may be turned among each other.
    assert 2 * float(one.variance.sum()) == pytest.approx(float(both.variance.sum()), rel=1e-9)
    alone = next(iter(minibatch_scatter(network, GradientDescent(), lambda _: RATE, BATCH, [STEPS])))
    assert abs(float(alone.variance.sum() / one.variance.sum()) - 1) > 0.1


def test_modes_held_at_the_edge_scatter_finitely() -> None:
    network = waves()
    sharp = 100 * RATE
    held = next(
        iter(
            minibatch_scatter(
                network, GradientDescent(), lambda _: sharp, BATCH, [500], ceiling=EDGE_FRACTION
            )
        )
    )
    free = next(iter(minibatch_scatter(network, GradientDescent(), lambda _: sharp, BATCH, [500])))
    assert bool(held.variance.isfinite().all())
    assert not float(free.variance.max()) < 1e6
