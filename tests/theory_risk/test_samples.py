"""Learning curves in samples against simulation, closed forms and a slow fixed-point twin."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import eval_gegenbauer, gammaln, roots_jacobi

from overtone.errors import InputError
from overtone.theory.risk._learning_curve import SampleCurve, Validity, effective_ridge, learning_curve

DRAWS = 60


def tensor(values) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values, dtype=np.float64))


def regress(features, lam, a, ridge, noise, rng) -> np.ndarray:
    """Squared error per mode of one kernel ridge regression on the given features."""
    y = features @ a + math.sqrt(noise) * rng.standard_normal(len(features))
    dual = np.linalg.solve((features * lam) @ features.T + ridge * np.eye(len(features)), y)
    return (lam * (features.T @ dual) - a) ** 2


def gaussian_simulation(lam, a, p, ridge, noise, seed) -> np.ndarray:
    rng = np.random.default_rng(seed)
    draws = [regress(rng.standard_normal((p, len(lam))), lam, a, ridge, noise, rng) for _ in range(DRAWS)]
    return np.mean(draws, axis=0)


@pytest.mark.parametrize(
    ("p", "ridge", "noise"),
    [(20, 1e-3, 0.0), (40, 1e-3, 0.25), (40, 1.0, 0.25), (160, 1e-3, 0.25), (160, 1e-3, 0.0)],
)
def test_gaussian_features_agree_with_simulation(p, ridge, noise):
    i = np.arange(1, 301)
    lam, a = i**-2.0, i**-1.5
    simulated = gaussian_simulation(lam, a, p, ridge, noise, seed=p)
    curve = learning_curve(tensor(lam), tensor(a**2), tensor([p]), ridge, noise)
    assert abs(float(curve.error) / simulated.sum() - 1) < 0.1
    torch.testing.assert_close(curve.caused.sum(1) + curve.noise_error, curve.error, rtol=1e-9, atol=0.0)
    for group in np.split(np.arange(p), [4, 12]):
        assert abs(float(curve.mode_error[0, group].sum()) / simulated[group].sum() - 1) < 0.2
    assert curve.validity is Validity.ASSUMED


def sphere_levels(d, levels) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and degeneracies of exp(x . x') on the unit sphere, by Gauss-Jacobi quadrature."""
    t, w = roots_jacobi(60, (d - 3) / 2, (d - 3) / 2)
    w = w / w.sum()
    order = (d - 2) / 2
    lam, many = [], []
    for k in range(levels):
        lam.append(
            float((w * np.exp(t) * eval_gegenbauer(k, order, t)).sum() / eval_gegenbauer(k, order, 1.0))
        )
        log = gammaln(k + d - 2) - gammaln(k + 1) - gammaln(d - 1) if k else 0.0
        many.append((2 * k + d - 2) * math.exp(log) if k else 1.0)
    return np.array(lam), np.round(many)


@pytest.mark.parametrize("p", [40, 100, 200])
def test_sphere_in_ten_dimensions_agrees_with_simulation(p):
    d, ridge, noise = 10, 1e-3, 0.25
    lam, many = sphere_levels(d, 10)
    assert (lam * many).sum() == pytest.approx(math.e, rel=1e-6)
    rng = np.random.default_rng(p)
    pole = np.zeros(d)
    pole[0] = 1.0
    # f(x) = exp(x . pole) is the kernel's own section: its power in level k is lambda_k^2 N_k.
    errors = []
    for _ in range(DRAWS):
        x, z = (
            g / np.linalg.norm(g, axis=1, keepdims=True) for g in rng.standard_normal((2, max(p, 400), d))
        )
        x = x[:p]
        y = np.exp(x @ pole) + math.sqrt(noise) * rng.standard_normal(p)
        dual = np.linalg.solve(np.exp(x @ x.T) + ridge * np.eye(p), y)
        errors.append(((np.exp(z @ x.T) @ dual - np.exp(z @ pole)) ** 2).mean())
    curve = learning_curve(
        tensor(lam), tensor(lam**2 * many), tensor([p]), ridge, noise, degeneracies=tensor(many), dimension=d
    )
    assert abs(float(curve.error) / np.mean(errors) - 1) < 0.1
    assert curve.validity is Validity.HOLDS


def circle_simulation(p, ridge, seed, modes=150) -> float:
    rng, k = np.random.default_rng(seed), np.arange(1, modes + 1)
    lam, a = np.concatenate([k**-2.0] * 2), np.concatenate([k**-1.5] * 2)
    errors = []
    for _ in range(DRAWS):
        phase = np.outer(rng.uniform(0, 2 * math.pi, p), k)
        features = math.sqrt(2) * np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
        errors.append(regress(features, lam, a, ridge, 0.0, rng).sum())
    return float(np.mean(errors))


def circle_curve(p, ridge, modes=150) -> SampleCurve:
    k = np.arange(1, modes + 1)
    two = np.full(modes, 2.0)
    return learning_curve(
        tensor(k**-2.0), tensor(2 * k**-3.0), tensor([p]), ridge, degeneracies=tensor(two), dimension=2
    )


