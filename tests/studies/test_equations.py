"""Parts of the studies of equations, against closed forms and slow twins."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from overtone.studies._claims import equation_order
from overtone.studies._claims._equation_problems import (
    TAU,
    FourierNetwork,
    LinearEquation,
    Waves,
    bandwidth_of,
    boundary_layer,
    error_of,
    even_samples,
    helmholtz,
    poisson,
)

WAVES = Waves.of((1.0, 3.2), (1.0, 0.4), 3)


@pytest.mark.parametrize(
    "posed",
    [helmholtz(3.2, WAVES), poisson(WAVES, 7.0), LinearEquation(WAVES, (0.0, 0.5, 0.0)), boundary_layer(0.1)],
)
def test_the_solution_solves_its_equation_and_another_field_does_not(posed):
    problem = posed.problem(20, seed=0)
    # Derivatives of the solution come from automatic differentiation here and from closed forms in the source.
    assert float(problem.loss(posed.solution).detach()) < 1e-18
    assert float(problem.loss(lambda x: posed.solution(x) + 0.1 * torch.sin(5 * x)).detach()) > 1e-4
    samples = posed.problem(20, seed=0, samples=True)
    assert float(samples.loss(posed.solution).detach()) == 0
    assert [term.name for term in samples.terms] == ["values"]


def test_bandwidths_are_those_of_the_waves_and_none_of_a_constant():
    assert bandwidth_of(Waves.of((8.0,), (1.0,), 0)) == pytest.approx(8, rel=0.2)
    assert bandwidth_of(Waves.of((1.0, 8.0), (1.0, 0.1), 0)) < 2
    assert bandwidth_of(poisson(Waves.of((1.0, 8.0), (1.0, 0.1), 0)).source) == pytest.approx(8, rel=0.2)
    assert bandwidth_of(boundary_layer(0.05).source) == 0


def test_a_network_has_a_trunk_per_sigma_and_starts_at_the_size_of_its_target():
    x = even_samples(32)
    for sigmas, features in (([], 16), ([2.0], 16), ([1.0, 10.0], 32)):
        network = FourierNetwork(sigmas, 16, 3, 0)
        assert network.output.in_features == features
        assert network(x).shape == (32, 1)
        assert 0.05 < float(network(x).detach().square().mean().sqrt()) < 2
    assert error_of(lambda x: 1.5 * WAVES(x), WAVES) == pytest.approx(0.5)


def test_a_part_is_learned_from_the_step_on_after_which_its_error_stays_below_a_half():
    errors = [[1.0, 0.4, 1.0], [0.3, 0.6, 1.0], [0.6, 0.2, 1.0], [0.2, 0.1, 1.0]]
    assert equation_order._learning_steps(errors) == [3, 2, 4]


def test_amplitudes_of_waves_are_told_apart_from_a_line():
    x = even_samples(128)
    projection = equation_order._projection(x, WAVES)
    field = 0.3 + 2 * x + 0.7 * torch.sin(TAU * 3.2 * x + WAVES.phases[1])
    torch.testing.assert_close(
        (projection @ field)[:, 0],
        torch.tensor([0.3, 2, 0, 0, 0.7, 0], dtype=torch.float64),
        rtol=0,
        atol=1e-10,
    )


def test_rates_are_mean_eigenvalues_of_the_weighted_kernels():
    problem = poisson(WAVES, 40.0).problem(6, 0, weight=9.0)
    network = FourierNetwork([], 4, 2, 0).double()
    rates, top = equation_order._rates(problem, network)

    def outputs(*parameters):
        names = [name for name, _ in network.named_parameters()]
        state = dict(zip(names, parameters, strict=True))
        residuals = problem.residuals(lambda x: torch.func.functional_call(network, state, x))
        return torch.cat([r.flatten() for r in residuals])

    parts = torch.autograd.functional.jacobian(outputs, tuple(network.parameters()))
    jacobian = torch.cat([part.flatten(1) for part in parts], dim=1)
    kernel = jacobian @ jacobian.T
    assert rates[0] == pytest.approx(float(kernel[:6, :6].trace()) / 6)
    assert rates[1] == pytest.approx(9 * float(kernel[6:, 6:].trace()) / 2)
    scale = torch.tensor([1 / 6] * 6 + [9 / 2] * 2, dtype=torch.float64).sqrt()
    largest = torch.linalg.eigvalsh(scale[:, None] * kernel * scale).max()
    assert top == pytest.approx(2 * float(largest))


def test_a_heavier_term_is_learned_first_by_gradient_descent_and_the_kernel_says_so():
    settings = {"varied": "values", "optimizer": "gradient descent", "points": 12, "width": 16, "steps": 100}
    right = equation_order.measure_lagging_term_by_kernel(0, permuted=False, **settings)
    predicted, measured = right.curves[""]
    assert right.value > 0.7
    assert np.all(np.diff(predicted) > 0)
    assert measured[0] < 0 < measured[-1]
    # Rates of the other problems say nothing.
    wrong = equation_order.measure_lagging_term_by_kernel(0, permuted=True, **settings)
    assert wrong.value < right.value


def test_values_of_low_frequencies_come_first_and_an_equation_has_steps_of_its_own():
    settings = {"points": 48, "width": 32, "steps": 60}
    values = equation_order.measure_equation_low_first(1, terms="values", **settings)
    assert values.value > 1
    scaled = equation_order.measure_equation_low_first(1, terms="scaled u'' = f", **settings)
    assert scaled.value < values.value
    boundary = equation_order.measure_boundary_before_interior(
        1, terms="scaled u'' = f", weight=1000.0, **settings
    )
    assert boundary.value > 1
    assert math.isfinite(boundary.curves["boundary"][1][-1])
