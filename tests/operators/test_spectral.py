import torch

from overtone import operators
from overtone.operators._derivatives import derivatives
from overtone.operators._linear_part import checks
from overtone.operators._spectral import ChebyshevFeatures, spectral_solution
from tests.operators.problems import TAU, helmholtz, relative_error, second


def test_features_are_chebyshev_polynomials_with_derivatives_at_the_ends():
    features = ChebyshevFeatures(torch.tensor([2.0]).double(), torch.tensor([4.0]).double(), 4)
    x = torch.tensor([[2.0], [3.0], [6.0]], dtype=torch.float64)
    t = (x[:, 0] - 4) / 2
    expected = torch.stack([torch.cos(k * torch.arccos(t)) for k in range(5)], 1)
    assert torch.allclose(features(x), expected)
    # T_4'(1) = 16, halved by the scale of the box.
    assert float(derivatives(features, x, [(1,)])[0, 2, 4]) == 8


def test_linear_equations_are_solved_on_a_line_and_in_a_plane():
    waves = helmholtz(3.2)
    solution = spectral_solution(waves, checks(waves), 0)
    x = torch.rand(100, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert relative_error(solution, lambda p: torch.cos(TAU * 3.2 * p), x) < 1e-8
    box = [(0, 1), (0, 2)]
    truth = lambda p: torch.exp(p[:, :1]) * torch.sin(p[:, 1:])  # noqa: E731
    terms = {
        "laplace": (lambda x, u: second(u[:, 0], x) + second(u[:, 0], x, 1), 200),
        "boundary": (lambda x, u: u - truth(x), operators.faces(box, 25)),
    }
    plane = operators.equation(terms, box)
    x = torch.rand(100, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert relative_error(spectral_solution(plane, checks(plane), 0), truth, x) < 1e-6


def test_nonlinear_equations_have_none():
    bent = operators.equation({"bent": (lambda x, u: u**2 - x, 20)}, [(0, 1)])
    assert spectral_solution(bent, checks(bent), 0) is None