def test_the_circle_at_tiny_ridge_is_a_known_failure():
    curve = circle_curve(80, 1e-3)
    assert float(curve.error) < 0.6 * circle_simulation(80, 1e-3, seed=1)
    assert curve.validity is Validity.DOUBTFUL
    assert "strongly dependent" in curve.reason


def test_a_large_ridge_restores_the_circle():
    curve = circle_curve(80, 3.0)
    assert abs(float(curve.error) / circle_simulation(80, 3.0, seed=2) - 1) < 0.15
    assert curve.validity is Validity.HOLDS


def test_flat_spectrum_without_ridge_has_the_closed_form():
    # M equal modes: L = P / M below M, hence bias (1 - P / M) a^2 and noise P / (M - P); above M noise M / (P
    # - M).
    m, noise = 50, 0.3
    power = torch.rand(m, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    samples = tensor([10, 25, 49, 51, 100])
    curve = learning_curve(torch.full((m,), 0.7, dtype=torch.float64), power, samples, 0.0, noise)
    below = samples < m
    bias = torch.where(below, (1 - samples / m) * power.sum(), 0.0)
    spread = torch.where(below, samples / (m - samples), m / (samples - m)) * noise
    # Root to 1e-13 in log kappa; 1 / (1 - gamma) at P = M - 1 magnifies it by M.
    torch.testing.assert_close(curve.error, bias + spread, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(curve.train_error, torch.zeros(5, dtype=torch.float64))
    assert curve.peak in (49.0, 51.0)


def test_noise_is_infinite_at_the_interpolation_threshold():
    curve = learning_curve(torch.ones(20), torch.zeros(20), tensor([10, 20, 40]), 0.0, 1.0)
    assert math.isinf(float(curve.noise_error[1]))
    assert curve.peak == 20.0
    assert torch.equal(curve.caused, torch.zeros(3, 20, dtype=torch.float64))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(1e-9, 1e3), min_size=1, max_size=30),
    st.floats(0.5, 500),
    st.one_of(st.just(0.0), st.floats(1e-9, 1e3)),
)
def test_effective_ridge_solves_its_equation(lam, p, ridge):
    lam = np.array(lam)
    many = np.ones_like(lam)
    kappa = effective_ridge(p, lam, many, ridge)
    if kappa == 0:
        assert ridge == 0
        assert p >= len(lam)
    else:
        # Relative accuracy 1e-13 in kappa; the sum of up to 30 terms adds rounding of 30 eps.
        assert ridge + (kappa * lam / (kappa + p * lam)).sum() == pytest.approx(kappa, rel=1e-11)


def test_fixed_point_twin_and_degenerate_levels():
    k = np.arange(1, 60)
    lam, many = k**-2.0, np.full(59, 2.0)
    kappa = 1.0
    for _ in range(5000):
        kappa = 0.01 + (many * kappa * lam / (kappa + 30 * lam)).sum()
    assert effective_ridge(30, lam, many, 0.01) == pytest.approx(kappa, rel=1e-9)
    level = learning_curve(tensor(lam), tensor(k**-3.0), tensor([30]), 0.01, 0.1, degeneracies=tensor(many))
    single = learning_curve(
        tensor(np.repeat(lam, 2)), tensor(np.repeat(k**-3.0 / 2, 2)), tensor([30]), 0.01, 0.1
    )
    torch.testing.assert_close(level.error, single.error, rtol=1e-11, atol=0.0)


def test_modes_are_learned_in_order_and_each_after_its_index():
    lam, samples = tensor(np.arange(1, 101) ** -2.0), tensor([5, 20, 80])
    curve = learning_curve(lam, lam, samples, 1e-9)
    assert bool((curve.learnability.diff(dim=1) < 0).all())
    assert bool((curve.learnability.diff(dim=0) > 0).all())
    late = curve.bias[:, 60] / lam[60]
    assert float(late[1]) > 0.85
    assert float(late[2]) < 0.5


def test_what_cannot_be_learned_stays():
    curve = learning_curve(tensor([1.0, 0.0]), tensor([1.0, 2.0]), tensor([1000]), 0.1)
    assert float(curve.mode_error[0, 1]) == pytest.approx(2.0, rel=0.01)
    assert float(curve.learnability[0, 1]) == 0.0


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        (
            {"eigenvalues": tensor([-1.0, 1.0])},
            "eigenvalues: expected a row of finite numbers of 0 or more",
        ),
        ({"eigenvalues": tensor([0.0, 0.0])}, "an eigenvalue above zero"),
        ({"target_power": tensor([1.0])}, "target_power: expected one number per mode (2), got 1"),
        ({"samples": tensor([0.0])}, "samples: expected numbers of samples"),
        ({"ridge": -1.0}, "ridge: expected a number of 0 or more"),
        ({"noise": float("nan")}, "noise: expected a number of 0 or more"),
    ],
)
def test_bad_input_is_named(kwargs, text):
    good = {"eigenvalues": tensor([1.0, 0.5]), "target_power": tensor([1.0, 1.0]), "samples": tensor([5.0])}
    with pytest.raises(InputError) as caught:
        learning_curve(**(good | kwargs))
    assert text in str(caught.value)
