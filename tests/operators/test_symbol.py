"""Symbols by formula, waves that equations force on their solutions, and widths of layers."""

import math

import pytest
import torch

from overtone import operators
from overtone.errors import InputError
from tests.operators.problems import TAU, gradient, helmholtz, second


def test_the_symbol_is_the_formula_of_advection_diffusion():
    def residual(x, u):
        return -0.02 * second(u[:, 0], x) + (1 + x[:, 0]) * gradient(u[:, 0], x)[:, 0]

    built = operators.equation({"equation": (residual, 40)}, ((0.0, 1.0),))
    symbol = operators.symbol(built)
    x = symbol.points[:, 0]
    expected = 0.02 * (TAU * 3) ** 2 + 1j * TAU * 3 * (1 + x)
    torch.testing.assert_close(symbol.at((3.0,))[:, 0, 0], expected, rtol=1e-12, atol=1e-12)
    # Roots 0 and (1 + x) / 0.02: the thinnest layer is where 1 + x is largest.
    assert symbol.layer_width(0) == pytest.approx(0.02 / float(1 + x.max()))
    assert symbol.wave_frequencies(0) is None
    assert symbol.order == 2


def test_waves_of_the_helmholtz_equation_in_place_and_in_both_axes():
    symbol = operators.symbol(helmholtz(3.2))
    assert symbol.wave_frequencies(0) == pytest.approx((3.2, 3.2))
    assert symbol.layer_width(0) is None

    def graded(x, u):
        return second(u[:, 0], x) + (TAU * (2 + x[:, 0])) ** 2 * u[:, 0]

    low, high = operators.symbol(
        operators.equation({"equation": (graded, [[0.0], [0.5], [1.0]])}, ((0.0, 1.0),))
    ).wave_frequencies(0)
    assert (low, high) == pytest.approx((2.0, 3.0))


def test_wave_equations_have_the_frequency_that_the_other_axis_sets():
    def residual(x, u):
        return second(u[:, 0], x, 1) - 9 * second(u[:, 0], x, 0)

    symbol = operators.symbol(operators.equation({"equation": (residual, 5)}, ((0.0, 1.0), (0.0, 1.0))))
    assert symbol.wave_frequencies(1) is None
    assert symbol.wave_frequencies(1, others=(2.0, 0.0)) == pytest.approx((6.0, 6.0))


def test_systems_take_the_zeros_of_the_determinant():
    """u' = v, v' = -(2 pi 3)^2 u oscillates with 3 cycles."""

    def residual(x, u):
        first, speed = gradient(u[:, 0], x)[:, 0], gradient(u[:, 1], x)[:, 0]
        return torch.stack([first - u[:, 1], speed + (TAU * 3) ** 2 * u[:, 0]], dim=1)

    symbol = operators.symbol(operators.equation({"system": (residual, 4)}, ((0.0, 1.0),), channels=2))
    assert symbol.wave_frequencies(0) == pytest.approx((3.0, 3.0))
    one = operators.equation(
        {"half": (lambda x, u: gradient(u[:, 0], x)[:, 0], 4)}, ((0.0, 1.0),), channels=2
    )
    with pytest.raises(InputError, match=r"as many residuals as channels \(2\)"):
        operators.symbol(one).roots(0)


def test_wrong_terms_and_frequencies_are_refused():
    built = helmholtz()
    with pytest.raises(InputError, match="one of equation, boundary"):
        operators.symbol(built, "wall")
    with pytest.raises(InputError, match="one frequency per axis"):
        operators.symbol(built).at((1.0, 2.0))
    values = operators.equation({"values": (lambda x, u: u - 1, 5)}, ((0.0, 1.0),))
    with pytest.raises(InputError, match="a term that is a differential equation"):
        operators.symbol(values)
    assert math.isclose(float(operators.symbol(values, "values").at((4.0,)).real.max()), 1.0)
