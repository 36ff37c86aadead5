"""SURE and GCV: unbiased, close to the oracle on the circle, and refused or flagged where they fail."""

from __future__ import annotations

import math

import pytest
import torch

from overtone.errors import InputError
from overtone.theory import risk
from overtone.theory.risk._stopping import gcv, sure
from tests.theory_risk.circle import relu_kernel

N, NOISE, DRAWS = 256, 0.25, 200


@pytest.fixture(scope="module")
def circle():
    """Eigenvalues and coefficients of a four-tone target on the circle under the ReLU kernel."""
    lam, u = torch.linalg.eigh(relu_kernel(N))
    x = 2 * math.pi * torch.arange(N, dtype=torch.float64) / N
    target = (
        x.sin() + 0.7 * (2 * x + 1).cos() + 0.5 * (4 * x).sin() + 0.3 * (6 * x).cos() + 0.3 * (9 * x).cos()
    )
    return lam, u.T @ target


def draws(coefficients, noise, count, seed=0):
    g = torch.Generator().manual_seed(seed)
    for _ in range(count):
        yield coefficients + math.sqrt(noise) * torch.randn(
            len(coefficients), generator=g, dtype=torch.float64
        )


def test_early_stopping_on_the_circle(circle):
    lam, a = circle
    rule = risk.GradientFlow()
    steps = rule.steps(lam, 120)
    expected = risk.expected_risk(lam, a.square(), NOISE, rule, steps)
    oracle = float(expected.total[expected.best])
    shares = torch.stack([rule.learned(lam, t) for t in steps.tolist()])
    by_sure, by_gcv, gaps, last = [], [], [], []
    for y in draws(a, NOISE, DRAWS):
        path = risk.SmoothingPath.of(lam, y, rule, steps)
        actual = (shares * y - a).square().mean(1)
        stein = path.sure_stop(NOISE)
        by_sure.append(actual[stein.index])
        by_gcv.append(actual[path.gcv_stop().index])
        gaps.append(stein.estimate - actual)
        last.append(actual[-1])
    assert float(torch.stack(by_sure).mean()) <= 1.15 * oracle
    assert float(torch.stack(by_gcv).mean()) <= 1.15 * oracle
    assert float(torch.stack(last).mean()) == pytest.approx(NOISE, rel=0.05)
    assert oracle < NOISE / 5
    gap = torch.stack(gaps)
    # SURE is unbiased: the mean gap is 0 within 5 standard errors at every step.
    assert bool((gap.mean(0).abs() <= 5 * gap.std(0) / math.sqrt(DRAWS) + 1e-12).all())


def test_a_wrong_noise_level_misleads_sure(circle):
    lam, a = circle
    rule = risk.GradientFlow()
    expected = risk.expected_risk(lam, a.square(), NOISE, rule, rule.steps(lam, 120))
    oracle = float(expected.total[expected.best])
    reached = []
    for y in draws(a, NOISE, 30):
        stop = risk.SmoothingPath.of(lam, y, rule, expected.steps).sure_stop(NOISE / 4)
        reached.append((rule.learned(lam, stop.step) * y - a).square().mean())
    assert float(torch.stack(reached).mean()) > 1.5 * oracle


def test_formulas_on_a_hand_computed_smoother():
    residual, degrees = torch.tensor([2.0]), torch.tensor([3.0])
    assert float(sure(residual, degrees, 12, 0.5)) == 2.0 - 0.5 + 2 * 0.5 * 3 / 12
    assert float(gcv(residual, degrees, 12)) == pytest.approx(2.0 / 0.75**2)
    assert math.isinf(float(gcv(residual, torch.tensor([12.0]), 12)))


def test_path_agrees_with_the_hat_matrix(circle):
    lam, a = circle
    keep = slice(N - 20, N)
    path = risk.SmoothingPath.of(lam[keep], a[keep], risk.Ridge(), torch.tensor([0.1]))
    gram = torch.diag(lam[keep])
    hat = gram @ torch.linalg.inv(gram + 10 * torch.eye(20, dtype=torch.float64))
    assert float(path.degrees) == pytest.approx(float(hat.trace()))
    assert float(path.residual) == pytest.approx(float((a[keep] - hat @ a[keep]).square().mean()))


def test_gcv_refuses_a_kernel_of_low_rank_and_sure_does_not(circle):
    _, a = circle
    features = torch.randn(N, 40, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    lam, _ = torch.linalg.eigh(features @ features.T)
    path = risk.SmoothingPath.of(lam, next(draws(a, NOISE, 1)), risk.GradientFlow())
    assert path.rank == 40
    with pytest.raises(
        InputError, match="a kernel of full rank 256, as cross-validation requires, got rank 40"
    ):
        path.gcv_stop()
    assert path.sure_stop(NOISE).index >= 0


def test_without_noise_the_stop_is_flagged_as_the_last_one(circle):
    lam, _ = circle
    path = risk.SmoothingPath.of(lam, lam.sqrt(), risk.GradientFlow())
    assert path.sure_stop(0.0).verdict is risk.StopVerdict.AT_END


def test_gcv_does_not_look_where_all_is_fitted(circle):
    lam, a = circle
    path = risk.SmoothingPath.of(lam, a, risk.GradientFlow())
    stop = path.gcv_stop()
    assert float(path.degrees[stop.index]) <= 0.8 * N
    assert torch.equal(stop.estimate.isnan(), path.degrees > 0.8 * N)
    assert bool(stop.estimate[-1].isnan())


def test_pure_noise_is_stopped_at_the_start(circle):
    lam, _ = circle
    path = risk.SmoothingPath.of(
        lam, next(draws(torch.zeros(N, dtype=torch.float64), 1.0, 1, seed=3)), risk.GradientFlow()
    )
    stop = path.sure_stop(2.0)
    assert stop.verdict is risk.StopVerdict.AT_START


def test_bad_input_is_named(circle):
    lam, a = circle
    path = risk.SmoothingPath.of(lam, a, risk.GradientFlow(), torch.tensor([1e9]))
    with pytest.raises(InputError, match=r"a step with at most 0\.8 of all degrees of freedom, got"):
        path.gcv_stop()
    with pytest.raises(InputError, match="noise: expected a variance of 0 or more, got -1"):
        path.sure_stop(-1)
    with pytest.raises(InputError, match="max_share: expected a share between 0 and 1"):
        path.gcv_stop(1.0)
    with pytest.raises(InputError, match="observed: expected coefficients of shape"):
        risk.SmoothingPath.of(lam, a[:-1], risk.GradientFlow())
    with pytest.raises(InputError, match="rank: expected a rank from 0 to 4, got 5"):
        risk.SmoothingPath(torch.ones(1), torch.ones(1), torch.ones(1), 4, 5)
    with pytest.raises(InputError, match="degrees: expected one number per step"):
        risk.SmoothingPath(torch.ones(1), torch.ones(1), torch.ones(2), 4, 4)
