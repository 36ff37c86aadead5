"""The linear part of residuals: coefficients by formula, nonlinearity, locality, and derivatives of features."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from overtone import operators
from overtone.errors import InputError
from overtone.fitting import ModelConfig
from overtone.operators._derivatives import derivatives, multi_indices
from overtone.operators._features import (
    Applied,
    ConfiguredNetwork,
    FourierFeatures,
    NetworkFeatures,
)
from overtone.operators._hidden_layer import hidden_layer
from overtone.operators._least_squares import Solution
from overtone.operators._linear_part import check, checks, linear_part
from tests.operators.problems import gradient, second

SQUARE = ((0.0, 1.0), (0.0, 2.0))


def problem(residual, domain=SQUARE, points=30, **options):
    return operators.equation({"equation": (residual, points)}, domain, **options)


def mixed(x, u):
    """(1 + x) u_xy - 3 u_yy + sin(x) u - x."""
    slopes = gradient(u[:, 0], x)
    cross = gradient(slopes[:, 0], x)[:, 1]
    return (1 + x[:, 0]) * cross - 3 * gradient(slopes[:, 1], x)[:, 1] + x[:, 0].sin() * u[:, 0] - x[:, 0]


def test_coefficients_of_a_linear_residual_are_those_of_its_formula():
    built = problem(mixed)
    part = linear_part(built.terms[0], 1).reduced()
    x = built.terms[0].points[:, 0]
    expected = {(0, 0): x.sin(), (1, 1): 1 + x, (0, 2): -3 * torch.ones_like(x)}
    assert set(part.indices) == set(expected)
    for index, values in expected.items():
        torch.testing.assert_close(part.coefficients[:, 0, 0, part.indices.index(index)], values)
    torch.testing.assert_close(part.value[:, 0], -x)
    assert part.order == 2


def test_linearisation_about_a_field_is_the_derivative_by_finite_differences():
    def burgers(x, u):
        slopes = gradient(u[:, 0], x)
        return slopes[:, 1] + u[:, 0] * slopes[:, 0] - 0.1 * second(u[:, 0], x)

    built = problem(burgers)
    features = FourierFeatures.of([(1.0, 0.5)], 8, 0)
    draw = torch.Generator().manual_seed(0)
    w, v = (torch.randn(1, 17, generator=draw, dtype=torch.float64) for _ in range(2))
    known = checks(built)
    assert not known[0].linear
    assert known[0].order == 2
    matrix, _ = Applied(built, features, known).system(w)
    step = 1e-6
    pair = [built.residuals(Solution(features, w + s * step * v, 0.0))[0] for s in (1, -1)]
    expected = (pair[0] - pair[1]).detach() / (2 * step) / math.sqrt(30)
    torch.testing.assert_close(matrix @ v[0], expected, rtol=1e-6, atol=1e-8)


def test_columns_of_features_equal_the_residual_of_each_feature():
    built = problem(mixed)
    features = FourierFeatures.of([(1.0, 2.0)], 5, 1)
    matrix, start = Applied(built, features, checks(built)).system()
    for column in (0, 7, 10):
        direct = built.apply(lambda x, c=column: features(x)[:, c : c + 1])[0].detach()
        torch.testing.assert_close(matrix[:, column] + start, direct / math.sqrt(30))


def test_residuals_that_read_other_points_take_each_feature_through_the_residual():
    def periodic(x, u):
        slope = gradient(u[:, 0], x)[:, :1]
        return torch.cat([u - u.flip(0), slope - slope.flip(0)], dim=1)

    built = operators.equation({"periodic": (periodic, [[0.0], [1.0]])}, ((0.0, 1.0),))
    assert not built.terms[0].local
    features = FourierFeatures.of([(1.0,)], 3, 0)
    matrix, _ = Applied(built, features, checks(built)).system()
    ends = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    jets = derivatives(features, ends, [(0,), (1,)])
    rows = torch.stack([jets[0, 0] - jets[0, 1], jets[1, 0] - jets[1, 1]])
    torch.testing.assert_close(matrix[:2] * 2, rows)


@pytest.mark.parametrize("domain", [((0.0, 1.0),), ((0.0, 1.0), (0.0, 1.0))])
def test_residuals_of_a_part_of_the_points_have_their_order_and_cost_one_call(domain):
    calls = []

    def first_rows(x, u):
        calls.append(len(x))
        return (gradient(gradient(u[:, 0], x)[:, 0], x)[:, 0] + x[:, 0] * u[:, 0] - 1)[:4]

    built = operators.equation({"part": (first_rows, 30)}, domain)
    known = checks(built)
    assert (known[0].local, known[0].order, known[0].linear) == (False, 2, True)
    features = FourierFeatures.of([(1.0,) * len(domain)], 40, 0)
    before = len(calls)
    matrix, start = Applied(built, features, known).system()
    assert len(calls) == before + 1
    for column in (0, 50, 80):
        direct = built.apply(lambda x, c=column: features(x)[:, c : c + 1])[0].detach()
        torch.testing.assert_close(matrix[:, column] + start, direct / 2)


def test_nonlinear_residuals_of_several_points_are_linearised_about_the_field():
    def product(x, u):
        slope = gradient(u[:, 0], x)[:, 0]
        return slope[:3] * u[-3:, 0]

    built = operators.equation({"product": (product, 8)}, ((0.0, 1.0),))
    known = checks(built)
    features = FourierFeatures.of([(1.0,)], 3, 0)
    w, v = (
        torch.randn(1, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(i)) for i in (0, 1)
    )
    applied, step = Applied(built, features, known), 1e-6
    matrix, residual = applied.system(w)
    pair = [built.apply(Solution(features, w + s * step * v, 0.0))[0].detach() for s in (1, -1)]
    torch.testing.assert_close(
        matrix @ v[0], (pair[0] - pair[1]) / (2 * step) / math.sqrt(3), atol=1e-8, rtol=1e-6
    )
    # Linearised about the same field, given as another one.
    around, offset = applied.linearised(Solution(features, w, 0.0))
    torch.testing.assert_close(around, matrix)
    torch.testing.assert_close(around @ w[0] + offset, residual)


def test_nonlinearity_is_rounding_for_linear_residuals_and_of_order_one_else():
    assert check(problem(mixed).terms[0], 1, (1.0, 2.0)).nonlinearity < 1e-13
    squared = problem(lambda x, u: u[:, 0] ** 2 + 0 * x[:, 0])
    assert check(squared.terms[0], 1, (1.0, 2.0)).nonlinearity > 0.1


def test_averages_are_not_local_and_values_are():
    assert not problem(lambda x, u: u - u.mean()).terms[0].local
    assert problem(lambda x, u: u - x[:, :1]).terms[0].local


def test_fifth_derivatives_are_recognised_as_outside_the_polynomials():
    def fifth(x, u):
        value = u[:, 0]
        for _ in range(5):
            value = gradient(value, x)[:, 0]
        return value

    assert not problem(fifth, domain=((0.0, 1.0),)).terms[0].local


def test_derivatives_of_features_match_nested_backward_passes():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    features = hidden_layer(network)
    x = torch.rand(7, 2, dtype=torch.float64)
    indices = multi_indices(2, 3)
    jets = derivatives(features, x, indices)
    place = x.clone().requires_grad_(True)
    for unit in range(4):
        for position, index in enumerate(indices):
            value = features(place)[:, unit]
            for axis, order in enumerate(index):
                for _ in range(order):
                    value = gradient(value, place)[:, axis]
            torch.testing.assert_close(jets[position, :, unit], value.detach(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("activation", ["tanh", "sine", "gelu"])
@pytest.mark.parametrize("encoding", ["gaussian", "none"])
def test_derivatives_by_power_series_equal_nested_differentiation(activation, encoding):
    settings = ModelConfig(encoding, activation=(activation,), width=8, depth=3, features=8)
    square = problem(mixed)
    features = NetworkFeatures.of(ConfiguredNetwork(square, settings), (1.5, 0.7), 0, 2, columns=16)
    x = square.terms[0].points
    for indices in (multi_indices(2, 2), [(0, 0)], [(3, 1), (0, 4)]):
        # A bound method has no derivatives of its own.
        for own, nested in zip(
            derivatives(features, x, indices), derivatives(features.__call__, x, indices), strict=True
        ):
            # Sums of up to 5! products, each rounded relative to the largest.
            assert float((own - nested).abs().max()) < 1e-12 * max(1.0, float(nested.abs().max()))


def test_derivatives_of_waves_equal_nested_differentiation():
    waves = FourierFeatures.of([(3.0, 2.0)], 6, 0)
    x, indices = torch.rand(5, 2, dtype=torch.float64), multi_indices(2, 3)
    torch.testing.assert_close(
        derivatives(waves, x, indices), derivatives(waves.__call__, x, indices), rtol=1e-11, atol=1e-9
    )


def test_pairs_of_units_are_differentiated_as_they_are():
    settings = ModelConfig("gaussian", activation=("complex-gabor",), width=8, depth=2, features=8)
    square = problem(mixed)
    layer = NetworkFeatures.of(ConfiguredNetwork(square, settings), (1.5, 0.7), 0, 2, columns=8).layers[0]
    x = square.terms[0].points
    assert torch.equal(layer.derivatives(x, [(1, 0)]), derivatives(layer.__call__, x, [(1, 0)]))


@pytest.mark.parametrize(
    ("residual", "message"),
    [
        (lambda x, u: x[:, 0], "depends on the field"),
        (lambda x, u: u[:, 0] / (x[:, 0] - x[:, 0]), "finite residuals, got nan or infinity at"),
        (lambda x, u: u[:, 0] + x[:, :1], r"got \(30, 30\), every point with every other"),
        (lambda x, u: gradient(gradient(u, x)[:, 0], x) + u.detach(), "changes with the field without it"),
        (lambda x, u: u * float(u.detach().mean()), "changes with the field without it"),
        (lambda x, u: u + torch.rand_like(u), "another one at the second call"),
        (lambda x, u: torch.log(u), "by transform=, as exp"),
        (lambda x, u: u[:, 1:], r"got shape \(30, 0\); use columns that are there: x has 2, u has 1"),
        (lambda x, u: u[:, 1], "got the error 'index 1 is out of bounds"),
        (lambda x, u: u.square().mean(), "got a single number; return them without their mean"),
        (lambda x, u: (u, x), "N = 30 points, got tuple"),
        (
            lambda x, u: gradient(torch.autograd.grad(u.sum(), x)[0][:, 0], x)[:, 0],
            "create_graph=True",
        ),
    ],
)
def test_residuals_that_cannot_be_trained_are_refused(residual, message):
    with pytest.raises(InputError, match=message):
        problem(residual)


def test_wrong_points_weights_and_axes_are_refused():
    def plain(x, u):
        return u

    with pytest.raises(InputError, match="points between 0 and 2 on axis 1"):
        operators.equation({"a": (plain, [[0.5, 3.0]])}, SQUARE)
    with pytest.raises(InputError, match=r"points \(N, 2\)"):
        operators.equation({"a": (plain, [[0.5]])}, SQUARE)
    with pytest.raises(InputError, match="at least one point"):
        operators.equation({"a": (plain, 0)}, SQUARE)
    with pytest.raises(InputError, match="weights of the terms a, got b"):
        operators.equation({"a": (plain, 5)}, SQUARE, weights={"b": 1.0})
    with pytest.raises(InputError, match="an axis from 0 to 1"):
        operators.faces(SQUARE, 3, axis=2)
    with pytest.raises(InputError, match='"low", "high" or None'):
        operators.faces(SQUARE, 3, end="left")
    with pytest.raises(InputError, match="network whose output is a linear layer"):
        hidden_layer(nn.Tanh())


@pytest.mark.parametrize(
    ("terms", "domain", "options", "message"),
    [
        ([("a", 5)], SQUARE, {}, "terms: expected a residual, which is a function, .*, got list"),
        ({"a": "u_xx"}, SQUARE, {}, "got str for 'a'"),
        ({"a": (lambda x, u: u, 5)}, [(0, 1, 2)], {}, "domain: expected ends"),
        (
            {"a": (lambda x, u: u, 5)},
            [(1.7e15, 1.7e15 + 60)],
            {},
            "got 1.6e.02 between .* subtract the low end",
        ),
        ({"a": (lambda x, u: u, [[1j]])}, [(0, 1)], {}, "expected real points"),
        ({"a": (lambda x, u: u, 5)}, [(0, 1)], {"channels": 0}, "at least one channel"),
        ({"a": (lambda x, u: u, 5)}, [(0, 1)], {"weights": {"a": 0}}, "a weight above 0"),
    ],
)
def test_equations_that_are_none_are_refused(terms, domain, options, message):
    with pytest.raises(InputError, match=message):
        operators.equation(terms, domain, **options)


def test_residuals_with_data_of_their_own_are_evaluated_at_all_of_their_points():
    places = torch.linspace(0, 1, 20, dtype=torch.float64)[:, None]
    problem = operators.equation({"data": (lambda x, u: u - torch.sin(9 * places), places)}, [(0, 1)])
    assert not problem.terms[0].local
    part, held_out = problem.split(0.25)
    assert float(part.loss(lambda x: torch.sin(9 * x)).detach()) == 0
    assert (part.terms[0].size, held_out.terms[0].size) == (15, 5)


def test_a_transform_is_part_of_the_operator():
    built = operators.equation(
        {"a": (lambda x, u: gradient(u[:, 0], x)[:, 0], 9)},
        ((0.0, 1.0),),
        transform=lambda x, u: 1 + x * u,
    )
    part = linear_part(built.terms[0], 1).reduced()
    x = built.terms[0].points[:, 0]
    # d(1 + x u)/dx = u + x u'
    torch.testing.assert_close(part.coefficients[:, 0, 0], torch.stack([torch.ones_like(x), x], dim=1))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_problems_are_built_and_evaluated_where_gradients_are_off(mode):
    network = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    plain = problem(mixed)
    with mode():
        built = problem(mixed)
        loss = built.loss(network)
    assert not loss.requires_grad
    assert loss.item() == plain.loss(network).item() == built.loss(network).item()


def test_residuals_of_other_numbers_and_masked_points_are_refused():
    with pytest.raises(InputError, match=r"floating-point numbers, got torch\.bool"):
        problem(lambda x, u: u > x[:, :1])
    masked = np.ma.masked_array(np.full((3, 2), 0.5), [[False, True]] * 3)
    with pytest.raises(InputError, match="3 of 6 values missing"):
        problem(mixed, points=masked)
