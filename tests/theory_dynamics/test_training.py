"""The theory against real training of models for which it is exact."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable

import pytest
import torch
from torch import nn

from overtone._utils.steps import log_steps
from overtone.errors import InputError, RunError
from overtone.theory._mode_dynamics import GradientDescent
from overtone.theory.dynamics import Linearised, PilotRun
from overtone.theory.dynamics._optimizers import (
    effective_rate,
    optimizer_dynamics,
    second_moments,
    velocities,
)
from tests.theory_dynamics.models import Linear, samples

EXACT = 1e-10
Maker = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


def plain(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, 0.2)


def heavy_ball(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, 0.05, momentum=0.9)


@pytest.mark.parametrize("make", [plain, heavy_ball])
@pytest.mark.parametrize("before", [0, 5])
@pytest.mark.parametrize("layer", [True, False])
def test_a_linear_model_is_predicted_exactly_on_all_samples(make: Maker, before: int, layer: bool) -> None:
    x, y = samples()
    train = torch.arange(0, 10, 2)
    network = Linear(30, 2, layer=layer)
    pilot = PilotRun(network, make(network.parameters()), x[train], y[train])
    pilot.advance(before)
    linear = pilot.linearise(x, y, train)
    steps = [step for step in log_steps(500) if step >= before]
    for moment in linear.propagate(
        optimizer_dynamics(pilot.optimizer), effective_rate(pilot.optimizer), steps, before
    ):
        pilot.advance(moment.step - pilot.step)
        torch.testing.assert_close(moment.outputs, pilot.outputs(x), rtol=0, atol=EXACT)
        actual = float((pilot.outputs(x)[train] - y[train]).square().mean())
        assert moment.loss == pytest.approx(actual, abs=EXACT)


def test_a_wrong_learning_rate_is_not_exact() -> None:
    x, y = samples()
    network = Linear(30, 2)
    pilot = PilotRun(network, plain(network.parameters()), x, y)
    linear = pilot.linearise(x, y)
    moment = next(iter(linear.propagate(GradientDescent(), lambda _: 0.21, [20])))
    pilot.advance(20)
    assert float((moment.outputs - pilot.outputs(x)).abs().max()) > 1e-3


def test_a_falling_learning_rate_is_exact_where_every_step_is_recorded() -> None:
    x, y = samples()
    network = Linear(30, 2)
    optimizer = plain(network.parameters())

    def schedule(step: int) -> float:
        return 0.9**step

    pilot = PilotRun(network, optimizer, x, y, schedule=schedule)
    linear = pilot.linearise(x, y)
    moments = list(linear.propagate(GradientDescent(), effective_rate(optimizer, schedule), range(21)))
    pilot.advance(20)
    torch.testing.assert_close(moments[-1].outputs, pilot.outputs(x), rtol=0, atol=EXACT)


def test_the_mean_over_all_minibatches_is_the_prediction() -> None:
    """All sequences of batches of one of four samples, each as likely as any other."""
    x, y = samples(4, 1)
    network = Linear(12, 1)
    optimizer = heavy_ball(network.parameters())
    linear = PilotRun(network, optimizer, x, y).linearise(x, y)
    moment = next(iter(linear.propagate(optimizer_dynamics(optimizer), effective_rate(optimizer), [4])))
    total = torch.zeros(4, 1, dtype=torch.float64)
    for sequence in itertools.product(range(4), repeat=4):
        trained, steps = copy.deepcopy((network, optimizer))
        for pick in sequence:
            steps.zero_grad()
            (trained(x[pick, None]) - y[pick, None]).square().mean().backward()
            steps.step()
        total += trained(x).detach() / 4**4
    torch.testing.assert_close(moment.outputs, total, rtol=0, atol=EXACT)


@pytest.mark.parametrize("layer", [True, False])
def test_adam_with_its_second_moments_frozen_is_predicted_exactly(layer: bool) -> None:
    x, y = samples()
    network = Linear(30, 2, layer=layer)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    pilot = PilotRun(network, optimizer, x, y)
    pilot.advance(7)
    linear = pilot.linearise(x, y)
    steps = range(7, 60)
    moments = list(linear.propagate(optimizer_dynamics(optimizer), effective_rate(optimizer), steps, 7))
    scale = second_moments(pilot.optimizer, pilot.network)
    assert scale is not None
    named = dict(pilot.network.named_parameters())
    mean = {name: pilot.optimizer.state[p]["exp_avg"].clone() for name, p in named.items()}
    for step, moment in zip(steps, moments, strict=True):
        torch.testing.assert_close(moment.outputs, pilot.outputs(x), rtol=0, atol=EXACT)
        loss = (pilot.network(x) - y).square().mean()
        for (name, p), g in zip(named.items(), torch.autograd.grad(loss, list(named.values())), strict=True):
            mean[name] = 0.9 * mean[name] + 0.1 * g
            with torch.no_grad():
                p -= 0.01 / (1 - 0.9 ** (step + 1)) * scale[name] * mean[name]


def test_adams_second_moments_matter() -> None:
    x, y = samples()
    network = Linear(30, 2)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    pilot = PilotRun(network, optimizer, x, y)
    pilot.advance(7)
    moving = velocities(pilot.optimizer, pilot.network)
    assert moving is not None
    sgd = torch.optim.SGD(pilot.network.parameters(), 0.01)
    plain_kernel = PilotRun(pilot.network, sgd, x, y).linearise(x, y)
    adams = pilot.linearise(x, y)
    assert float(adams.eigenvalues[-1] / plain_kernel.eigenvalues[-1]) > 2


def test_the_trained_network_and_optimizer_are_left_alone() -> None:
    x, y = samples()
    network = Linear(30, 2)
    optimizer = heavy_ball(network.parameters())
    before = copy.deepcopy(network.state_dict())
    generator = torch.random.get_rng_state()
    pilot = PilotRun(network, optimizer, x, y, batch=3)
    pilot.advance(5)
    pilot.linearise(x, y)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not optimizer.state
    assert torch.equal(generator, torch.random.get_rng_state())
    other = PilotRun(network, optimizer, x, y, batch=3)
    other.advance(5)
    assert torch.equal(pilot.outputs(x), other.outputs(x))


def test_a_learning_rate_beyond_stability_is_a_result_that_ends_early() -> None:
    x, y = samples()
    network = Linear(30, 2)
    linear = PilotRun(network, plain(network.parameters()), x, y).linearise(x, y)
    steps = log_steps(10**6)
    bearable = GradientDescent().stable_limit(1.0) / (linear.gain * float(linear.eigenvalues[-1]))
    calm = list(linear.propagate(GradientDescent(), lambda _: 0.98 * bearable, steps))
    wild = list(linear.propagate(GradientDescent(), lambda _: 1.05 * bearable, steps))
    held = list(linear.propagate(GradientDescent(), lambda _: 1.05 * bearable, steps, ceiling=0.5))
    assert calm[-1].step == held[-1].step == steps[-1]
    assert wild[-1].step < 2000
    assert all(m.outputs.isfinite().all() for m in wild)


def other(**changes: object) -> Callable[[], torch.optim.Optimizer]:
    return lambda: torch.optim.SGD(Linear(3, 1).parameters(), 0.1, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (other(nesterov=True, momentum=0.9), "expected no nesterov"),
        (other(weight_decay=0.1), "expected no weight_decay, got 0.1; disable it for the prediction"),
        (lambda: torch.optim.RMSprop(Linear(3, 1).parameters()), "expected SGD, Adam or AdamW, got RMSprop"),
        (
            lambda: torch.optim.SGD([{"params": [p]} for p in Linear(3, 1).parameters()], 0.1),
            "expected one parameter group, got 2",
        ),
    ],
)
def test_optimizers_without_a_recursion_are_refused(
    make: Callable[[], torch.optim.Optimizer], text: str
) -> None:
    with pytest.raises(InputError, match=text):
        optimizer_dynamics(make())


def test_adam_without_a_step_has_no_kernel() -> None:
    x, y = samples()
    network = Linear(30, 2)
    pilot = PilotRun(network, torch.optim.Adam(network.parameters()), x, y)
    with pytest.raises(InputError, match=r"expected Adam's second moments, .*pass a pilot of a few steps"):
        pilot.linearise(x, y)


def test_a_pilot_that_diverges_says_at_which_step() -> None:
    x, y = samples()
    network = Linear(30, 2)
    pilot = PilotRun(network, torch.optim.SGD(network.parameters(), 1e6), x, y)
    with pytest.raises(RunError, match=r"a pilot that does not diverge, got a loss of (inf|nan) by step"):
        pilot.advance(500)


def test_a_kernel_that_is_not_positive_is_refused_and_rounding_is_told() -> None:
    _x, y = samples(3, 1)
    kernel = torch.diag(torch.tensor([1.0, 0.5, -0.1], dtype=torch.float64))
    with pytest.raises(
        RunError, match=r"a positive semi-definite kernel, got an eigenvalue of -1.0e-01 times the largest"
    ):
        Linearised.of(y, y, kernel)
    kernel[2, 2] = -1e-8
    linear = Linearised.of(y, y, kernel)
    assert linear.clipped == pytest.approx(1e-8)
    assert float(linear.eigenvalues.min()) == 0
    with pytest.raises(InputError, match="a kernel of shape"):
        Linearised.of(y, y, kernel[:, :2])
    with pytest.raises(InputError, match="finite numbers"):
        Linearised.of(y, y, kernel * torch.tensor(float("nan")))
