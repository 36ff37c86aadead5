"""The constant from grids: exact for cosines, closed forms, bounds on both sides, divergence where it is due."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from overtone.errors import InputError
from overtone.theory import barron


def line(n: int, extent: float = 1.0) -> tuple[Tensor, float]:
    spacing = extent / (n - 1)
    return torch.arange(n, dtype=torch.float64) * spacing, spacing


waves = st.lists(st.tuples(st.integers(1, 15), st.floats(-3, 3), st.floats(0, 6.28)), min_size=1, max_size=5)


@settings(max_examples=50, deadline=None)
@given(waves)
def test_periodic_sum_of_cosines_is_exact(parts):
    parts = list({k: (k, a, p) for k, a, p in parts}.values())
    x = torch.arange(32, dtype=torch.float64) / 32
    values = sum(a * torch.cos(2 * math.pi * k * x + p) for k, a, p in parts)
    found = barron.constant_on_grid(values, 1 / 32, periodic=True)
    exact = sum(abs(a) * 2 * math.pi * k for k, a, _ in parts)
    # Rounding eps in each of 32 coefficients, weighed by at most 2 pi 16: 32 * 100 * 2.2e-16 * 3.
    assert found.upper == pytest.approx(exact, rel=1e-12, abs=1e-11)
    assert found.lower == found.upper


def test_cosine_sum_has_the_same_constant():
    k = torch.tensor([[3.0, 4.0], [1.0, -2.0]])
    target = barron.CosineSum(k, torch.tensor([0.5, -2.0]), torch.tensor([0.3, 1.0]))
    assert target.constant == pytest.approx(2 * math.pi * (0.5 * 5 + 2 * math.sqrt(5)))
    x = torch.arange(32, dtype=torch.float64) / 32
    coords = torch.stack(torch.meshgrid(x, x, indexing="ij"), dim=-1).reshape(-1, 2)
    found = barron.constant_on_grid(target(coords).reshape(32, 32), 1 / 32, periodic=True)
    assert found.upper == pytest.approx(target.constant, rel=1e-10)
    half = torch.tensor([0.5, 0.5])
    assert found.second == pytest.approx(target.second(half), rel=1e-10)
    assert target.second(half) == pytest.approx((2 * math.pi) ** 2 * (0.5 * 3.5**2 + 2 * 1.5**2))


def test_gaussian_has_the_mean_length_of_a_normal_vector():
    x, spacing = line(65, 12.0)
    bump = torch.exp(-0.5 * (x - 6).square())
    one = barron.constant_on_grid(bump, spacing)
    assert one.upper == pytest.approx(math.sqrt(2 / math.pi), rel=0.03)
    two = barron.constant_on_grid(bump[:, None] * bump, spacing)
    assert two.upper == pytest.approx(math.sqrt(math.pi / 2), rel=0.01)
    assert two.lower <= math.sqrt(math.pi / 2)
    assert two.lower > 0.8 * two.upper
    assert two.settled
    assert two.notes == ()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 9), st.floats(-2, 2), st.floats(0, 6.28)), min_size=1, max_size=4))
def test_lower_estimate_is_below_any_continuation(parts):
    x, spacing = line(64)
    values = sum(a * torch.cos(2 * math.pi * k * x + p) for k, a, p in parts)
    found = barron.constant_on_grid(values, spacing)
    assert found.lower <= sum(abs(a) * 2 * math.pi * k for k, a, _ in parts) * (1 + 1e-9) + 1e-9
    assert found.lower <= found.upper


def test_lower_estimate_in_two_dimensions():
    g = torch.Generator().manual_seed(0)
    x, spacing = line(40)
    coords = torch.stack(torch.meshgrid(x, x, indexing="ij"), dim=-1).reshape(-1, 2)
    for _ in range(10):
        target = barron.CosineSum(
            torch.randn(3, 2, generator=g) * 5, torch.randn(3, generator=g), torch.rand(3, generator=g) * 6
        )
        found = barron.constant_on_grid(target(coords).reshape(40, 40), spacing)
        assert 0.2 * target.constant < found.lower <= target.constant


def test_slopes_at_the_border_do_not_cost_the_bridge_what_they_cost_the_others():
    growth = {}
    for name in ("repeated", "mirrored", "bridged"):
        values = [
            getattr(barron.constant_on_grid(torch.exp(2 * x), s), name) for x, s in (line(129), line(513))
        ]
        growth[name] = values[1] / values[0]
    # Four times the samples: a jump costs in proportion, a kink its logarithm, a bent border nothing.
    assert growth["repeated"] == pytest.approx(4, rel=0.05)
    assert 1.1 < growth["mirrored"] < 1.5
    assert growth["bridged"] == pytest.approx(1, abs=0.02)


def test_a_straight_line_costs_its_slope():
    x, spacing = line(100, 2.0)
    found = barron.constant_on_grid(3 * x, spacing)
    assert found.lower == pytest.approx(3.0)
    assert found.upper == pytest.approx(3.0)
    assert found.second == pytest.approx(0.0, abs=1e-9)


def test_a_jump_at_the_border_is_named():
    x, spacing = line(256)
    found = barron.constant_on_grid(x, spacing)
    assert found.settled
    assert found.jump[0] == pytest.approx(255)
    assert "the repeated estimate diverges, in proportion to the number of samples" in found.notes[0]
    calm = barron.constant_on_grid(torch.cos(2 * math.pi * 3 * x), spacing)
    assert calm.notes == ()


@pytest.mark.parametrize("n", [64, 255])
def test_a_jump_inside_is_never_settled(n):
    x, spacing = line(n)
    found = barron.constant_on_grid((x > 0.4).double(), spacing)
    assert found.growth == pytest.approx(2, rel=0.05)
    assert not found.settled
    assert "grows by a factor of 2.0" in found.notes[0]
    assert found.lower == pytest.approx(n - 1)


def test_noise_is_never_settled():
    noise = torch.randn(256, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert barron.constant_on_grid(noise).growth > 2


def test_an_odd_periodic_grid_cannot_tell():
    found = barron.constant_on_grid(
        torch.cos(2 * math.pi * torch.arange(33, dtype=torch.float64) / 33), periodic=True
    )
    assert math.isnan(found.growth)
    assert not found.settled
    assert "cannot be determined" in found.notes[0]


def test_units_scale_as_they_should():
    x, spacing = line(50)
    values = torch.sin(5 * x) + x.square()
    one, far = barron.constant_on_grid(values, spacing), barron.constant_on_grid(2 * values, 10 * spacing)
    assert far.upper == pytest.approx(one.upper / 5)
    assert far.lower == pytest.approx(one.lower / 5)
    assert far.radius == pytest.approx(10 * one.radius)
    assert far.second == pytest.approx(2 * one.second)
    assert far.bound(10) == pytest.approx(4 * one.bound(10))
    single = barron.constant_on_grid(values.float(), spacing)
    # float32 rounding of the samples, 6e-8, weighed by the steepest mode pi / spacing over 98 modes.
    assert single.upper == pytest.approx(one.upper, rel=1e-3)


def test_a_constant_needs_nothing():
    found = barron.constant_on_grid(torch.full((8, 8), 3.0))
    assert found.upper == pytest.approx(0.0, abs=1e-12)
    assert found.settled


@pytest.mark.parametrize(
    ("values", "kwargs", "text"),
    [
        (torch.ones(3), {}, "values: expected at least 4 samples per axis, got shape (3,)"),
        (torch.ones(4, 4, 4, 4), {}, "values: expected real values on a grid of 1 to 3 axes"),
        (torch.tensor([1.0, 2.0, float("nan"), 0.0]), {}, "values: expected finite values"),
        (torch.ones(4, 4), {"spacing": (1.0,)}, "spacing: expected one spacing per axis (2), got 1"),
        (torch.ones(4), {"spacing": 0.0}, "spacing: expected positive finite distances"),
    ],
)
def test_bad_input_is_named(values, kwargs, text):
    with pytest.raises(InputError) as caught:
        barron.constant_on_grid(values, **kwargs)
    assert text in str(caught.value)
