"""Bias and variance along training: against simulated training, closed forms and both rules' limits."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.errors import InputError
from overtone.theory import risk
from tests.theory_risk.circle import relu_kernel

EPS = torch.finfo(torch.float64).eps


def problem(n=24, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, n, generator=g, dtype=torch.float64)
    lam, u = torch.linalg.eigh(x @ x.T / n)
    return lam.clamp(min=0), u, torch.randn(n, generator=g, dtype=torch.float64), g


def test_descent_agrees_with_descent_on_noisy_data():
    lam, u, target, g = problem()
    kernel, noise, steps = (u * lam) @ u.T, 0.4, torch.tensor([0.0, 1.0, 5.0, 60.0])
    rule = risk.GradientDescent(0.9 / float(lam.max()))
    found = risk.expected_risk(lam, (u.T @ target).square(), noise, rule, steps)
    draws = 4000
    observed = target + math.sqrt(noise) * torch.randn(draws, len(target), generator=g, dtype=torch.float64)
    state, errors = torch.zeros_like(observed), []
    for step in range(61):
        if step in steps:
            errors.append((state - target).square().mean(1))
        state = state + rule.rate * (observed - state) @ kernel
    errors = torch.stack(errors)
    # Monte-Carlo tolerance: 5 standard errors of the simulated mean; 1e-12 for step 0, which has none.
    slack = 5 * errors.std(1) / math.sqrt(draws) + 1e-12
    assert bool(((errors.mean(1) - found.total).abs() <= slack).all())


def test_small_steps_of_descent_are_flow():
    lam, _, target, _ = problem()
    flow = risk.expected_risk(lam, target.square(), 0.1, risk.GradientFlow(), torch.tensor([2.0]))
    descent = risk.expected_risk(
        lam, target.square(), 0.1, risk.GradientDescent(1e-5), torch.tensor([200000.0])
    )
    # (1 - x / m)^m = exp(-x) (1 + O(x^2 / 2 m)), with x = lambda t <= 8 and m = 2e5: 2e-4 at most.
    torch.testing.assert_close(flow.per_band, descent.per_band, rtol=5e-4, atol=1e-9)


@settings(max_examples=80, deadline=None)
@given(st.floats(1e-14, 1.99), st.integers(0, 5000))
def test_descent_filter_keeps_its_digits(move, step):
    from fractions import Fraction

    left = (1 - Fraction(move)) ** min(step, 60)
    rule = risk.GradientDescent(1.0)
    lam = torch.tensor([move], dtype=torch.float64)
    # t log|1 - x| is rounded to t |log| eps, and log1p or log of a rounded 1 - x adds t eps / |1 - x|.
    exact, count = float(left), min(step, 60)
    slack = 4 * EPS * (1 + count * (1 + abs(math.log(abs(1 - move) or 1))) + count / max(abs(1 - move), EPS))
    assert float(rule.remaining(lam, count)) == pytest.approx(exact, rel=slack, abs=1e-300)
    assert float(rule.learned(lam, count)) == pytest.approx(
        float(1 - left), rel=slack, abs=slack * abs(exact)
    )


@pytest.mark.parametrize("rule", [risk.GradientFlow(), risk.GradientDescent(0.5), risk.Ridge()])
def test_rules_agree_with_themselves_and_with_matrices(rule):
    lam, u, target, _ = problem()
    for step in (0, 1, 7):
        left, taken = rule.remaining(lam, step), rule.learned(lam, step)
        torch.testing.assert_close(left + taken, torch.ones_like(lam), rtol=8 * EPS, atol=8 * EPS)
    kernel, eye = (u * lam) @ u.T, torch.eye(len(lam), dtype=torch.float64)
    matrix = {
        "GradientFlow": eye - torch.linalg.matrix_exp(-7 * kernel),
        "GradientDescent": eye - torch.linalg.matrix_power(eye - 0.5 * kernel, 7),
        "Ridge": kernel @ torch.linalg.inv(kernel + eye / 7),
    }[type(rule).__name__]
    torch.testing.assert_close(
        u @ (rule.learned(lam, 7) * (u.T @ target)), matrix @ target, rtol=1e-10, atol=1e-11
    )


def test_flow_learns_first_order_in_time_where_little_is_learned():
    lam = torch.tensor([1e-20], dtype=torch.float64)
    for rule in (risk.GradientFlow(), risk.GradientDescent(1.0), risk.Ridge()):
        assert float(rule.learned(lam, 100)) == pytest.approx(1e-18, rel=4 * EPS)


def test_a_rate_beyond_stability_predicts_growth_without_nan():
    lam = torch.tensor([3.0, 1.0], dtype=torch.float64)
    found = risk.expected_risk(
        lam, torch.tensor([0.0, 1.0]), 0.0, risk.GradientDescent(1.0), torch.tensor([3.0, 1e5])
    )
    assert torch.equal(found.total, torch.zeros(2, dtype=torch.float64))
    growing = risk.expected_risk(
        lam, torch.tensor([1.0, 1.0]), 0.1, risk.GradientDescent(1.0), torch.tensor([3.0, 1e5])
    )
    assert float(growing.bias[0, 0]) == pytest.approx(32.0)
    assert math.isinf(float(growing.total[1]))


def test_limits_bands_and_channels():
    lam, _, target, _ = problem()
    both = torch.stack([target, 2 * target], dim=1).square()
    band = torch.arange(24) // 8
    steps = torch.tensor([0.0, 1.0, 1e9])
    found = risk.expected_risk(lam + 0.01, both, 0.3, risk.GradientFlow(), steps, band)
    assert found.bias.shape == found.variance.shape == (3, 3, 2)
    torch.testing.assert_close(found.bias[0].sum(0), both.mean(0))
    torch.testing.assert_close(found.total[-1], torch.tensor(0.3, dtype=torch.float64))
    single = risk.expected_risk(lam + 0.01, both[:, 1], 0.3, risk.GradientFlow(), steps)
    torch.testing.assert_close(single.per_band.reshape(3, 3, 8).sum(2), found.per_band[..., 1])
    assert torch.equal(found.noise_onset, steps[(found.variance > found.bias).int().argmax(0)])
    quiet = risk.expected_risk(lam, both, 0.0, risk.GradientFlow(), steps, band)
    assert bool(quiet.noise_onset.isinf().all())
    assert quiet.best_step == 1e9


def test_coloured_noise_stays_in_its_modes():
    lam, _, target, _ = problem()
    noise = torch.zeros(24)
    noise[3] = 24.0
    found = risk.expected_risk(lam, target.square(), noise, risk.GradientFlow(), torch.tensor([1e12]))
    assert float(found.variance[0, 3]) == pytest.approx(1.0)
    assert float(found.variance.sum()) == pytest.approx(1.0)


def test_a_wider_kernel_needs_an_earlier_stop_and_ends_noisier():
    k = torch.arange(200, dtype=torch.float64)
    power, steps = 200 * torch.exp(-k / 5), torch.logspace(-3, 3, 300, dtype=torch.float64)
    found = [
        risk.expected_risk(torch.exp(-0.5 * (k / width) ** 2), power, 0.5, risk.GradientFlow(), steps)
        for width in (10.0, 20.0, 40.0)
    ]
    late = [float(one.total[-1]) for one in found]
    assert late[0] < late[1] < late[2]
    stops = [one.best_step for one in found]
    assert stops[0] > stops[1] > stops[2]


def test_schedules_span_nothing_to_everything():
    lam = torch.linalg.eigvalsh(relu_kernel(64))
    for rule in (risk.GradientFlow(), risk.GradientDescent(0.01), risk.Ridge()):
        steps = rule.steps(lam, 50)
        assert len(steps) <= 50
        assert float(rule.learned(lam, float(steps[-1])).min()) > 0.99
    assert float(risk.GradientFlow().learned(lam, float(risk.GradientFlow().steps(lam)[0])).max()) < 0.01


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"eigenvalues": torch.tensor([1.0, -0.1])},
            "expected a positive semi-definite kernel, got an eigenvalue of -0.1",
        ),
        ({"eigenvalues": torch.tensor([1.0, float("nan")])}, "eigenvalues: expected finite numbers"),
        ({"target_power": torch.tensor([1.0])}, "target_power: expected target powers of shape (2,)"),
        ({"target_power": torch.tensor([1.0, -1.0])}, "target_power: expected numbers of 0 or more"),
        ({"noise": -1.0}, "noise: expected numbers of 0 or more"),
        ({"noise": torch.ones(3)}, "noise: expected one variance"),
        ({"band": torch.tensor([0, -1])}, "band: expected int64 bands"),
        (
            {"rule": risk.GradientDescent(0.1), "steps": torch.tensor([0.5])},
            "step: expected a whole number of steps",
        ),
    ],
)
def test_bad_input_is_named(change, text):
    good = {
        "eigenvalues": torch.tensor([1.0, 0.5]),
        "target_power": torch.tensor([1.0, 1.0]),
        "noise": 0.1,
        "rule": risk.GradientFlow(),
        "steps": torch.tensor([1.0]),
    }
    with pytest.raises(InputError) as caught:
        risk.expected_risk(**(good | change))
    assert text in str(caught.value)


def test_a_rate_and_a_schedule_are_checked():
    with pytest.raises(InputError, match="rate: expected a positive learning rate, got 0"):
        risk.GradientDescent(0.0)
    with pytest.raises(InputError, match="expected an eigenvalue above zero"):
        risk.GradientFlow().steps(torch.zeros(3))
    with pytest.raises(InputError, match="count: expected a schedule of at least two steps"):
        risk.Ridge().steps(torch.ones(3), 1)
