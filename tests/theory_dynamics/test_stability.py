"""Training beyond stability: predicted as a result, at the step at which it happens, and not where it does not."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from overtone.nn import Field
from overtone.signals import Signal
from overtone.theory._mode_dynamics import GradientDescent, GradientFlow, OptimizerDynamics
from overtone.theory.dynamics import Linearised, PilotRun, predict
from overtone.theory.dynamics._findings import FindingCode
from overtone.theory.dynamics._linearised import DIVERGENCE_FACTOR, last_true
from overtone.theory.dynamics._minibatch import largest_bounded_rate, last_bounded_step
from overtone.theory.dynamics._pilot_run import NormalisedOutputs
from overtone.theory.dynamics._stability import largest_rate, steps_to_diverge
from tests.theory_dynamics.models import field, tones
from tests.theory_dynamics.test_minibatch import BATCH, SAMPLES, waves

STEPS = 300
SGD, ADAM = torch.optim.SGD, torch.optim.Adam


def frozen(signal: Signal) -> Field:
    """A network of which the last layer alone is trained: linear in its parameters."""
    network = field(signal, 24)
    *hidden, last = [module for module in network.modules() if isinstance(module, torch.nn.Linear)]
    for module in hidden:
        module.requires_grad_(False)
    assert last.weight.requires_grad
    return network


def optimizer(
    kind: type[torch.optim.Optimizer], network: Field, rate: float, **more: float
) -> torch.optim.Optimizer:
    return kind([p for p in network.parameters() if p.requires_grad], rate, **more)  # type: ignore[call-arg]


def last_good(
    signal: Signal, network: Field, steps: torch.optim.Optimizer, batch: int | None = None
) -> int | None:
    """The last step of real training before the loss of all samples is a million times that of the start."""
    x, y = signal.coords, signal.normalisation.apply(signal.values).double()
    pilot = PilotRun(NormalisedOutputs(network), steps, x, y, batch=batch)

    def loss() -> float:
        return float((pilot.outputs(x) - y).square().mean())

    largest = DIVERGENCE_FACTOR * max(loss(), float(y.square().mean()))
    for step in range(STEPS):
        pilot.advance(1)
        if not loss() <= largest:
            return step
    return None


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("beyond", [1.05, 3.0])
def test_the_step_is_that_of_a_training_that_diverges(momentum: float, beyond: float) -> None:
    signal = tones()
    network = frozen(signal)
    largest = predict(signal, network, optimizer(SGD, network, 1.0, momentum=momentum), 2).largest_rate
    sgd = optimizer(SGD, network, beyond * largest, momentum=momentum)
    found, actual = predict(signal, network, sgd, STEPS), last_good(signal, network, sgd)
    assert found.diverges_at is not None
    assert actual is not None
    # The loss that the bound is a multiple of may differ by the share of the targets in it, and the fastest mode
    # grows by g a step, the loss by g^2: at most log(ratio) / log(g^2) steps.
    drive = beyond * GradientDescent(momentum=momentum).stable_limit(1.0)
    start = float(found.record.loss[0])
    slack = math.log(max(1.0, 1.0 / start)) / (
        2 * math.log(GradientDescent(momentum=momentum).growth_factor(drive))
    )
    assert abs(found.diverges_at - actual) <= math.ceil(slack)
    assert found.record.attrs["diverges_at"] == int(found.record.step[-1]) == found.diverges_at
    assert found.record.attrs["largest_stable_rate"] == largest
    assert bool(np.isfinite(found.record.residual_power).all())
    assert bool(np.isnan(found.latest).all())
    assert found.findings[0].code is FindingCode.DIVERGENCE_PREDICTED
    assert f"predicted to diverge after step {found.diverges_at}." in found.sentences[0]


@pytest.mark.parametrize("pilot", [0, 15])
def test_a_rate_just_below_the_edge_does_not_diverge(pilot: int) -> None:
    signal = tones()
    network = frozen(signal)
    largest = predict(signal, network, optimizer(SGD, network, 1.0), 2).largest_rate
    sgd = optimizer(SGD, network, 0.97 * largest)
    found = predict(signal, network, sgd, STEPS, pilot=pilot)
    assert last_good(signal, network, sgd) is None
    assert found.diverges_at is found.record.attrs["diverges_at"] is None
    assert int(found.record.step[-1]) == STEPS
    assert "diverge" not in " ".join(found.sentences)


def test_a_network_diverges_about_when_its_initial_kernel_says() -> None:
    signal = tones()
    network = field(signal, 64, 2)
    largest = predict(signal, network, optimizer(SGD, network, 1.0), 2).largest_rate
    sgd = optimizer(SGD, network, 8 * largest)
    found, actual = predict(signal, network, sgd, STEPS).diverges_at, last_good(signal, network, sgd)
    assert found is not None
    assert actual is not None
    # With outputs of some ten times those of the start, a third of the way to a million times the loss, the kernel is
    # another one and its modes grow at another rate; a step is what rounding to whole ones costs.
    assert found / 3 - 1 <= actual <= 3 * found + 1


@pytest.mark.parametrize(
    ("kind", "batch", "times"), [(SGD, None, 8.0), (SGD, 4, 12.0), (ADAM, None, 100.0), (ADAM, 4, 100.0)]
)
def test_a_pilot_that_diverges_is_a_result(
    kind: type[torch.optim.Optimizer], batch: int | None, times: float
) -> None:
    signal = tones()
    network = field(signal, 64, 2)
    low = predict(signal, network, kind(network.parameters(), 1e-9), 50, pilot=1)  # type: ignore[call-arg]
    steps = kind(network.parameters(), times * low.largest_rate)  # type: ignore[call-arg]
    found = predict(signal, network, steps, STEPS, pilot=15, batch=batch)
    assert found.diverges_at is not None
    assert found.diverges_at < 15
    if batch is None:
        assert found.diverges_at == last_good(signal, network, steps)
        assert found.largest_rate == pytest.approx(low.largest_rate, rel=1e-3)
    assert int(found.record.step[-1]) == found.diverges_at
    assert bool(np.isfinite(found.record.residual_power).all())
    assert found.findings[0].code is FindingCode.PILOT_DIVERGED
    assert found.findings[0].values["step"] == found.diverges_at
    assert found.sentences[0].endswith(f"training diverges after step {found.diverges_at}, as in the pilot.")
    assert found.cost.training is None
    calm = predict(
        signal, network, kind(network.parameters(), 0.3 * low.largest_rate), 50, pilot=15, batch=batch
    )  # type: ignore[call-arg]
    assert calm.diverges_at is None


def test_a_pilot_too_short_to_tell_goes_on_until_it_can() -> None:
    signal = tones()
    network = frozen(signal)
    largest = predict(signal, network, optimizer(SGD, network, 1.0), 2).largest_rate
    sgd = optimizer(SGD, network, 1.5 * largest)
    found = predict(signal, network, sgd, STEPS, pilot=1)
    assert found.diverges_at == last_good(signal, network, sgd)
    assert 1 < found.pilot <= steps_to_diverge(GradientDescent(), 1.5, 1.0) + 2
    assert predict(signal, network, optimizer(SGD, network, 0.9 * largest), STEPS, pilot=1).pilot == 1


@pytest.mark.parametrize(
    "rule",
    [
        GradientDescent(),
        GradientDescent(momentum=0.9),
        GradientDescent(momentum=0.9, dampening=0.9),
        GradientDescent(momentum=0.5, dampening=0.2),
    ],
    ids=str,
)
@pytest.mark.parametrize("share", [0.3, 0.9, 1.1, 2.0])
def test_the_growth_of_a_mode_is_that_of_its_recursion(rule: GradientDescent, share: float) -> None:
    drive = share * rule.stable_limit(1.0)
    c = (1 - rule.dampening) * drive
    once = torch.tensor([[1 - c, -rule.momentum], [c, rule.momentum]], dtype=torch.float64)
    # r <- r - (c r + m b'), b' <- c r + m b', with b' the step that the velocity makes.
    wanted = float(torch.linalg.eigvals(once).abs().max())
    assert rule.growth_factor(drive) == pytest.approx(wanted, rel=1e-9)
    assert (rule.growth_factor(drive) > 1) == (share > 1)


def test_a_flow_bears_any_rate() -> None:
    network = waves()
    rule: OptimizerDynamics = GradientFlow()
    assert largest_rate(network, rule) == math.inf
    assert steps_to_diverge(rule, 1e9, math.inf) == 0
    assert rule.growth_factor(2.0) == math.exp(-2.0)


def test_minibatches_bear_what_the_recursion_of_the_squares_bears() -> None:
    """Against the eigenvalues of that recursion, and against drawn runs on either side."""
    network = waves()
    top = largest_rate(network, GradientDescent())
    found = largest_bounded_rate(network, BATCH, top)
    assert 0 < found < 0.9 * top
    for share, stable in ((0.999, True), (1.001, False)):
        drive = network.gain * share * found * network.eigenvalues
        drive = drive[drive > 1e-9]
        once = torch.diag((1 - drive).square() - drive.square() / BATCH)
        once = once + drive[:, None].square().expand(-1, len(drive)) / BATCH
        assert (float(torch.linalg.eigvals(once).abs().max()) < 1) == stable
    assert largest_rate(network, GradientDescent(), BATCH) == found


def drawn_squares(network: Linearised, rate: float, steps: int, runs: int) -> torch.Tensor:
    """(step,) mean square of the residual over drawn runs of stochastic gradient descent, from step 1 on."""
    kernel, source = network.kernel, torch.Generator().manual_seed(0)
    r, found = (network.outputs - network.targets).reshape(-1).expand(runs, -1), []
    for _ in range(steps):
        picks = torch.randint(SAMPLES, (runs, BATCH), generator=source)
        counts = torch.zeros(runs, SAMPLES, dtype=torch.float64)
        counts.scatter_add_(1, picks, torch.ones(runs, BATCH, dtype=torch.float64))
        r = r - rate * network.gain * (SAMPLES / BATCH * counts * r) @ kernel
        found.append(r.square().mean())
    return torch.stack(found)


def test_minibatches_diverge_at_the_step_of_drawn_runs() -> None:
    network = waves()
    rate = 2 * largest_bounded_rate(network, BATCH, largest_rate(network, GradientDescent()))
    found = last_bounded_step(network, lambda _: rate, BATCH, range(0, 200, 10))
    assert found is not None
    squares = drawn_squares(network, rate, 2 * found, 4000)
    start = float(network.targets.square().mean())
    actual = int((squares > DIVERGENCE_FACTOR * start).nonzero()[0])
    # The mean of a product of random factors is carried by ever rarer runs: of 4,000, the largest square that is seen
    # is that of one in 4,000, a factor of e^(8.3) below at the most, and the loss grows by its own share a step.
    growth = math.log(float(squares[found // 2] / squares[0])) / (found // 2)
    assert abs(actual - found) <= math.log(4000) / growth
    calm = largest_bounded_rate(network, BATCH, largest_rate(network, GradientDescent())) / 2
    assert last_bounded_step(network, lambda _: calm, BATCH, range(0, 200, 10)) is None
    assert float(drawn_squares(network, calm, 200, 400)[-1]) < start


def test_bisection_finds_the_last_that_holds() -> None:
    for last in range(7):
        assert last_true(lambda n, last=last: n <= last, 7) == last  # type: ignore[misc]
