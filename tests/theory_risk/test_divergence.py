"""Monte-Carlo divergence and risk against exact traces, for smoothers and a trained network."""

from __future__ import annotations

import math

import pytest
import torch

from overtone.errors import InputError, RunError
from overtone.theory import risk

N = 60


def smoother(dtype=torch.float64):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(N, 12, generator=g, dtype=torch.float64)
    gram = x @ x.T
    hat = gram @ torch.linalg.inv(gram + torch.eye(N, dtype=torch.float64))
    return hat.to(dtype), torch.randn(N, generator=g, dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_linear_smoother_has_its_trace(dtype):
    hat, y = smoother(dtype)
    found = risk.degrees_of_freedom(lambda data: hat @ data, y, probes=200, seed=1)
    off = 0.5 * (hat + hat.T).double()
    deviation = float((2 * (off - off.diag().diag()).square().sum()).sqrt())
    assert abs(found.value - float(hat.double().trace())) <= 4 * deviation / math.sqrt(200)
    assert float(found.draws.std()) == pytest.approx(deviation, rel=0.25)
    assert found.low < found.value < found.high


def test_diagonal_smoothers_need_no_luck():
    gain = torch.linspace(0, 1, N, dtype=torch.float64)
    y = torch.ones(N, dtype=torch.float64)
    found = risk.degrees_of_freedom(lambda data: gain * data, y, probes=2)
    # Signs square to 1, so every draw is the trace, up to the difference quotient's rounding N sqrt(eps).
    assert found.value == pytest.approx(float(gain.sum()), rel=N * 1.5e-8)


def test_interval_covers_as_often_as_it_says():
    hat, y = smoother()
    truth = float(hat.trace())
    hits = 0
    for seed in range(200):
        found = risk.degrees_of_freedom(lambda data: hat @ data, y, probes=6, seed=seed, confidence=0.8)
        hits += found.low <= truth <= found.high
    # Binomial(200, 0.8): 160 with a deviation of 5.7; four of them either side.
    assert 137 <= hits <= 183


def test_nonlinear_predictor_has_its_derivative():
    y = torch.linspace(-2, 2, N, dtype=torch.float64)
    found = risk.degrees_of_freedom(torch.tanh, y, probes=4)
    # Curvature adds eps |f''| / 2 per sample, eps = 1.5e-8 times the root mean square of y.
    assert found.value == pytest.approx(float((1 - y.tanh().square()).sum()), rel=1e-6)


def test_stein_risk_of_a_trained_network_is_near_its_actual_risk():
    x = torch.linspace(-1, 1, 48, dtype=torch.float64)[:, None]
    clean, noise = torch.sin(3 * x), 0.2
    g = torch.Generator().manual_seed(2)
    first = torch.randn(1, 40, generator=g, dtype=torch.float64) * 2
    shift = torch.randn(40, generator=g, dtype=torch.float64)
    start = torch.randn(40, 1, generator=g, dtype=torch.float64) / math.sqrt(40)

    def train(data):
        outer, inner = start.clone(), first.clone()
        for _ in range(60):
            hidden = torch.tanh(x @ inner + shift)
            gap = hidden @ outer - data
            slope = (gap @ outer.T) * (1 - hidden.square())
            outer, inner = outer - 0.002 * hidden.T @ gap, inner - 0.002 * x.T @ slope
        return torch.tanh(x @ inner + shift) @ outer

    gaps = []
    for seed in range(30):
        g = torch.Generator().manual_seed(100 + seed)
        y = clean + math.sqrt(noise) * torch.randn(clean.shape, generator=g, dtype=torch.float64)
        gaps.append(
            risk.degrees_of_freedom(train, y, probes=4, seed=seed).stein_risk(noise).value
            - float((train(y) - clean).square().mean())
        )
    gaps = torch.tensor(gaps)
    assert abs(float(gaps.mean())) <= 4 * float(gaps.std()) / math.sqrt(30)
    assert abs(float(gaps.mean())) < 0.25 * noise


def test_global_random_state_is_left_alone():
    hat, y = smoother()
    before = torch.get_rng_state()
    first = risk.degrees_of_freedom(lambda data: hat @ data, y, seed=5)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first.draws, risk.degrees_of_freedom(lambda data: hat @ data, y, seed=5).draws)
    assert not torch.equal(first.draws, risk.degrees_of_freedom(lambda data: hat @ data, y, seed=6).draws)


def test_bad_predictors_are_named():
    y, g = torch.ones(5), torch.Generator().manual_seed(0)
    with pytest.raises(InputError, match="expected a deterministic predictor"):
        risk.degrees_of_freedom(lambda data: data + torch.randn(5, generator=g), y)
    with pytest.raises(InputError, match=r"predictions of shape \(5,\), got \(4,\)"):
        risk.degrees_of_freedom(lambda data: data[1:], y)
    with pytest.raises(RunError, match="predict: expected finite predictions"):
        risk.degrees_of_freedom(lambda data: data / 0, y)
    with pytest.raises(InputError, match="at least 2 probes"):
        risk.degrees_of_freedom(lambda data: data, y, probes=1)
    with pytest.raises(InputError, match="a positive change of the data"):
        risk.degrees_of_freedom(lambda data: data, y, change=0.0)
    with pytest.raises(InputError, match="floating-point observations"):
        risk.degrees_of_freedom(lambda data: data, torch.ones(5, dtype=torch.int64))
