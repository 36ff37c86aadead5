"""Choices on equations whose answers are known, and on measurements; kernel solutions and what they are not."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import overtone as ot
from overtone import operators, signals
from overtone.errors import InputError
from overtone.fitting import ModelConfig
from overtone.operators import ChoiceVerdict
from overtone.operators import _choose as choosing
from overtone.operators import _least_squares as least_squares
from overtone.operators._advice import solution_frequencies
from overtone.operators._balance import balanced_choice
from overtone.operators._choose import _entrants, _errors_rank, _winner, choose_in_time
from overtone.operators._evidence import evidence_losses, samples_system
from overtone.operators._features import Applied, ConfiguredNetwork, FourierFeatures, NetworkFeatures
from overtone.operators._hidden_layer import hidden_layer
from overtone.operators._kernel import domain_points
from overtone.operators._least_squares import Solution, solve, solve_nonlinear
from overtone.operators._linear_part import checks
from overtone.units import gaussian_bandwidth
from tests.operators.problems import TAU, gradient, helmholtz, relative_error, second

SMALL = ModelConfig("gaussian", activation="tanh", width=32, depth=2, features=32)


def test_the_choice_for_waves_is_near_their_frequency_and_the_kernel_solves_them():
    choice = operators.choose_bandwidth(helmholtz(6.2), SMALL, steps=100, cycles=(0.5, 3, 24))
    assert choice.best.cycles == 3
    assert choice.kernel_is_better
    x = torch.rand(300, 1, dtype=torch.float64)
    assert relative_error(choice.kernel, lambda p: torch.cos(TAU * 6.2 * p), x) < 1e-9
    assert choice.advice.waves[0] == pytest.approx((6.2, 6.2))
    assert choice.kernel.undetermined == 0
    assert "Solutions oscillate along axis 0 with 6.2" in str(choice)
    assert repr(choice).startswith("<Choice: sigma 3 cycles per unit")


def test_settings_of_libraries_count_in_their_own_units():
    choice = operators.choose_bandwidth(
        helmholtz(domain=((0.0, 50.0),), waves=0.064), SMALL, steps=50, cycles=(2,)
    )
    assert choice.sigma == pytest.approx((0.04,))
    assert choice.setting("tancik") == pytest.approx((0.04,))
    assert choice.setting("deepxde") == pytest.approx((0.04 * TAU,))
    assert choice.setting("pina", features=64) == pytest.approx((0.04 * 2.549,), rel=1e-3)
    assert choice.advice.scales == pytest.approx((0.02,))
    assert "Scale the coordinates by 0.02" in str(choice)
    with pytest.raises(InputError, match="one of"):
        choice.setting("unknown")


def test_resonance_is_told_as_a_solution_that_is_not_unique():
    resonant = operators.choose_bandwidth(helmholtz(6.0), SMALL, steps=50, cycles=(6,))
    assert resonant.kernel.undetermined == 1
    assert not resonant.kernel.trusted
    assert "no solution is unique" in str(resonant)


def test_contradictory_boundary_data_are_reported():
    def residual(x, u):
        return second(u[:, 0], x)

    places = [[0.0], [0.0], [1.0]]
    values = torch.tensor([[0.0], [1.0], [0.5]], dtype=torch.float64)
    terms = {"equation": (residual, 80), "boundary": (lambda x, u: u - values, places)}
    choice = operators.choose_bandwidth(
        operators.equation(terms, ((0.0, 1.0),)), SMALL, steps=20, cycles=(1,)
    )
    assert "boundary data may contradict each other" in str(choice)
    assert not choice.kernel_is_better


def test_layers_are_measured():
    width = 0.02

    def residual(x, u):
        return -width * second(u[:, 0], x) + gradient(u[:, 0], x)[:, 0] - 1

    terms = {"equation": (residual, 200), "boundary": (lambda x, u: u, [[0.0], [1.0]])}
    choice = operators.choose_bandwidth(
        operators.equation(terms, ((0.0, 1.0),)), SMALL, steps=50, cycles=(2,)
    )
    assert choice.advice.layers[0] == pytest.approx(width)
    assert choice.kernel.trusted
    # The boundary's kernel is far weaker than the equation's here, and its weight is above 1.
    assert choice.advice.weights["equation"] == 1
    assert choice.advice.weights["boundary"] > 1


def test_several_stable_states_are_outside_the_method():
    def allen_cahn(x, u):
        v = u[:, 0]
        return gradient(v, x)[:, 1] - 1e-3 * second(v, x) - 5 * (v - v**3)

    square = ((-1.0, 1.0), (0.0, 1.0))
    start = operators.faces(square, 20, axis=1, end="low")
    terms = {
        "equation": (allen_cahn, 60),
        "start": (lambda x, u: u - x[:, :1] ** 2 * torch.cos(torch.pi * x[:, :1]), start),
    }
    choice = operators.choose_bandwidth(operators.equation(terms, square), SMALL, steps=40, cycles=(0.5, 2))
    assert choice.verdict is ChoiceVerdict.CANNOT_TELL
    assert str(choice).startswith("Cannot tell which bandwidth is best")
    assert all(c.trained is not None for c in choice.candidates)


def test_smooth_nonlinear_equations_take_gauss_newton_steps():
    def solution(x):
        return torch.sin(TAU * x) + 0.5 * x

    def residual(x, u):
        f = torch.sin(TAU * x[:, 0]) + solution(x)[:, 0] ** 3
        return second(u[:, 0], x) / TAU**2 - u[:, 0] ** 3 + f

    terms = {"equation": (residual, 150), "boundary": (lambda x, u: u - solution(x), [[0.0], [1.0]])}
    choice = operators.choose_bandwidth(
        operators.equation(terms, ((0.0, 1.0),)), SMALL, steps=50, cycles=(1,)
    )
    assert not choice.checks[0].linear
    assert choice.best.converged
    assert relative_error(choice.network, solution, torch.rand(200, 1, dtype=torch.float64)) < 0.01


def test_steps_of_a_nonlinear_equation_end_where_the_penalised_loss_is_least_from_any_start(monkeypatch):
    def residual(x, u):
        return second(u[:, 0], x) / TAU**2 - u[:, 0] ** 3 + torch.sin(TAU * x[:, 0])

    problem = operators.equation(
        {"equation": (residual, 60), "ends": (lambda x, u: u, [[0.0], [1.0]])}, ((0.0, 1.0),)
    )
    features = FourierFeatures.of([(1.0,)], 20, 0)
    applied = Applied(problem, features, checks(problem))
    direct = solve(problem, features, 1e-6, applied.checks)
    near = Solution(FourierFeatures.of([(0.5,)], 9, 1), 0.1 * torch.ones(1, 19, dtype=torch.float64), 0.0)
    again = solve_nonlinear(applied, (1e-4, 1e-6), near)[1]
    monkeypatch.setattr(least_squares, "SETTLED", 1e-12)
    exact = solve(problem, features, 1e-6, applied.checks)
    assert direct.converged
    assert again.converged
    assert direct.loss == pytest.approx(exact.loss, rel=0.02)
    assert again.loss == pytest.approx(exact.loss, rel=0.02)


def test_terms_that_no_training_would_see_are_weighted_before_the_choice():
    length = 1e6
    k = TAU * 3.2 / length

    def residual(x, u):
        return second(u[:, 0], x) + k**2 * u[:, 0]

    ends = [[0.0], [length]]
    terms = {"equation": (residual, 80), "ends": (lambda x, u: u - torch.cos(k * x), ends)}
    problem = operators.equation(terms, ((0.0, length),))
    choice = operators.choose_bandwidth(problem, SMALL, steps=10, cycles=(2, 16))
    assert choice.balanced
    assert choice.best.cycles == 2
    assert choice.problem.terms[0].weight > 1e15
    assert choice.problem.terms[1].weight == 1
    assert "Train with them, as choice.problem does" in str(choice)
    assert balanced_choice(problem, SMALL, steps=10, cycles=(2, 16)).best == choice.best
    # Weights that were set are kept.
    own = operators.equation(terms, ((0.0, length),), weights={"ends": 2.0})
    assert not operators.choose_bandwidth(own, SMALL, steps=10, cycles=(2,)).balanced


def test_frequencies_on_lines_are_those_of_the_field_at_their_points():
    problem = helmholtz(3.2, points=60)
    field = Solution(FourierFeatures.of([(3.0, 1.0)], 20, 0), torch.randn(2, 41, dtype=torch.float64), 0.0)
    square = replace(problem, geometry=signals.Domain((0.0, 0.0), (1.0, 2.0), ("x", "y")))
    expected = solution_frequencies(square, lambda x: field(x))
    assert solution_frequencies(square, field) == expected


def test_real_and_imaginary_parts_are_channels():
    k = TAU * 2.3
    q = k * (1 + 0.1j) ** 0.5

    def solution(x):
        wave = torch.exp(1j * q * x)
        return torch.cat([wave.real, wave.imag], dim=1)

    def residual(x, u):
        real, imag = second(u[:, 0], x) / k**2, second(u[:, 1], x) / k**2
        return torch.stack([real + u[:, 0] - 0.1 * u[:, 1], imag + u[:, 1] + 0.1 * u[:, 0]], dim=1)

    terms = {"equation": (residual, 120), "boundary": (lambda x, u: u - solution(x), [[0.0], [1.0]])}
    choice = operators.choose_bandwidth(
        operators.equation(terms, ((0.0, 1.0),), channels=2), SMALL, steps=30, cycles=(2,)
    )
    assert relative_error(choice.kernel, solution, torch.rand(200, 1, dtype=torch.float64)) < 1e-7


def test_measurements_of_samples_are_chosen_for_too_and_too_few_leave_fields_open():
    grid = signals.Grid.unit_box((48,))
    x = grid.coords()[:, 0]
    blur = torch.exp(-(((x[:, None] - x[None]) / 0.03) ** 2))
    blur = blur / blur.sum(1, keepdim=True)
    truth = torch.sin(TAU * 2 * x)[:, None]
    measured = signals.measured(lambda v: blur @ v, lambda w: blur.T @ w, blur @ truth, grid, noise=0.0)
    choice = operators.choose_bandwidth(measured, SMALL, steps=50, cycles=(1, 12))
    assert choice.best.cycles == 1
    few = signals.measured(lambda v: blur[::12] @ v, lambda w: blur[::12].T @ w, blur[::12] @ truth, grid)
    assert operators.choose_bandwidth(few, SMALL, steps=20, cycles=(4,)).kernel.undetermined > 5


def test_measurements_that_no_bandwidth_predicts_are_answered_with_cannot_tell():
    grid = signals.Grid.unit_box((32,))
    noise = torch.randn(32, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    measured = signals.measured(lambda v: v, lambda w: w, noise, grid)
    choice = operators.choose_bandwidth(measured, SMALL, steps=20, cycles=(4, 16))
    assert choice.verdict is ChoiceVerdict.CANNOT_TELL
    assert choice.best.cycles == 4
    assert "explain the measurements better than noise" in str(choice)


def test_the_evidence_is_that_of_a_gaussian_field():
    """With the covariance written down, and each datum predicted from those before it."""
    rng = np.random.default_rng(0)
    full = rng.standard_normal((5, 4, 2)) + 1j * rng.standard_normal((5, 4, 2))
    for complex_values in (False, True):
        problem = signals.kspace(full, rng.random((5, 4)) < 0.7, complex_values=complex_values)
        features, known = FourierFeatures.of([(0.2, 0.2)], 3, 0), checks(problem)
        matrix, start = (x.numpy() for x in samples_system(problem, features, known))
        product = matrix @ matrix.conj().T
        losses = evidence_losses(problem, features, known)
        for ridge, loss in zip((1e-5, 1e-6), losses, strict=True):
            covariance = product + ridge * np.linalg.eigvalsh(product)[-1] * np.eye(len(product))
            variances = np.diag(np.linalg.cholesky(covariance)).real ** 2
            scale = (start.conj() * np.linalg.solve(covariance, start)).real.sum() / start.size
            power = np.mean(np.abs(start) ** 2)
            assert loss == pytest.approx(scale * np.exp(np.log(variances).mean()) / power, rel=1e-6)


def test_fewer_bandwidths_are_compared_within_a_time(monkeypatch):
    grid = signals.Grid.unit_box((48,))
    wave = torch.sin(TAU * 2 * grid.coords())
    measured = signals.measured(lambda v: v, lambda w: w, wave, grid, batched=True)
    now = iter(range(100))
    monkeypatch.setattr(choosing.time, "monotonic", lambda: next(now))
    # A bandwidth takes a second of this clock, and four more are left for what follows.
    choice = choose_in_time(measured, SMALL, 100, 0, 7.5)
    assert [one.cycles for one in choice.candidates] == [0.5, 1, 2]
    assert choice.skipped == (0.25, 4, 8, 16)
    assert "3 of 7 bandwidths were compared" in str(choice)
    alone = choose_in_time(measured, SMALL, 100, 0, 2.0)
    assert [one.cycles for one in alone.candidates] == [1]
    with pytest.raises(
        InputError, match="leaves about 5 s for the choice of a bandwidth, got one that leaves 1"
    ):
        choose_in_time(measured, SMALL, 100, 0, 1.5)


def test_features_are_mapped_together_as_one_by_one():
    rng = np.random.default_rng(0)
    full = rng.standard_normal((7, 6, 2)) + 1j * rng.standard_normal((7, 6, 2))
    for complex_values in (False, True):
        whole = signals.kspace(full, rng.random((7, 6)) < 0.6, complex_values=complex_values)
        # A part of a part of the measurements reads the same image of the features.
        problem, _ = whole.split(0.2)[0].split(0.3, 1)
        features = FourierFeatures.of([(0.2, 0.2)], 4, 0)
        single = replace(problem.terms[0], operator=lambda x, v, one=problem.terms[0].operator: one(x, v))
        known = checks(problem)
        together, separate = (
            Applied(replace(problem, terms=(term,)), features, known).system()
            for term in (problem.terms[0], single)
        )
        for a, b in zip(together, separate, strict=True):
            assert a.shape == b.shape
            assert float((a - b).abs().max()) < 1e-13


def test_a_function_that_builds_networks_is_as_good_as_settings():
    def build(bandwidth, seed):
        encoding = ot.nn.encodings.Gaussian.from_bandwidth(1, 16, bandwidth, seed)
        body = ot.nn.MLP(32, 1, 16, 2, torch.nn.Tanh(), seed)
        return ot.nn.Field(encoding, body)

    choice = operators.choose_bandwidth(helmholtz(2.2, points=80), build, steps=30, cycles=(1, 32))
    assert choice.best.cycles == 1


class Plain(torch.nn.Module):
    """A network in single precision whose output layer was made before the others."""

    def __init__(self, bandwidth, seed, step=torch.tanh):
        super().__init__()
        torch.manual_seed(seed % 2**31)
        self.output, self.hidden, self.step = torch.nn.Linear(16, 1), torch.nn.Linear(8, 16), step
        self.frequencies = torch.nn.Parameter(torch.randn(1, 8) * bandwidth[0], requires_grad=False)

    def forward(self, x):
        return self.output(self.step(self.hidden(torch.sin(6.28 * x @ self.frequencies))))


def test_plain_modules_are_raced_in_their_own_precision(monkeypatch):
    monkeypatch.setattr(choosing, "CLEAR", 1000.0)
    problem = helmholtz(2.2, points=60)
    choice = operators.choose_bandwidth(problem, Plain, steps=30, cycles=(1.0, 1.5))
    assert all(candidate.trained is not None for candidate in choice.candidates)
    hidden = hidden_layer(Plain((1.0,), 0))
    assert hidden(torch.zeros(3, 1)).shape == (3, 16)


ONE = Plain((1.0,), 0)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (ONE, "or a function that builds one for a bandwidth and a seed, got Plain"),
        (lambda bandwidth: ONE, "a function of 2 arguments"),
        (lambda bandwidth, seed: None, "got NoneType"),
        (lambda bandwidth, seed: ONE, "a new network at each call"),
        (lambda bandwidth, seed: Plain(bandwidth, 1), "draws other weights for another seed"),
        (lambda bandwidth, seed: Plain((1.0,), seed), "whose argument sets the network's frequencies"),
        (lambda bandwidth, seed: Plain(bandwidth, seed, torch.relu), "got one with kinks"),
        (lambda bandwidth, seed: Plain(bandwidth, torch.seed()), "draw its weights from the seed"),
        (ModelConfig("hash-grid"), "got one with kinks"),
        (ModelConfig("gaussian"), "got one with kinks"),
    ],
)
def test_functions_that_build_no_network_of_the_field_are_refused(network, message):
    with torch.random.fork_rng(), pytest.raises(InputError, match=message):
        operators.choose_bandwidth(helmholtz(2.2, points=20), network, steps=30, cycles=(1, 32))


def test_races_decide_only_where_they_separate():
    problem = helmholtz()
    near = operators.choose_bandwidth(problem, SMALL, steps=60, cycles=(1.5, 2))
    assert near.verdict is ChoiceVerdict.RACED
    assert {c.trained is not None for c in near.candidates} == {True}
    first, second_ = (
        operators.TriedBandwidth(c, (c,), (loss,), trained)
        for c, loss, trained in ((1.0, 1e-6, 0.9), (2.0, 2e-6, 0.8))
    )
    assert _winner([first, second_], [0, 1], ChoiceVerdict.RACED) == 0
    assert _winner([first, second_], [0, 1], ChoiceVerdict.PILOT) == 1
    clear = operators.TriedBandwidth(2.0, (2.0,), (2e-6,), 0.1)
    assert _winner([first, clear], [0, 1], ChoiceVerdict.RACED) == 1


def tried(cycles, losses, errors=()):
    return operators.TriedBandwidth(cycles, (cycles,), losses, errors=errors)


def test_short_trainings_are_run_where_they_can_decide():
    problem = helmholtz(points=40)
    known = checks(problem)
    agreed, other = tried(1.0, (1e-4, 1e-5)), tried(2.0, (3e-4, 2e-5))
    assert _entrants(problem, [agreed, other], known) == (ChoiceVerdict.RANKED, [0])
    disputed = tried(2.0, (3e-4, 5e-6))
    assert _entrants(problem, [agreed, disputed], known) == (ChoiceVerdict.RACED, [0, 1])
    # Errors rank against the losses; near the solution they are raced, far from it they are not.
    near = [tried(1.0, (1e-4, 1e-5), (0.05, 0.04)), tried(2.0, (3e-4, 2e-5), (0.03, 0.02))]
    assert _entrants(problem, near, known) == (ChoiceVerdict.RACED, [1, 0])
    # The second by losses takes part beside the second by errors.
    third = [*near, tried(4.0, (2e-2, 2e-2), (0.035, 0.03))]
    assert _entrants(problem, third, known) == (ChoiceVerdict.RACED, [1, 2, 0])
    # Gauss-Newton steps rank as least squares does.
    bent = tuple(replace(one, nonlinearity=1.0) for one in known)
    assert _entrants(problem, [agreed, other], bent) == (ChoiceVerdict.RANKED, [0])
    far = [tried(1.0, (1e-2, 1e-2), (0.5, 0.4)), tried(2.0, (3e-2, 2e-2), (0.3, 0.2))]
    assert _entrants(problem, far, known) == (ChoiceVerdict.RANKED, [1])


def test_errors_rank_where_the_kernel_solution_is_sharper_than_all_candidates():
    near = [tried(1.0, (1e-2, 1e-2), (0.3, 0.2)), tried(2.0, (2e-2, 2e-2), (0.4, 0.4))]
    # A tenth of the root of the least loss.
    assert _errors_rank(near, SimpleNamespace(relative_residual=0.009))
    assert not _errors_rank(near, SimpleNamespace(relative_residual=0.011))
    assert not _errors_rank([tried(1.0, (1e-2,), (0.95,))], SimpleNamespace(relative_residual=0.0))
    assert not _errors_rank([tried(1.0, (1e-2,))], SimpleNamespace(relative_residual=0.0))


def test_errors_are_those_of_the_ridge_solutions_to_the_kernel_solution():
    problem = helmholtz(1.2, points=60)
    choice = operators.choose_bandwidth(problem, SMALL, steps=10, cycles=(0.5, 2))
    x = domain_points(problem, 2000, 0)
    fitted, _ = problem.split(0.25, 0)
    for one in choice.candidates:
        bandwidth = (gaussian_bandwidth(one.cycles),)
        features = NetworkFeatures.of(ConfiguredNetwork(problem, SMALL), bandwidth, 0, 1)
        for ridge, error in zip((1e-7, 1e-8), one.errors, strict=True):
            field = solve(fitted, features, ridge, choice.checks)
            truth = choice.kernel(x)
            assert error == pytest.approx(float((field(x) - truth).norm() / truth.norm()), rel=1e-6)
    assert choice.best.score == min(one.score for one in choice.candidates) or choice.best.trained is not None
    resonant = operators.choose_bandwidth(helmholtz(2.0, points=60), SMALL, steps=10, cycles=(0.5, 2))
    assert resonant.kernel.undetermined
    assert [one.errors for one in resonant.candidates] == [(), ()]


def test_wrong_arguments_are_refused():
    problem = helmholtz()
    with pytest.raises(InputError, match="at least one step"):
        operators.choose_bandwidth(problem, steps=0)
    with pytest.raises(InputError, match="positive numbers of cycles"):
        operators.choose_bandwidth(problem, cycles=(1.0, -2.0))
    with pytest.raises(InputError, match="a network that has a bandwidth"):
        operators.choose_bandwidth(problem, ModelConfig("basic"))


def test_training_falls_and_says_infinity_when_it_breaks():
    problem = helmholtz(points=60)
    network = ot.nn.MLP(1, 1, 16, 2, torch.nn.Tanh(), 0).double()
    steps = []
    before = float(problem.loss(network).detach())
    after = operators.train_network(problem, network, 30, observe=steps.append)
    assert after < before
    assert steps == list(range(1, 31))
    with torch.no_grad():
        network.linears[0].weight.fill_(float("nan"))
    assert operators.train_network(problem, network, 5) == float("inf")
