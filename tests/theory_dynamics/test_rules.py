"""Recursions against iterated updates, and their limits."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from overtone._utils.steps import log_steps
from overtone.errors import InputError
from overtone.theory._mode_dynamics import GradientDescent, GradientFlow, ModeState, OptimizerDynamics

GAIN = 0.2
RULES = [
    GradientDescent(),
    GradientDescent(momentum=0.9),
    GradientDescent(momentum=0.9, dampening=0.9),
    GradientFlow(),
]


def iterate(
    rule: GradientDescent, state: ModeState, values: Tensor, rate: float, steps: int
) -> tuple[Tensor, Tensor]:
    """Residual and dual by one update after the other."""
    r, a, b, p = state.residual, state.dual, state.velocity, state.inherited
    for _ in range(steps):
        b = rule.momentum * b + (1 - rule.dampening) * GAIN * r
        p = rule.momentum * p
        r = r - rate * (values * b + p)
        a = a + rate * b
    return r, a


@given(
    st.sampled_from(RULES[:3]),
    st.floats(1e-4, 2.0),
    st.integers(0, 60),
    st.lists(st.floats(0, 4), min_size=1, max_size=5),
)
@settings(max_examples=40, deadline=None)
def test_powers_are_iterated_updates(
    rule: GradientDescent, rate: float, steps: int, values: list[float]
) -> None:
    eigenvalues = torch.tensor(values, dtype=torch.float64)
    start = ModeState.at_rest(torch.ones_like(eigenvalues), 0.3 * torch.ones_like(eigenvalues))
    after = rule.advance(start, eigenvalues, GAIN, rate, steps)
    r, a = iterate(rule, start, eigenvalues, rate, steps)
    # Each of `steps` products of 4 x 4 matrices rounds by 4 eps of what it adds up, which is below 2 + 10 times
    # the rate; 1e-10 leaves three digits above 60 such products.
    size = 1 + max(float(r.abs().max()), float(a.abs().max()))
    torch.testing.assert_close(after.residual, r, rtol=0, atol=1e-10 * size)
    torch.testing.assert_close(after.dual, a, rtol=0, atol=1e-10 * size)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_nothing_at_step_zero(rule: OptimizerDynamics) -> None:
    start = ModeState.at_rest(torch.tensor([1.0, -2.0], dtype=torch.float64))
    after = rule.advance(start, torch.tensor([0.0, 3.0], dtype=torch.float64), GAIN, 0.1, 0)
    assert torch.equal(after.residual, start.residual)
    assert torch.equal(after.dual, start.dual)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_after_infinitely_many_steps_all_that_can_be_learned_is(rule: OptimizerDynamics) -> None:
    values = torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64)
    after = rule.advance(ModeState.at_rest(torch.ones(3, dtype=torch.float64)), values, GAIN, 0.5, 10**5)
    assert after.residual[0] == pytest.approx(1, abs=1e-10)
    assert float(after.residual[1:].abs().max()) < 1e-12
    # What was taken off the outputs, k a, is the whole residual.
    torch.testing.assert_close(
        (values * after.dual)[1:], torch.ones(2, dtype=torch.float64), rtol=1e-9, atol=0
    )


def test_flow_is_the_limit_of_small_steps() -> None:
    values = torch.tensor([0.0, 1e-15, 0.5, 3.0], dtype=torch.float64)
    start = ModeState.at_rest(torch.ones(4, dtype=torch.float64))
    errors = []
    for steps in (100, 1000):
        fine = GradientDescent().advance(start, values, GAIN, 1 / steps, steps)
        flow = GradientFlow().advance(start, values, GAIN, 1 / steps, steps)
        errors.append(float((fine.residual - flow.residual).abs().max()))
        assert float((fine.dual - flow.dual).abs().max()) < 1 / steps
    assert 8 < errors[0] / errors[1] < 12


@pytest.mark.parametrize("rule", RULES[:3], ids=str)
@pytest.mark.parametrize(("share", "grows"), [(0.99, False), (1.01, True)])
def test_the_stable_limit_is_where_growth_begins(rule: OptimizerDynamics, share: float, grows: bool) -> None:
    value = torch.tensor([share * rule.stable_limit(0.1) / GAIN], dtype=torch.float64)
    start = ModeState.at_rest(torch.ones(1, dtype=torch.float64))
    sizes = [float(rule.advance(start, value, GAIN, 0.1, n).residual.abs()) for n in (2000, 2001)]
    assert (max(sizes) > 1) == grows


def test_a_flow_is_always_stable() -> None:
    assert GradientFlow().stable_limit(10.0) == math.inf


def test_log_steps_hold_both_ends_and_ascend() -> None:
    steps = log_steps(1000)
    assert steps[0] == 0
    assert steps[-1] == 1000
    assert list(steps) == sorted(set(steps))
    assert 30 < len(steps) < 50
    with pytest.raises(InputError, match="at least one step"):
        log_steps(0)
    with pytest.raises(InputError, match="a ratio above 1"):
        log_steps(5, 1.0)


def test_momentum_outside_its_range_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected a number in \[0, 1\), got 1.0; pass for instance 0.9"):
        GradientDescent(momentum=1.0)


@pytest.mark.parametrize("rule", [GradientDescent(0.3, 0.9), GradientDescent(0.3, 0.5, 0.2)], ids=str)
def test_the_filter_of_momentum_is_its_recursion_from_rest(rule: GradientDescent) -> None:
    eigenvalues = torch.tensor([0.0, 1e-6, 0.5, 3.0], dtype=torch.float64)
    r, b = torch.ones_like(eigenvalues), torch.zeros_like(eigenvalues)
    for _ in range(40):
        b = rule.momentum * b + (1 - rule.dampening) * r
        r = r - rule.rate * eigenvalues * b
    torch.testing.assert_close(rule.remaining(eigenvalues, 40), r, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(rule.learned(eigenvalues, 40), 1 - r, rtol=1e-9, atol=1e-12)
    assert float(rule.remaining(eigenvalues, float(rule.steps(eigenvalues)[-1]))[1].abs()) < 1e-3
