"""Leaps: exact for linear models, held at the edge of stability, and close for networks that learn features."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import xarray
from torch import nn

from overtone._training import Optimizer, TrainingConfig
from overtone._utils.steps import log_steps
from overtone.nn.activations import Activation
from overtone.theory.dynamics import Agreement, PilotRun, predict
from overtone.theory.dynamics import _relinearisation as module
from overtone.theory.dynamics._findings import FindingCode
from overtone.theory.dynamics._optimizers import effective_rate, optimizer_dynamics, second_moments
from overtone.theory.dynamics._preconditioned import separable_kernel, tangent_kernel
from overtone.theory.dynamics._relinearisation import Relinearisation, project_to_stability_edge
from tests.theory_dynamics.models import Linear, field, samples, tones, trained

EXACT = 1e-9
"""Some dozen leaps, each of which rounds sums of hundreds of products of order one in float64."""


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_leaps_of_a_linear_model_are_its_training(momentum: float) -> None:
    x, y = samples()
    rows = torch.arange(0, 10, 2)
    network = Linear(30, 2)
    optimizer = torch.optim.SGD(network.parameters(), 0.05, momentum=momentum)
    leaping, walking = (PilotRun(network, optimizer, x[rows], y[rows]) for _ in range(2))
    leaping.advance(5)
    leaps = Relinearisation(leaping, x, y, rows, optimizer_dynamics(optimizer), effective_rate(optimizer))
    count = 0
    for _, moments, _ in leaps.run(log_steps(300), 300):
        count += 1
        for moment in moments:
            walking.advance(moment.step - walking.step)
            torch.testing.assert_close(moment.outputs, walking.outputs(x), rtol=0, atol=EXACT)
    assert leaping.step == walking.step == 300
    assert count < 50
    torch.testing.assert_close(leaping.outputs(x), walking.outputs(x), rtol=0, atol=EXACT)
    # What is left of the momentum is in the optimizer, so that training can go on.
    leaping.advance(20)
    walking.advance(20)
    torch.testing.assert_close(leaping.outputs(x), walking.outputs(x), rtol=0, atol=EXACT)


def small(seed: int = 0, inputs: int = 3, outputs: int = 2) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [nn.Linear(inputs, 12), nn.Tanh(), nn.Linear(12, 12), nn.Tanh(), nn.Linear(12, outputs)]
        return nn.Sequential(*layers).double()


def positive(network: nn.Module, seed: int = 1) -> dict[str, torch.Tensor]:
    source = torch.Generator().manual_seed(seed)
    return {
        name: torch.exp(torch.randn(p.shape, generator=source, dtype=torch.float64))
        for name, p in network.named_parameters()
    }


def test_a_weighting_that_is_separable_is_kept_and_its_kernel_exact() -> None:
    network = small()
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    weights = {
        name: torch.outer(each[:, 0], each[0]) if each.ndim == 2 else each
        for name, each in positive(network).items()
    }
    kernel, used = separable_kernel(network, x, weights)
    torch.testing.assert_close(kernel, tangent_kernel(network, x, weights), rtol=1e-9, atol=1e-9)
    for name, each in weights.items():
        torch.testing.assert_close(used[name], each, rtol=1e-9, atol=0)


def test_any_other_weighting_keeps_the_trace_and_what_is_told_of_it() -> None:
    network = small()
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    weights = positive(network)
    kernel, used = separable_kernel(network, x, weights)
    exact = tangent_kernel(network, x, weights)
    torch.testing.assert_close(kernel, tangent_kernel(network, x, used), rtol=1e-9, atol=1e-9)
    # The fit ends with the columns, whose sums, and with them the trace, are then exact.
    assert float(kernel.trace() / exact.trace()) == pytest.approx(1, abs=1e-9)
    assert float((kernel - exact).norm() / exact.norm()) > 1e-3
    assert float(torch.linalg.eigvalsh(kernel)[0]) > -1e-9 * float(kernel.trace())


@pytest.mark.parametrize("weighted", [False, True])
def test_the_sharpest_mode_is_moved_to_the_limit(weighted: bool) -> None:
    network = small(outputs=1)
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    scale = positive(network) if weighted else None

    def sharpness(mode: torch.Tensor) -> float:
        return float(mode @ tangent_kernel(network, x, scale) @ mode)

    values, modes = torch.linalg.eigh(tangent_kernel(network, x, scale))
    before, excess = float(values[-1]), 0.01
    project_to_stability_edge(network, x, modes[:, -1:], before, scale)
    assert sharpness(modes[:, -1]) == pytest.approx(before, rel=1e-12)
    limit = before / (1 + excess)
    project_to_stability_edge(network, x, modes[:, -1:], limit, scale)
    # A Newton step: what is left is of the order of the excess squared.
    assert abs(sharpness(modes[:, -1]) / limit - 1) < 10 * excess**2


def measured(activation: Activation, optimizer: Optimizer, rate: float, steps: int) -> xarray.Dataset:
    signal = tones((1, 2, 4, 8), 64)
    network = field(signal, 64, 2, activation)
    options = TrainingConfig(steps, lr=rate, optimizer=optimizer)
    return trained(network, signal, options)


@pytest.mark.parametrize(
    ("activation", "adam", "rate", "steps"),
    [(Activation.RELU, False, 0.25, 600), (Activation.TANH, True, 1e-3, 1000)],
)
def test_networks_that_learn_features_are_followed(
    activation: Activation, adam: bool, rate: float, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bands that one linearisation misses or cannot tell."""
    signal = tones((1, 2, 4, 8), 64)
    network = field(signal, 64, 2, activation)
    made = torch.optim.Adam if adam else torch.optim.SGD
    truth = measured(activation, Optimizer.ADAM if adam else Optimizer.SGD, rate, steps)

    def verdict() -> Agreement:
        optimizer = made(network.parameters(), rate)
        return Agreement.between(predict(signal, network, optimizer, steps, pilot=steps // 20).record, truth)

    found = verdict()
    assert found.counted.sum() >= 1
    assert found.predicted_share == 1
    assert found.median_factor < 1.5
    monkeypatch.setattr(module, "TOLERANCE", 1e-9)
    once = verdict()
    assert once.predicted_share < 1 or once.median_factor > found.median_factor


def test_leaps_that_do_not_pay_end_and_leave_the_network_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signal = tones((1, 2, 4), 32)
    network = field(signal, 32, 2, Activation.TANH)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    monkeypatch.setattr(module, "TOLERANCE", 1e-9)
    x, y = signal.coords, signal.normalisation.apply(signal.values)
    pilot = PilotRun(network, optimizer, x, y)
    pilot.advance(100)
    before = pilot.outputs(x)
    leaps = Relinearisation(
        pilot, x, y, torch.arange(32), optimizer_dynamics(optimizer), effective_rate(optimizer)
    )
    assert list(leaps.run(log_steps(2000), 2000)) == []
    assert pilot.step == 100
    assert torch.equal(before, pilot.outputs(x))
    found = predict(signal, network, optimizer, 2000, pilot=100)
    assert FindingCode.RELINEARISED not in [finding.code for finding in found.findings]
    assert np.isfinite(found.record.train_error).all()


def test_second_moments_on_the_way_are_those_of_the_gradients() -> None:
    """A loss that hardly moves: v tends to the square of the gradient, whatever it was before."""
    x, y = samples(6, 1)
    network = Linear(20, 1)
    optimizer = torch.optim.Adam(network.parameters(), 1e-9, betas=(0.9, 0.9))
    pilot = PilotRun(network, optimizer, x, y)
    pilot.advance(40)
    leaps = Relinearisation(
        pilot, x, y, torch.arange(6), optimizer_dynamics(optimizer), effective_rate(optimizer)
    )
    list(leaps.run([], 300))
    assert pilot.step == 300
    loss = (pilot.network(x) - y).square().mean()
    named = dict(pilot.network.named_parameters())
    scale = second_moments(pilot.optimizer, pilot.network)
    assert scale is not None
    for (name, _), g in zip(named.items(), torch.autograd.grad(loss, list(named.values())), strict=True):
        torch.testing.assert_close(1 / scale[name], g.abs() + 1e-8, rtol=1e-4, atol=1e-9)
    assert math.isclose(float(pilot.optimizer.state[next(iter(named.values()))]["step"]), 300)
