"""Networks drawn from the Barron measure: squared error 1 / n in every dimension and below the bound."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.theory import barron
from overtone.theory.barron._bounds import required_relu_width, required_width

WIDTHS = (16, 32, 64, 128, 256, 512)


def target(d: int, waves: int = 100) -> barron.CosineSum:
    """A random signal in d dimensions with frequencies of about 3 radians per unit radius."""
    g = torch.Generator().manual_seed(d)
    k = torch.randn(waves, d, generator=g, dtype=torch.float64)
    k = 3 * k / k.norm(dim=1, keepdim=True) / (2 * math.pi) * (0.5 + torch.rand(waves, 1, generator=g))
    return barron.CosineSum(k, torch.randn(waves, generator=g) / waves, 6.3 * torch.rand(waves, generator=g))


def ball(d: int, count: int, seed: int = 9) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(count, d, generator=g, dtype=torch.float64)
    return x / x.norm(dim=1, keepdim=True) * torch.rand(count, 1, generator=g, dtype=torch.float64) ** (1 / d)


def slope(errors) -> float:
    return float(np.polyfit(np.log(WIDTHS), np.log(errors), 1)[0])


@pytest.mark.parametrize("d", [2, 5, 10])
def test_steps_reach_one_over_n_in_every_dimension(d):
    f = target(d)
    centre = torch.full((d,), 0.3, dtype=torch.float64)
    x = ball(d, 500) + centre
    errors = []
    for width in WIDTHS:
        draws = [f.draw_steps(centre, 1.0, width, seed) for seed in range(30)]
        errors.append(np.mean([float((net(x) - f(x)).square().mean()) for net in draws]))
        assert errors[-1] <= barron.error_bound(f.constant, 1.0, width)
        assert float(draws[0].outer.abs().sum()) <= 2 * f.constant * (1 + 1e-12)
    assert -1.15 <= slope(errors) <= -0.85


@pytest.mark.parametrize("d", [2, 5, 10])
def test_relu_networks_reach_one_over_n_in_every_dimension(d):
    f, half = target(d), torch.full((d,), 0.5, dtype=torch.float64)
    centre = torch.full((d,), -0.2, dtype=torch.float64)
    x = centre + torch.rand(500, d, generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 0.5
    errors = []
    for width in WIDTHS:
        draws = [f.draw_relu(centre, half, width, seed) for seed in range(30)]
        errors.append(np.mean([float((net(x) - f(x)).square().mean()) for net in draws]))
        assert errors[-1] <= barron.relu_error_bound(f.second(half), width)
    assert -1.15 <= slope(errors) <= -0.85


@pytest.mark.parametrize("draw", ["steps", "relu"])
def test_many_drawn_units_converge_to_the_target_itself(draw):
    f, centre, half = target(2, 3), torch.tensor([0.1, -0.4]), torch.tensor([0.7, 0.7])
    x = centre + (torch.rand(100, 2, generator=torch.Generator().manual_seed(0)) - 0.5) * 1.4
    width = 200_000
    if draw == "steps":
        net, limit = f.draw_steps(centre, 1.0, width), barron.error_bound(f.constant, 1.0, width)
    else:
        net, limit = f.draw_relu(centre, half, width), barron.relu_error_bound(f.second(half), width)
    assert float((net(x) - f(x)).square().mean()) < 4 * limit
    assert float(f(x).square().mean()) > 100 * limit


def test_fixed_cosines_do_worse_the_more_dimensions():
    # The control: the n lowest lattice cosines, best coefficients, fitted to single waves of random direction.
    slopes = []
    for d in (1, 2, 5):
        top = {1: 60, 2: 11, 5: 2}[d]
        axis = torch.arange(-top, top + 1, dtype=torch.float64)
        lattice = torch.cartesian_prod(*[axis] * d).reshape(-1, d) / 2
        lattice = lattice[lattice.norm(dim=1).argsort(stable=True)]
        x = torch.rand(900, d, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        g = torch.Generator().manual_seed(3)
        k = torch.randn(20, d, generator=g, dtype=torch.float64)
        k = 2.2 * k / k.norm(dim=1, keepdim=True)
        waves = torch.cos(2 * math.pi * (x @ k.T) + 6.3 * torch.rand(20, generator=g, dtype=torch.float64))
        errors = []
        for width in (8, 16, 32, 64, 128):
            phase = 2 * math.pi * x @ lattice[: width // 2].T
            basis = torch.cat([phase.cos(), phase.sin()[:, 1:]], dim=1)
            fitted, _ = torch.linalg.qr(basis[:600])
            rest = waves[:600] - fitted @ (fitted.T @ waves[:600])
            errors.append(float(rest.square().mean()) + 1e-30)
        slopes.append(float(np.polyfit(np.log([8, 16, 32, 64, 128]), np.log(errors), 1)[0]))
    assert slopes[0] < -2
    assert slopes[0] < slopes[1] < slopes[2]
    assert slopes[2] > -0.5


def test_widths_and_bounds_are_inverse():
    assert barron.error_bound(3.0, 0.5, 9) == pytest.approx(1.0)
    assert required_width(3.0, 0.5, 1.0) == 9
    assert required_width(3.0, 0.5, 0.99) == 10
    assert required_width(0.0, 0.5, 0.1) == 1
    assert barron.relu_error_bound(3.0, 6) == pytest.approx(1.0)
    assert required_relu_width(3.0, 1.0) == 6


def test_draws_follow_their_seed_only():
    f, centre = target(2), torch.zeros(2)
    before = torch.get_rng_state()
    one, same, other = (f.draw_steps(centre, 1.0, 8, seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one.weights, same.weights)
    assert not torch.equal(one.weights, other.weights)


def test_bad_input_is_named():
    f, centre = target(2), torch.zeros(2)
    with pytest.raises(InputError, match="width: expected at least one hidden unit, got 0"):
        f.draw_steps(centre, 1.0, 0)
    with pytest.raises(InputError, match="radius: expected a positive radius, got 0"):
        f.draw_steps(centre, 0.0, 3)
    with pytest.raises(InputError, match=r"centre: expected one number per axis \(2\)"):
        f.draw_relu(torch.zeros(3), torch.ones(2), 3)
    with pytest.raises(InputError, match="expected a signal that is not constant"):
        barron.CosineSum(torch.zeros(1, 2), torch.ones(1), torch.zeros(1)).draw_steps(centre, 1.0, 3)
    with pytest.raises(InputError, match="frequencies: expected frequencies of shape"):
        barron.CosineSum(torch.ones(3), torch.ones(3), torch.ones(3))
    with pytest.raises(InputError, match="amplitudes: expected one per cosine, 3"):
        barron.CosineSum(torch.ones(3, 1), torch.ones(2), torch.ones(3))
    with pytest.raises(InputError, match="error: expected an error above zero"):
        required_width(1.0, 1.0, 0.0)
    with pytest.raises(InputError, match="constant: expected a finite number of 0 or more"):
        barron.error_bound(math.inf, 1.0, 1)
    with pytest.raises(InputError, match="width: expected at least one hidden unit"):
        barron.relu_error_bound(1.0, 0)
