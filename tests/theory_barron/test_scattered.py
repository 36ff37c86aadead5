"""The constant from scattered samples against closed forms, and what it says when samples are too few."""

from __future__ import annotations

import math

import pytest
import torch

from overtone.errors import InputError
from overtone.theory import barron


def bump(n: int, d: int, extent: float = 12.0, seed: int = 0):
    g = torch.Generator().manual_seed(seed)
    x = (torch.rand(n, d, generator=g, dtype=torch.float64) - 0.5) * extent
    return x, torch.exp(-0.5 * x.square().sum(1))


def test_gaussian_in_one_dimension():
    x, f = bump(20000, 1)
    found = barron.constant_at_points(x, f, highest=0.8, window=barron.BorderWindow.NONE)
    exact = math.sqrt(2 / math.pi)
    assert found.low <= exact <= found.high
    assert found.lower == pytest.approx(exact, rel=0.12)
    assert found.upper == pytest.approx(exact, rel=0.05)
    assert found.notes == ()


def test_a_known_density_replaces_uniform_sampling():
    x = torch.randn(20000, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 1.5
    f = torch.exp(-0.5 * x.square().sum(1))
    density = torch.exp(-x.square().sum(1) / 4.5) / (2 * math.pi * 1.5**2)
    exact = math.sqrt(math.pi / 2)
    found = barron.constant_at_points(x, f, highest=0.6, density=density, window=barron.BorderWindow.NONE)
    assert found.low <= exact <= found.high
    wrong = barron.constant_at_points(x, f, highest=0.6, window=barron.BorderWindow.NONE)
    assert not wrong.low <= exact <= wrong.high


def test_a_regular_grid_of_points_needs_no_luck():
    # Equally spaced points make the transform a trapezoidal sum, exact for a signal that vanishes at the borders.
    x = torch.linspace(-6, 6, 401, dtype=torch.float64)[:, None]
    found = barron.constant_at_points(
        x, torch.exp(-0.5 * x[:, 0].square()), highest=0.8, window=barron.BorderWindow.NONE, draws=4000
    )
    # The mean of 4000 uniform draws of |w| exp(-w^2 / 2) has a relative deviation of about 2 %.
    assert found.upper == pytest.approx(math.sqrt(2 / math.pi), rel=0.06)


def test_the_window_makes_border_jumps_harmless():
    x = torch.linspace(0, 1, 2001, dtype=torch.float64)[:, None]
    f = x[:, 0]
    bare = [
        barron.constant_at_points(x, f, highest=h, window=barron.BorderWindow.NONE).upper
        for h in (20.0, 200.0)
    ]
    hann = [
        barron.constant_at_points(x, f, highest=h, window=barron.BorderWindow.HANN).upper
        for h in (20.0, 200.0)
    ]
    assert bare[1] > 4 * bare[0]
    assert hann[1] < 1.5 * hann[0]


def test_too_few_samples_are_named():
    x, f = bump(2000, 3)
    found = barron.constant_at_points(x, f, highest=0.8, window=barron.BorderWindow.NONE)
    assert found.lower < math.sqrt(8 / math.pi) < found.upper
    assert "the noise floor of 2000 samples is more than half" in found.notes[0]


def test_default_frequency_and_seed():
    x, f = bump(400, 2)
    found = barron.constant_at_points(x, f, draws=50, seed=3)
    assert found.highest == pytest.approx(0.5 * 20 / 12, rel=0.02)
    assert found == barron.constant_at_points(x, f, draws=50, seed=3)
    assert found.upper != barron.constant_at_points(x, f, draws=50, seed=4).upper


@pytest.mark.parametrize(
    ("coords", "values", "kwargs", "text"),
    [
        (torch.rand(5), torch.rand(5), {}, "expected coordinates (N, d) and values (N,)"),
        (torch.rand(5, 2), torch.rand(5, 1), {}, "expected coordinates (N, d) and values (N,)"),
        (torch.ones(5, 1), torch.rand(5), {}, "coords: expected points that differ along every axis"),
        (torch.rand(5, 1), torch.full((5,), math.nan), {}, "expected finite coordinates and values"),
        (
            torch.rand(5, 1),
            torch.rand(5),
            {"density": torch.zeros(5)},
            "density: expected one positive density",
        ),
        (
            torch.rand(5, 1),
            torch.rand(5),
            {"highest": -1.0},
            "highest: expected a positive highest frequency",
        ),
        (torch.rand(5, 1), torch.rand(5), {"draws": 1}, "draws: expected at least 2 draws"),
    ],
)
def test_bad_input_is_named(coords, values, kwargs, text):
    with pytest.raises(InputError) as caught:
        barron.constant_at_points(coords, values, **kwargs)
    assert text in str(caught.value)
