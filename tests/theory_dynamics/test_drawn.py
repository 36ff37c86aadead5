"""Minibatches that are drawn: steps of the linear network, squared gradients, and whole predictions."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from overtone._training import Optimizer, TrainingConfig
from overtone.nn.activations import Activation
from overtone.theory._mode_dynamics import GradientDescent
from overtone.theory.dynamics import Agreement, PilotRun, predict
from overtone.theory.dynamics._minibatch import (
    advance_on_batches,
    mean_squared_gradients,
    minibatch_squared_gradients,
)
from tests.theory_dynamics.models import Linear, field, samples, tones, trained

EXACT = 1e-9
"""Some dozen steps, each of which rounds sums of hundreds of products of order one in float64."""


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_drawn_run_is_the_training_on_those_batches(momentum: float) -> None:
    x, y = samples()
    train_on = torch.arange(0, 10, 2)
    network = Linear(30, 2)
    sgd = torch.optim.SGD(network.parameters(), 0.05, momentum=momentum)
    pilot = PilotRun(network, sgd, x[train_on], y[train_on])
    pilot.advance(5)
    linear = pilot.linearise(x, y, train_on)
    batches = torch.randint(5, (40, 3), generator=torch.Generator().manual_seed(0))
    state = advance_on_batches(
        linear, linear.initial_state(), GradientDescent(momentum=momentum), 0.05, batches[:15]
    )
    state = advance_on_batches(linear, state, GradientDescent(momentum=momentum), 0.05, batches[15:])
    for rows in batches:
        pilot.optimizer.zero_grad()
        (pilot.network(x[train_on][rows]) - y[train_on][rows]).square().mean().backward()
        pilot.optimizer.step()
    torch.testing.assert_close(linear.outputs_at(state), pilot.outputs(x), rtol=0, atol=EXACT)
    mean = linear.advance(linear.initial_state(), GradientDescent(momentum=momentum), 0.05, 40)
    assert float((linear.outputs_at(mean) - pilot.outputs(x)).abs().max()) > 1e-3


def test_all_samples_in_every_batch_are_the_mean_run() -> None:
    x, y = samples()
    network = Linear(30, 2)
    linear = PilotRun(network, torch.optim.SGD(network.parameters(), 0.05), x, y).linearise(x, y)
    state = advance_on_batches(
        linear,
        linear.initial_state(),
        GradientDescent(momentum=0.9, dampening=0.9),
        0.05,
        torch.arange(10).expand(30, 10),
    )
    mean = linear.advance(linear.initial_state(), GradientDescent(momentum=0.9, dampening=0.9), 0.05, 30)
    torch.testing.assert_close(linear.outputs_at(state), linear.outputs_at(mean), rtol=0, atol=EXACT)
    torch.testing.assert_close(state.velocity, mean.velocity, rtol=0, atol=EXACT)


class Shifted(nn.Module):
    """A linear layer, and a parameter that no layer owns."""

    def __init__(self) -> None:
        super().__init__()
        source = torch.Generator().manual_seed(4)
        self.first = nn.Linear(2, 5, dtype=torch.float64)
        self.last = nn.Linear(5, 2, dtype=torch.float64)
        self.gain = nn.Parameter(torch.randn(5, generator=source, dtype=torch.float64))
        with torch.no_grad():
            for p in self.parameters():
                p.copy_(torch.randn(p.shape, generator=source, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.last(self.gain * torch.tanh(self.first(x)))
        return out


def gradient(network: nn.Module, x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
    loss = (network(x) - y).square().mean()
    named = dict(network.named_parameters())
    return dict(zip(named, torch.autograd.grad(loss, list(named.values())), strict=True))


def test_the_squares_are_those_of_each_sample_and_of_every_batch() -> None:
    """Against a loop over the samples, and the mean over all batches of two of three."""
    network, count = Shifted(), 3
    x, y = samples(count)
    found = mean_squared_gradients(network, x, (network(x) - y).detach())
    single = [gradient(network, x[[n]], y[[n]]) for n in range(count)]
    for name, each in found.items():
        wanted = torch.stack([g[name].square() for g in single]).mean(0)
        torch.testing.assert_close(each, wanted, rtol=1e-10, atol=1e-12)
    assert set(found) == set(dict(network.named_parameters()))
    batches = [
        gradient(network, x[list(rows)], y[list(rows)]) for rows in itertools.product(range(count), repeat=2)
    ]
    mean = gradient(network, x, y)
    for name, each in minibatch_squared_gradients(mean, found, 2).items():
        wanted = torch.stack([g[name].square() for g in batches]).mean(0)
        torch.testing.assert_close(each, wanted, rtol=1e-10, atol=1e-12)
        assert float((each - mean[name].square()).abs().max()) > 1e-6


def test_adam_on_minibatches_is_followed() -> None:
    """Closer than by the growth of the kernel alone."""
    signal, steps, batch = tones((1, 2, 4)), 400, 8
    network = field(signal, 64, 2, Activation.RELU)
    start = {name: value.clone() for name, value in network.state_dict().items()}
    options = TrainingConfig(steps, batch=batch, lr=1e-3, optimizer=Optimizer.ADAM, seed=1)
    truth = trained(network, signal, options)
    network.load_state_dict(start)

    def verdict(*, window: bool) -> Agreement:
        adam = torch.optim.Adam(network.parameters(), 1e-3)
        part = signal if window else None
        return Agreement.between(
            predict(signal, network, adam, steps, pilot=20, batch=batch, part=part).record, truth
        )

    leapt, grown = verdict(window=False), verdict(window=True)
    assert leapt.counted.sum() >= 2
    assert leapt.predicted_share == 1
    # One run beside another one: steps scatter by the 15 % between rows, and as much again by the draws.
    assert leapt.median_factor < 1.5
    assert grown.predicted_share < 1 or grown.median_factor > leapt.median_factor
